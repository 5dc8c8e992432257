"""Compares ``$LATEST`` with the version that is live, setting by setting, both ways.

A version is published from the whole of ``$LATEST``: what somebody left there would be shipped with
it. Environment values are compared here and never leave this activity; only names do.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Final

from pydantic import AwareDatetime, Field
from temporalio import activity

from activities.artifact_lookup import LookupFinding, look_up_code, look_up_references
from activities.configuration_response import FunctionConfiguration
from activities.errors import AwsError
from activities.function_content import find_unreadable_part, get_package_identity, to_settings
from activities.function_models import FunctionCodeLocation, UpdateFunctionCodeRequest
from activities.latest_users import find_latest_user
from activities.operation import SETTLE, Aws, OperationGroup, operation
from activities.published_versions import PublishedVersions
from activities.reference_scope import ALL_REFERENCES, ReferenceScope
from activities.settling import poll_until_settled, raise_if_failed
from activities.shapes import FunctionName, Integer, PublishedVersionNumber, Request, Response
from activities.temporal_client import find_client

_NAME: Final = "compare_latest"
_MAX_DIFFERENCES: Final = 100
_MAX_VALUE_CHARACTERS: Final = 200
_SHOWN_SETTINGS: Final = {"Handler", "MemorySize", "Role", "Runtime", "Timeout"}
"""Settings whose values are short and no secrets."""

_POLL_USERS_SECONDS: Final = 5


class CompareLatestRequest(Request):
    """The function, and the version that is live (absent: there is none to compare with).

    ``superseded`` is the RevisionId from before a change of the caller's, which is waited for.
    Without it ``$LATEST`` is read as it is. With ``rollout``, the workflow id of a release, and
    ``started_at`` other releases that use ``$LATEST`` are searched for, and waited for up to
    ``patience_seconds``. ``references`` are the dynamic references of variables that are to be
    written, and ``code`` is what is to be uploaded: whether they are there is looked up.
    """

    function_name: FunctionName
    version: PublishedVersionNumber | None = None
    superseded: str | None = None
    rollout: Annotated[str, Field(pattern=r"^[^'\"\\]+$")] | None = None
    started_at: AwareDatetime | None = None
    patience_seconds: Integer = 0
    references: dict[str, str] | None = None
    code: UpdateFunctionCodeRequest | None = None


class SettingDifference(Response):
    """A setting that differs, such as ``Timeout`` or ``Environment.Variables.LOG_LEVEL``.

    With its values where they are short and no secrets.
    """

    name: str
    live: str | None = None
    latest: str | None = None


class CompareLatestResponse(Response):
    """What ``$LATEST`` holds, what the live version is, and the settings in which they differ.

    ``differences`` are at most 100. Code is compared by its hash and architecture, in ``latest``
    and ``live``. ``unpublished`` is true where no version has the code of ``$LATEST``; unknown
    (None) where it is the live version's. ``unreadable`` is AWS's reason why an environment could
    not be compared. ``environment_version`` is a published version with the environment of
    ``$LATEST``; None where there is none, or where it was not searched for. ``user`` is the
    workflow id of another release that uses ``$LATEST``; ``is_brief``: it may be done soon.
    ``lookups`` are what is to be written and is not there, or could not be looked up.
    """

    latest: FunctionConfiguration
    latest_code: FunctionCodeLocation | None = None
    live: FunctionConfiguration | None = None
    live_code: FunctionCodeLocation | None = None
    differences: list[SettingDifference] = Field(default_factory=list[SettingDifference])
    unpublished: bool | None = None
    unreadable: str | None = None
    environment_version: str | None = None
    user: str | None = None
    is_brief: bool | None = None
    lookups: list[LookupFinding] = Field(default_factory=list[LookupFinding])


class LatestComparison(OperationGroup):
    """The operation that compares ``$LATEST`` with a version."""

    def __init__(self, aws: Aws, references: ReferenceScope = ALL_REFERENCES) -> None:
        """Refuse dynamic references that are not in the scope ``references``."""
        super().__init__(aws)
        self._references = references

    @operation(SETTLE)
    async def compare_latest(self, request: CompareLatestRequest) -> CompareLatestResponse:
        """Read ``$LATEST`` and the live version, and compare all settings but the description.

        ``NotFound`` where one does not exist. With ``superseded`` it waits until the change has
        settled, as ``settle_function`` does: ``Invalid``, with AWS's reason, where that failed.
        Safe to repeat. AWS: GetFunction, ListVersionsByFunction; for what is to be written
        HeadObject, BatchGetImage, GetParameters, GetSecretValue.
        """
        user = await _find_user(request)
        compared, lookups = await asyncio.gather(
            self._compare(request, user), self._look_up(request)
        )
        return compared.model_copy(update={"lookups": lookups})

    async def _look_up(self, request: CompareLatestRequest) -> list[LookupFinding]:
        code = await look_up_code(self.aws, request.code) if request.code else None
        references = await look_up_references(
            self.aws,
            request.references or {},
            function=request.function_name,
            scope=self._references,
        )
        return [*([code] if code else []), *references]

    async def _compare(
        self, request: CompareLatestRequest, user: Mapping[str, Any]
    ) -> CompareLatestResponse:
        versions = PublishedVersions(self.aws, request.function_name)
        latest = await self._read_latest(request)
        configuration = latest["Configuration"]
        if request.version is None:
            return CompareLatestResponse(
                latest=FunctionConfiguration.model_validate(configuration),
                latest_code=_code_of(latest),
                environment_version=await _find_environment(request, None, latest, versions),
                **user,
            )
        live = await self.aws.call(
            "lambda",
            "get_function",
            {"FunctionName": request.function_name, "Qualifier": request.version},
        )
        return CompareLatestResponse(
            latest=FunctionConfiguration.model_validate(configuration),
            latest_code=_code_of(latest),
            live=FunctionConfiguration.model_validate(live["Configuration"]),
            live_code=_code_of(live),
            differences=_find_differences(live["Configuration"], configuration),
            unpublished=await _is_unpublished(request, live, latest, versions),
            unreadable=_find_unreadable(live["Configuration"], configuration),
            environment_version=await _find_environment(request, live, latest, versions),
            **user,
        )

    async def _read_latest(self, request: CompareLatestRequest) -> Mapping[str, Any]:
        if request.superseded is None:
            return await self.aws.call(
                "lambda", "get_function", {"FunctionName": request.function_name}
            )
        latest = await poll_until_settled(
            self.aws, request.function_name, None, _NAME, superseded=request.superseded
        )
        raise_if_failed(_NAME, latest["Configuration"])
        return latest


async def _find_environment(
    request: CompareLatestRequest,
    live: Mapping[str, Any] | None,
    latest: Mapping[str, Any],
    versions: PublishedVersions,
) -> str | None:
    """Find a version that has the environment of ``$LATEST``: the live one, or the newest."""
    if request.superseded is not None or _find_unreadable(latest["Configuration"]):
        return None
    environment = to_settings(latest["Configuration"])["Environment"]
    if live is not None and environment == to_settings(live["Configuration"])["Environment"]:
        return request.version
    return await versions.find_environment(environment["Variables"])


async def _is_unpublished(
    request: CompareLatestRequest,
    live: Mapping[str, Any],
    latest: Mapping[str, Any],
    versions: PublishedVersions,
) -> bool | None:
    """Whether no version has the code of ``$LATEST``; None where the live one has it."""
    identity = get_package_identity(latest)
    if identity == get_package_identity(live) or request.superseded is not None:
        return None
    return await versions.find_package(identity) is None


async def _find_user(request: CompareLatestRequest) -> dict[str, Any]:
    """Find who else uses ``$LATEST``; wait for a brief use as long as ``patience_seconds``.

    Each attempt looks once. The failure of one that waits is benign, and adds no event. A plain
    call of the method, outside of a worker, has no Temporal to look at.
    """
    client = find_client()
    if request.rollout is None or request.started_at is None or client is None:
        return {}
    user = await find_latest_user(client, rollout=request.rollout, started_at=request.started_at)
    if user is None:
        return {}
    info = activity.info()
    waited = info.current_attempt_scheduled_time - info.scheduled_time
    if user.is_brief and waited < timedelta(seconds=request.patience_seconds):
        raise AwsError(
            _NAME,
            "InProgress",
            f"{user.rollout} uses $LATEST of this function",
            retry_after=_POLL_USERS_SECONDS,
        )
    return {"user": user.rollout, "is_brief": user.is_brief}


def _code_of(function: Mapping[str, Any]) -> FunctionCodeLocation:
    return FunctionCodeLocation.model_validate(function.get("Code") or {})


def _find_unreadable(*configurations: Mapping[str, Any]) -> str | None:
    reasons = (find_unreadable_part(each) for each in configurations)
    return next((reason for reason in reasons if reason), None)


def _find_differences(
    live: Mapping[str, Any], latest: Mapping[str, Any]
) -> list[SettingDifference]:
    before, now = to_settings(live), to_settings(latest)
    if _find_unreadable(live, latest):
        for unreadable in ("Environment", "ImageConfig"):
            before.pop(unreadable, None)
            now.pop(unreadable, None)
    names = sorted({*before, *now})
    return [
        difference
        for name in names
        for difference in _compare_setting(name, before.get(name), now.get(name))
    ][:_MAX_DIFFERENCES]


def _compare_setting(name: str, live: Any, latest: Any) -> list[SettingDifference]:
    if live == latest or not (live or latest):
        return []
    if name == "Environment":
        return _compare_variables(live["Variables"], latest["Variables"])
    if name not in _SHOWN_SETTINGS:
        return [SettingDifference(name=name)]
    return [SettingDifference(name=name, live=_show(live), latest=_show(latest))]


def _compare_variables(
    live: Mapping[str, Any], latest: Mapping[str, Any]
) -> list[SettingDifference]:
    return [
        SettingDifference(name=f"Environment.Variables.{name}"[:_MAX_VALUE_CHARACTERS])
        for name in sorted({*live, *latest})
        if live.get(name) != latest.get(name)
    ]


def _show(value: object) -> str | None:
    return None if value is None else str(value)[:_MAX_VALUE_CHARACTERS]
