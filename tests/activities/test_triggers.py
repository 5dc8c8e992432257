"""Triggers: what may invoke a function, and under which qualifier."""

from __future__ import annotations

import json
from typing import Any

import pytest

from activities.triggers import FindTriggersRequest, FindTriggersResponse, Triggers
from tests.fake_lambda import FakeLambda

ORDERS = "arn:aws:sqs:eu-west-1:123456789012:orders"
BUCKET = "arn:aws:s3:::uploads"


@pytest.fixture
def port(port: FakeLambda) -> FakeLambda:
    port.create("triggered-function", "one", "two")
    return port


async def find(port: FakeLambda) -> FindTriggersResponse:
    arn = port.functions["triggered-function"].arn
    return await Triggers(port).find_triggers(FindTriggersRequest(function_name=arn, name="live"))


def listed(found: FindTriggersResponse) -> list[tuple[str, str, str | None]]:
    return [(trigger.kind, trigger.source, trigger.qualifier) for trigger in found.triggers]


def permit(port: FakeLambda, statement: str, **members: Any) -> None:
    port.apply(
        "add_permission",
        **{
            "FunctionName": "triggered-function",
            "StatementId": statement,
            "Action": "lambda:InvokeFunction",
            "Principal": "s3.amazonaws.com",
            **members,
        },
    )


async def test_function_without_triggers_has_none(port: FakeLambda) -> None:
    assert await find(port) == FindTriggersResponse(triggers=[], unread=[])


async def test_mapping_of_the_bare_function_has_no_qualifier(port: FakeLambda) -> None:
    port.apply(
        "create_event_source_mapping", FunctionName="triggered-function", EventSourceArn=ORDERS
    )
    assert listed(await find(port)) == [("event source mapping", ORDERS, None)]


async def test_mapping_of_the_alias_has_its_name(port: FakeLambda) -> None:
    port.apply(
        "create_event_source_mapping", FunctionName="triggered-function:live", EventSourceArn=ORDERS
    )
    assert listed(await find(port)) == [("event source mapping", ORDERS, "live")]


async def test_mapping_of_the_alias_is_found_where_the_function_has_others(
    port: FakeLambda,
) -> None:
    """Whether AWS lists them with those of the function is documented nowhere."""
    port.apply(
        "create_event_source_mapping", FunctionName="triggered-function:live", EventSourceArn=ORDERS
    )
    port.respond("list_event_source_mappings", {"EventSourceMappings": []})
    assert listed(await find(port)) == [("event source mapping", ORDERS, "live")]


async def test_mapping_that_is_switched_off_is_left_out(port: FakeLambda) -> None:
    port.apply(
        "create_event_source_mapping",
        FunctionName="triggered-function",
        EventSourceArn=ORDERS,
        Enabled=False,
    )
    assert listed(await find(port)) == []


async def test_permission_names_principal_and_source(port: FakeLambda) -> None:
    permit(port, "bucket", SourceArn=BUCKET)
    permit(port, "gateway", Principal="apigateway.amazonaws.com", Qualifier="live")
    assert listed(await find(port)) == [
        ("permission", f"s3.amazonaws.com ({BUCKET})", None),
        ("permission", "apigateway.amazonaws.com", "live"),
    ]


async def test_permission_to_read_is_no_trigger(port: FakeLambda) -> None:
    permit(port, "reader", Action="lambda:GetFunction")
    assert listed(await find(port)) == []


async def test_statement_that_denies_is_no_trigger(port: FakeLambda) -> None:
    arn = port.functions["triggered-function"].arn
    statement = {"Effect": "Deny", "Principal": "*", "Action": ["lambda:*"], "Resource": arn}
    port.respond("get_policy", {"Policy": json.dumps({"Statement": [statement]})})
    assert listed(await find(port)) == []


async def test_function_url_has_its_qualifier(port: FakeLambda) -> None:
    for qualifier in ({}, {"Qualifier": "live"}):
        port.perform(
            "lambda",
            "create_function_url_config",
            {"FunctionName": "triggered-function", "AuthType": "NONE", **qualifier},
        )
    found = listed(await find(port))
    assert [(kind, qualifier) for kind, _, qualifier in found] == [
        ("function URL", None),
        ("function URL", "live"),
    ]


@pytest.mark.parametrize(
    "operation", ["get_policy", "list_event_source_mappings", "list_function_url_configs"]
)
async def test_denied_read_is_named_and_no_failure(port: FakeLambda, operation: str) -> None:
    permit(port, "gateway", Principal="apigateway.amazonaws.com", Qualifier="live")
    port.fail(operation, "AccessDeniedException", "not authorized", times=None)
    found = await find(port)
    assert [each for each in found.unread if operation in each and "not authorized" in each]
    assert len(found.triggers) == (0 if operation == "get_policy" else 1)


async def test_busy_account_leaves_triggers_unread(port: FakeLambda) -> None:
    port.fail("list_function_url_configs", "RateLimited", "not sent", times=None)
    assert "RateLimited" in (await find(port)).unread[0]


async def test_malformed_policy_is_unread(port: FakeLambda) -> None:
    port.respond("get_policy", {"Policy": "no JSON"})
    assert "Policy is no policy" in (await find(port)).unread[0]
