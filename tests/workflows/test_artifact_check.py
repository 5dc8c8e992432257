"""What a release is to write is looked up before anything is written."""

from __future__ import annotations

from typing import Any

import pytest

from tests.harness import ALL_AT_ONCE, Harness
from tests.workflows.test_plan import plan
from tests.workflows.test_preflight import assert_rejected

REPOSITORY = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/shop"
DIGEST = "sha256:" + "a" * 64
PACKAGE = {"kind": "s3", "bucket": "artifacts", "key": "three.zip"}


def with_environment(**variables: str) -> dict[str, Any]:
    return {"configuration": {"Environment": {"Variables": variables}}}


@pytest.mark.parametrize(
    ("artifact", "name"),
    [
        ({"key": "typo.zip"}, "s3://artifacts/typo.zip"),
        ({"bucket": "typo"}, "s3://typo/three.zip"),
        ({"object_version": "v9"}, "s3://artifacts/three.zip in version v9"),
    ],
)
async def test_missing_package_rejects_and_nothing_is_written(
    harness: Harness, artifact: dict[str, Any], name: str
) -> None:
    harness.package("three")
    end = await harness.release(artifact=PACKAGE | artifact)
    assert_rejected(end, harness, f"artifact: there is no {name}: upload it, or correct")


async def test_plan_names_a_missing_package_beside_the_other_reasons(harness: Harness) -> None:
    found = await plan(
        harness, artifact=PACKAGE | {"key": "typo.zip"}, guards={"alarms": ["nosuch"]}
    )
    assert [refusal.partition(":")[0] for refusal in found.refusals] == [
        "guards.alarms",
        "artifact",
    ]


async def test_package_that_s3_does_not_show_is_a_note(harness: Harness) -> None:
    harness.aws.lists_buckets = False
    found = await plan(harness, artifact=PACKAGE | {"key": "typo.zip"})
    assert found.refusals == ()
    [note] = [each for each in found.notes if "was not looked at" in each]
    assert note.startswith("The package was not looked at, and may not be there: s3://artifacts/")
    assert "s3:ListBucket" in note


async def test_release_goes_on_where_s3_does_not_respond(harness: Harness) -> None:
    harness.aws.fail("head_object", "EndpointConnectionError", "no way there")
    end = await harness.release(artifact=harness.package("three"), **ALL_AT_ONCE)
    assert end.kind == "Completed", end
    assert end.status is not None
    assert any("no way there" in note for note in end.status.notes)


async def test_look_at_s3_that_takes_too_long_is_given_up(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("activities.artifact_lookup._PATIENCE_SECONDS", 0.2)
    harness.aws.hold("head_object")
    found = await plan(harness)
    assert any("no response within 0.2 s" in note for note in found.notes)


async def test_missing_image_digest_rejects_the_release(harness: Harness) -> None:
    harness.aws.create(harness.function, "one", "two", image=True)
    uri = f"{REPOSITORY}@{DIGEST}"
    harness.aws.missing_images.add(uri)
    end = await harness.release(artifact={"kind": "image", "uri": uri})
    assert_rejected(end, harness, "artifact.uri: the repository shop has no image", DIGEST)


async def test_digest_in_a_registry_of_another_account_may_be_there(harness: Harness) -> None:
    harness.aws.create(harness.function, "one", "two", image=True)
    harness.aws.fail("batch_get_image", "AccessDeniedException", "no ecr:BatchGetImage")
    uri = f"999999999999{REPOSITORY[12:]}@{DIGEST}"
    found = await plan(harness, artifact={"kind": "image", "uri": uri})
    assert found.refusals == ()
    assert any("The image was not looked at" in note for note in found.notes)


@pytest.mark.parametrize(
    ("reference", "problem"),
    [
        ("ssm:/shop/typo", "SSM parameter, or a version of one, that does not exist"),
        ("ssm:/shop/token:9", "SSM parameter, or a version of one, that does not exist"),
        ("secretsmanager:typo", "secret, or a version of one, that does not exist"),
        ("secretsmanager:shop:SecretString:typo", "a key that the secret does not have"),
    ],
)
async def test_missing_reference_rejects_and_nothing_is_written(
    harness: Harness, reference: str, problem: str
) -> None:
    harness.aws.parameters["/shop/token"] = "hunter2"
    harness.aws.secrets["shop"] = '{"password": "hunter2"}'
    end = await harness.release(**with_environment(TOKEN=f"{{{{resolve:{reference}}}}}"))
    assert_rejected(end, harness, "configuration.Environment: ", "TOKEN", problem)
    assert "hunter2" not in end.text


async def test_all_missing_references_are_named_at_once(harness: Harness) -> None:
    environment = with_environment(
        ONE="{{resolve:ssm:/one}}",
        TWO="{{resolve:ssm:/two}}",
        THREE="{{resolve:secretsmanager:three}}",
        FOUR="{{resolve:secretsmanager:four:SecretString:key}}",
    )
    refusals = (await plan(harness, **environment)).refusals
    assert [refusal.split(": ")[1] for refusal in refusals] == [
        "environment variables ONE, TWO",
        "environment variable THREE",
        "environment variable FOUR",
    ]


async def test_reference_that_may_not_be_read_rejects_the_release(harness: Harness) -> None:
    denied = "User is not authorized to perform: ssm:GetParameters"
    harness.aws.fail("get_parameters", "AccessDeniedException", denied, times=None)
    found = await plan(harness, **with_environment(TOKEN="{{resolve:ssm:/shop/token}}"))
    [refusal] = found.refusals
    assert refusal.startswith("configuration.Environment: get_parameters: ")
