"""Event source mappings."""

import itertools
from typing import Any

import pytest

from tests.local.harness import LocalHarness, raises_client_error, wait_until

_names = (f"queue-{number}" for number in itertools.count())


async def source(harness: LocalHarness) -> str:
    """The ARN of a new queue."""
    name = next(_names)
    await (await harness.clients.of("sqs")).create_queue(QueueName=name)
    return f"arn:aws:sqs:us-east-1:000000000000:{name}"


async def connect(harness: LocalHarness, function: str, queue: str, **more: Any) -> dict[str, Any]:
    return dict(
        await harness.client.create_event_source_mapping(
            FunctionName=function, EventSourceArn=queue, **more
        )
    )


async def reaches(harness: LocalHarness, uuid: str, state: str) -> None:
    async def look() -> bool:
        return bool((await harness.client.get_event_source_mapping(UUID=uuid))["State"] == state)

    await wait_until(look)


async def test_a_mapping_goes_through_its_states(slow_harness: LocalHarness) -> None:
    mapping = await connect(slow_harness, await slow_harness.function(), await source(slow_harness))
    uuid = mapping["UUID"]
    assert mapping["State"] == "Creating"
    await reaches(slow_harness, uuid, "Enabled")
    disabled = await slow_harness.client.update_event_source_mapping(UUID=uuid, Enabled=False)
    assert disabled["State"] == "Disabling"
    assert disabled["ResponseMetadata"]["HTTPStatusCode"] == 202
    await reaches(slow_harness, uuid, "Disabled")
    assert (await slow_harness.client.update_event_source_mapping(UUID=uuid, BatchSize=5))[
        "State"
    ] == "Updating"
    await reaches(slow_harness, uuid, "Disabled")
    assert (await slow_harness.client.update_event_source_mapping(UUID=uuid, Enabled=True))[
        "State"
    ] == "Enabling"
    await reaches(slow_harness, uuid, "Enabled")
    assert (await slow_harness.client.delete_event_source_mapping(UUID=uuid))["State"] == "Deleting"
    assert (await slow_harness.client.get_event_source_mapping(UUID=uuid))["State"] == "Deleting"

    async def gone() -> bool:
        listed = await slow_harness.client.list_event_source_mappings()
        return uuid not in [one["UUID"] for one in listed["EventSourceMappings"]]

    await wait_until(gone)
    with raises_client_error(
        "ResourceNotFoundException", 404, "The resource you requested does not exist"
    ):
        await slow_harness.client.get_event_source_mapping(UUID=uuid)
    with raises_client_error("ResourceNotFoundException", 404):
        await slow_harness.client.delete_event_source_mapping(UUID=uuid)


async def test_a_mapping_on_its_way_cannot_be_changed(slow_harness: LocalHarness) -> None:
    uuid = (await connect(slow_harness, await slow_harness.function(), await source(slow_harness)))[
        "UUID"
    ]
    with raises_client_error(
        "ResourceInUseException", 400, "Cannot update the event source mapping because it is in use"
    ):
        await slow_harness.client.update_event_source_mapping(UUID=uuid, BatchSize=5)
    with raises_client_error(
        "ResourceInUseException", 400, "Cannot delete the event source mapping because it is in use"
    ):
        await slow_harness.client.delete_event_source_mapping(UUID=uuid)


async def test_a_source_feeds_a_function_once_and_the_refusal_names_the_mapping(
    harness: LocalHarness,
) -> None:
    name, queue = await harness.function(versions=1), await source(harness)
    await harness.client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    existing = await connect(harness, f"{name}:live", queue)
    with raises_client_error(
        "ResourceConflictException", 409, f"existing mapping with UUID {existing['UUID']}"
    ):
        await connect(harness, harness.arn(name, "live"), queue)
    await connect(harness, name, queue)


async def test_a_mapping_keeps_its_alias_and_can_be_pointed_elsewhere(
    harness: LocalHarness,
) -> None:
    name = await harness.function(versions=1)
    for alias in ("live", "other"):
        await harness.client.create_alias(FunctionName=name, Name=alias, FunctionVersion="1")
    mapping = await connect(harness, f"{name}:live", await source(harness))
    assert mapping["FunctionArn"] == harness.arn(name, "live")
    await reaches(harness, mapping["UUID"], "Enabled")
    moved = await harness.client.update_event_source_mapping(
        UUID=mapping["UUID"], FunctionName=harness.arn(name, "other")
    )
    assert moved["FunctionArn"] == harness.arn(name, "other")
    listed = await harness.client.list_event_source_mappings(FunctionName=f"{name}:other")
    assert [one["UUID"] for one in listed["EventSourceMappings"]] == [mapping["UUID"]]


async def test_a_mapping_created_disabled_is_disabled(harness: LocalHarness) -> None:
    uuid = (await connect(harness, await harness.function(), await source(harness), Enabled=False))[
        "UUID"
    ]
    await reaches(harness, uuid, "Disabled")


async def test_an_absent_function_is_an_invalid_parameter_and_has_no_mappings(
    harness: LocalHarness,
) -> None:
    with raises_client_error("InvalidParameterValueException", 400, "Function does not exist"):
        await connect(harness, "nobody", await source(harness))
    assert (await harness.client.list_event_source_mappings(FunctionName="nobody"))[
        "EventSourceMappings"
    ] == []


async def test_an_absent_queue_is_an_invalid_parameter(harness: LocalHarness) -> None:
    with raises_client_error(
        "InvalidParameterValueException", 400, "AWS.SimpleQueueService.NonExistentQueue"
    ):
        await connect(
            harness, await harness.function(), "arn:aws:sqs:us-east-1:000000000000:nowhere"
        )


@pytest.mark.parametrize("operation", ["get", "update", "delete"])
async def test_an_absent_mapping_is_not_found(harness: LocalHarness, operation: str) -> None:
    with raises_client_error(
        "ResourceNotFoundException", 404, "The resource you requested does not exist"
    ):
        await getattr(harness.client, f"{operation}_event_source_mapping")(
            UUID="00000000-0000-0000-0000-000000000000"
        )


async def test_mappings_outlive_their_function(harness: LocalHarness) -> None:
    name = await harness.function()
    uuid = (await connect(harness, name, await source(harness)))["UUID"]
    await reaches(harness, uuid, "Enabled")
    await harness.client.delete_function(FunctionName=name)
    assert (await harness.client.get_event_source_mapping(UUID=uuid))["State"] == "Enabled"
