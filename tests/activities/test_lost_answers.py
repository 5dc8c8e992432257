"""The answer is lost: every operation that changes something is performed again, over real HTTP, and the world is as it was asked.

Each case is one operation as Temporal performs it: attempt 1 meets a fault on its way, further attempts follow while the failure
may be retried. Counted is what arrived at Lambda, compared is what Lambda holds.
"""

from __future__ import annotations

import base64
import dataclasses
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.aliases import (
    Aliases,
    AliasRoutingConfiguration,
    CreateAliasRequest,
    DeleteAliasRequest,
    UpdateAliasRequest,
)
from activities.aws import Connection
from activities.concurrency import (
    DeleteFunctionConcurrencyRequest,
    PutFunctionConcurrencyRequest,
    ReservedConcurrency,
)
from activities.configuration import Environment
from activities.event_source_mappings import EventSourceMappings
from activities.event_source_mapping_models import UpdateEventSourceMappingRequest
from activities.event_source_mapping_models import DeleteEventSourceMappingRequest
from activities.event_source_mapping_models import CreateEventSourceMappingRequest
from activities.functions import Functions
from activities.function_models import DeleteFunctionRequest
from activities.function_models import UpdateFunctionConfigurationRequest
from activities.function_models import UpdateFunctionCodeRequest
from activities.function_models import CreateFunctionRequest
from activities.function_models import FunctionCode
from activities.invocations import Invocations, InvokeAsyncRequest, InvokeRequest
from activities.limits import rate
from activities.operation import OperationGroup
from activities.permissions import AddPermissionRequest, Permissions, RemovePermissionRequest
from activities.provisioned import (
    DeleteProvisionedConcurrencyConfigRequest,
    ProvisionedConcurrency,
    PutProvisionedConcurrencyConfigRequest,
)
from activities.shapes import Request
from activities.tags import TagResourceRequest, Tags, UntagResourceRequest
from activities.versions import PublishVersionRequest, Versions
from tests.activities.stub import (
    BROKEN,
    NOT_JSON,
    THROTTLED,
    Answer,
    DropAfter,
    DropBefore,
    Fault,
    Slow,
    Stub,
    Truncated,
)
from tests.activities.tiny_lambda import ACCOUNT, REGION, ROLE, TinyLambda

pytest_plugins = ["tests.activities.wired"]

ARN = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:checkout"
QUEUE = f"arn:aws:sqs:{REGION}:{ACCOUNT}:orders"
MAPPING = "00000000-0000-0000-0000-000000000001"
CODE = FunctionCode(zip_file=b"two")


@dataclass(frozen=True)
class Case:
    """One operation: what is asked of what is there, what is to be there in the end, and how often it may be sent to get there."""

    operation: Callable[[Any, Any], Coroutine[Any, Any, Any]]
    group: type[OperationGroup]
    ask: Callable[[TinyLambda], Request]
    done: Callable[[TinyLambda], bool]
    sent: int
    """How often it arrives where the answer of the first was lost: 1 where it is read back, 2 where sending it again is harmless."""
    prepare: Callable[[TinyLambda], object] = lambda _: None

    @property
    def name(self) -> str:
        return self.operation.__name__


def latest(tiny: TinyLambda) -> dict[str, Any]:
    return tiny.functions["checkout"].latest


def live(tiny: TinyLambda) -> dict[str, Any]:
    return tiny.functions["checkout"].aliases["live"]


def map_queue(tiny: TinyLambda) -> None:
    tiny.create_event_source_mapping({"FunctionName": "checkout", "EventSourceArn": QUEUE})


def change_code(tiny: TinyLambda) -> None:
    tiny.update_function_code({"FunctionName": "checkout", "ZipFile": base64.b64encode(b"two")})


def allow(tiny: TinyLambda) -> None:
    statement = {
        "StatementId": "s3",
        "Action": "lambda:InvokeFunction",
        "Principal": "s3.amazonaws.com",
    }
    tiny.add_permission({"FunctionName": "checkout", **statement})


CASES = [
    Case(
        Permissions.add_permission,
        Permissions,
        lambda _: AddPermissionRequest(
            function_name="checkout",
            statement_id="s3",
            action="lambda:InvokeFunction",
            principal="s3.amazonaws.com",
        ),
        lambda tiny: list(tiny.functions["checkout"].policies[""]) == ["s3"],
        sent=1,
    ),
    Case(
        Permissions.remove_permission,
        Permissions,
        lambda _: RemovePermissionRequest(function_name="checkout", statement_id="s3"),
        lambda tiny: not tiny.functions["checkout"].policies[""],
        sent=2,
        prepare=allow,
    ),
    Case(
        Aliases.create_alias,
        Aliases,
        lambda _: CreateAliasRequest(
            function_name="checkout", name="beta", function_version="1", description="release 42"
        ),
        lambda tiny: tiny.functions["checkout"].aliases["beta"]["FunctionVersion"] == "1",
        sent=1,
    ),
    Case(
        Aliases.update_alias,
        Aliases,
        lambda tiny: UpdateAliasRequest(
            function_name="checkout",
            name="live",
            function_version="1",
            routing_config=AliasRoutingConfiguration(additional_version_weights={"2": 0.1}),
            revision_id=live(tiny)["RevisionId"],
        ),
        lambda tiny: live(tiny)["RoutingConfig"] == {"AdditionalVersionWeights": {"2": 0.1}},
        sent=1,
    ),
    Case(
        Aliases.delete_alias,
        Aliases,
        lambda _: DeleteAliasRequest(function_name="checkout", name="live"),
        lambda tiny: not tiny.functions["checkout"].aliases,
        sent=2,
    ),
    Case(
        EventSourceMappings.create_event_source_mapping,
        EventSourceMappings,
        lambda _: CreateEventSourceMappingRequest(
            function_name="checkout", event_source_arn=QUEUE, batch_size=5
        ),
        lambda tiny: [each["BatchSize"] for each in tiny.mappings.values()] == [5],
        sent=1,
    ),
    Case(
        EventSourceMappings.update_event_source_mapping,
        EventSourceMappings,
        lambda _: UpdateEventSourceMappingRequest(uuid=MAPPING, batch_size=7),
        lambda tiny: tiny.mappings[MAPPING]["BatchSize"] == 7,
        sent=1,
        prepare=map_queue,
    ),
    Case(
        EventSourceMappings.delete_event_source_mapping,
        EventSourceMappings,
        lambda _: DeleteEventSourceMappingRequest(uuid=MAPPING),
        lambda tiny: not tiny.mappings,
        sent=2,
        prepare=map_queue,
    ),
    Case(
        Functions.create_function,
        Functions,
        lambda _: CreateFunctionRequest(
            function_name="basket",
            role=ROLE,
            runtime="python3.13",
            handler="app.handler",
            code=CODE,
        ),
        lambda tiny: tiny.functions["basket"].code == b"two",
        sent=1,
    ),
    Case(
        Functions.delete_function,
        Functions,
        lambda _: DeleteFunctionRequest(function_name="checkout", confirm="checkout"),
        lambda tiny: not tiny.functions,
        sent=2,
    ),
    Case(
        Functions.update_function_code,
        Functions,
        lambda tiny: UpdateFunctionCodeRequest(
            function_name="checkout", zip_file=b"two", revision_id=latest(tiny)["RevisionId"]
        ),
        lambda tiny: tiny.functions["checkout"].code == b"two",
        sent=1,
    ),
    Case(
        Functions.update_function_configuration,
        Functions,
        lambda tiny: UpdateFunctionConfigurationRequest(
            function_name="checkout",
            timeout=30,
            environment=Environment(variables={"PASSWORD": "hunter2"}),
            revision_id=latest(tiny)["RevisionId"],
        ),
        lambda tiny: (
            (latest(tiny)["Timeout"], latest(tiny)["Environment"])
            == (30, {"Variables": {"PASSWORD": "hunter2"}})
        ),
        sent=1,
    ),
    Case(
        Versions.publish_version,
        Versions,
        lambda tiny: PublishVersionRequest(
            function_name="checkout",
            code_sha256=latest(tiny)["CodeSha256"],
            description="release 42",
            revision_id=latest(tiny)["RevisionId"],
        ),
        lambda tiny: list(tiny.functions["checkout"].versions) == ["1", "2"],
        sent=1,
        prepare=change_code,
    ),
    Case(
        ReservedConcurrency.put_function_concurrency,
        ReservedConcurrency,
        lambda _: PutFunctionConcurrencyRequest(
            function_name="checkout", reserved_concurrent_executions=50
        ),
        lambda tiny: tiny.functions["checkout"].reserved == 50,
        sent=2,
    ),
    Case(
        ReservedConcurrency.delete_function_concurrency,
        ReservedConcurrency,
        lambda _: DeleteFunctionConcurrencyRequest(function_name="checkout"),
        lambda tiny: tiny.functions["checkout"].reserved is None,
        sent=2,
        prepare=lambda tiny: tiny.put_function_concurrency(
            {"FunctionName": "checkout", "ReservedConcurrentExecutions": 5}
        ),
    ),
    Case(
        ProvisionedConcurrency.put_provisioned_concurrency_config,
        ProvisionedConcurrency,
        lambda _: PutProvisionedConcurrencyConfigRequest(
            function_name="checkout", qualifier="1", provisioned_concurrent_executions=5
        ),
        lambda tiny: tiny.functions["checkout"].provisioned == {"1": 5},
        sent=2,
    ),
    Case(
        ProvisionedConcurrency.delete_provisioned_concurrency_config,
        ProvisionedConcurrency,
        lambda _: DeleteProvisionedConcurrencyConfigRequest(
            function_name="checkout", qualifier="1"
        ),
        lambda tiny: not tiny.functions["checkout"].provisioned,
        sent=2,
        prepare=lambda tiny: tiny.functions["checkout"].provisioned.update({"1": 5}),
    ),
    Case(
        Tags.tag_resource,
        Tags,
        lambda _: TagResourceRequest(resource=ARN, tags={"team": "shop"}),
        lambda tiny: tiny.functions["checkout"].tags == {"team": "shop"},
        sent=2,
    ),
    Case(
        Tags.untag_resource,
        Tags,
        lambda _: UntagResourceRequest(resource=ARN, tag_keys=["team"]),
        lambda tiny: not tiny.functions["checkout"].tags,
        sent=2,
        prepare=lambda tiny: tiny.functions["checkout"].tags.update({"team": "shop"}),
    ),
]
INVOCATIONS = [
    Case(
        Invocations.invoke,
        Invocations,
        lambda _: InvokeRequest(function_name="checkout", payload=b'{"order": 1}'),
        lambda tiny: tiny.invoked == [b'{"order": 1}'],
        sent=1,
    ),
    Case(
        Invocations.invoke_async,
        Invocations,
        lambda _: InvokeAsyncRequest(function_name="checkout", invoke_args=b'{"order": 1}'),
        lambda tiny: tiny.invoked == [b'{"order": 1}'],
        sent=1,
    ),
]

READ_BACK = [case for case in CASES if case.sent == 1]
WITHOUT_A_BODY = {
    "remove_permission",
    "delete_alias",
    "delete_function",
    "delete_function_concurrency",
    "delete_provisioned_concurrency_config",
    "tag_resource",
    "untag_resource",
}
BY_NAME = {case.name: case for case in CASES}
GUARDED = [
    BY_NAME[name]
    for name in (
        "update_alias",
        "update_function_code",
        "update_function_configuration",
        "publish_version",
    )
]

MOVED = Answer(
    412,
    "PreconditionFailedException",
    "The Revision Id provided does not match the latest Revision Id.",
    commits=True,
)
LOST: dict[str, Fault] = {
    "cut off": DropAfter(),
    "500": dataclasses.replace(BROKEN, commits=True),
    "not JSON": NOT_JSON,
    "truncated": Truncated(),
}
TOO_LATE = Slow(0.8)
NEVER_HAPPENED: dict[str, Fault] = {
    "cut off": DropBefore(),
    "throttled": THROTTLED,
    "500": BROKEN,
    "503": Answer(503, body=b"<html>"),
}


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a throttle, calls are held back for a moment only."""
    monkeypatch.setattr(rate, "_BACK_OFF_SECONDS", 0.01)


async def attempt(aws: Connection, case: Case, request: Request, number: int) -> Any:
    environment = ActivityEnvironment()
    environment.info = dataclasses.replace(environment.info, attempt=number)
    return await environment.run(getattr(case.group(aws), case.name), request)


async def performed(aws: Connection, case: Case, request: Request) -> list[str]:
    """Perform an operation as Temporal does, three attempts at most; how each attempt ended."""
    ends = []
    for number in range(1, 4):
        try:
            await attempt(aws, case, request, number)
        except ApplicationError as failure:
            ends.append(str(failure.type))
            if failure.non_retryable:
                break
        else:
            return [*ends, "done"]
    return ends


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_without_a_fault_an_operation_is_sent_once_and_done(
    aws: Connection, stub: Stub, tiny: TinyLambda, case: Case
) -> None:
    case.prepare(tiny)
    assert await performed(aws, case, case.ask(tiny)) == ["done"]
    assert stub.sent(case.name) == 1
    assert case.done(tiny)


@pytest.mark.parametrize("fault", LOST.values(), ids=LOST.keys())
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_an_operation_whose_answer_is_lost_is_done_once(
    aws: Connection, stub: Stub, tiny: TinyLambda, case: Case, fault: Fault
) -> None:
    case.prepare(tiny)
    request = case.ask(tiny)
    stub.meets(fault, operation=case.name)
    ends = await performed(aws, case, request)
    assert case.done(tiny)
    if isinstance(fault, Truncated) and case.name in WITHOUT_A_BODY:
        assert ends == ["done"]
    else:
        assert ends == ["Unavailable", "done"]
        assert stub.sent(case.name) == case.sent


@pytest.mark.parametrize("fault", NEVER_HAPPENED.values(), ids=NEVER_HAPPENED.keys())
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_an_operation_that_never_arrived_is_sent_again(
    aws: Connection, stub: Stub, tiny: TinyLambda, case: Case, fault: Fault
) -> None:
    case.prepare(tiny)
    request = case.ask(tiny)
    stub.meets(fault, operation=case.name)
    ends = await performed(aws, case, request)
    assert ends[-1] == "done"
    assert ends[0] in {"Unavailable", "Throttled"}
    assert stub.sent(case.name) == 2
    assert case.done(tiny)


@pytest.mark.parametrize("case", GUARDED, ids=lambda case: case.name)
async def test_a_refusal_of_the_revision_after_our_own_success_is_success(
    aws: Connection, stub: Stub, tiny: TinyLambda, case: Case
) -> None:
    case.prepare(tiny)
    request = case.ask(tiny)
    stub.meets(MOVED, operation=case.name)
    assert await performed(aws, case, request) == ["done"]
    assert stub.sent(case.name) == 1
    assert case.done(tiny)


@pytest.mark.parametrize("case", READ_BACK, ids=lambda case: case.name)
async def test_an_answer_that_comes_too_late_is_a_lost_one(
    hasty: Connection, stub: Stub, tiny: TinyLambda, case: Case
) -> None:
    case.prepare(tiny)
    request = case.ask(tiny)
    stub.meets(TOO_LATE, operation=case.name)
    assert await performed(hasty, case, request) == ["Unavailable", "done"]
    assert stub.sent(case.name) == 1
    assert case.done(tiny)


@pytest.mark.parametrize("case", READ_BACK, ids=lambda case: case.name)
async def test_where_the_reading_back_fails_too_nothing_is_sent_on_a_guess(
    aws: Connection, stub: Stub, tiny: TinyLambda, case: Case
) -> None:
    case.prepare(tiny)
    request = case.ask(tiny)
    stub.meets(DropAfter(), BROKEN)
    assert await performed(aws, case, request) == ["Unavailable", "Unavailable", "done"]
    assert stub.sent(case.name) == 1
    assert case.done(tiny)


@pytest.mark.parametrize("fault", [*LOST.values(), *NEVER_HAPPENED.values()])
@pytest.mark.parametrize("case", INVOCATIONS, ids=lambda case: case.name)
async def test_an_invocation_is_sent_once_or_not_at_all(
    aws: Connection, stub: Stub, tiny: TinyLambda, case: Case, fault: Fault
) -> None:
    stub.meets(fault, operation=case.name)
    request = case.ask(tiny)
    ends = await performed(aws, case, request)
    assert ends in (["Unavailable"], ["Throttled"]) or (
        ends == ["done"] and fault is NOT_JSON
    )  # a payload may be anything
    with pytest.raises(ApplicationError) as caught:
        await attempt(aws, case, request, 2)
    assert (caught.value.type, caught.value.non_retryable) == ("Unavailable", True)
    assert stub.sent(case.name) == 1
    assert case.done(tiny) is (fault not in NEVER_HAPPENED.values())


# ── somebody else was there in the meantime ──


async def test_an_alias_that_somebody_else_moved_after_our_lost_request_is_left_alone(
    aws: Connection, stub: Stub, tiny: TinyLambda
) -> None:
    case = BY_NAME["update_alias"]
    request = case.ask(tiny)
    stub.meets(DropBefore(), operation="update_alias")
    with pytest.raises(ApplicationError):
        await attempt(aws, case, request, 1)
    tiny.update_alias(
        {"FunctionName": "checkout", "Name": "live", "FunctionVersion": "9", "RoutingConfig": {}}
    )
    with pytest.raises(ApplicationError) as caught:
        await attempt(aws, case, request, 2)
    assert (caught.value.type, caught.value.non_retryable) == ("Stale", True)
    assert stub.sent("update_alias") == 1
    assert live(tiny)["FunctionVersion"] == "9"


async def test_code_that_somebody_else_uploaded_after_our_lost_request_is_left_alone(
    aws: Connection, stub: Stub, tiny: TinyLambda
) -> None:
    case = BY_NAME["update_function_code"]
    request = case.ask(tiny)
    stub.meets(DropBefore(), operation="update_function_code")
    with pytest.raises(ApplicationError):
        await attempt(aws, case, request, 1)
    tiny.update_function_code({"FunctionName": "checkout", "ZipFile": base64.b64encode(b"theirs")})
    with pytest.raises(ApplicationError) as caught:
        await attempt(aws, case, request, 2)
    assert caught.value.type == "Stale"
    assert tiny.functions["checkout"].code == b"theirs"


@pytest.mark.parametrize(
    ("name", "theirs"),
    [
        (
            "create_alias",
            lambda tiny: tiny.create_alias(
                {
                    "FunctionName": "checkout",
                    "Name": "beta",
                    "FunctionVersion": "7",
                    "Description": "theirs",
                }
            ),
        ),
        (
            "add_permission",
            lambda tiny: tiny.add_permission(
                {
                    "FunctionName": "checkout",
                    "StatementId": "s3",
                    "Action": "lambda:InvokeFunction",
                    "Principal": "sns.amazonaws.com",
                }
            ),
        ),
        (
            "create_event_source_mapping",
            lambda tiny: tiny.create_event_source_mapping(
                {"FunctionName": "checkout", "EventSourceArn": QUEUE, "BatchSize": 99}
            ),
        ),
        (
            "create_function",
            lambda tiny: tiny.create_function(
                {
                    "FunctionName": "basket",
                    "Role": ROLE,
                    "Code": {"ZipFile": base64.b64encode(b"theirs")},
                    "Handler": "their.handler",
                }
            ),
        ),
    ],
)
@pytest.mark.parametrize("number", [1, 2])
async def test_what_somebody_else_created_under_our_name_is_left_alone(
    aws: Connection,
    tiny: TinyLambda,
    name: str,
    theirs: Callable[[TinyLambda], object],
    number: int,
) -> None:
    case = BY_NAME[name]
    theirs(tiny)
    before = repr((tiny.functions, tiny.mappings))
    with pytest.raises(ApplicationError) as caught:
        await attempt(aws, case, case.ask(tiny), number)
    assert (caught.value.type, caught.value.non_retryable) == ("Exists", True)
    assert repr((tiny.functions, tiny.mappings)) == before


async def test_a_secret_that_aws_repeats_when_it_refuses_a_change_is_not_in_the_failure(
    aws: Connection, stub: Stub, tiny: TinyLambda
) -> None:
    case = BY_NAME["update_function_configuration"]
    stub.meets(
        Answer(
            400,
            "InvalidParameterValueException",
            "Value 'hunter2' at 'environment' is not allowed: hunter2",
        ),
        operation=case.name,
    )
    with pytest.raises(ApplicationError) as caught:
        await attempt(aws, case, case.ask(tiny), 1)
    assert caught.value.type == "Invalid"
    assert "hunter2" not in str(caught.value)
    assert "hunter2" not in str(caught.value.details)


def test_every_operation_that_changes_something_is_here() -> None:
    assert {case.name for case in [*CASES, *INVOCATIONS]} >= {
        "add_permission",
        "create_alias",
        "create_event_source_mapping",
        "create_function",
        "delete_alias",
        "delete_event_source_mapping",
        "delete_function",
        "delete_function_concurrency",
        "invoke",
        "invoke_async",
        "publish_version",
        "put_function_concurrency",
        "remove_permission",
        "tag_resource",
        "untag_resource",
        "update_alias",
        "update_event_source_mapping",
        "update_function_code",
        "update_function_configuration",
    }
