"""Event source mappings."""

import itertools
from typing import Any

import pytest

from tests.local.bench import Bench, refused, until

_names = (f"queue-{number}" for number in itertools.count())


async def source(bench: Bench) -> str:
    """The ARN of a new queue."""
    name = next(_names)
    await (await bench.clients.of("sqs")).create_queue(QueueName=name)
    return f"arn:aws:sqs:us-east-1:000000000000:{name}"


async def connect(bench: Bench, function: str, queue: str, **more: Any) -> dict[str, Any]:
    return dict(
        await bench.client.create_event_source_mapping(
            FunctionName=function, EventSourceArn=queue, **more
        )
    )


async def reaches(bench: Bench, uuid: str, state: str) -> None:
    async def look() -> bool:
        return bool((await bench.client.get_event_source_mapping(UUID=uuid))["State"] == state)

    await until(look)


async def test_a_mapping_goes_through_its_states(slowly: Bench) -> None:
    mapping = await connect(slowly, await slowly.function(), await source(slowly))
    uuid = mapping["UUID"]
    assert mapping["State"] == "Creating"
    await reaches(slowly, uuid, "Enabled")
    disabled = await slowly.client.update_event_source_mapping(UUID=uuid, Enabled=False)
    assert disabled["State"] == "Disabling"
    assert disabled["ResponseMetadata"]["HTTPStatusCode"] == 202
    await reaches(slowly, uuid, "Disabled")
    assert (await slowly.client.update_event_source_mapping(UUID=uuid, BatchSize=5))[
        "State"
    ] == "Updating"
    await reaches(slowly, uuid, "Disabled")
    assert (await slowly.client.update_event_source_mapping(UUID=uuid, Enabled=True))[
        "State"
    ] == "Enabling"
    await reaches(slowly, uuid, "Enabled")
    assert (await slowly.client.delete_event_source_mapping(UUID=uuid))["State"] == "Deleting"
    assert (await slowly.client.get_event_source_mapping(UUID=uuid))["State"] == "Deleting"

    async def gone() -> bool:
        listed = await slowly.client.list_event_source_mappings()
        return uuid not in [one["UUID"] for one in listed["EventSourceMappings"]]

    await until(gone)
    with refused("ResourceNotFoundException", 404, "The resource you requested does not exist"):
        await slowly.client.get_event_source_mapping(UUID=uuid)
    with refused("ResourceNotFoundException", 404):
        await slowly.client.delete_event_source_mapping(UUID=uuid)


async def test_a_mapping_on_its_way_cannot_be_changed(slowly: Bench) -> None:
    uuid = (await connect(slowly, await slowly.function(), await source(slowly)))["UUID"]
    with refused(
        "ResourceInUseException", 400, "Cannot update the event source mapping because it is in use"
    ):
        await slowly.client.update_event_source_mapping(UUID=uuid, BatchSize=5)
    with refused(
        "ResourceInUseException", 400, "Cannot delete the event source mapping because it is in use"
    ):
        await slowly.client.delete_event_source_mapping(UUID=uuid)


async def test_a_source_feeds_a_function_once_and_the_refusal_names_the_mapping(
    bench: Bench,
) -> None:
    name, queue = await bench.function(versions=1), await source(bench)
    await bench.client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    existing = await connect(bench, f"{name}:live", queue)
    with refused(
        "ResourceConflictException", 409, f"existing mapping with UUID {existing['UUID']}"
    ):
        await connect(bench, bench.arn(name, "live"), queue)
    await connect(bench, name, queue)


async def test_a_mapping_keeps_its_alias_and_can_be_pointed_elsewhere(bench: Bench) -> None:
    name = await bench.function(versions=1)
    for alias in ("live", "other"):
        await bench.client.create_alias(FunctionName=name, Name=alias, FunctionVersion="1")
    mapping = await connect(bench, f"{name}:live", await source(bench))
    assert mapping["FunctionArn"] == bench.arn(name, "live")
    await reaches(bench, mapping["UUID"], "Enabled")
    moved = await bench.client.update_event_source_mapping(
        UUID=mapping["UUID"], FunctionName=bench.arn(name, "other")
    )
    assert moved["FunctionArn"] == bench.arn(name, "other")
    listed = await bench.client.list_event_source_mappings(FunctionName=f"{name}:other")
    assert [one["UUID"] for one in listed["EventSourceMappings"]] == [mapping["UUID"]]


async def test_a_mapping_created_disabled_is_disabled(bench: Bench) -> None:
    uuid = (await connect(bench, await bench.function(), await source(bench), Enabled=False))[
        "UUID"
    ]
    await reaches(bench, uuid, "Disabled")


async def test_an_absent_function_is_an_invalid_parameter_and_has_no_mappings(bench: Bench) -> None:
    with refused("InvalidParameterValueException", 400, "Function does not exist"):
        await connect(bench, "nobody", await source(bench))
    assert (await bench.client.list_event_source_mappings(FunctionName="nobody"))[
        "EventSourceMappings"
    ] == []


async def test_an_absent_queue_is_an_invalid_parameter(bench: Bench) -> None:
    with refused("InvalidParameterValueException", 400, "AWS.SimpleQueueService.NonExistentQueue"):
        await connect(bench, await bench.function(), "arn:aws:sqs:us-east-1:000000000000:nowhere")


@pytest.mark.parametrize("operation", ["get", "update", "delete"])
async def test_an_absent_mapping_is_not_found(bench: Bench, operation: str) -> None:
    with refused("ResourceNotFoundException", 404, "The resource you requested does not exist"):
        await getattr(bench.client, f"{operation}_event_source_mapping")(
            UUID="00000000-0000-0000-0000-000000000000"
        )


async def test_mappings_outlive_their_function(bench: Bench) -> None:
    name = await bench.function()
    uuid = (await connect(bench, name, await source(bench)))["UUID"]
    await reaches(bench, uuid, "Enabled")
    await bench.client.delete_function(FunctionName=name)
    assert (await bench.client.get_event_source_mapping(UUID=uuid))["State"] == "Enabled"
