"""Puts settings of ``$LATEST`` back, one by one where AWS does not take them all.

Environment values are read from a published version and written again; they leave no activity.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from activities.advice import find_advice
from activities.errors import AwsError
from activities.function_content import get_unreadable_parts, to_settings
from activities.latest_writer import LatestWriter, is_refusal, to_leftover
from activities.readback import find_differences
from activities.restore_models import Leftover, RestoreLatestRequest

ENVIRONMENT: Final = "Environment"

KMS_DENIED: Final = "KMSAccessDeniedException"
"""Why AWS cannot show an environment, mostly."""

_OPERATION: Final = "update_function_configuration"


@dataclass
class SettingsOutcome:
    """The names of settings that were written, those as before already, and the others."""

    written: list[str] = field(default_factory=list[str])
    intact: list[str] = field(default_factory=list[str])
    leftovers: list[Leftover] = field(default_factory=list[Leftover])


class LatestSettings:
    """The settings of ``$LATEST``: which are the release's, and what they were before."""

    def __init__(self, request: RestoreLatestRequest, writer: LatestWriter) -> None:
        """Put back what ``request`` describes."""
        self._request = request
        self._writer = writer
        self._outcome = SettingsOutcome()

    async def restore(self) -> SettingsOutcome:
        """Put the settings back. Raises what passes; what AWS refuses is left out."""
        outcome = self._outcome
        wanted = await self._find_wanted()
        latest = self._writer.latest
        present = _to_all_settings(latest)
        unreadable = get_unreadable_parts(latest["Configuration"])
        has_failed = self._writer.has_failed
        replaced = await self._read_replaced()
        changes: dict[str, Any] = {}
        for name, value in wanted.items():
            is_equal = name not in unreadable and _is_equal(name, value, present.get(name))
            if is_equal and not has_failed:
                outcome.intact.append(name)
            elif is_equal or name in unreadable or self._is_own(name, present, replaced):
                changes[name] = value
            else:
                text = "another writer has changed it since"
                outcome.leftovers.append(Leftover(name=name, reason="foreign", cause=text))
        refused = await self._write_all(changes) if changes else {}
        outcome.written = [name for name in changes if name not in refused]
        outcome.leftovers += [to_leftover(name, error) for name, error in refused.items()]
        return outcome

    # --- what was there ----------------------------------------------------------------------

    async def _find_wanted(self) -> dict[str, Any]:
        """Return the value to put back for each setting, as far as it can be had."""
        request = self._request
        if request.before is None:
            return await self._copy_all()
        wanted = {
            name: value for name, value in request.before.settings.items() if name != ENVIRONMENT
        }
        if ENVIRONMENT in request.before.settings:
            wanted |= await self._find_environment()
        for name in request.written:
            if name not in request.before.settings:
                text = "there was none before, and AWS has no value that takes it away"
                self._leave(name, "refused", text)
        return wanted

    async def _copy_all(self) -> dict[str, Any]:
        """Return all settings of the version, as an undo of an earlier release takes them."""
        request = self._request
        source = await self._read(request.version)
        if source is None:
            self._leave("configuration", "refused", f"version {request.version} is gone")
            return {}
        settings = to_settings(source["Configuration"])
        for name, code in get_unreadable_parts(source["Configuration"]).items():
            del settings[name]
            self._leave(name, "refused", _describe_unreadable(request.version, code))
        if request.description is not None:
            settings["Description"] = request.description
        return settings

    async def _find_environment(self) -> dict[str, Any]:
        request, before = self._request, self._request.before
        number = (before.environment_version if before else None) or request.version
        source = await self._read(number)
        if source is None:
            gone = f"version {number} does not exist any more" if number else "no version has it"
            self._leave(ENVIRONMENT, "refused" if number else "lost", gone)
            return {}
        code = get_unreadable_parts(source["Configuration"]).get(ENVIRONMENT)
        if code is not None:
            self._leave(ENVIRONMENT, "refused", _describe_unreadable(number, code))
            return {}
        if before is not None and before.is_environment_lost:
            text = f"no version has what was there; that of version {number} is there now"
            self._leave(ENVIRONMENT, "lost", text)
        return {ENVIRONMENT: to_settings(source["Configuration"])[ENVIRONMENT]}

    async def _read(self, version: str | None) -> Mapping[str, Any] | None:
        if version is None:
            return None
        return await self._writer.versions.read(version)

    def _leave(self, name: str, reason: str, cause: str) -> None:
        self._outcome.leftovers.append(Leftover(name=name, reason=reason, cause=cause))

    # --- what is there now -------------------------------------------------------------------

    async def _read_replaced(self) -> dict[str, Any] | None:
        """Return the settings of the version that the release published, as far as AWS shows them.

        None where there is no such version.
        """
        replaced = await self._read(self._request.replacing)
        if replaced is None:
            return None
        unreadable = get_unreadable_parts(replaced["Configuration"])
        settings = to_settings(replaced["Configuration"])
        return {name: value for name, value in settings.items() if name not in unreadable}

    def _is_own(
        self, name: str, present: Mapping[str, Any], replaced: Mapping[str, Any] | None
    ) -> bool:
        """Whether the release wrote the value that a setting has now."""
        request = self._request
        if self._writer.is_untouched or not request.has_known_content:
            return True
        value = present.get(name)
        if replaced is not None and name in replaced:
            return _is_equal(name, replaced[name], value)
        if not request.written:
            # An earlier release's undo: all that it knows is the code it had uploaded.
            return replaced is None or name == "Description"
        written = request.written.get(name)
        if name == ENVIRONMENT:
            return _is_equal(name, written or [], _name_variables(value))
        return name in request.written and not find_differences({name: written}, {name: value})

    # --- the change --------------------------------------------------------------------------

    async def _write_all(self, changes: dict[str, Any]) -> dict[str, AwsError]:
        """Write settings; return those that AWS refuses, each with the refusal.

        What is refused beside others is attempted again after them: AWS may need them first.
        """
        refused = await self._write(changes)
        while refused and len(refused) < len(changes):
            changes = {name: changes[name] for name in refused}
            refused = await self._write(changes)
        return refused

    async def _write(self, changes: dict[str, Any]) -> dict[str, AwsError]:
        """Write settings together, or where AWS refuses that in halves."""
        try:
            await self._writer.write(_OPERATION, changes)
        except AwsError as error:
            if not is_refusal(error):
                raise
            if len(changes) == 1:
                return dict.fromkeys(changes, error)
        else:
            return {}
        names = list(changes)
        half = len(names) // 2
        return {
            **await self._write({name: changes[name] for name in names[:half]}),
            **await self._write({name: changes[name] for name in names[half:]}),
        }


def _to_all_settings(function: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of ``$LATEST``, its own description among them."""
    configuration = function["Configuration"]
    return {**to_settings(configuration), "Description": configuration.get("Description", "")}


def _name_variables(environment: Any) -> list[str]:
    """Return the names of the variables of an environment, sorted."""
    variables: Mapping[str, str] = environment["Variables"] if environment else {}
    return sorted(variables)


def _is_equal(name: str, value: Any, other: Any) -> bool:
    """Whether two values of a setting are the same to AWS."""
    return not find_differences({name: value}, {name: other}) and not find_differences(
        {name: other}, {name: value}
    )


def _describe_unreadable(version: str | None, code: str) -> str:
    return f"AWS cannot show that of version {version} ({code}). {find_advice(KMS_DENIED, code)}"
