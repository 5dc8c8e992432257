"""The undo of ``$LATEST``: only what the release changed, and only to what was there before."""

from __future__ import annotations

from typing import Any

from tests.fake_lambda.account import compute_sha256
from tests.fake_lambda.interventions import Call
from tests.fake_lambda.refusals import denied
from tests.harness import ALL_AT_ONCE, CANARY, Harness, read_ending

LAYER = "arn:aws:lambda:eu-central-1:123456789012:layer:tracing:1"
OTHER_LAYER = "arn:aws:lambda:eu-central-1:123456789012:layer:tracing:2"
KEY = "arn:aws:kms:eu-central-1:123456789012:key/1"
UNPUBLISHED: dict[str, Any] = {
    "Timeout": 30,
    "Environment": {"Variables": {"TOKEN": "theirs"}},
}
INCLUDED: dict[str, Any] = {"include_latest": True}


def configure(harness: Harness, **settings: Any) -> None:
    """Change settings of ``$LATEST``, as another writer would."""
    harness.aws.apply("update_function_configuration", FunctionName=harness.function, **settings)
    harness.aws.settle(harness.function)


def leave_unpublished(harness: Harness) -> dict[str, Any]:
    """Let another writer deploy code and settings to ``$LATEST``; return what it holds then."""
    harness.aws.overwrite(harness.function, "theirs")
    configure(harness, **UNPUBLISHED)
    return dict(harness.state.latest)


def refuse(harness: Harness) -> dict[str, Any]:
    """Let the hook after the last move refuse, so that all has to be put back."""
    harness.aws.hook("smoke", lambda _: {"accept": False, "reason": "500"})
    return {"hooks": {"after_traffic": "smoke"}}


def content(latest: dict[str, Any]) -> dict[str, Any]:
    """What ``$LATEST`` holds, without what moves with each change."""
    volatile = {"RevisionId", "LastModified", "LastUpdateStatus"}
    return {name: value for name, value in latest.items() if name not in volatile}


# --- only what was done ---


async def test_typo_in_the_artifact_changes_nothing_in_latest(harness: Harness) -> None:
    before = leave_unpublished(harness)
    harness.aws.lists_buckets = False
    end = await harness.release(
        artifact={"kind": "s3", "bucket": "artifacts", "key": "typo.zip"}, **INCLUDED
    )
    assert end.kind == "ReleaseRolledBack", end
    assert "NoSuchKey" in end.text
    assert "nothing had been changed" in end.text
    assert harness.aws.writes == []
    assert harness.state.latest == before


async def test_denied_upload_changes_nothing_in_latest(harness: Harness) -> None:
    before = leave_unpublished(harness)

    def deny(call: Call) -> None:
        if "S3Key" in call.parameters:
            raise denied("s3:GetObject", "arn:aws:s3:::artifacts/three.zip")

    harness.aws.before("update_function_code", deny, times=None)
    end = await harness.release(artifact=harness.package("three"), **INCLUDED)
    assert end.kind == "ReleaseRolledBack", end
    assert harness.aws.writes == []
    assert harness.state.latest == before


async def test_refused_setting_changes_nothing_in_latest(harness: Harness) -> None:
    before = leave_unpublished(harness)
    harness.aws.fail(
        "update_function_configuration",
        "InvalidParameterValueException",
        "'MemorySize' value failed to satisfy constraint",
    )
    end = await harness.release(configuration={"MemorySize": 3072}, **INCLUDED)
    assert end.kind == "ReleaseRolledBack", end
    assert "nothing had been changed" in end.text
    assert harness.aws.writes == []
    assert harness.state.latest == before


async def test_refused_setting_after_an_upload_puts_back_the_code_alone(harness: Harness) -> None:
    configure(harness, Timeout=30)
    harness.aws.fail(
        "update_function_configuration", "InvalidParameterValueException", "no such subnet"
    )
    end = await harness.release(
        artifact=harness.package("three"), configuration={"MemorySize": 512}, **INCLUDED
    )
    assert end.kind == "ReleaseRolledBack", end
    harness.assert_restored()
    assert harness.aws.writes == ["update_function_code", "update_function_code"]
    assert harness.state.latest["Timeout"] == 30


async def test_write_refused_after_a_lost_one_is_put_back(harness: Harness) -> None:
    def refuse_read(_: object) -> None:
        harness.aws.fail("get_function", "ValidationException", "no")

    harness.aws.after("update_function_configuration", refuse_read)
    harness.aws.lose("update_function_configuration")
    end = await harness.release(configuration={"MemorySize": 512})
    assert end.kind == "ReleaseRolledBack", end
    assert harness.state.latest["MemorySize"] == 128


# --- only to what was there before ---


async def test_aborted_setting_is_put_back_alone(harness: Harness) -> None:
    configure(harness, **UNPUBLISHED)
    before = content(harness.state.latest)
    handle = await harness.begin_until(
        "baking", artifact=None, configuration={"MemorySize": 512}, **INCLUDED, **CANARY
    )
    await harness.send("abort")
    assert (await harness.finish(handle)).kind == "ReleaseRolledBack"
    assert content(harness.state.latest) == before


async def test_refused_setting_of_another_alias_leaves_the_settings_of_latest(
    harness: Harness,
) -> None:
    configure(harness, Timeout=30, MemorySize=1024)
    harness.aws.publish(harness.function)
    harness.move_alias("3")
    harness.aws.apply(
        "create_alias", FunctionName=harness.function, Name="beta", FunctionVersion="1"
    )
    before = content(harness.state.latest)
    request = {
        "target": {"function": harness.function, "alias": "beta"},
        "configuration": {"MemorySize": 512},
        **INCLUDED,
        **refuse(harness),
        **ALL_AT_ONCE,
    }
    end = await read_ending(await harness.start("Release", request))
    assert end.kind == "ReleaseRolledBack", end
    assert content(harness.state.latest) == before


async def test_code_of_an_older_version_in_latest_is_put_back(harness: Harness) -> None:
    harness.aws.overwrite(harness.function, "one")
    end = await harness.release(
        artifact=harness.package("three"), **INCLUDED, **refuse(harness), **ALL_AT_ONCE
    )
    assert end.kind == "ReleaseRolledBack", end
    assert harness.state.latest["CodeSha256"] == compute_sha256(b"one")


async def test_unpublished_code_is_lost_and_the_ending_says_so(harness: Harness) -> None:
    lost = harness.aws.overwrite(harness.function, "theirs")
    end = await harness.release(
        artifact=harness.package("three"), **INCLUDED, **refuse(harness), **ALL_AT_ONCE
    )
    assert end.kind == "ReleaseRolledBack", end
    harness.assert_restored()
    assert f"{lost}) was never published, and that of version 2 is there now" in end.text


async def test_environment_of_an_older_version_in_latest_is_put_back(harness: Harness) -> None:
    theirs = {"Variables": {"TOKEN": "old"}}
    harness.aws.create(harness.function, "one", Environment=theirs)
    configure(harness, Environment={"Variables": {}})
    harness.aws.publish(harness.function)
    harness.move_alias("2")
    configure(harness, Environment=theirs)
    end = await harness.release(
        configuration={"Environment": {"Variables": {"TOKEN": "new"}}},
        **refuse(harness),
        **ALL_AT_ONCE,
    )
    assert end.kind == "ReleaseRolledBack", end
    assert harness.state.latest["Environment"] == theirs
    assert "Environment of $LATEST" not in end.text


async def test_unpublished_environment_is_lost_and_the_ending_says_so(harness: Harness) -> None:
    configure(harness, Environment={"Variables": {"TOKEN": "theirs"}})
    end = await harness.release(
        configuration={"Environment": {"Variables": {"TOKEN": "new"}}},
        **refuse(harness),
        **ALL_AT_ONCE,
    )
    assert end.kind == "ReleaseRolledBack", end
    assert "Environment" not in harness.state.latest
    assert "Environment of $LATEST is not as before: no version has what was there" in end.text
    assert end.status is not None
    assert any("is in no published version" in note for note in end.status.notes)


async def test_settings_of_a_first_release_are_put_back(harness: Harness) -> None:
    del harness.state.aliases["live"]
    configure(harness, Timeout=30)
    end = await harness.release(
        artifact=harness.package("three"),
        configuration={"Timeout": 9},
        **INCLUDED,
        **refuse(harness),
    )
    assert end.kind == "ReleaseRolledBack", end
    assert harness.state.latest["Timeout"] == 30
    assert harness.state.latest["CodeSha256"] == harness.state.versions["2"]["CodeSha256"]


async def test_terminated_release_puts_back_its_own_setting_alone(harness: Harness) -> None:
    configure(harness, Timeout=30)
    handle = await harness.begin_until(
        "baking", artifact=None, configuration={"MemorySize": 512}, **INCLUDED, **CANARY
    )
    await harness.rollout.terminate("an accident")
    assert (await harness.finish(handle)).kind == "ReleaseRolledBack"
    assert (harness.state.latest["Timeout"], harness.state.latest["MemorySize"]) == (30, 128)


# --- what is somebody else's ---


async def test_foreign_change_after_an_upload_leaves_no_code_of_ours(harness: Harness) -> None:
    def change(_: object) -> None:
        configure(harness, Timeout=77)

    harness.aws.before("update_function_configuration", change)
    end = await harness.release(
        artifact=harness.package("three"), configuration={"MemorySize": 512}, **CANARY
    )
    assert end.kind == "ReleaseRolledBack", end
    assert "somebody else changed $LATEST" in end.text
    assert "nothing had been changed" not in end.text
    harness.assert_restored()
    assert (harness.state.latest["Timeout"], harness.state.latest["MemorySize"]) == (77, 128)


async def test_secret_that_rotates_behind_a_lost_answer_leaves_nothing(harness: Harness) -> None:
    harness.aws.secrets["token"] = "old"
    harness.aws.after(
        "update_function_configuration",
        lambda _: harness.aws.secrets.update(token="rotated"),
    )
    harness.aws.lose("update_function_configuration")
    reference = "{{resolve:secretsmanager:token:SecretString}}"
    end = await harness.release(
        artifact=harness.package("three"),
        configuration={"Timeout": 9, "Environment": {"Variables": {"TOKEN": reference}}},
        **CANARY,
    )
    assert end.kind == "ReleaseRolledBack", end
    harness.assert_restored()
    assert harness.state.latest["Timeout"] == 3
    assert "Environment" not in harness.state.latest


async def test_foreign_setting_in_the_bake_stays_and_ours_is_put_back(harness: Harness) -> None:
    handle = await harness.begin_until(
        "baking", configuration={"MemorySize": 512, "Timeout": 9}, **CANARY
    )
    configure(harness, Timeout=77)
    await harness.send("abort")
    end = await harness.finish(handle)
    assert end.kind == "ReleaseRolledBack", end
    harness.assert_restored()
    assert (harness.state.latest["Timeout"], harness.state.latest["MemorySize"]) == (77, 128)
    assert "Timeout of $LATEST is changed by another writer since" in end.text


async def test_foreign_code_before_the_publish_leaves_no_setting_of_ours(harness: Harness) -> None:
    harness.aws.before(
        "publish_version", lambda _: harness.aws.overwrite(harness.function, "theirs")
    )
    end = await harness.release(
        artifact=harness.package("three"), configuration={"Timeout": 9}, **CANARY
    )
    assert end.kind == "ReleaseRolledBack", end
    assert harness.state.latest["CodeSha256"] == compute_sha256(b"theirs")
    assert harness.state.latest["Timeout"] == 3


# --- what can be put back ---


async def test_deleted_layer_keeps_nothing_else_from_being_put_back(harness: Harness) -> None:
    harness.aws.create(harness.function, "one", "two", Layers=[LAYER], Timeout=10)
    handle = await harness.begin_until(
        "baking",
        configuration={"Timeout": 9, "MemorySize": 512, "Layers": [OTHER_LAYER]},
        **CANARY,
    )
    harness.aws.deleted_layers.add(LAYER)
    await harness.send("abort")
    end = await harness.finish(handle)
    assert end.kind == "ReleaseRolledBack", end
    harness.assert_restored()
    assert (harness.state.latest["Timeout"], harness.state.latest["MemorySize"]) == (10, 128)
    assert harness.state.latest["Layers"][0]["Arn"] == OTHER_LAYER
    assert "code, Timeout and MemorySize of $LATEST are as before" in end.text
    assert "Layers of $LATEST could not be put back: Layer version" in end.text


async def test_unreadable_key_keeps_nothing_else_from_being_put_back(harness: Harness) -> None:
    harness.aws.create(
        harness.function,
        "one",
        "two",
        KMSKeyArn=KEY,
        Environment={"Variables": {"TOKEN": "old"}},
    )
    handle = await harness.begin_until(
        "baking",
        configuration={"Timeout": 9, "KMSKeyArn": "", "Environment": {"Variables": {"T2": "new"}}},
        **CANARY,
    )
    harness.aws.unreadable_keys.add(KEY)
    await harness.send("abort")
    end = await harness.finish(handle)
    assert end.kind == "ReleaseRolledBack", end
    harness.assert_restored()
    assert harness.state.latest["Timeout"] == 3
    assert "Environment of $LATEST could not be put back" in end.text
    assert "kms:Decrypt" in end.text
    assert "make the package smaller" not in end.text


async def test_large_package_keeps_no_setting_from_being_put_back(harness: Harness) -> None:
    harness.state.versions["2"]["CodeSize"] = 60_000_000
    end = await harness.release(
        artifact=harness.package("three"),
        configuration={"Timeout": 9},
        **refuse(harness),
        **ALL_AT_ONCE,
    )
    assert end.kind == "ReleaseRolledBack", end
    assert harness.state.latest["Timeout"] == 3
    assert "its package has 60 MB, and only 50 MB can be sent back" in end.text


async def test_large_package_of_an_earlier_release_comes_from_s3(harness: Harness) -> None:
    harness.aws.upload("three.zip", "three", version="v1")
    artifact = {
        "kind": "s3",
        "bucket": "artifacts",
        "key": "three.zip",
        "object_version": "v1",
    }
    assert (await harness.release(artifact=artifact, **ALL_AT_ONCE)).kind == "Completed"
    harness.state.versions["3"]["CodeSize"] = 60_000_000
    end = await harness.release(artifact=harness.package("four"), **refuse(harness), **ALL_AT_ONCE)
    assert end.kind == "ReleaseRolledBack", end
    assert "could not be put back" not in end.text
    assert harness.state.latest["CodeSha256"] == compute_sha256(b"three")
    assert harness.aws.of("update_function_code")[-1]["S3ObjectVersion"] == "v1"


async def test_large_package_without_an_object_version_is_named(harness: Harness) -> None:
    first = await harness.release(artifact=harness.package("three"), **ALL_AT_ONCE)
    assert first.kind == "Completed"
    harness.state.versions["3"]["CodeSize"] = 60_000_000
    end = await harness.release(artifact=harness.package("four"), **refuse(harness), **ALL_AT_ONCE)
    assert end.kind == "ReleaseRolledBack", end
    assert "code of $LATEST could not be put back: its package has 60 MB" in end.text
    assert harness.aws.routing(harness.function) == ("3", {})


async def test_layer_that_may_not_be_read_is_left_out(harness: Harness) -> None:
    harness.aws.create(harness.function, "one", "two", Layers=[LAYER])

    def deny(call: Call) -> None:
        if LAYER in call.parameters.get("Layers", ()):
            raise denied("lambda:GetLayerVersion", LAYER)

    handle = await harness.begin_until(
        "baking", configuration={"Timeout": 9, "Layers": [OTHER_LAYER]}, **CANARY
    )
    harness.aws.before("update_function_configuration", deny, times=None)
    await harness.send("abort")
    end = await harness.finish(handle)
    assert end.kind == "ReleaseRolledBack", end
    assert harness.state.latest["Timeout"] == 3
    assert "Layers of $LATEST could not be put back" in end.text
