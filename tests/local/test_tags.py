"""Tags."""

import pytest

from tests.local.harness import LocalHarness, raises_client_error


async def test_a_function_has_the_tags_it_was_given(harness: LocalHarness) -> None:
    name = await harness.function(Tags={"team": "checkout"})
    await harness.client.tag_resource(
        Resource=harness.arn(name), Tags={"release": "1", "team": "cart"}
    )
    assert (await harness.client.list_tags(Resource=harness.arn(name)))["Tags"] == {
        "team": "cart",
        "release": "1",
    }
    await harness.client.untag_resource(Resource=harness.arn(name), TagKeys=["release", "absent"])
    assert (await harness.client.get_function(FunctionName=name))["Tags"] == {"team": "cart"}


@pytest.mark.parametrize("qualifier", ["1", "live"])
async def test_versions_and_aliases_have_no_tags(harness: LocalHarness, qualifier: str) -> None:
    name = await harness.function(versions=1)
    await harness.client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    arn = harness.arn(name, qualifier)
    words = (
        "Tags on function aliases and versions are not supported. Please specify a function ARN."
    )
    with raises_client_error("InvalidParameterValueException", 400, words):
        await harness.client.tag_resource(Resource=arn, Tags={"a": "b"})
    with raises_client_error("InvalidParameterValueException", 400, words):
        await harness.client.untag_resource(Resource=arn, TagKeys=["a"])
    with raises_client_error("InvalidParameterValueException", 400, words):
        await harness.client.list_tags(Resource=arn)


async def test_no_tags_and_too_many_are_refused(harness: LocalHarness) -> None:
    name = await harness.function()
    with raises_client_error("InvalidParameterValueException", 400):
        await harness.client.tag_resource(Resource=harness.arn(name), Tags={})
    with raises_client_error("InvalidParameterValueException", 400, "exceeds resource tag limit"):
        await harness.client.tag_resource(
            Resource=harness.arn(name), Tags={str(number): "x" for number in range(51)}
        )


async def test_a_missing_function_has_no_tags(harness: LocalHarness) -> None:
    with raises_client_error("ResourceNotFoundException", 404):
        await harness.client.tag_resource(Resource=harness.arn("nobody"), Tags={"a": "b"})


async def test_a_mapping_has_tags(harness: LocalHarness) -> None:
    await (await harness.clients.of("sqs")).create_queue(QueueName="tagged")
    mapping = await harness.client.create_event_source_mapping(
        FunctionName=await harness.function(),
        EventSourceArn="arn:aws:sqs:us-east-1:000000000000:tagged",
        Tags={"a": "b"},
    )
    assert (await harness.client.list_tags(Resource=mapping["EventSourceMappingArn"]))["Tags"] == {
        "a": "b"
    }
