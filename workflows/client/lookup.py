"""Finds the workflow of a release by a name, such as ``checkout:live``.

No AWS credentials are needed: the account and region of a function are in the ids of its rollouts,
which Temporal lists by function and alias.
"""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import Final

from pydantic import ValidationError
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowExecutionDescription

from workflows.client.errors import Ambiguous, BadRequest, NoSuchRelease, translate_errors
from workflows.client.known_targets import ask_for_target
from workflows.domain.input_words import describe_error
from workflows.domain.rollout_id import RolloutId, spell_rollout_id
from workflows.domain.target import Target
from workflows.run_chain import fetch_events, find_last_run

_ARN_PREFIX: Final = "arn:"
_NAME_PREFIX: Final = "function:"
_MAX_ROLLOUT_IDS: Final = 20


def parse_target(text: str) -> Target:
    """Parse a name, a partial ARN or an ARN, with or without an alias.

    Examples are ``checkout`` and ``checkout:beta``. Raises ``BadRequest`` for anything else.
    """
    head, function, tail = text.rpartition(_NAME_PREFIX)
    name, _, alias = tail.partition(":")
    try:
        return Target.model_validate(
            {"function": head + function + name, **({"alias": alias} if ":" in tail else {})}
        )
    except ValidationError as error:
        raise BadRequest(
            [f"target: {describe_error(problem)}" for problem in error.errors()]
        ) from None


def generate_workflow_id(kind: str, target: Target) -> str:
    """Generate a workflow id: ``release:checkout:live:20261122-093000-5f3c``."""
    return f"{kind}:{target}:{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


async def find_workflow(client: Client, target: str | Target) -> WorkflowExecutionDescription:
    """Find the run of a target: the running ``Rollout``, else the last one.

    A workflow's id stands for itself. A name that may be both, such as ``nightly-7``, is a function
    if one of that name was released. Raises ``NoSuchRelease`` where neither exists, and
    ``Ambiguous`` where several accounts or regions have released it.
    """
    ids = await _find_rollout_ids(client, target)
    if len(ids) > 1:
        raise Ambiguous(
            f"{target} is released in several places: give --account and --region, its ARN, or one "
            f"of {', '.join(ids)}"
        )
    not_found = f"nothing is known of any release of {target} in namespace {client.namespace}"
    try:
        with translate_errors(not_found):
            return await client.get_workflow_handle(ids[0] if ids else str(target)).describe()
    except NoSuchRelease:
        parsed = parse_name(target)
        question = await ask_for_target(client, parsed) if parsed else ""
        raise NoSuchRelease(f"{not_found}{question}") from None


async def find_rollout(
    client: Client, execution: WorkflowExecutionDescription
) -> WorkflowExecutionDescription:
    """Find the ``Rollout`` of a workflow: itself, or its child in its last run.

    Raises ``NoSuchRelease`` where it has none (yet).
    """
    if execution.workflow_type == "Rollout":
        return execution
    with translate_errors(f"the history of {execution.id} has expired"):
        async for event in fetch_events(client, execution.id, execution.run_id):
            if event.event_type == EventType.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_STARTED:
                child = event.child_workflow_execution_started_event_attributes.workflow_execution
                return await find_last_run(client, child.workflow_id, child.run_id)
    raise NoSuchRelease(
        f"{execution.id} {'ended before it' if execution.close_time else 'has not'} "
        "begun to roll out"
    )


async def find_run(client: Client, rollout_id: str, run_id: str) -> WorkflowExecutionDescription:
    """Find the last run of a release by any of its run ids; else ``NoSuchRelease``."""
    not_found = (
        f"nothing is known of a run {run_id} of {rollout_id}: releases history --json lists them"
    )
    for spelling in spell_rollout_id(rollout_id):
        try:
            with translate_errors(not_found):
                return await find_last_run(client, spelling, run_id)
        except (NoSuchRelease, BadRequest):  # Temporal refuses a text that is not a UUID
            continue
    raise NoSuchRelease(not_found)


def parse_name(target: str | Target) -> Target | None:
    """Parse the name of a function and alias; None for the id of a workflow."""
    try:
        return parse_target(target) if isinstance(target, str) else target
    except BadRequest:
        return None


async def _find_rollout_ids(client: Client, target: str | Target) -> list[str]:
    """Find the rollouts that a name may mean; none where it is no target."""
    parsed = parse_name(target)
    if parsed is None:
        return []
    if parsed.function.startswith(_ARN_PREFIX):
        return [await _find_spelling(client, parsed.rollout_id)]
    return await list_rollout_ids(
        client, parsed, "AND ExecutionStatus = 'Running'"
    ) or await list_rollout_ids(client, parsed)


async def list_rollout_ids(client: Client, target: Target, condition: str = "") -> list[str]:
    """List the rollout ids of a target: one for each account and region."""
    is_partial_arn = _NAME_PREFIX in target.function
    account = target.function.partition(":")[0] if is_partial_arn else ""
    query = (
        f"WorkflowType = 'Rollout' AND LambdaFunction = '{target.name}' "
        f"AND LambdaAlias = '{target.alias}' {condition}"
    )
    ids: list[str] = []
    with translate_errors():
        # An alias may have thousands of runs: list one id at a time, leaving out the known ones.
        while len(ids) < _MAX_ROLLOUT_IDS:
            others = "".join(f" AND WorkflowId != '{known}'" for known in ids)
            run = await anext(aiter(client.list_workflows(query + others, limit=1)), None)
            if run is None:
                break
            ids.append(run.id)
    places = {
        str(place): rollout_id
        for rollout_id in sorted(ids)  # one of before, with slashes, comes first
        if (place := RolloutId.parse(rollout_id)) and place.account.startswith(account)
    }
    return list(places.values())


async def _find_spelling(client: Client, rollout_id: str) -> str:
    """Return a rollout id as its release spells it: with slashes, where one of before runs."""
    known: list[WorkflowExecutionDescription] = []
    for spelling in spell_rollout_id(rollout_id):
        try:
            with translate_errors(spelling):
                known.append(await client.get_workflow_handle(spelling).describe())
        except NoSuchRelease:
            continue
    running = [found.id for found in known if found.close_time is None]
    return (*running, *(found.id for found in known), rollout_id)[0]
