"""Event source mappings."""

import itertools
from typing import Any

import pytest

from tests.local.harness import FrozenHarness, LocalHarness, raises_client_error, wait_until

_names = (f"queue-{number}" for number in itertools.count())


async def create_queue(harness: LocalHarness) -> str:
    """Create a queue and return its ARN."""
    name = next(_names)
    await (await harness.clients.get("sqs")).create_queue(QueueName=name)
    return f"arn:aws:sqs:us-east-1:000000000000:{name}"


async def connect(harness: LocalHarness, function: str, queue: str, **more: Any) -> dict[str, Any]:
    return dict(
        await harness.client.create_event_source_mapping(
            FunctionName=function, EventSourceArn=queue, **more
        )
    )


async def wait_until_state(harness: LocalHarness, uuid: str, state: str) -> None:
    async def has_state() -> bool:
        return bool((await harness.client.get_event_source_mapping(UUID=uuid))["State"] == state)

    await wait_until(has_state)


async def test_mapping_goes_through_its_states(harness: LocalHarness) -> None:
    mapping = await connect(harness, await harness.create_function(), await create_queue(harness))
    uuid = mapping["UUID"]
    assert mapping["State"] == "Creating"
    await wait_until_state(harness, uuid, "Enabled")
    disabled = await harness.client.update_event_source_mapping(UUID=uuid, Enabled=False)
    assert disabled["State"] == "Disabling"
    assert disabled["ResponseMetadata"]["HTTPStatusCode"] == 202
    await wait_until_state(harness, uuid, "Disabled")
    updated = await harness.client.update_event_source_mapping(UUID=uuid, BatchSize=5)
    assert updated["State"] == "Updating"
    await wait_until_state(harness, uuid, "Disabled")
    enabled = await harness.client.update_event_source_mapping(UUID=uuid, Enabled=True)
    assert enabled["State"] == "Enabling"
    await wait_until_state(harness, uuid, "Enabled")
    assert (await harness.client.delete_event_source_mapping(UUID=uuid))["State"] == "Deleting"

    async def is_gone() -> bool:
        listed = await harness.client.list_event_source_mappings()
        return uuid not in [one["UUID"] for one in listed["EventSourceMappings"]]

    await wait_until(is_gone)
    with raises_client_error(
        "ResourceNotFoundException", 404, "The resource you requested does not exist"
    ):
        await harness.client.get_event_source_mapping(UUID=uuid)
    with raises_client_error("ResourceNotFoundException", 404):
        await harness.client.delete_event_source_mapping(UUID=uuid)


async def test_mapping_that_is_deleted_can_be_read_until_it_is_gone(
    frozen_harness: FrozenHarness,
) -> None:
    client, uuid = frozen_harness.client, frozen_harness.mapping
    assert (await client.get_event_source_mapping(UUID=uuid))["State"] == "Enabled"
    await client.delete_event_source_mapping(UUID=uuid)
    assert (await client.get_event_source_mapping(UUID=uuid))["State"] == "Deleting"


async def test_mapping_that_is_changing_cannot_be_changed(frozen_harness: FrozenHarness) -> None:
    queue = await create_queue(frozen_harness)
    uuid = (await connect(frozen_harness, frozen_harness.VERSIONED, queue))["UUID"]
    with raises_client_error(
        "ResourceInUseException", 400, "Cannot update the event source mapping because it is in use"
    ):
        await frozen_harness.client.update_event_source_mapping(UUID=uuid, BatchSize=5)
    with raises_client_error(
        "ResourceInUseException", 400, "Cannot delete the event source mapping because it is in use"
    ):
        await frozen_harness.client.delete_event_source_mapping(UUID=uuid)


async def test_source_and_function_have_one_mapping_which_the_error_names(
    harness: LocalHarness,
) -> None:
    name, queue = await harness.create_function(versions=1), await create_queue(harness)
    await harness.client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    existing = await connect(harness, f"{name}:live", queue)
    with raises_client_error(
        "ResourceConflictException", 409, f"existing mapping with UUID {existing['UUID']}"
    ):
        await connect(harness, harness.build_arn(name, "live"), queue)
    await connect(harness, name, queue)


async def test_mapping_keeps_its_alias_until_it_is_updated(
    harness: LocalHarness,
) -> None:
    name = await harness.create_function(versions=1)
    for alias in ("live", "other"):
        await harness.client.create_alias(FunctionName=name, Name=alias, FunctionVersion="1")
    mapping = await connect(harness, f"{name}:live", await create_queue(harness))
    assert mapping["FunctionArn"] == harness.build_arn(name, "live")
    await wait_until_state(harness, mapping["UUID"], "Enabled")
    moved = await harness.client.update_event_source_mapping(
        UUID=mapping["UUID"], FunctionName=harness.build_arn(name, "other")
    )
    assert moved["FunctionArn"] == harness.build_arn(name, "other")
    listed = await harness.client.list_event_source_mappings(FunctionName=f"{name}:other")
    assert [one["UUID"] for one in listed["EventSourceMappings"]] == [mapping["UUID"]]


async def test_mapping_that_is_created_disabled_is_disabled(harness: LocalHarness) -> None:
    uuid = (
        await connect(
            harness, await harness.create_function(), await create_queue(harness), Enabled=False
        )
    )["UUID"]
    await wait_until_state(harness, uuid, "Disabled")


async def test_missing_function_is_refused_and_has_no_mappings(
    harness: LocalHarness,
) -> None:
    with raises_client_error("InvalidParameterValueException", 400, "Function does not exist"):
        await connect(harness, "missing", await create_queue(harness))
    assert (await harness.client.list_event_source_mappings(FunctionName="missing"))[
        "EventSourceMappings"
    ] == []


async def test_missing_queue_is_refused(harness: LocalHarness) -> None:
    with raises_client_error(
        "InvalidParameterValueException", 400, "AWS.SimpleQueueService.NonExistentQueue"
    ):
        await connect(
            harness, await harness.create_function(), "arn:aws:sqs:us-east-1:000000000000:nowhere"
        )


@pytest.mark.parametrize("operation", ["get", "update", "delete"])
async def test_missing_mapping_is_not_found(harness: LocalHarness, operation: str) -> None:
    with raises_client_error(
        "ResourceNotFoundException", 404, "The resource you requested does not exist"
    ):
        await getattr(harness.client, f"{operation}_event_source_mapping")(
            UUID="00000000-0000-0000-0000-000000000000"
        )


async def test_mappings_outlive_their_function(harness: LocalHarness) -> None:
    name = await harness.create_function()
    uuid = (await connect(harness, name, await create_queue(harness)))["UUID"]
    await wait_until_state(harness, uuid, "Enabled")
    await harness.client.delete_function(FunctionName=name)
    assert (await harness.client.get_event_source_mapping(UUID=uuid))["State"] == "Enabled"
