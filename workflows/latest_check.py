"""Checks of ``$LATEST``: what a release would publish with it, and what was written to it.

One activity reads ``$LATEST`` and the live version and compares them. Preflight calls it in place
of reading the live version; the last change of ``$LATEST`` is waited for by it. So the checks cost
a release no call of their own.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from temporalio import workflow
from temporalio.exceptions import ActivityError

from activities.configuration_response import FunctionConfiguration
from activities.dynamic_references import extract_references
from activities.images import Images, ResolveImageRequest
from activities.latest_comparison import (
    CompareLatestRequest,
    CompareLatestResponse,
    LatestComparison,
)
from workflows.artifact_check import (
    REFERENCES_FIELD,
    find_named_code,
    is_about_references,
    list_missing,
    list_unread,
)
from workflows.call import CallOptions, call, root_cause
from workflows.domain.artifact import Image, Latest, S3Package
from workflows.domain.latest_rules import (
    LatestDifference,
    LatestFacts,
    LatestIntent,
    find_latest_notes,
    find_latest_refusals,
)
from workflows.domain.target import Target
from workflows.preflight_reads import ReleaseRejected, or_reject
from workflows.request import ReleaseRequest, RollbackRequest

_PATIENCE_SECONDS: Final = 300
"""How long a release waits for another one of the function that may soon be done."""

_SUMMARY_LENGTH: Final = 200
_COMMON_MEMBERS: Final = ("runtime", "role", "handler", "timeout", "memory_size", "architectures")


@dataclass(frozen=True, slots=True)
class LatestFindings:
    """What is known of ``$LATEST`` and of the live version, before anything is written.

    ``differences`` are names of settings. ``architecture`` and ``kms_key`` are the live version's,
    as is ``storage_mode``. ``layers`` is how many ``$LATEST`` has. ``is_equal``: it equals the live
    version. ``content`` is what can be compared with the version that is published of it. ``image``
    is the URI of the artifact by its digest, where it is an image.
    ``environment_version`` has the environment of ``$LATEST``; ``is_environment_lost``: none has.
    """

    differences: frozenset[str] = frozenset()
    is_equal: bool = False
    content: Mapping[str, object] = field(default_factory=dict[str, object])
    architecture: str | None = None
    kms_key: str | None = None
    storage_mode: str | None = None
    layers: int = 0
    image: str | None = None
    environment_version: str | None = None
    is_environment_lost: bool = False


@dataclass(frozen=True, slots=True)
class LatestCheck:
    """What preflight reads of ``$LATEST`` and the live version, and what follows from it.

    ``missing`` are refusals for what is to be written and is not there, ``unread`` notes on what of
    it was not looked at: they hold whatever ``$LATEST`` is.
    """

    latest: FunctionConfiguration
    live: FunctionConfiguration | None
    findings: LatestFindings
    refusals: tuple[str, ...]
    is_busy: bool
    notes: tuple[str, ...]
    missing: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ResolvedImage:
    """An image by its digest, if that could be found; if not, ``problem`` says why."""

    uri: str
    problem: str | None = None


def uses_latest(request: ReleaseRequest | RollbackRequest) -> bool:
    """Whether a request writes or publishes ``$LATEST``."""
    return isinstance(request, ReleaseRequest) and (
        isinstance(request.artifact, S3Package | Image | Latest)
        or request.configuration is not None
    )


async def check_latest(
    request: ReleaseRequest, target: Target, live: str | None, report: Callable[[str], None] | None
) -> LatestCheck:
    """Compare ``$LATEST`` with the live version, by the rules for what may be published.

    ``target`` has the function's ARN. Another release that uses ``$LATEST`` is waited for where it
    may soon be done: ``report`` tells the reader of the status. Without ``report`` nothing is
    waited for. Raises :class:`~workflows.preflight_reads.ReleaseRejected` where AWS refuses a read.
    """
    found = await _reject_reference(_compare(request, target, live, is_patient=False))
    notes: list[str] = []
    if found.user and found.is_brief:
        if report is None:
            notes.append(f"{found.user} uses $LATEST at the moment: a release waits for it")
            found = found.model_copy(update={"user": None})
        else:
            report(f"Waiting for {found.user}, which uses $LATEST of this function, too")
            comparison = _compare(request, target, live, is_patient=True)
            found = await or_reject(comparison, field="target.function")
    image: ResolvedImage | None = None
    takes_images = found.latest.package_type != "Zip"
    if isinstance(request.artifact, Image) and takes_images and "@" not in request.artifact.uri:
        image = await or_reject(_resolve_image(request.artifact), field="artifact.uri")
    if image and image.problem:
        notes.append(f"{image.uri} is written by its tag, which may be moved: {image.problem}")
    intent, facts = _read_intent(request), _read_facts(found, live)
    return LatestCheck(
        latest=found.latest,
        live=found.live,
        findings=_summarize(found, image),
        refusals=tuple(find_latest_refusals(intent, facts)),
        is_busy=facts.user is not None,
        notes=(*find_latest_notes(intent, facts), *notes),
        missing=tuple(list_missing(found.lookups)),
        unread=tuple(list_unread(found.lookups)),
    )


async def _reject_reference(comparison: Awaitable[CompareLatestResponse]) -> CompareLatestResponse:
    """Await a comparison; reject the release where a reference may not be resolved, or AWS refuses.

    A reference that is refused here is refused before anything is written.
    """
    try:
        return await or_reject(comparison, field="target.function")
    except ReleaseRejected as rejection:
        cause = rejection.__cause__
        if isinstance(cause, ActivityError) and is_about_references(cause):
            raise ReleaseRejected(f"{REFERENCES_FIELD}: {root_cause(cause)}") from cause
        raise


async def _compare(
    request: ReleaseRequest, target: Target, live: str | None, *, is_patient: bool
) -> CompareLatestResponse:
    change = request.configuration
    environment = change.environment if change else None
    references = extract_references((environment.variables if environment else None) or {})
    text = f"Compare $LATEST with version {live}" if live else "Read $LATEST"
    return await call(
        LatestComparison.compare_latest,
        CompareLatestRequest(
            function_name=target.function,
            version=live,
            rollout=target.rollout_id,
            started_at=workflow.info().workflow_start_time,
            patience_seconds=_PATIENCE_SECONDS if is_patient else 0,
            references=references or None,
            code=find_named_code(request, target),
        ),
        summary="Wait for the other release that uses $LATEST" if is_patient else text,
    )


async def check_written(
    function: str, *, live: str | None, superseded: str | None, options: CallOptions
) -> CompareLatestResponse:
    """Wait until the change of ``$LATEST`` has settled, and compare it with the live version."""
    return await call(
        LatestComparison.compare_latest,
        CompareLatestRequest(function_name=function, version=live, superseded=superseded or ""),
        summary="Wait until $LATEST is ready",
        options=options,
    )


async def _resolve_image(image: Image) -> ResolvedImage:
    """Find the digest of an image, before anything is written."""
    found = await call(
        Images.resolve_image,
        ResolveImageRequest(image_uri=image.uri),
        summary=f"Find the digest of {image.uri}"[:_SUMMARY_LENGTH],
    )
    return ResolvedImage(uri=found.image_uri, problem=found.problem)


def _summarize(found: CompareLatestResponse, image: ResolvedImage | None) -> LatestFindings:
    latest, live = found.latest, found.live or found.latest
    code = found.live_code if found.live else found.latest_code
    return LatestFindings(
        differences=frozenset(each.name for each in found.differences),
        is_equal=is_equal(found),
        content=describe_content(found.latest),
        architecture=next(iter(live.architectures or ()), None),
        kms_key=code.source_kms_key_arn if code else None,
        storage_mode="REFERENCE" if code and code.resolved_s3_object else None,
        layers=len(latest.layers or ()),
        image=image.uri if image else None,
        environment_version=found.environment_version,
        is_environment_lost=found.environment_version is None and found.unreadable is None,
    )


def describe_content(configuration: FunctionConfiguration) -> Mapping[str, object]:
    """Return what ``$LATEST`` and a version of it have in common, without any secret."""
    environment = configuration.environment
    is_readable = environment is None or environment.error is None
    return {
        **{name: getattr(configuration, name) for name in _COMMON_MEMBERS},
        "environment": sorted(environment.variables if environment else ())
        if is_readable
        else None,
        "layers": [layer.arn for layer in configuration.layers or ()],
    }


def is_configured_first(request: ReleaseRequest, findings: LatestFindings | None) -> bool:
    """Whether the settings are written before the code.

    AWS refuses new code on a runtime that it no longer supports, and code that together with its
    layers is too large: a new runtime goes first, and so do fewer layers.
    """
    change = request.configuration
    if findings is None or change is None or not isinstance(request.artifact, S3Package):
        return False
    has_fewer_layers = change.layers is not None and len(change.layers) < findings.layers
    return change.runtime is not None or has_fewer_layers


def is_equal(found: CompareLatestResponse) -> bool:
    """Whether ``$LATEST`` is the live version: by its code and by all of its settings."""
    return (
        found.live is not None
        and not found.differences
        and found.unreadable is None
        and _describe_code(found.latest.code_sha256, found.latest.architectures)
        == _describe_code(found.live.code_sha256, found.live.architectures)
    )


def _read_intent(request: ReleaseRequest) -> LatestIntent:
    change = request.configuration
    return LatestIntent(
        replaces_code=isinstance(request.artifact, S3Package | Image),
        ships_latest=isinstance(request.artifact, Latest),
        settings=frozenset(change.parameters()) if change else frozenset(),
        includes_latest=bool(request.include_latest),
    )


def _read_facts(found: CompareLatestResponse, live: str | None) -> LatestFacts:
    latest = found.latest
    failure = latest.last_update_status_reason or latest.last_update_status_reason_code
    return LatestFacts(
        live=live,
        code=_describe_code(latest.code_sha256, latest.architectures),
        live_code=_describe_code(found.live.code_sha256, found.live.architectures)
        if found.live
        else None,
        differences=tuple(
            LatestDifference(each.name, each.live, each.latest) for each in found.differences
        ),
        is_code_unpublished=bool(found.unpublished),
        is_environment_unpublished=found.environment_version is None and found.unreadable is None,
        unreadable=found.unreadable,
        failure=(failure or "AWS gives no reason")
        if latest.last_update_status == "Failed"
        else None,
        user=found.user,
    )


def _describe_code(sha256: str, architectures: list[str] | None) -> str:
    return " ".join([sha256, *(name for name in architectures or () if name != "x86_64")])
