"""Tags."""

import pytest

from tests.local.harness import LocalHarness, raises_client_error


async def test_function_has_the_tags_that_were_set(harness: LocalHarness) -> None:
    name = await harness.create_function(Tags={"team": "checkout"})
    await harness.client.tag_resource(
        Resource=harness.build_arn(name), Tags={"release": "1", "team": "cart"}
    )
    assert (await harness.client.list_tags(Resource=harness.build_arn(name)))["Tags"] == {
        "team": "cart",
        "release": "1",
    }
    await harness.client.untag_resource(
        Resource=harness.build_arn(name), TagKeys=["release", "absent"]
    )
    assert (await harness.client.get_function(FunctionName=name))["Tags"] == {"team": "cart"}


@pytest.mark.parametrize("qualifier", ["1", "live"])
async def test_versions_and_aliases_have_no_tags(harness: LocalHarness, qualifier: str) -> None:
    name = await harness.create_function(versions=1)
    await harness.client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    arn = harness.build_arn(name, qualifier)
    words = (
        "Tags on function aliases and versions are not supported. Please specify a function ARN."
    )
    with raises_client_error("InvalidParameterValueException", 400, words):
        await harness.client.tag_resource(Resource=arn, Tags={"a": "b"})
    with raises_client_error("InvalidParameterValueException", 400, words):
        await harness.client.untag_resource(Resource=arn, TagKeys=["a"])
    with raises_client_error("InvalidParameterValueException", 400, words):
        await harness.client.list_tags(Resource=arn)


async def test_tags_that_are_none_or_too_many_are_refused(harness: LocalHarness) -> None:
    name = await harness.create_function()
    with raises_client_error("InvalidParameterValueException", 400):
        await harness.client.tag_resource(Resource=harness.build_arn(name), Tags={})
    with raises_client_error("InvalidParameterValueException", 400, "exceeds resource tag limit"):
        await harness.client.tag_resource(
            Resource=harness.build_arn(name), Tags={str(number): "x" for number in range(51)}
        )


async def test_missing_function_has_no_tags(harness: LocalHarness) -> None:
    with raises_client_error("ResourceNotFoundException", 404):
        await harness.client.tag_resource(Resource=harness.build_arn("missing"), Tags={"a": "b"})


async def test_mapping_has_tags(harness: LocalHarness) -> None:
    await (await harness.clients.get("sqs")).create_queue(QueueName="tagged")
    mapping = await harness.client.create_event_source_mapping(
        FunctionName=await harness.create_function(),
        EventSourceArn="arn:aws:sqs:us-east-1:000000000000:tagged",
        Tags={"a": "b"},
    )
    assert (await harness.client.list_tags(Resource=mapping["EventSourceMappingArn"]))["Tags"] == {
        "a": "b"
    }
