"""The limits of a worker: which operations, functions and references; what is refused is unsent."""

from __future__ import annotations

import ast
import asyncio
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities import list_operations
from activities.access import OTHER_OPERATIONS, RELEASE_OPERATIONS, Access, AccessSettingError
from activities.cloudwatch.alarms import DescribeAlarmsRequest
from activities.configuration import Environment
from activities.errors import AwsError, Fault
from activities.event_source_mapping_models import (
    DeleteEventSourceMappingRequest,
    ListEventSourceMappingsRequest,
)
from activities.function_models import (
    DeleteFunctionRequest,
    GetFunctionRequest,
    ListFunctionsRequest,
    UpdateFunctionConfigurationRequest,
)
from activities.permission_needs import NEEDS
from tests.fake_lambda import FakeLambda
from tests.fake_lambda.account import ACCOUNT

ROOT = Path(__file__).parents[2]
REGION = "eu-west-1"
ARN = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function"
QUEUE = f"arn:aws:sqs:{REGION}:{ACCOUNT}:orders"
RELEASING = frozenset({"Release", "Rollout"})


async def run(
    aws: FakeLambda, access: Access, name: str, *requests: object, workflow: str | None = "Rollout"
) -> Any:
    """Run an activity as a worker with these limits does, for a workflow of this type."""
    environment = environment_of(name, workflow)
    activities = {each.__name__: each for each in list_operations(aws, access)}
    return await environment.run(activities[name], *requests)


def environment_of(name: str, workflow: str | None) -> ActivityEnvironment:
    """The surroundings of an activity that a workflow of this type calls; None: nobody's."""
    environment = ActivityEnvironment()
    environment.info = replace(environment.info, activity_type=name, workflow_type=workflow)
    return environment


def limit(**settings: str) -> Access:
    return Access.parse(workflows=RELEASING, **settings)


async def expect_denied(
    aws: FakeLambda, access: Access, name: str, request: object, *, setting: str
) -> str:
    """Expect an activity to be refused for good, by a setting; return the whole message."""
    with pytest.raises(ApplicationError, match=setting) as refusal:
        await run(aws, access, name, request, workflow=None)
    assert refusal.value.type == Fault.DENIED
    assert refusal.value.non_retryable
    assert "docs/security.md" in refusal.value.message
    return refusal.value.message


# --- operations ---


def test_every_operation_is_either_of_a_release_or_not() -> None:
    names = {each.__name__ for each in list_operations(FakeLambda())}
    assert names == RELEASE_OPERATIONS | OTHER_OPERATIONS
    assert not RELEASE_OPERATIONS & OTHER_OPERATIONS


def test_operations_of_a_release_are_those_that_workflows_call() -> None:
    named = {
        node.attr
        for path in (ROOT / "workflows").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id[:1].isupper()
    }
    assert named & (RELEASE_OPERATIONS | OTHER_OPERATIONS) == RELEASE_OPERATIONS


@pytest.mark.parametrize("workflow", [None, "Cleaner", "Rollout"])
async def test_operation_that_no_release_needs_is_refused_unsent(
    port: FakeLambda, workflow: str | None
) -> None:
    port.create("checkout")
    request = DeleteFunctionRequest(function_name="checkout", confirm="checkout")
    with pytest.raises(
        ApplicationError, match=r"does not serve it .RELEASES_OPERATIONS."
    ) as denied:
        await run(port, limit(), "delete_function", request, workflow=workflow)
    assert (denied.value.type, denied.value.non_retryable) == ("Denied", True)
    assert port.calls == []


async def test_operation_of_a_release_is_served_to_anybody(port: FakeLambda) -> None:
    port.create("checkout")
    request = GetFunctionRequest(function_name="checkout")
    assert await run(port, limit(), "get_function", request, workflow=None)


async def test_named_operations_are_served_and_no_other_alone(port: FakeLambda) -> None:
    port.create("checkout")
    access, read = limit(operations="list_functions, get_alias"), "get_function"
    assert await run(port, access, "list_functions", ListFunctionsRequest(), workflow=None)
    request = GetFunctionRequest(function_name="checkout")
    await expect_denied(port, access, read, request, setting="RELEASES_OPERATIONS")
    assert await run(port, access, read, request, workflow="Release")
    with pytest.raises(ApplicationError, match="RELEASES_OPERATIONS"):
        await run(port, access, read, request, workflow="Cleaner")


@pytest.mark.parametrize("operations", ["all", "release,delete_function"])
async def test_operation_is_served_where_the_operator_says_so(
    port: FakeLambda, operations: str
) -> None:
    port.create("checkout")
    request = DeleteFunctionRequest(function_name="checkout", confirm="checkout")
    await run(port, limit(operations=operations), "delete_function", request, workflow=None)
    assert port.count("delete_function") == 1


async def test_refusal_does_not_reach_a_release_that_shares_the_call(port: FakeLambda) -> None:
    port.alarms |= {"ours": "OK", "theirs": "OK"}
    access = limit(operations="get_alias")
    activities = {each.__name__: each for each in list_operations(port, access)}
    read = activities["describe_alarms"]
    alone, ours = await asyncio.gather(
        environment_of("describe_alarms", None).run(
            read, DescribeAlarmsRequest(alarm_names=["theirs"])
        ),
        environment_of("describe_alarms", "Rollout").run(
            read, DescribeAlarmsRequest(alarm_names=["ours"])
        ),
        return_exceptions=True,
    )
    assert isinstance(alone, ApplicationError)
    assert [alarm.alarm_name for alarm in ours.alarms] == ["ours"]


# --- functions ---


@pytest.mark.parametrize(
    ("member", "named"),
    [
        ("FunctionName", "payments"),
        ("FunctionName", "payments:checkout-api"),
        ("FunctionName", "Checkout-api"),
        ("FunctionName", "xcheckout-api"),
        ("FunctionName", f"{ACCOUNT}:function:payments"),
        ("FunctionName", f"{ACCOUNT}:function:payments:checkout-api"),
        ("FunctionName", f"{ARN}:payments"),
        ("FunctionName", f"{ARN}:payments:checkout-api"),
        # AWS may read these in two ways.
        ("FunctionName", "function:checkout-api"),
        ("FunctionName", f"{ACCOUNT}:checkout-api"),
        ("FunctionName", f"{REGION}:checkout-api"),
        ("FunctionName", "checkout-api:x:y"),
        ("Resource", f"{ARN}:payments"),
        ("Resource", f"arn:aws:lambda:{REGION}:{ACCOUNT}:event-source-mapping:checkout-1"),
        ("Resource", f"arn:aws:lambda:{REGION}:{ACCOUNT}:layer:checkout-1"),
        ("Marker", "checkout-api"),
    ],
)
async def test_function_beyond_the_limit_is_refused_unsent(
    port: FakeLambda, member: str, named: str
) -> None:
    scope = limit(functions="checkout-*").functions
    assert scope is not None
    with pytest.raises(AwsError, match=r"RELEASES_FUNCTIONS=checkout-.*nothing was sent") as denied:
        await scope.check(port, "get_function", {member: named})
    assert port.calls == []
    assert denied.value.code == "FunctionNotServed"


@pytest.mark.parametrize(
    "named",
    [
        "checkout-api",
        "checkout-api:live",
        "checkout-api:$LATEST",
        f"{ACCOUNT}:function:checkout-api",
        f"{ARN}:checkout-api",
        f"{ARN}:checkout-api:7",
        "payments",
    ],
)
async def test_function_within_the_limit_is_served_by_each_of_its_names(
    port: FakeLambda, named: str
) -> None:
    scope = limit(functions=" checkout-* , payments").functions
    assert scope is not None
    await scope.check(port, "get_function", {"FunctionName": named})
    await scope.check(port, "get_account_settings", {})


@pytest.mark.parametrize(
    ("name", "request_"),
    [
        ("list_functions", ListFunctionsRequest()),
        ("list_event_source_mappings", ListEventSourceMappingsRequest(event_source_arn=QUEUE)),
    ],
)
async def test_list_of_all_functions_is_refused_where_some_are_served(
    port: FakeLambda, name: str, request_: object
) -> None:
    access = limit(operations="all", functions="checkout-*")
    with pytest.raises(ApplicationError, match="RELEASES_FUNCTIONS"):
        await run(port, access, name, request_)
    assert port.calls == []


async def test_mapping_of_another_function_is_not_deleted_by_its_uuid(port: FakeLambda) -> None:
    for name in ("payments", "checkout-api"):
        port.create(name)
        port.apply("create_event_source_mapping", FunctionName=name, EventSourceArn=QUEUE)
    theirs, ours = port.mappings
    access = limit(operations="all", functions="checkout-*")
    request = DeleteEventSourceMappingRequest(uuid=theirs)
    name = "delete_event_source_mapping"
    await expect_denied(port, access, name, request, setting="RELEASES_FUNCTIONS")
    assert port.count("delete_event_source_mapping") == 0
    await run(port, access, name, DeleteEventSourceMappingRequest(uuid=ours))
    assert port.count("delete_event_source_mapping") == 1


# --- references ---


def configure(function: str, value: str) -> UpdateFunctionConfigurationRequest:
    return UpdateFunctionConfigurationRequest(
        function_name=function, environment=Environment(variables={"TOKEN": value})
    )


PARAMETER = f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter"
SECRET = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret"


@pytest.mark.parametrize(
    "reference",
    [
        "ssm:/prod/password",
        "ssm:/checkout-other/token",
        "ssm:/checkoutx/token",
        "ssm:/checkout",
        "ssm:/Checkout/token",
        "ssm:/prod/checkout/token:3",
        f"ssm:{PARAMETER}/prod/checkout/token",
        "ssm-secure:/prod/password",
        "secretsmanager:prod/checkout/token",
        "secretsmanager:checkout:SecretString:token",
        f"secretsmanager:{SECRET}:prod/token-AbCdEf",
    ],
)
async def test_reference_beyond_the_function_s_own_prefix_is_unsent(
    port: FakeLambda, reference: str
) -> None:
    port.create("checkout")
    both = f"{{{{resolve:ssm:/checkout/token}}}}{{{{resolve:{reference}}}}}"
    request = configure("checkout", both)
    message = await expect_denied(
        port, limit(), "update_function_configuration", request, setting="RELEASES_REFERENCES"
    )
    assert "environment variable TOKEN" in message
    assert port.calls == []


@pytest.mark.parametrize("function", ["checkout", f"{ARN}:checkout"])
@pytest.mark.parametrize(
    "reference",
    ["ssm:/checkout/token", "ssm-secure:/checkout/deep/token", "secretsmanager:checkout/token"],
)
async def test_reference_under_the_function_s_name_is_resolved(
    port: FakeLambda, function: str, reference: str
) -> None:
    port.create("checkout")
    port.parameters |= {"/checkout/token": "x", "/checkout/deep/token": "x"}
    port.secrets["checkout/token"] = "x"
    request = configure(function, f"{{{{resolve:{reference}}}}}")
    await run(port, limit(), "update_function_configuration", request)
    latest = port.functions["checkout"].latest
    assert latest["Environment"] == {"Variables": {"TOKEN": "x"}}


@pytest.mark.parametrize(
    ("patterns", "name", "holds"),
    [
        ("/shared/*", "/shared/url", True),
        ("/shared/*", "shared/url", True),
        ("/shared/*", "/checkout/token", False),
        ("/shared/*,/{function}/*", "/checkout/token", True),
        ("/prod/{function}/*", "/prod/checkout/token:7", True),
        ("/prod/{function}/*", "/prod/payments/token", False),
        ("/shared/url", "/shared/url:3", True),
        ("/shared/url", "/shared/url2", False),
        ("/shared/*", f"{PARAMETER}/shared/url", True),
        ("shared/db-*", f"{SECRET}:shared/db-AbCdEf", True),
        ("*", "/prod/password", True),
        ("/a.c/*", "/abc/x", False),
    ],
)
def test_reference_is_within_the_patterns_of_the_operator(
    patterns: str, name: str, holds: bool
) -> None:
    assert limit(references=patterns).references.holds(name, function="checkout") is holds


def test_function_of_an_unclear_name_has_no_references_of_its_own() -> None:
    scope = limit(references="/{function}/*,/shared/*").references
    assert not scope.holds("/checkout/token", function="function:checkout")
    assert scope.holds("/shared/url", function="function:checkout")


# --- settings ---


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"operations": "delete_functions"}, "RELEASES_OPERATIONS: 'delete_functions' is no oper"),
        ({"operations": "all,drop"}, "RELEASES_OPERATIONS: 'drop' is no operation"),
        ({"operations": "Release"}, "RELEASES_OPERATIONS: 'Release' is no operation"),
        ({"operations": ""}, "RELEASES_OPERATIONS: '' is no operation"),
        ({"functions": ""}, "RELEASES_FUNCTIONS: a pattern is empty"),
        ({"functions": "checkout-*,"}, "RELEASES_FUNCTIONS: a pattern is empty"),
        ({"functions": "checkout-?"}, "RELEASES_FUNCTIONS: 'checkout-.' is not a pattern"),
        ({"functions": "check[out]"}, "RELEASES_FUNCTIONS: 'check.out.' is not a pattern"),
        ({"functions": f"{ARN}:a"}, "RELEASES_FUNCTIONS: 'arn:.* is not a pattern"),
        ({"references": ""}, "RELEASES_REFERENCES: a pattern is empty"),
        ({"references": "/a/[bc]"}, "RELEASES_REFERENCES: '/a/.bc.' is not a pattern"),
        ({"references": "/{alias}/*"}, "RELEASES_REFERENCES: '/.alias./.' is not a pattern"),
        ({"references": "/{function/*"}, "RELEASES_REFERENCES: '/.function/.' is not a pattern"),
    ],
)
def test_malformed_limit_is_refused_by_its_setting(settings: dict[str, str], problem: str) -> None:
    with pytest.raises(AccessSettingError, match=problem):
        Access.parse(**settings)


# --- the page ---


def test_actions_that_iam_may_leave_out_are_of_no_release() -> None:
    page = (ROOT / "docs/security.md").read_text()
    needed = {action for need in NEEDS for action in need.actions}
    left_out = set(re.findall(r"`(lambda:\w+)`", page.partition("what IAM adds")[2]))
    assert len(left_out) == 9
    assert not left_out & needed
    assert {_to_operation(each) for each in left_out} <= OTHER_OPERATIONS


def _to_operation(action: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", action.partition(":")[2]).lower()
