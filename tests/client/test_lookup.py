"""Workflows by name: targets, ARNs, ids, and names in several places."""

from __future__ import annotations

import pytest

from tests.client.releases import HERE, NUMBERS, THERE, create_unserved_rollout
from tests.harness import Harness
from workflows.client import ReleaseClient
from workflows.client.errors import (
    Ambiguous,
    BadRequest,
    NoSuchRelease,
)
from workflows.client.lookup import find_workflow, parse_target
from workflows.domain.target import Target


@pytest.mark.parametrize(
    ("text", "function", "alias"),
    [
        ("checkout", "checkout", "live"),
        ("checkout:beta", "checkout", "beta"),
        ("123456789012:function:checkout", "123456789012:function:checkout", "live"),
        (
            "arn:aws:lambda:eu-west-1:123456789012:function:checkout",
            "arn:aws:lambda:eu-west-1:123456789012:function:checkout",
            "live",
        ),
        (
            "arn:aws:lambda:eu-west-1:123456789012:function:checkout:beta",
            "arn:aws:lambda:eu-west-1:123456789012:function:checkout",
            "beta",
        ),
    ],
)
def test_target_is_a_name_or_an_arn_with_or_without_an_alias(
    text: str, function: str, alias: str
) -> None:
    assert parse_target(text) == Target(function=function, alias=alias)


@pytest.mark.parametrize(
    "text",
    ["", "check out", "checkout:", "checkout:7", "arn:aws:s3:::checkout", "checkout:live:more"],
)
def test_target_of_another_form_is_a_bad_request(text: str) -> None:
    with pytest.raises(BadRequest, match=r"^target: "):
        parse_target(text)


async def test_function_is_found_wherever_it_was_released(releases: ReleaseClient) -> None:
    name = f"found-{next(NUMBERS)}"
    await create_unserved_rollout(releases, f"{HERE}:{name}:live", closed=True)
    assert (await find_workflow(releases.temporal, name)).id == f"{HERE}:{name}:live"


async def test_running_release_is_found_before_one_that_ended_elsewhere(
    releases: ReleaseClient,
) -> None:
    name = f"found-{next(NUMBERS)}"
    await create_unserved_rollout(releases, f"{HERE}:{name}:live", closed=True)
    await create_unserved_rollout(releases, f"{THERE}:{name}:live")
    assert (await find_workflow(releases.temporal, name)).id == f"{THERE}:{name}:live"


@pytest.mark.parametrize("closed", [False, True])
async def test_function_in_two_places_is_ambiguous_and_both_are_named(
    releases: ReleaseClient, closed: bool
) -> None:
    name = f"found-{next(NUMBERS)}"
    if closed:  # several runs of a rollout are one place
        for place in (HERE, THERE) * 3:
            await create_unserved_rollout(releases, f"{place}:{name}:live", closed=True)
    for place in (HERE, THERE):
        await create_unserved_rollout(releases, f"{place}:{name}:live", closed=closed)
    with pytest.raises(Ambiguous, match="is released in several places") as problem:
        await find_workflow(releases.temporal, name)
    assert f"{HERE}:{name}:live" in str(problem.value)
    assert f"{THERE}:{name}:live" in str(problem.value)


@pytest.mark.parametrize(
    "named",
    [
        "arn:aws:lambda:us-east-1:222222222222:function:{}",
        "222222222222:function:{}",
        THERE + ":{}:live",
    ],
)
async def test_arn_or_id_selects_one_of_two_places(releases: ReleaseClient, named: str) -> None:
    name = f"found-{next(NUMBERS)}"
    await create_unserved_rollout(releases, f"{HERE}:{name}:live")
    await create_unserved_rollout(releases, f"{THERE}:{name}:live")
    assert (await find_workflow(releases.temporal, named.format(name))).id == f"{THERE}:{name}:live"


@pytest.mark.parametrize(
    "named",
    [
        "never-released",
        "arn:aws:lambda:us-east-1:222222222222:function:never",
        f"{HERE}:never:live",
        "no.such",
    ],
)
async def test_name_that_was_never_released_is_not_found(
    releases: ReleaseClient, named: str
) -> None:
    with pytest.raises(NoSuchRelease, match="nothing is known of any release of"):
        await releases.status(named)


async def test_name_that_was_probably_meant_is_asked_for(
    releases: ReleaseClient, harness: Harness
) -> None:
    await harness.release(artifact=harness.package("three"), strategy="AllAtOnce")
    await harness.wait_for_closed_runs(1)
    meant = rf"; did you mean {harness.function}:live\?"
    for typed in (harness.function.replace("ck", "kc"), f"{harness.function}:lve"):
        with pytest.raises(NoSuchRelease, match=f"{typed} in namespace .*{meant}"):
            await releases.status(typed)
        with pytest.raises(NoSuchRelease, match=meant):
            await releases.abort(typed, by="ana")
