"""Event source mappings: a second attempt adopts the mapping of the first."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from pydantic import ValidationError
from temporalio.exceptions import ApplicationError

from activities.errors import AwsError
from activities.event_source_mapping_models import (
    CreateEventSourceMappingRequest,
    DeleteEventSourceMappingRequest,
    GetEventSourceMappingRequest,
    ListEventSourceMappingsRequest,
    UpdateEventSourceMappingRequest,
)
from activities.event_source_mappings import EventSourceMappings
from activities.event_sources import SelfManagedEventSource
from tests.activities.operations import lose_response, on_attempt
from tests.fake_lambda import FakeLambda

QUEUE = "arn:aws:sqs:eu-west-1:123456789012:orders"
ARN = "arn:aws:lambda:eu-west-1:123456789012:function:checkout"
UUID = "00000000-0000-0000-0000-000000000001"
CREATE = CreateEventSourceMappingRequest(
    function_name="checkout", event_source_arn=QUEUE, batch_size=5, enabled=True
)


@pytest.fixture
def mappings(port: FakeLambda) -> EventSourceMappings:
    port.create("checkout")
    port.apply("create_alias", FunctionName="checkout", Name="test", FunctionVersion="1")
    return EventSourceMappings(port)


def there(port: FakeLambda) -> dict[str, Any]:
    return port.mappings[UUID]


async def test_mapping_created_under_a_lost_response_is_adopted(
    port: FakeLambda, mappings: EventSourceMappings
) -> None:
    await lose_response(port, mappings.create_event_source_mapping, CREATE)
    assert (await on_attempt(2, mappings.create_event_source_mapping, CREATE)).uuid == UUID
    assert port.count("create_event_source_mapping") == 1


async def test_missing_mapping_is_created_by_the_second_attempt(
    mappings: EventSourceMappings,
) -> None:
    assert (await on_attempt(2, mappings.create_event_source_mapping, CREATE)).uuid == UUID


async def test_equal_mapping_is_success_on_a_first_attempt(
    mappings: EventSourceMappings,
) -> None:
    await on_attempt(1, mappings.create_event_source_mapping, CREATE)
    assert (await on_attempt(1, mappings.create_event_source_mapping, CREATE)).uuid == UUID


@pytest.mark.parametrize("attempt", [1, 2])
@pytest.mark.parametrize(
    ("other", "differing"), [({"BatchSize": 6}, "BatchSize"), ({"State": "Disabled"}, "Enabled")]
)
async def test_different_mapping_is_left_alone_and_its_difference_named(
    port: FakeLambda,
    mappings: EventSourceMappings,
    attempt: int,
    other: dict[str, Any],
    differing: str,
) -> None:
    await on_attempt(1, mappings.create_event_source_mapping, CREATE)
    there(port).update(other)
    with pytest.raises(ApplicationError, match=f"{UUID} .* differs in {differing}") as refused:
        await on_attempt(attempt, mappings.create_event_source_mapping, CREATE)
    assert (refused.value.type, refused.value.non_retryable) == ("Exists", True)


@pytest.mark.parametrize(
    ("function", "arn", "ours"),
    [
        ("checkout", ARN, True),
        ("checkout", f"{ARN}:live", False),
        ("checkout:live", f"{ARN}:live", True),
        ("checkout:live", f"{ARN}:test", False),
        ("checkout:$LATEST", ARN, True),
        ("123456789012:function:checkout", ARN, True),
        ("210987654321:function:checkout", ARN, False),
        (f"{ARN}:live", f"{ARN}:live", True),
        (ARN.replace("west", "east"), ARN, False),
        ("check", ARN, False),
    ],
)
async def test_mapping_is_matched_by_every_form_of_its_functions_name(
    port: FakeLambda,
    mappings: EventSourceMappings,
    function: str,
    arn: str,
    ours: bool,
) -> None:
    port.mappings[UUID] = {
        "UUID": UUID,
        "FunctionArn": arn,
        "EventSourceArn": QUEUE,
        "State": "Enabled",
        "BatchSize": 5,
    }
    port.respond("create_event_source_mapping", {"UUID": "another"})
    await on_attempt(
        2,
        mappings.create_event_source_mapping,
        CREATE.model_copy(update={"function_name": function}),
    )
    assert port.count("create_event_source_mapping") == (0 if ours else 1)


async def test_topics_of_one_cluster_are_different_sources(
    port: FakeLambda, mappings: EventSourceMappings
) -> None:
    port.mappings[UUID] = {
        "UUID": UUID,
        "FunctionArn": ARN,
        "EventSourceArn": QUEUE,
        "State": "Enabled",
        "BatchSize": 5,
        "Topics": ["one"],
    }
    port.respond("create_event_source_mapping", {"UUID": "another"})
    request = CREATE.model_copy(update={"topics": ["two"]})
    assert (await on_attempt(2, mappings.create_event_source_mapping, request)).uuid == "another"
    assert (
        await on_attempt(
            2, mappings.create_event_source_mapping, CREATE.model_copy(update={"topics": ["one"]})
        )
    ).uuid == UUID


async def test_self_managed_cluster_is_matched_by_its_servers(
    port: FakeLambda, mappings: EventSourceMappings
) -> None:
    servers = {"Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": ["b:9092", "a:9092"]}}
    port.mappings[UUID] = {
        "UUID": UUID,
        "FunctionArn": ARN,
        "State": "Enabled",
        "SelfManagedEventSource": servers,
    }
    request = CreateEventSourceMappingRequest(
        function_name="checkout",
        self_managed_event_source=SelfManagedEventSource(
            endpoints={"KAFKA_BOOTSTRAP_SERVERS": ["a:9092", "b:9092"]}
        ),
    )
    assert (await on_attempt(2, mappings.create_event_source_mapping, request)).uuid == UUID
    assert port.requests[0] == ("list_event_source_mappings", {"FunctionName": "checkout"})


async def test_mapping_that_is_being_deleted_is_not_adopted(
    port: FakeLambda, mappings: EventSourceMappings
) -> None:
    await on_attempt(1, mappings.create_event_source_mapping, CREATE)
    there(port)["State"] = "Deleting"
    port.respond("create_event_source_mapping", {"UUID": "another"})
    assert (await on_attempt(2, mappings.create_event_source_mapping, CREATE)).uuid == "another"


async def test_timestamp_is_compared_to_the_second_and_needs_its_zone(
    port: FakeLambda, mappings: EventSourceMappings
) -> None:
    moment = dt.datetime(2026, 11, 22, 10, 5, 0, 123, tzinfo=dt.UTC)
    request = CREATE.model_copy(
        update={"starting_position": "AT_TIMESTAMP", "starting_position_timestamp": moment}
    )
    await on_attempt(1, mappings.create_event_source_mapping, request)
    there(port)["StartingPositionTimestamp"] = moment.replace(microsecond=0)
    assert (await on_attempt(2, mappings.create_event_source_mapping, request)).uuid == UUID
    there(port)["StartingPositionTimestamp"] = moment + dt.timedelta(seconds=1)
    with pytest.raises(ApplicationError, match="StartingPositionTimestamp"):
        await on_attempt(2, mappings.create_event_source_mapping, request)
    with pytest.raises(ValidationError, match="timezone"):
        CreateEventSourceMappingRequest.model_validate(
            {"FunctionName": "f", "StartingPositionTimestamp": "2026-11-22T10:05:00"}
        )


@pytest.mark.parametrize("attempt", [1, 2])
async def test_delete_of_a_missing_mapping_is_success(
    mappings: EventSourceMappings, attempt: int
) -> None:
    assert (
        await on_attempt(
            attempt,
            mappings.delete_event_source_mapping,
            DeleteEventSourceMappingRequest(uuid=UUID),
        )
    ).state == "Deleted"


async def test_delete_of_a_deleting_mapping_succeeds_of_an_updating_one_retries(
    port: FakeLambda, mappings: EventSourceMappings
) -> None:
    await on_attempt(1, mappings.create_event_source_mapping, CREATE)
    busy = AwsError("delete_event_source_mapping", "ResourceInUseException", "in transition")
    port.respond("delete_event_source_mapping", busy, busy)
    there(port)["State"] = "Updating"
    with pytest.raises(ApplicationError, match="Conflict") as waiting:
        await on_attempt(
            1, mappings.delete_event_source_mapping, DeleteEventSourceMappingRequest(uuid=UUID)
        )
    assert (waiting.value.type, waiting.value.non_retryable) == ("Conflict", False)
    there(port)["State"] = "Deleting"
    assert (
        await on_attempt(
            2, mappings.delete_event_source_mapping, DeleteEventSourceMappingRequest(uuid=UUID)
        )
    ).state == "Deleting"


async def test_update_is_sent_again_only_where_it_is_not_there(
    port: FakeLambda, mappings: EventSourceMappings
) -> None:
    await on_attempt(1, mappings.create_event_source_mapping, CREATE)
    request = UpdateEventSourceMappingRequest(
        uuid=UUID, batch_size=7, enabled=False, function_name="checkout"
    )
    assert (await on_attempt(2, mappings.update_event_source_mapping, request)).batch_size == 7
    assert (await on_attempt(2, mappings.update_event_source_mapping, request)).state == "Disabled"
    assert port.count("update_event_source_mapping") == 1
    port.respond("update_event_source_mapping", {"UUID": UUID})
    await on_attempt(
        2,
        mappings.update_event_source_mapping,
        request.model_copy(update={"function_name": "checkout:live"}),
    )
    assert port.count("update_event_source_mapping") == 2


async def test_mappings_are_read_and_listed(mappings: EventSourceMappings) -> None:
    await on_attempt(1, mappings.create_event_source_mapping, CREATE)
    assert (
        await on_attempt(
            1, mappings.get_event_source_mapping, GetEventSourceMappingRequest(uuid=UUID)
        )
    ).batch_size == 5
    listed = await on_attempt(
        1,
        mappings.list_event_source_mappings,
        ListEventSourceMappingsRequest(event_source_arn=QUEUE),
    )
    assert [mapping.uuid for mapping in listed.event_source_mappings] == [UUID]
