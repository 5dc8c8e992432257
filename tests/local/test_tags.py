"""Tags."""

import pytest

from tests.local.bench import Bench, refused


async def test_a_function_has_the_tags_it_was_given(bench: Bench) -> None:
    name = await bench.function(Tags={"team": "checkout"})
    await bench.client.tag_resource(Resource=bench.arn(name), Tags={"release": "1", "team": "cart"})
    assert (await bench.client.list_tags(Resource=bench.arn(name)))["Tags"] == {
        "team": "cart",
        "release": "1",
    }
    await bench.client.untag_resource(Resource=bench.arn(name), TagKeys=["release", "absent"])
    assert (await bench.client.get_function(FunctionName=name))["Tags"] == {"team": "cart"}


@pytest.mark.parametrize("qualifier", ["1", "live"])
async def test_versions_and_aliases_have_no_tags(bench: Bench, qualifier: str) -> None:
    name = await bench.function(versions=1)
    await bench.client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    arn = bench.arn(name, qualifier)
    words = (
        "Tags on function aliases and versions are not supported. Please specify a function ARN."
    )
    with refused("InvalidParameterValueException", 400, words):
        await bench.client.tag_resource(Resource=arn, Tags={"a": "b"})
    with refused("InvalidParameterValueException", 400, words):
        await bench.client.untag_resource(Resource=arn, TagKeys=["a"])
    with refused("InvalidParameterValueException", 400, words):
        await bench.client.list_tags(Resource=arn)


async def test_no_tags_and_too_many_are_refused(bench: Bench) -> None:
    name = await bench.function()
    with refused("InvalidParameterValueException", 400):
        await bench.client.tag_resource(Resource=bench.arn(name), Tags={})
    with refused("InvalidParameterValueException", 400, "exceeds resource tag limit"):
        await bench.client.tag_resource(
            Resource=bench.arn(name), Tags={str(number): "x" for number in range(51)}
        )


async def test_a_missing_function_has_no_tags(bench: Bench) -> None:
    with refused("ResourceNotFoundException", 404):
        await bench.client.tag_resource(Resource=bench.arn("nobody"), Tags={"a": "b"})


async def test_a_mapping_has_tags(bench: Bench) -> None:
    await (await bench.clients.of("sqs")).create_queue(QueueName="tagged")
    mapping = await bench.client.create_event_source_mapping(
        FunctionName=await bench.function(),
        EventSourceArn="arn:aws:sqs:us-east-1:000000000000:tagged",
        Tags={"a": "b"},
    )
    assert (await bench.client.list_tags(Resource=mapping["EventSourceMappingArn"]))["Tags"] == {
        "a": "b"
    }
