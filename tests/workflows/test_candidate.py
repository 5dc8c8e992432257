"""The candidate: what is written to ``$LATEST``, in which order, and what is published of it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fake_lambda import FakeLambda
from tests.fake_lambda.account import REGION, compute_sha256
from tests.harness import ALL_AT_ONCE, CANARY, Ending, Harness

REPOSITORY = f"123456789012.dkr.ecr.{REGION}.amazonaws.com/shop"
DIGEST, OTHER_DIGEST = "a" * 64, "b" * 64
KEY = f"arn:aws:kms:{REGION}:123456789012:key/1"
LAYERS = [f"arn:aws:lambda:{REGION}:123456789012:layer:tools:{number}" for number in (1, 2)]


def assert_stopped(end: Ending, harness: Harness, *words: str) -> None:
    """It was stopped, named what it found, and published nothing."""
    assert end.kind == "ReleaseRolledBack", end
    assert all(word in end.text for word in ("somebody else changed $LATEST", *words)), end.text
    assert list(harness.state.versions) == ["1", "2"]
    assert harness.aws.routing(harness.function) == ("2", {})


def of(aws: FakeLambda, operation: str) -> dict[str, Any]:
    """The parameters of the one call of an operation."""
    (call,) = aws.of(operation)
    return dict(call)


@pytest.fixture
def images(harness: Harness) -> Harness:
    """The same harness over a function of images."""
    harness.aws.create(harness.function, "one", "two", image=True)
    return harness


# --- Nothing foreign is published ---


async def test_foreign_code_after_our_settings_is_not_published(harness: Harness) -> None:
    theirs = compute_sha256(b"theirs")
    harness.aws.after(
        "update_function_configuration",
        lambda _: (harness.aws.settle(harness.function), upload(harness)),
    )
    end = await harness.release(configuration={"Timeout": 9}, **ALL_AT_ONCE)
    assert_stopped(end, harness, theirs)
    assert harness.state.latest["CodeSha256"] == theirs


def upload(harness: Harness) -> None:
    harness.aws.overwrite(harness.function, "theirs")


@pytest.mark.parametrize(
    ("theirs", "words"),
    [
        ({"Timeout": 60}, ["Timeout (3 live, 60 in $LATEST)"]),
        ({"Environment": {"Variables": {"TOKEN": "hunter2-of-theirs"}}}, ["the variable TOKEN"]),
    ],
)
async def test_foreign_setting_after_our_upload_is_not_published(
    harness: Harness, theirs: dict[str, Any], words: list[str]
) -> None:
    def change(_: object) -> None:
        harness.aws.settle(harness.function)
        harness.aws.apply("update_function_configuration", FunctionName=harness.function, **theirs)

    harness.aws.after("update_function_code", change)
    end = await harness.release(artifact=harness.package("three"), **ALL_AT_ONCE)
    assert_stopped(end, harness, *words)
    assert "hunter2" not in end.text
    for name, value in theirs.items():
        assert harness.state.latest[name] == value


async def test_other_image_than_the_digest_that_was_named_is_not_published(
    images: Harness,
) -> None:
    def push(_: object) -> None:
        images.aws.settle(images.function)
        images.aws.apply(
            "update_function_code",
            FunctionName=images.function,
            ImageUri=f"{REPOSITORY}@sha256:{OTHER_DIGEST}",
        )

    images.aws.after("update_function_code", push)
    uri = f"{REPOSITORY}@sha256:{DIGEST}"
    end = await images.release(artifact={"kind": "image", "uri": uri}, **ALL_AT_ONCE)
    assert_stopped(end, images, OTHER_DIGEST, DIGEST)


async def test_foreign_image_before_our_settings_is_not_published(images: Harness) -> None:
    def push(_: object) -> None:
        images.aws.settle(images.function)
        images.aws.apply(
            "update_function_code", FunctionName=images.function, ImageUri=f"{REPOSITORY}:theirs"
        )

    images.aws.after("update_function_code", push)
    end = await images.release(
        artifact={"kind": "image", "uri": f"{REPOSITORY}@sha256:{DIGEST}"},
        configuration={"Timeout": 9},
        **ALL_AT_ONCE,
    )
    assert_stopped(end, images, DIGEST)


# --- Images by digest ---


async def test_tag_is_resolved_before_it_is_written(images: Harness) -> None:
    images.aws.images[f"{REPOSITORY}:7"] = DIGEST
    end = await images.release(artifact={"kind": "image", "uri": f"{REPOSITORY}:7"}, **ALL_AT_ONCE)
    assert end.kind == "Completed", end
    uri = f"{REPOSITORY}@sha256:{DIGEST}"
    assert of(images.aws, "update_function_code")["ImageUri"] == uri


async def test_tag_that_may_not_be_resolved_is_written_and_noted(images: Harness) -> None:
    images.aws.fail("batch_get_image", "AccessDeniedException", "no ecr:BatchGetImage")
    end = await images.release(artifact={"kind": "image", "uri": f"{REPOSITORY}:7"}, **ALL_AT_ONCE)
    assert end.kind == "Completed", end
    assert of(images.aws, "update_function_code")["ImageUri"] == f"{REPOSITORY}:7"
    assert end.status is not None
    assert any("ecr:BatchGetImage" in note for note in end.status.notes)


async def test_tag_that_does_not_exist_is_rejected(images: Harness) -> None:
    images.aws.missing_images.add(f"{REPOSITORY}:typo")
    end = await images.release(artifact={"kind": "image", "uri": f"{REPOSITORY}:typo"})
    assert end.kind == "ReleaseRejected", end
    assert "artifact.uri" in end.text
    assert "typo" in end.text
    assert images.aws.writes == []


async def test_digest_is_written_as_it_is(images: Harness) -> None:
    uri = f"{REPOSITORY}@sha256:{DIGEST}"
    end = await images.release(artifact={"kind": "image", "uri": uri}, **ALL_AT_ONCE)
    assert end.kind == "Completed", end
    assert of(images.aws, "update_function_code")["ImageUri"] == uri
    assert images.state.versions["3"]["CodeSha256"] == images.state.latest["CodeSha256"]


# --- Order ---


async def test_new_runtime_goes_before_code_for_a_blocked_one(harness: Harness) -> None:
    harness.aws.blocked_runtimes = frozenset({"python3.13"})
    end = await harness.release(
        artifact=harness.package("three"), configuration={"Runtime": "python3.14"}, **CANARY
    )
    assert end.kind == "Completed", end
    assert harness.aws.writes[:3] == [
        "update_function_configuration",
        "update_function_code",
        "publish_version",
    ]
    assert harness.state.versions["3"]["Runtime"] == "python3.14"
    assert harness.state.versions["3"]["CodeSha256"] == compute_sha256(b"three")


@pytest.mark.parametrize(
    ("layers", "first"),
    [
        (LAYERS[:1], "update_function_configuration"),
        ([], "update_function_configuration"),
        ([LAYERS[1], LAYERS[0]], "update_function_code"),
    ],
)
async def test_fewer_layers_go_before_the_code(
    harness: Harness, layers: list[str], first: str
) -> None:
    for configuration in (harness.state.latest, harness.state.versions["2"]):
        configuration["Layers"] = [{"Arn": arn, "CodeSize": 1} for arn in LAYERS]
    end = await harness.release(
        artifact=harness.package("three"), configuration={"Layers": layers}, **ALL_AT_ONCE
    )
    assert end.kind == "Completed", end
    assert harness.aws.writes[0] == first


async def test_foreign_code_between_settings_and_code_is_not_overwritten(
    harness: Harness,
) -> None:
    harness.aws.after(
        "update_function_configuration",
        lambda _: (harness.aws.settle(harness.function), upload(harness)),
    )
    end = await harness.release(
        artifact=harness.package("three"), configuration={"Runtime": "python3.14"}, **ALL_AT_ONCE
    )
    assert_stopped(end, harness, compute_sha256(b"theirs"))
    assert "update_function_code" not in harness.aws.writes


# --- What the code is written with ---


async def test_architecture_of_the_live_code_is_kept(harness: Harness) -> None:
    for configuration in (harness.state.latest, harness.state.versions["2"]):
        configuration["Architectures"] = ["arm64"]
    end = await harness.release(artifact=harness.package("three"), **ALL_AT_ONCE)
    assert end.kind == "Completed", end
    assert of(harness.aws, "update_function_code")["Architectures"] == ["arm64"]


async def test_architecture_that_latest_lost_is_the_live_version_s(harness: Harness) -> None:
    harness.state.versions["2"]["Architectures"] = ["arm64"]
    end = await harness.release(artifact=harness.package("three"), **ALL_AT_ONCE)
    assert end.kind == "Completed", end
    assert harness.state.versions["3"]["Architectures"] == ["arm64"]


async def test_same_code_for_another_architecture_is_released(harness: Harness) -> None:
    artifact = {**harness.package("two"), "architecture": "arm64"}
    end = await harness.release(artifact=artifact, **ALL_AT_ONCE)
    assert end.text == "All traffic is on version 3"
    assert harness.state.versions["3"]["Architectures"] == ["arm64"]


async def test_package_is_written_as_the_artifact_says(harness: Harness) -> None:
    artifact = {
        **harness.package("three"),
        "architecture": "arm64",
        "kms_key": KEY,
        "storage_mode": "REFERENCE",
    }
    end = await harness.release(artifact=artifact, **ALL_AT_ONCE)
    assert end.kind == "Completed", end
    written = of(harness.aws, "update_function_code")
    assert written["Architectures"] == ["arm64"]
    assert written["SourceKMSKeyArn"] == KEY
    assert written["S3ObjectStorageMode"] == "REFERENCE"


async def test_key_and_storage_of_the_live_code_are_kept(harness: Harness) -> None:
    artifact = {**harness.package("three"), "kms_key": KEY, "storage_mode": "REFERENCE"}
    assert (await harness.release(artifact=artifact, **ALL_AT_ONCE)).kind == "Completed"
    harness.aws.calls.clear()
    end = await harness.release(artifact=harness.package("four"), **ALL_AT_ONCE)
    assert end.kind == "Completed", end
    written = of(harness.aws, "update_function_code")
    assert (written["SourceKMSKeyArn"], written["S3ObjectStorageMode"]) == (KEY, "REFERENCE")


async def test_image_is_written_for_its_architecture(images: Harness) -> None:
    artifact = {"kind": "image", "uri": f"{REPOSITORY}:7", "architecture": "arm64"}
    assert (await images.release(artifact=artifact, **ALL_AT_ONCE)).kind == "Completed"
    assert images.state.versions["3"]["Architectures"] == ["arm64"]


@pytest.mark.parametrize(
    ("member", "key"),
    [
        ("Architectures", "artifact.architecture"),
        ("SourceKMSKeyArn", "artifact.kms_key"),
        ("ReservedConcurrentExecutions", "concurrency.reserved"),
    ],
)
async def test_setting_of_another_operation_is_refused_with_a_hint(
    harness: Harness, member: str, key: str
) -> None:
    end = await harness.release(configuration={member: ["arm64"]})
    assert end.kind == "ReleaseRejected", end
    assert f"configuration: {member} is set by {key}" in end.text


# --- Tenants ---


def isolate_tenants(harness: Harness) -> None:
    for configuration in (harness.state.latest, *harness.state.versions.values()):
        configuration["TenancyConfig"] = {"TenantIsolationMode": "PER_TENANT"}


def probe(**keys: Any) -> dict[str, Any]:
    return {"strategy": {"steps": [{"kind": "probe", "requests": [{"payload": {}, **keys}]}]}}


async def test_probe_of_an_isolated_function_names_its_tenant(harness: Harness) -> None:
    isolate_tenants(harness)
    harness.aws.handlers[harness.function] = lambda _: {"status": "ok"}
    end = await harness.release(artifact=harness.package("three"), **probe(tenant_id="blue"))
    assert end.kind == "Completed", end
    assert of(harness.aws, "invoke")["TenantId"] == "blue"


@pytest.mark.parametrize(
    ("isolated", "keys", "words"),
    [(True, {}, "needs a tenant_id"), (False, {"tenant_id": "blue"}, "must not name a tenant_id")],
)
async def test_probe_whose_tenant_does_not_fit_is_rejected(
    harness: Harness, isolated: bool, keys: dict[str, str], words: str
) -> None:
    if isolated:
        isolate_tenants(harness)
    end = await harness.release(artifact=harness.package("three"), **probe(**keys))
    assert end.kind == "ReleaseRejected", end
    assert words in end.text
    assert harness.aws.writes == []


# --- What was published ---


@pytest.mark.parametrize(
    ("kind", "theirs"),
    [
        ("s3", {"Timeout": 60}),
        ("s3", {"Environment": {"Variables": {"THEIRS": "x"}}}),
        ("latest", {"MemorySize": 512}),
    ],
)
async def test_foreign_setting_in_a_repeated_publish_gets_no_traffic(
    harness: Harness, kind: str, theirs: dict[str, Any]
) -> None:
    artifact = harness.package("three") if kind == "s3" else {"kind": kind}
    harness.aws.overwrite(harness.function, "three" if kind == "latest" else "two")
    harness.aws.before(
        "publish_version",
        lambda _: (
            harness.aws.apply(
                "update_function_configuration", FunctionName=harness.function, **theirs
            ),
            harness.aws.settle(harness.function),
        ),
    )
    harness.aws.fail("publish_version", "ServiceException")
    end = await harness.release(artifact=artifact, **ALL_AT_ONCE)
    assert end.kind == "ReleaseRolledBack", end
    assert "somebody else changed $LATEST before version 3 was published" in end.text
    assert harness.aws.routing(harness.function) == ("2", {})
    assert "update_alias" not in harness.aws.writes
