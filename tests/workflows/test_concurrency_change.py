"""Provisioned concurrency moves with the traffic, and the account has room for it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from activities import settling
from tests.harness import ALL_AT_ONCE, CANARY, Harness, read_ending
from tests.workflows.test_preflight import assert_rejected
from workflows import concurrency_change


def provision(harness: Harness, version: str, executions: int) -> None:
    """Provision concurrency on a version, and let it be ready."""
    config = harness.aws.apply(
        "put_provisioned_concurrency_config",
        FunctionName=harness.function,
        Qualifier=version,
        ProvisionedConcurrentExecutions=executions,
    )
    harness.state.provisioned[version] = {**config, "Status": "READY"}


def provisioned(harness: Harness) -> dict[str, int]:
    """What each version has."""
    return {
        version: config["RequestedProvisionedConcurrentExecutions"]
        for version, config in harness.state.provisioned.items()
    }


def record_warmth(harness: Harness) -> list[dict[str, str]]:
    """Record how warm each version is whenever traffic moves."""
    seen: list[dict[str, str]] = []

    def look(_: object) -> None:
        found = harness.state.provisioned
        seen.append({version: config["Status"] for version, config in found.items()})

    for _ in range(3):
        harness.aws.before("update_alias", look)
    return seen


@pytest.mark.parametrize("strategy", [CANARY, ALL_AT_ONCE])
async def test_release_without_the_key_moves_what_stable_has(
    harness: Harness, strategy: dict[str, Any]
) -> None:
    provision(harness, "2", 4)
    seen = record_warmth(harness)
    end = await harness.release(artifact=harness.package("three"), **strategy)
    assert end.kind == "Completed"
    assert provisioned(harness) == {"3": 4}
    assert seen[0] == {"2": "READY", "3": "READY"}
    assert end.status is not None
    assert any("The 4 provisioned on the live version are moved" in n for n in end.status.notes)


async def test_rollback_lands_warm(harness: Harness) -> None:
    provision(harness, "2", 4)
    seen = record_warmth(harness)
    end = await harness.roll_back(version="1")
    assert end.kind == "Completed"
    assert provisioned(harness) == {"1": 4}
    assert seen[0] == {"2": "READY", "1": "READY"}


async def test_version_that_has_more_keeps_it(harness: Harness) -> None:
    provision(harness, "2", 4)
    provision(harness, "1", 6)
    end = await harness.roll_back(version="1")
    assert end.kind == "Completed"
    assert provisioned(harness) == {"1": 6}


@pytest.mark.parametrize("workflow", ["Release", "Rollback"])
async def test_zero_takes_it_away(harness: Harness, workflow: str) -> None:
    provision(harness, "2", 4)
    provision(harness, "1", 2)
    version_1 = {"artifact": {"kind": "version", "version": "1"}, **ALL_AT_ONCE}
    what = version_1 if workflow == "Release" else {"version": "1"}
    request = harness.request(**what, concurrency={"provisioned": 0})
    end = await read_ending(await harness.start(workflow, request))
    assert end.kind == "Completed", end
    assert provisioned(harness) == {}


async def test_zero_for_the_live_version_takes_it_away(harness: Harness) -> None:
    provision(harness, "2", 4)
    version_2 = {"kind": "version", "version": "2"}
    end = await harness.release(artifact=version_2, concurrency={"provisioned": 0})
    assert end.kind == "Completed"
    assert provisioned(harness) == {}


async def test_nothing_to_do_leaves_what_is_provisioned(harness: Harness) -> None:
    provision(harness, "2", 4)
    end = await harness.release(artifact=harness.package("two"), **CANARY)
    assert end.kind == "Completed"
    assert provisioned(harness) == {"2": 4}


async def test_function_without_any_gets_no_call_more(harness: Harness) -> None:
    await harness.release(artifact=harness.package("three"), **CANARY)
    reads = [name for name in harness.aws.operations if "provisioned" in name or "account" in name]
    assert reads == ["list_provisioned_concurrency_configs"]


async def test_first_release_reads_no_concurrency(harness: Harness) -> None:
    del harness.state.aliases["live"]
    await harness.release(artifact=harness.package("three"), **CANARY)
    assert [name for name in harness.aws.operations if "provisioned" in name] == []


async def test_abort_leaves_stable_as_warm_as_before(harness: Harness) -> None:
    provision(harness, "2", 4)
    handle = await harness.begin_until("baking", **CANARY)
    assert provisioned(harness) == {"2": 4, "3": 4}
    await harness.send("abort")
    assert (await harness.finish(handle)).kind == "ReleaseRolledBack"
    assert provisioned(harness) == {"2": 4}


async def test_candidate_gets_the_rest_at_the_end_where_there_is_no_room(
    harness: Harness,
) -> None:
    harness.state.reserved = 6
    provision(harness, "2", 4)
    handle = await harness.begin_until("baking", **CANARY)
    assert provisioned(harness) == {"2": 4, "3": 2}
    end = await harness.finish(handle)
    assert end.kind == "Completed"
    assert provisioned(harness) == {"3": 4}
    assert end.status is not None
    assert any("the candidate gets 2 before any traffic" in note for note in end.status.notes)


async def test_release_that_cannot_be_warmed_gets_no_traffic(harness: Harness) -> None:
    provision(harness, "2", 4)
    harness.aws.provisioning_fails = "FUNCTION_ERROR_INIT_FAILURE"
    end = await harness.release(artifact=harness.package("three"), **CANARY)
    assert end.kind == "ReleaseRolledBack"
    assert harness.aws.of("update_alias") == []
    assert provisioned(harness) == {"2": 4}


async def test_rollback_that_cannot_be_warmed_goes_on(harness: Harness) -> None:
    provision(harness, "2", 4)
    harness.aws.provisioning_fails = "FUNCTION_ERROR_INIT_FAILURE"
    end = await harness.roll_back(version="1")
    assert end.kind == "Completed"
    assert harness.aws.routing(harness.function) == ("1", {})
    assert end.status is not None
    assert any("Version 1 is not warm" in note for note in end.status.notes)


async def test_rollback_waits_for_warmth_only_so_long(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settling, "POLL_SECONDS_PER_ATTEMPT", 0.05)
    monkeypatch.setattr(concurrency_change, "_WARMING", timedelta(seconds=1))
    provision(harness, "2", 4)
    harness.state.shifting["1"] = 1_000_000
    end = await harness.roll_back(version="1")
    assert end.kind == "Completed", end
    assert end.status is not None
    assert any("Version 1 is not warm" in note for note in end.status.notes)


async def test_rollback_for_an_incident_does_not_wait_for_warmth(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settling, "POLL_SECONDS_PER_ATTEMPT", 0.05)
    provision(harness, "2", 4)
    end = await harness.roll_back(version="1", hotfix=True, reason="INC-7")
    assert end.kind == "Completed", end
    assert provisioned(harness) == {"1": 4}
    assert "get_provisioned_concurrency_config" not in harness.aws.operations[-4:]


async def test_worker_that_may_not_list_reads_the_live_version(harness: Harness) -> None:
    harness.aws.fail(
        "list_provisioned_concurrency_configs", "AccessDeniedException", "no List", times=None
    )
    provision(harness, "2", 4)
    end = await harness.release(artifact=harness.package("three"), **CANARY)
    assert end.kind == "Completed", end
    assert provisioned(harness) == {"3": 4}


async def test_worker_that_may_read_nothing_says_so_and_goes_on(harness: Harness) -> None:
    for name in ("list_provisioned_concurrency_configs", "get_provisioned_concurrency_config"):
        harness.aws.fail(name, "AccessDeniedException", "not allowed", times=None)
    end = await harness.release(artifact=harness.package("three"), **ALL_AT_ONCE)
    assert end.kind == "Completed", end
    assert end.status is not None
    assert any("What is provisioned on version 2 is not moved" in n for n in end.status.notes)


# --- what the account has room for ---


@pytest.mark.parametrize(
    ("arrange", "keys", "words"),
    [
        ({}, {"concurrency": {"provisioned": 950}}, ["950", "at most 900"]),
        (
            {"limit": 50},
            {"concurrency": {"reserved": 20}},
            ["concurrency.reserved", "AWS keeps 50 (at most 0 can be given)", "limit is 50"],
        ),
        (
            {"limit": 10},
            {"concurrency": {"provisioned": 1}},
            ["concurrency.provisioned", "AWS keeps 10", "limit is 10"],
        ),
        ({"has": 500}, {"concurrency": {"provisioned": 450}}, ["450, with 500", "at most 400"]),
        ({"has": 5}, {"concurrency": {"reserved": 4}}, ["concurrency.reserved", "less than the 5"]),
        (
            {},
            {
                "configuration": {"SnapStart": {"ApplyOn": "PublishedVersions"}},
                "concurrency": {"provisioned": 1},
            },
            ["concurrency.provisioned", "SnapStart"],
        ),
        (
            {"has": 1},
            {"configuration": {"SnapStart": {"ApplyOn": "PublishedVersions"}}},
            ["would get the 1 of the live version", "SnapStart", "say 0"],
        ),
        ({"isolates": True}, {"concurrency": {"provisioned": 1}}, ["tenant isolation"]),
        (
            {"isolates": True},
            {"configuration": {"SnapStart": {"ApplyOn": "PublishedVersions"}}},
            ["configuration.SnapStart", "tenant isolation"],
        ),
    ],
)
async def test_request_that_aws_would_refuse_is_refused_before_any_write(
    harness: Harness, arrange: dict[str, Any], keys: dict[str, Any], words: list[str]
) -> None:
    harness.aws.concurrency_limit = arrange.get("limit", 1000)
    if "has" in arrange:
        provision(harness, "2", arrange["has"])
    if "isolates" in arrange:
        for version in (harness.state.latest, *harness.state.versions.values()):
            version["TenancyConfig"] = {"TenantIsolationMode": "PER_TENANT"}
    end = await harness.release(artifact=harness.package("three"), **CANARY, **keys)
    assert_rejected(end, harness, *words)


async def test_all_that_is_left_may_be_provisioned(harness: Harness) -> None:
    end = await harness.release(
        artifact=harness.package("three"), concurrency={"provisioned": 900}, **ALL_AT_ONCE
    )
    assert end.kind == "Completed", end


async def test_reservation_takes_what_is_provisioned_already(harness: Harness) -> None:
    provision(harness, "2", 100)
    end = await harness.release(
        artifact=harness.package("three"), concurrency={"reserved": 900}, **ALL_AT_ONCE
    )
    assert end.kind == "Completed", end


async def test_rollback_goes_on_where_aws_does_not_allow_warmth(harness: Harness) -> None:
    provision(harness, "2", 1)
    harness.state.versions["1"]["SnapStart"] = {"ApplyOn": "PublishedVersions"}
    end = await harness.roll_back(version="1")
    assert end.kind == "Completed", end
    assert provisioned(harness) == {"2": 1}
    assert end.status is not None
    assert any("are not moved" in note for note in end.status.notes)


# --- code signing ---

SIGNING = "arn:aws:lambda:eu-central-1:123456789012:code-signing-config:csc-0123456789abcdef0"


def require_signatures(harness: Harness, policy: str) -> None:
    """Let the function take signed packages; ``policy`` is Enforce or Warn."""
    harness.aws.signing_policies[SIGNING], harness.state.signing = policy, SIGNING


async def test_unsigned_package_is_refused_where_signatures_are_enforced(
    harness: Harness,
) -> None:
    require_signatures(harness, "Enforce")
    end = await harness.release(artifact=harness.package("three"))
    assert_rejected(end, harness, "artifact", "CodeVerificationFailedException")


async def test_signed_package_is_released(harness: Harness) -> None:
    require_signatures(harness, "Enforce")
    package = harness.package("three")
    harness.aws.signed.add(harness.aws.upload("three.zip", "three"))
    end = await harness.release(artifact=package, **ALL_AT_ONCE)
    assert end.kind == "Completed", end


async def test_unsigned_package_is_released_where_aws_only_warns(harness: Harness) -> None:
    require_signatures(harness, "Warn")
    end = await harness.release(artifact=harness.package("three"), **ALL_AT_ONCE)
    assert end.kind == "Completed", end
