"""The actions of a release.

What each artifact makes of the function, and with which calls.
"""

from __future__ import annotations

from tests.harness import ALL_AT_ONCE, CANARY, Harness, read_ending


async def test_long_names_fit_into_the_timeline(harness: Harness) -> None:
    alarms = [f"{number:03}-" + "ü" * 200 for number in range(100)]
    harness.aws.alarms |= dict.fromkeys(alarms, "OK")
    key = "ä" * 500 + ".zip"
    harness.aws.upload(key, "three")
    handle = await harness.start(
        "Release",
        harness.request(
            artifact={"kind": "s3", "bucket": "artifacts", "key": key},
            guards={"alarms": alarms},
            requested_by="ü" * 200,
            **CANARY,
        ),
    )
    end = await read_ending(handle)
    assert end.kind == "Completed", end


async def test_image_is_released_by_its_digest(harness: Harness) -> None:
    harness.aws.create(harness.function, "checkout", image=True)
    uri = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/checkout:2"
    end = await harness.release(artifact={"kind": "image", "uri": uri}, **CANARY)
    assert end.kind == "Completed"
    written = harness.aws.of("update_function_code")[0]["ImageUri"]
    assert written.partition("@sha256:")[0] == uri.removesuffix(":2")
    assert harness.aws.routing(harness.function) == ("2", {})


async def test_published_version_is_released_without_an_upload(
    harness: Harness,
) -> None:
    end = await harness.release(artifact={"kind": "version", "version": "1"}, **CANARY)
    assert end.kind == "Completed"
    assert harness.aws.writes == ["update_alias", "update_alias"]
    assert harness.aws.routing(harness.function) == ("1", {})


async def test_latest_is_published_unchanged(harness: Harness) -> None:
    harness.aws.overwrite(harness.function, "three")
    end = await harness.release(artifact={"kind": "latest"}, **CANARY)
    assert end.kind == "Completed"
    assert harness.aws.writes == ["publish_version", "update_alias", "update_alias"]
    assert harness.aws.routing(harness.function) == ("3", {})


async def test_configuration_alone_is_released_with_the_live_code(harness: Harness) -> None:
    end = await harness.release(configuration={"MemorySize": 512, "Timeout": 10}, **CANARY)
    assert end.kind == "Completed"
    assert harness.aws.writes == [
        "update_function_configuration",
        "publish_version",
        "update_alias",
        "update_alias",
    ]
    released = harness.state.versions["3"]
    assert (released["MemorySize"], released["Timeout"]) == (512, 10)
    assert released["CodeSha256"] == harness.state.versions["2"]["CodeSha256"]


async def test_code_and_configuration_become_one_version(harness: Harness) -> None:
    harness.aws.polls = 1
    end = await harness.release(
        artifact=harness.package("three"), configuration={"Timeout": 10}, **ALL_AT_ONCE
    )
    assert end.kind == "Completed"
    assert harness.aws.writes == [
        "update_function_code",
        "update_function_configuration",
        "publish_version",
        "update_alias",
    ]
    assert list(harness.state.versions) == ["1", "2", "3"]
    assert harness.state.versions["3"]["Timeout"] == 10


async def test_object_version_in_s3_is_released(harness: Harness) -> None:
    harness.aws.upload("app.zip", "old", version="a")
    harness.aws.upload("app.zip", "new", version="b")
    artifact = {"kind": "s3", "bucket": "artifacts", "key": "app.zip", "object_version": "a"}
    await harness.release(artifact=artifact, **ALL_AT_ONCE)
    assert harness.state.versions["3"]["CodeSha256"] == harness.aws.upload("x", "old")


async def test_traffic_waits_until_the_candidate_is_active(harness: Harness) -> None:
    harness.aws.polls = 1
    states = []
    harness.aws.before(
        "update_alias", lambda _: states.append(harness.state.versions["3"]["State"])
    )
    end = await harness.release(artifact=harness.package("three"), **ALL_AT_ONCE)
    assert end.kind == "Completed"
    assert states == ["Active"]


async def test_concurrency_moves_to_the_candidate_before_its_traffic(
    harness: Harness,
) -> None:
    harness.aws.apply(
        "put_provisioned_concurrency_config",
        FunctionName=harness.function,
        Qualifier="2",
        ProvisionedConcurrentExecutions=3,
    )
    end = await harness.release(
        artifact=harness.package("three"), concurrency={"reserved": 50, "provisioned": 5}, **CANARY
    )
    assert end.kind == "Completed"
    assert harness.aws.writes == [
        "update_function_code",
        "publish_version",
        "put_function_concurrency",
        "put_provisioned_concurrency_config",
        "update_alias",
        "update_alias",
        "delete_provisioned_concurrency_config",
    ]
    assert harness.state.reserved == 50
    assert set(harness.state.provisioned) == {"3"}


async def test_writes_of_a_canary_carry_the_expected_revision_and_hash(harness: Harness) -> None:
    await harness.release(artifact=harness.package("three"), **CANARY)
    aws, function = harness.aws, harness.state
    (code,), (published,) = aws.of("update_function_code"), aws.of("publish_version")
    assert code["RevisionId"]
    assert published["CodeSha256"] == function.versions["3"]["CodeSha256"]
    assert published["RevisionId"] != code["RevisionId"]
    weighted, promoted = aws.of("update_alias")
    assert weighted["RoutingConfig"] == {"AdditionalVersionWeights": {"3": 0.1}}
    assert weighted["FunctionVersion"] == "2"
    assert promoted["RoutingConfig"] == {"AdditionalVersionWeights": {}}
    assert promoted["FunctionVersion"] == "3"
    assert (
        weighted["RevisionId"] != promoted["RevisionId"] != function.aliases["live"]["RevisionId"]
    )
