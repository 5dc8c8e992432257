"""Names the fields of an input as they were typed: by the flag, or in the file."""

from __future__ import annotations

from collections.abc import Collection, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from workflows.cli.flags import Flags
from workflows.client.errors import BadRequest
from workflows.domain.rejection import WHOLE_INPUT
from workflows.domain.status import InputProblem

_SETTING: Final = "--set"
_VARIABLE: Final = "--env"
_TARGET: Final = "TARGET"
_NAMED: Final = {_SETTING, _VARIABLE}
"""The flags that take the name of a field with its value."""

_SHARED: Final = {
    "target": _TARGET,
    "target.function": _TARGET,
    "target.alias": _TARGET,
    "concurrency.reserved": "--reserved",
    "concurrency.provisioned": "--provisioned",
    "hooks.before_traffic": "--before-traffic",
    "hooks.after_traffic": "--after-traffic",
    "guards.alarms": "--alarm",
    "even_if_inactive": "--even-if-inactive",
    "hotfix": "--hotfix",
    "reason": "--reason",
    "requested_by": "--by",
}
ROLLBACK_FLAGS: Final = {**_SHARED, "version": "--to"}
"""The flags of ``rollback`` by the field that each is for."""

SCHEDULE_FLAGS: Final = {
    "cron": "--cron",
    "calendars": "--calendar",
    "at": "--at",
    "time_zone": "--time-zone",
    "jitter": "--jitter",
    "catch_up": "--catch-up",
}
"""The flags of the times of a schedule."""

_RELEASE_FLAGS: Final = {
    **_SHARED,
    "artifact.architecture": "--architecture",
    "artifact.kms_key": "--kms-key",
    "artifact.storage_mode": "--storage-mode",
    "artifact.revision": "--revision",
    "configuration": _SETTING,
    "configuration.Environment.Variables": _VARIABLE,
    "strategy": "--strategy",
    "guards.metrics": "--metrics",
    "guards.after": "--after",
    "again": "--again",
    "include_latest": "--include-latest",
}
_NO_KEY: Final = "there is no such key"
_NOTHING: Final = "nothing to release"
_WHAT_TO_RELEASE: Final = (
    "nothing to release: give a package (--s3 or --zip), --image, --version or --latest, or change "
    "a setting (--set, --env)"
)


class FieldNames:
    """Names a field by the flag that it was typed with, or by the file that it stands in."""

    def __init__(
        self, flags: Mapping[str, str], *, file: Path | None = None, typed: Collection[str] = ()
    ) -> None:
        """``flags`` are by field. With a ``file``, only those that are ``typed`` are named."""
        self._flags = flags
        self._file = file
        self._typed = typed

    @classmethod
    def from_flags(cls, flags: Flags, target: str | None) -> FieldNames:
        """Return the names for a release that is described by flags, a target and a file."""
        artifact = {
            "--s3": ("bucket", "key", "object_version"),
            "--bucket": ("bucket",) if flags.package else (),
            "--image": ("uri",),
            "--version": ("version",),
        }
        named = {
            "--s3": flags.s3,
            "--bucket": flags.bucket,
            "--image": flags.image,
            "--version": flags.version,
        }
        by_field = {
            f"artifact.{member}": flag
            for flag, members in artifact.items()
            if named[flag]
            for member in members
        }
        typed = _list_typed(flags) | ({_TARGET} if target else set[str]())
        return cls({**_RELEASE_FLAGS, **by_field}, file=flags.file, typed=typed)

    def describe(self, problem: InputProblem) -> str:
        """Return a problem in one line: the flag or the place in the file, and what is wrong."""
        field = "" if problem.field == WHOLE_INPUT else problem.field
        if not field and problem.problem.startswith(_NOTHING) and self._file is None:
            return _WHAT_TO_RELEASE
        prefix = next(
            (known for known in sorted(self._flags, key=len, reverse=True) if _is_in(field, known)),
            None,
        )
        text = problem.problem
        if prefix is not None and self._is_typed(flag := self._flags[prefix], field, prefix):
            inner = field[len(prefix) :].lstrip(".")
            if flag == _TARGET:
                hint = ": name a function, such as checkout or checkout:beta"
                return f"{flag}: {text}{hint if text == 'missing' else ''}"
            if text.startswith(_NO_KEY):
                text = _name_missing_key(flag, inner, text)
            if flag in _NAMED:
                name, _, inner = inner.partition(".")
                flag = f"{flag} {name}".rstrip()
            elif flag == "--s3":
                inner = field.rpartition(".")[2]
            elif flag == "--alarm":  # the number of the flag among its like says nothing
                inner = ""
            return ": ".join(filter(None, (flag, inner, text)))
        file = str(self._file) if self._file else ""
        return ": ".join(filter(None, (file, field, text)))

    @contextmanager
    def rename(self) -> Generator[None]:
        """Name the fields of a ``BadRequest``, too, whose problems begin with them."""
        try:
            yield
        except BadRequest as error:
            problems = (problem.partition(": ") for problem in error.problems)
            raise BadRequest(
                [
                    self.describe(InputProblem(field=field if text else "", problem=text or field))
                    for field, _, text in problems
                ]
            ) from None

    def _is_typed(self, flag: str, field: str, prefix: str) -> bool:
        if self._file is None:
            return True
        if flag in _NAMED:
            return f"{flag} {field[len(prefix) + 1 :].partition('.')[0]}" in self._typed
        return flag in self._typed


def _name_missing_key(flag: str, inner: str, text: str) -> str:
    """Say of a key that does not exist what its flag is about."""
    if flag in _NAMED and "." not in inner:
        return text.replace(_NO_KEY, "there is no such setting")
    return text if inner else "not for this kind of artifact"


def _is_in(field: str, outer: str) -> bool:
    """Whether a field is another one, or in it; all of them are in the empty one."""
    return not outer or field == outer or field.startswith(f"{outer}.")


def _list_typed(flags: Flags) -> set[str]:
    """List the flags that were typed; with their names those that take one."""
    given: dict[str, object] = {
        "--reserved": flags.reserved is not None,
        "--provisioned": flags.provisioned is not None,
        "--before-traffic": flags.before_traffic,
        "--after-traffic": flags.after_traffic,
        "--alarm": flags.alarms,
        "--hotfix": flags.hotfix,
        "--reason": flags.reason,
        "--by": flags.by,
        "--architecture": flags.architecture,
        "--kms-key": flags.kms_key,
        "--storage-mode": flags.storage_mode,
        "--revision": flags.revision,
        "--strategy": flags.strategy,
        "--metrics": flags.metrics,
        "--after": flags.after,
        "--again": flags.again,
        "--s3": flags.s3,
        "--bucket": flags.bucket,
        "--image": flags.image,
        "--version": flags.version,
    }
    named = {
        f"{flag} {pair.partition('=')[0]}"
        for flag, pairs in ((_SETTING, flags.settings), (_VARIABLE, flags.environment))
        for pair in pairs
    }
    return {flag for flag, value in given.items() if value} | named
