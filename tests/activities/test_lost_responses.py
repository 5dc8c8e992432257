"""Lost responses: every write is performed again, over real HTTP, and is done once.

Each case is one operation as Temporal performs it. Attempt 1 meets a fault, and further attempts
follow while the failure is retryable. The tests count what arrived at Lambda, and compare what
Lambda holds.
"""

from __future__ import annotations

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
from activities.event_source_mapping_models import (
    CreateEventSourceMappingRequest,
    DeleteEventSourceMappingRequest,
    UpdateEventSourceMappingRequest,
)
from activities.event_source_mappings import EventSourceMappings
from activities.function_models import (
    CreateFunctionRequest,
    DeleteFunctionRequest,
    FunctionCode,
    UpdateFunctionCodeRequest,
    UpdateFunctionConfigurationRequest,
)
from activities.functions import Functions
from activities.invocations import Invocations, InvokeAsyncRequest, InvokeRequest
from activities.limits import rate
from activities.operation import ONCE, WRITE, OperationGroup, get_operation_policy
from activities.permissions import AddPermissionRequest, Permissions, RemovePermissionRequest
from activities.provisioned import (
    DeleteProvisionedConcurrencyConfigRequest,
    ProvisionedConcurrency,
    PutProvisionedConcurrencyConfigRequest,
)
from activities.shapes import Request
from activities.tags import TagResourceRequest, Tags, UntagResourceRequest
from activities.versions import PublishVersionRequest, Versions
from tests.activities.adapter import REGION, TOO_LATE
from tests.activities.operations import METHODS
from tests.activities.stub import (
    BROKEN,
    NOT_JSON,
    THROTTLED,
    Answer,
    DropAfter,
    DropBefore,
    Fault,
    ResetAfter,
    Stub,
    Truncated,
)
from tests.fake_lambda import ROLE, FakeLambda
from tests.fake_lambda.account import ACCOUNT

ARN = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:checkout"
QUEUE = f"arn:aws:sqs:{REGION}:{ACCOUNT}:orders"
MAPPING = "00000000-0000-0000-0000-000000000001"
CODE = FunctionCode(zip_file=b"two")


@dataclass(frozen=True)
class Case:
    """One operation: its request, what it has to achieve, and how often it may be sent."""

    operation: Callable[[Any, Any], Coroutine[Any, Any, Any]]
    group: type[OperationGroup]
    request: Callable[[FakeLambda], Request]
    done: Callable[[FakeLambda], bool]
    sent: int
    """How often it arrives if the first response is lost.

    1 where it is read back, 2 where sending it again is harmless.
    """
    prepare: Callable[[FakeLambda], object] = lambda _: None

    @property
    def name(self) -> str:
        return self.operation.__name__


def latest(fake: FakeLambda) -> dict[str, Any]:
    return fake.functions["checkout"].latest


def live(fake: FakeLambda) -> dict[str, Any]:
    return fake.functions["checkout"].aliases["live"]


def provisioned(fake: FakeLambda) -> dict[str, int]:
    """What was requested, by qualifier."""
    return {
        qualifier: config["RequestedProvisionedConcurrentExecutions"]
        for qualifier, config in fake.functions["checkout"].provisioned.items()
    }


def map_queue(fake: FakeLambda) -> None:
    fake.apply("create_event_source_mapping", FunctionName="checkout", EventSourceArn=QUEUE)
    fake.apply("list_event_source_mappings")  # and it is Enabled


def change_code(fake: FakeLambda) -> None:
    fake.overwrite("checkout", "two")


def publish_second(fake: FakeLambda) -> None:
    change_code(fake)
    fake.publish("checkout")


def allow(fake: FakeLambda) -> None:
    statement = {
        "StatementId": "s3",
        "Action": "lambda:InvokeFunction",
        "Principal": "s3.amazonaws.com",
    }
    fake.apply("add_permission", FunctionName="checkout", **statement)


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
        lambda fake: list(fake.functions["checkout"].policies[""]) == ["s3"],
        sent=1,
    ),
    Case(
        Permissions.remove_permission,
        Permissions,
        lambda _: RemovePermissionRequest(function_name="checkout", statement_id="s3"),
        lambda fake: not fake.functions["checkout"].policies[""],
        sent=2,
        prepare=allow,
    ),
    Case(
        Aliases.create_alias,
        Aliases,
        lambda _: CreateAliasRequest(
            function_name="checkout", name="beta", function_version="1", description="release 42"
        ),
        lambda fake: fake.functions["checkout"].aliases["beta"]["FunctionVersion"] == "1",
        sent=1,
    ),
    Case(
        Aliases.update_alias,
        Aliases,
        lambda fake: UpdateAliasRequest(
            function_name="checkout",
            name="live",
            function_version="1",
            routing_config=AliasRoutingConfiguration(additional_version_weights={"2": 0.1}),
            revision_id=live(fake)["RevisionId"],
        ),
        lambda fake: fake.routing("checkout") == ("1", {"2": 0.1}),
        sent=1,
        prepare=publish_second,
    ),
    Case(
        Aliases.delete_alias,
        Aliases,
        lambda _: DeleteAliasRequest(function_name="checkout", name="live"),
        lambda fake: not fake.functions["checkout"].aliases,
        sent=2,
    ),
    Case(
        EventSourceMappings.create_event_source_mapping,
        EventSourceMappings,
        lambda _: CreateEventSourceMappingRequest(
            function_name="checkout", event_source_arn=QUEUE, batch_size=5
        ),
        lambda fake: [each["BatchSize"] for each in fake.mappings.values()] == [5],
        sent=1,
    ),
    Case(
        EventSourceMappings.update_event_source_mapping,
        EventSourceMappings,
        lambda _: UpdateEventSourceMappingRequest(uuid=MAPPING, batch_size=7),
        lambda fake: fake.mappings[MAPPING]["BatchSize"] == 7,
        sent=1,
        prepare=map_queue,
    ),
    Case(
        EventSourceMappings.delete_event_source_mapping,
        EventSourceMappings,
        lambda _: DeleteEventSourceMappingRequest(uuid=MAPPING),
        lambda fake: [each["State"] for each in fake.mappings.values()] in ([], ["Deleting"]),
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
        lambda fake: fake.functions["basket"].code == b"two",
        sent=1,
    ),
    Case(
        Functions.delete_function,
        Functions,
        lambda _: DeleteFunctionRequest(function_name="checkout", confirm="checkout"),
        lambda fake: not fake.functions,
        sent=2,
    ),
    Case(
        Functions.update_function_code,
        Functions,
        lambda fake: UpdateFunctionCodeRequest(
            function_name="checkout", zip_file=b"two", revision_id=latest(fake)["RevisionId"]
        ),
        lambda fake: fake.functions["checkout"].code == b"two",
        sent=1,
    ),
    Case(
        Functions.update_function_configuration,
        Functions,
        lambda fake: UpdateFunctionConfigurationRequest(
            function_name="checkout",
            timeout=30,
            environment=Environment(variables={"PASSWORD": "hunter2"}),
            revision_id=latest(fake)["RevisionId"],
        ),
        lambda fake: (
            (latest(fake)["Timeout"], latest(fake)["Environment"])
            == (30, {"Variables": {"PASSWORD": "hunter2"}})
        ),
        sent=1,
    ),
    Case(
        Versions.publish_version,
        Versions,
        lambda fake: PublishVersionRequest(
            function_name="checkout",
            code_sha256=latest(fake)["CodeSha256"],
            description="release 42",
            revision_id=latest(fake)["RevisionId"],
        ),
        lambda fake: list(fake.functions["checkout"].versions) == ["1", "2"],
        sent=1,
        prepare=change_code,
    ),
    Case(
        ReservedConcurrency.put_function_concurrency,
        ReservedConcurrency,
        lambda _: PutFunctionConcurrencyRequest(
            function_name="checkout", reserved_concurrent_executions=50
        ),
        lambda fake: fake.functions["checkout"].reserved == 50,
        sent=2,
    ),
    Case(
        ReservedConcurrency.delete_function_concurrency,
        ReservedConcurrency,
        lambda _: DeleteFunctionConcurrencyRequest(function_name="checkout"),
        lambda fake: fake.functions["checkout"].reserved is None,
        sent=2,
        prepare=lambda fake: fake.apply(
            "put_function_concurrency", FunctionName="checkout", ReservedConcurrentExecutions=5
        ),
    ),
    Case(
        ProvisionedConcurrency.put_provisioned_concurrency_config,
        ProvisionedConcurrency,
        lambda _: PutProvisionedConcurrencyConfigRequest(
            function_name="checkout", qualifier="1", provisioned_concurrent_executions=5
        ),
        lambda fake: provisioned(fake) == {"1": 5},
        sent=2,
    ),
    Case(
        ProvisionedConcurrency.delete_provisioned_concurrency_config,
        ProvisionedConcurrency,
        lambda _: DeleteProvisionedConcurrencyConfigRequest(
            function_name="checkout", qualifier="1"
        ),
        lambda fake: not provisioned(fake),
        sent=2,
        prepare=lambda fake: fake.apply(
            "put_provisioned_concurrency_config",
            FunctionName="checkout",
            Qualifier="1",
            ProvisionedConcurrentExecutions=5,
        ),
    ),
    Case(
        Tags.tag_resource,
        Tags,
        lambda _: TagResourceRequest(resource=ARN, tags={"team": "shop"}),
        lambda fake: fake.functions["checkout"].tags == {"team": "shop"},
        sent=2,
    ),
    Case(
        Tags.untag_resource,
        Tags,
        lambda _: UntagResourceRequest(resource=ARN, tag_keys=["team"]),
        lambda fake: not fake.functions["checkout"].tags,
        sent=2,
        prepare=lambda fake: fake.functions["checkout"].tags.update({"team": "shop"}),
    ),
]
INVOCATIONS = [
    Case(
        Invocations.invoke,
        Invocations,
        lambda _: InvokeRequest(function_name="checkout", payload=b'{"order": 1}'),
        lambda fake: fake.invocations == [b'{"order": 1}'],
        sent=1,
    ),
    Case(
        Invocations.invoke_async,
        Invocations,
        lambda _: InvokeAsyncRequest(function_name="checkout", invoke_args=b'{"order": 1}'),
        lambda fake: fake.invocations == [b'{"order": 1}'],
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
    "reset": ResetAfter(),
    "500": dataclasses.replace(BROKEN, commits=True),
    "not JSON": NOT_JSON,
    "truncated": Truncated(),
}
NEVER_HAPPENED: dict[str, Fault] = {
    "cut off": DropBefore(),
    "throttled": THROTTLED,
    "500": BROKEN,
    "503": Answer(503, body=b"<html>"),
}


@pytest.fixture(autouse=True)
def _short_back_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a throttle, calls are held back for a moment only."""
    monkeypatch.setattr(rate, "_BACK_OFF_SECONDS", 0.01)


async def attempt(aws: Connection, case: Case, request: Request, number: int) -> Any:
    environment = ActivityEnvironment()
    environment.info = dataclasses.replace(environment.info, attempt=number)
    return await environment.run(getattr(case.group(aws), case.name), request)


async def perform(
    aws: Connection,
    stub: Stub,
    fake: FakeLambda,
    case: Case,
    *faults: Fault,
) -> list[str]:
    """Perform an operation that meets faults, as Temporal does, in three attempts at most.

    Returns how each attempt ended: the failure's type, or ``done``.
    """
    case.prepare(fake)
    request = case.request(fake)
    stub.meets(*faults, operation=case.name)
    return await perform_attempts(aws, case, request)


async def perform_attempts(aws: Connection, case: Case, request: Request) -> list[str]:
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
async def test_operation_without_a_fault_is_sent_once_and_done(
    aws: Connection, stub: Stub, fake: FakeLambda, case: Case
) -> None:
    assert await perform(aws, stub, fake, case) == ["done"]
    assert stub.sent(case.name) == 1
    assert case.done(fake)


@pytest.mark.parametrize("fault", LOST.values(), ids=LOST.keys())
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_operation_whose_response_is_lost_is_done_once(
    aws: Connection, stub: Stub, fake: FakeLambda, case: Case, fault: Fault
) -> None:
    ends = await perform(aws, stub, fake, case, fault)
    assert case.done(fake)
    if isinstance(fault, Truncated) and case.name in WITHOUT_A_BODY:
        assert ends == ["done"]
    else:
        assert ends == ["Unavailable", "done"]
        assert stub.sent(case.name) == case.sent


@pytest.mark.parametrize("fault", NEVER_HAPPENED.values(), ids=NEVER_HAPPENED.keys())
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_operation_that_never_arrived_is_sent_again(
    aws: Connection, stub: Stub, fake: FakeLambda, case: Case, fault: Fault
) -> None:
    ends = await perform(aws, stub, fake, case, fault)
    assert ends[-1] == "done"
    assert ends[0] in {"Unavailable", "Throttled"}
    assert stub.sent(case.name) == 2
    assert case.done(fake)


@pytest.mark.parametrize("case", GUARDED, ids=lambda case: case.name)
async def test_refused_revision_after_our_own_success_is_success(
    aws: Connection, stub: Stub, fake: FakeLambda, case: Case
) -> None:
    assert await perform(aws, stub, fake, case, MOVED) == ["done"]
    assert stub.sent(case.name) == 1
    assert case.done(fake)


@pytest.mark.parametrize("case", READ_BACK, ids=lambda case: case.name)
async def test_late_response_is_a_lost_one(
    hasty: Connection, stub: Stub, fake: FakeLambda, case: Case
) -> None:
    assert await perform(hasty, stub, fake, case, TOO_LATE) == ["Unavailable", "done"]
    assert stub.sent(case.name) == 1
    assert case.done(fake)


@pytest.mark.parametrize("case", READ_BACK, ids=lambda case: case.name)
async def test_failed_readback_sends_nothing_on_a_guess(
    aws: Connection, stub: Stub, fake: FakeLambda, case: Case
) -> None:
    case.prepare(fake)
    request = case.request(fake)
    stub.meets(DropAfter(), BROKEN)
    assert await perform_attempts(aws, case, request) == ["Unavailable", "Unavailable", "done"]
    assert stub.sent(case.name) == 1
    assert case.done(fake)


@pytest.mark.parametrize("fault", [*LOST.values(), *NEVER_HAPPENED.values()])
@pytest.mark.parametrize("case", INVOCATIONS, ids=lambda case: case.name)
async def test_invocation_is_sent_once_or_not_at_all(
    aws: Connection, stub: Stub, fake: FakeLambda, case: Case, fault: Fault
) -> None:
    stub.meets(fault, operation=case.name)
    request = case.request(fake)
    ends = await perform_attempts(aws, case, request)
    # A payload may be anything, and a response without a body is whole when half of it arrives.
    harmless = NOT_JSON if case.name == "invoke" else Truncated()
    assert ends in ([["done"]] if fault == harmless else [["Unavailable"], ["Throttled"]])
    with pytest.raises(ApplicationError, match="Unavailable") as caught:
        await attempt(aws, case, request, 2)
    assert (caught.value.type, caught.value.non_retryable) == ("Unavailable", True)
    assert stub.sent(case.name) == 1
    assert case.done(fake) is (fault not in NEVER_HAPPENED.values())


# --- another writer --------------------------------------------------------------------------


async def test_alias_moved_by_another_writer_is_left_alone(
    aws: Connection, stub: Stub, fake: FakeLambda
) -> None:
    case = BY_NAME["update_alias"]
    request = case.request(fake)
    stub.meets(DropBefore(), operation="update_alias")
    with pytest.raises(ApplicationError, match="ConnectionClosedError"):
        await attempt(aws, case, request, 1)
    fake.overwrite("checkout", "theirs")
    theirs = fake.publish("checkout")
    fake.apply("update_alias", FunctionName="checkout", Name="live", FunctionVersion=theirs)
    with pytest.raises(ApplicationError, match="Stale") as caught:
        await attempt(aws, case, request, 2)
    assert (caught.value.type, caught.value.non_retryable) == ("Stale", True)
    assert stub.sent("update_alias") == 1
    assert live(fake)["FunctionVersion"] == theirs


async def test_code_uploaded_by_another_writer_is_left_alone(
    aws: Connection, stub: Stub, fake: FakeLambda
) -> None:
    case = BY_NAME["update_function_code"]
    request = case.request(fake)
    stub.meets(DropBefore(), operation="update_function_code")
    with pytest.raises(ApplicationError, match="ConnectionClosedError"):
        await attempt(aws, case, request, 1)
    fake.overwrite("checkout", "theirs")
    with pytest.raises(ApplicationError, match="Stale") as caught:
        await attempt(aws, case, request, 2)
    assert caught.value.type == "Stale"
    assert fake.functions["checkout"].code == b"theirs"


@pytest.mark.parametrize(
    ("name", "theirs"),
    [
        (
            "create_alias",
            {"Name": "beta", "FunctionVersion": "1", "Description": "theirs"},
        ),
        (
            "add_permission",
            {
                "StatementId": "s3",
                "Action": "lambda:InvokeFunction",
                "Principal": "sns.amazonaws.com",
            },
        ),
        (
            "create_event_source_mapping",
            {"EventSourceArn": QUEUE, "BatchSize": 99},
        ),
        (
            "create_function",
            {
                "FunctionName": "basket",
                "Role": ROLE,
                "Code": {"ZipFile": b"theirs"},
                "Runtime": "python3.13",
                "Handler": "their.handler",
            },
        ),
    ],
)
@pytest.mark.parametrize("number", [1, 2])
async def test_resource_created_by_another_writer_is_left_alone(
    aws: Connection,
    fake: FakeLambda,
    name: str,
    theirs: dict[str, Any],
    number: int,
) -> None:
    case = BY_NAME[name]
    fake.apply(name, **{"FunctionName": "checkout", **theirs})
    for function in fake.functions:
        fake.settle(function)
    fake.apply("list_event_source_mappings")
    before = repr((fake.functions, fake.mappings))
    with pytest.raises(ApplicationError, match="Exists") as caught:
        await attempt(aws, case, case.request(fake), number)
    assert (caught.value.type, caught.value.non_retryable) == ("Exists", True)
    assert repr((fake.functions, fake.mappings)) == before


async def test_secret_in_a_refusal_of_awss_is_not_in_the_failure(
    aws: Connection, stub: Stub, fake: FakeLambda
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
    with pytest.raises(ApplicationError, match="Invalid") as caught:
        await attempt(aws, case, case.request(fake), 1)
    assert caught.value.type == "Invalid"
    assert "hunter2" not in str(caught.value)
    assert "hunter2" not in str(caught.value.details)


def test_cases_cover_every_operation_that_writes() -> None:
    writes = {
        name
        for name, (_, method) in METHODS.items()
        if get_operation_policy(method) in (WRITE, ONCE)
    }
    assert {case.name for case in [*CASES, *INVOCATIONS]} >= writes
