"""From what people type to the workflow that it means: ``checkout:live`` to the ``Rollout`` that holds that alias, or held it last.

No AWS credentials are needed: where a function lives is in the ids of its rollouts, which Temporal lists by function and alias.
"""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import Final

from pydantic import ValidationError
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowExecutionDescription

from workflows.client.errors import Ambiguous, BadRequest, NoSuchRelease, Refused, translate_errors
from workflows.domain.target import Place, Target

_FULL: Final = "arn:"
_FUNCTION: Final = "function:"
_MOST_PLACES: Final = 20


def target_of(text: str) -> Target:
    """``checkout``, ``checkout:beta``, a partial ARN or an ARN, with or without an alias, as a target. Else ``BadRequest``."""
    head, function, tail = text.rpartition(_FUNCTION)
    name, _, alias = tail.partition(":")
    try:
        return Target.model_validate(
            {"function": head + function + name, **({"alias": alias} if ":" in tail else {})}
        )
    except ValidationError as error:
        raise BadRequest(
            [
                f"target: {problem['msg'].removeprefix('Value error, ')}"
                for problem in error.errors()
            ]
        ) from None


def new_id(kind: str, target: Target) -> str:
    """An id for a workflow that was given none: ``release/checkout:live/20261122-093000-5f3c``."""
    return f"{kind}/{target}/{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


async def find(client: Client, target: str | Target) -> WorkflowExecutionDescription:
    """The run that a target stands for: the ``Rollout`` under way, else the last one. A workflow's id stands for itself.

    What may be both, such as ``nightly-7``, is a function if one of that name was ever released. Raises ``NoSuchRelease`` where there
    is neither, and ``Ambiguous`` where several accounts or regions have released it.
    """
    ids = [] if isinstance(target, str) and "/" in target else await _released(client, target)
    if len(ids) > 1:
        raise Ambiguous(
            f"{target} is released in several places: give its ARN, or one of {', '.join(ids)}"
        )
    with translate_errors(
        f"nothing is known of any release of {target} in namespace {client.namespace}"
    ):
        return await client.get_workflow_handle(ids[0] if ids else str(target)).describe()


async def _released(client: Client, target: str | Target) -> list[str]:
    """The ids of the rollouts that a target may stand for, those under way before all others; none where it is no target at all."""
    try:
        place = target_of(target) if isinstance(target, str) else target
    except BadRequest:
        return []
    return (
        _named(place)
        or await _locks(client, place, "AND ExecutionStatus = 'Running'")
        or await _locks(client, place)
    )


def _named(place: Target) -> list[str]:
    """The one id that a full ARN names."""
    return (
        [Place.from_arn(place.function).rollout_id(place.alias)]
        if place.function.startswith(_FULL)
        else []
    )


async def _locks(client: Client, place: Target, which: str = "") -> list[str]:
    """The ids of the rollouts of a target: one for each account and region that has released it, however often."""
    account = place.function.partition(":")[0] if _FUNCTION in place.function else ""
    query = f"WorkflowType = 'Rollout' AND LambdaFunction = '{place.name}' AND LambdaAlias = '{place.alias}' {which}"
    ids: list[str] = []
    with translate_errors():
        while len(ids) < _MOST_PLACES:
            others = "".join(f" AND WorkflowId != '{known}'" for known in ids)
            run = await anext(aiter(client.list_workflows(query + others, limit=1)), None)
            if run is None:
                break
            ids.append(run.id)
    return [lock for lock in ids if lock.startswith(f"lambda/{account}")]


async def rollout_of(
    client: Client, found: WorkflowExecutionDescription
) -> WorkflowExecutionDescription:
    """The ``Rollout`` of whatever was found: itself, or the child of a ``Release`` or ``Rollback``. ``NoSuchRelease`` before there is one."""
    if found.workflow_type == "Rollout":
        return found
    handle = client.get_workflow_handle(found.id, run_id=found.run_id)
    with translate_errors(f"the history of {found.id} has expired"):
        async for event in handle.fetch_history_events():
            if event.event_type == EventType.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_STARTED:
                child = event.child_workflow_execution_started_event_attributes.workflow_execution
                return await client.get_workflow_handle(
                    child.workflow_id, run_id=child.run_id
                ).describe()
    raise NoSuchRelease(
        f"{found.id} {'ended before it' if found.close_time else 'has not'} begun to roll out"
    )


async def run_of(client: Client, lock: str, run_id: str) -> WorkflowExecutionDescription:
    """A run of a rollout, by its id. ``NoSuchRelease`` where there is none, or it is no id."""
    missing = f"nothing is known of a run {run_id} of {lock}: releases history --json lists them"
    try:
        with translate_errors(missing):
            return await client.get_workflow_handle(lock, run_id=run_id).describe()
    except Refused:
        raise NoSuchRelease(missing) from None
