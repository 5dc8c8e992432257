"""Which task queue a release goes to: that of the account and region of its function."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment

from tests.client.releases import create_unserved_rollout
from tests.namespaces import create_namespace
from tests.place_workers import identify, serve_as
from workflows.client import ReleaseClient
from workflows.client.errors import Ambiguous, BadRequest, NoWorker
from workflows.client.lookup import parse_target
from workflows.temporal.plugin import LambdaReleases

SHOP, BANK, NOBODY = "111111111111", "222222222222", "333333333333"
DUBLIN, TOKYO = "eu-west-1", "ap-northeast-1"
SHOP_QUEUE = f"lambda-releases:{SHOP}:{DUBLIN}"
BANK_QUEUE = f"lambda-releases:{BANK}:{DUBLIN}"


async def open_namespace(temporal: WorkflowEnvironment, name: str) -> ReleaseClient:
    namespace = await create_namespace(temporal.client, name)
    address = temporal.client.service_client.config.target_host
    return ReleaseClient(
        await Client.connect(address, namespace=namespace, plugins=[LambdaReleases()])
    )


@pytest.fixture(scope="module")
async def nobody(temporal: WorkflowEnvironment) -> ReleaseClient:
    """A namespace without workers."""
    return await open_namespace(temporal, "nobody")


@pytest.fixture(scope="module")
async def several(temporal: WorkflowEnvironment) -> AsyncIterator[ReleaseClient]:
    """A namespace with workers of three places, one of them on a queue of another name."""
    releases = await open_namespace(temporal, "several")
    async with AsyncExitStack() as stack:
        for account, region, task_queue in (
            (SHOP, DUBLIN, SHOP_QUEUE),
            (BANK, DUBLIN, BANK_QUEUE),
            (BANK, TOKYO, "tokyo"),
        ):
            identity = identify(account, region)
            await stack.enter_async_context(serve_as(releases.temporal, identity, task_queue))
        yield releases


def spell_arn(account: str, region: str, name: str = "checkout") -> str:
    return f"arn:aws:lambda:{region}:{account}:function:{name}"


@pytest.mark.parametrize(
    ("name", "task_queue"),
    [
        (spell_arn(SHOP, DUBLIN), SHOP_QUEUE),
        (spell_arn(BANK, DUBLIN), BANK_QUEUE),
        (f"{spell_arn(BANK, TOKYO)}:beta", "tokyo"),
        (f"{SHOP}:function:checkout", SHOP_QUEUE),
    ],
)
async def test_queue_is_that_of_the_account_and_region(
    several: ReleaseClient, name: str, task_queue: str
) -> None:
    assert await several.places.find_queue(parse_target(name)) == task_queue


@pytest.mark.parametrize("name", ["checkout", f"{BANK}:function:checkout"])
async def test_name_of_several_places_is_refused_with_their_names(
    several: ReleaseClient, name: str
) -> None:
    places = f"account {BANK} in {TOKYO} or in account {BANK} in {DUBLIN}"
    with pytest.raises(Ambiguous, match=places):
        await several.places.find_queue(parse_target(name))


async def test_arn_of_a_place_without_workers_is_refused(several: ReleaseClient) -> None:
    target = parse_target(spell_arn(NOBODY, DUBLIN))
    with pytest.raises(NoWorker, match=f"no worker serves account {NOBODY} in {DUBLIN}, where ch"):
        await several.places.find_queue(target)


async def test_place_whose_workers_are_gone_keeps_its_queue(several: ReleaseClient) -> None:
    await create_unserved_rollout(several, f"lambda:{NOBODY}:{DUBLIN}:orphan:live")
    target = parse_target(spell_arn(NOBODY, DUBLIN, "orphan"))
    assert await several.places.find_queue(target) == "unserved"


@pytest.mark.parametrize(
    ("account", "region", "arn"),
    [
        (SHOP, None, spell_arn(SHOP, DUBLIN)),
        (None, TOKYO, spell_arn(BANK, TOKYO)),
        (NOBODY, "cn-north-1", spell_arn(NOBODY, "cn-north-1").replace("aws", "aws-cn", 1)),
        (
            NOBODY,
            "us-gov-west-1",
            spell_arn(NOBODY, "us-gov-west-1").replace("aws", "aws-us-gov", 1),
        ),
        (None, None, "checkout"),
    ],
)
async def test_account_and_region_make_an_arn(
    several: ReleaseClient, account: str | None, region: str | None, arn: str
) -> None:
    target = parse_target("checkout:beta")
    located = await several.places.locate(target, account=account, region=region)
    assert (located.function, located.alias) == (arn, "beta")


async def test_half_of_a_place_that_fits_two_is_refused(several: ReleaseClient) -> None:
    with pytest.raises(Ambiguous, match=f"such as --account {BANK} --region {TOKYO}"):
        await several.places.locate(parse_target("checkout"), account=BANK)


async def test_half_of_a_place_that_nobody_serves_is_refused(several: ReleaseClient) -> None:
    with pytest.raises(NoWorker, match=f"no worker serves account {NOBODY}: give --account and"):
        await several.places.locate(parse_target("checkout"), account=NOBODY)


async def test_account_that_contradicts_the_arn_is_refused(several: ReleaseClient) -> None:
    target = parse_target(spell_arn(SHOP, DUBLIN))
    with pytest.raises(BadRequest, match=f"--account: is {BANK}, and the target is in {SHOP}"):
        await several.places.locate(target, account=BANK)
    with pytest.raises(BadRequest, match=f"--region: is {TOKYO}, and the target is in {DUBLIN}"):
        await several.places.locate(target, region=TOKYO)


async def test_queue_without_any_worker_is_the_default_one(nobody: ReleaseClient) -> None:
    for name in ("checkout", spell_arn(SHOP, DUBLIN)):
        assert await nobody.places.find_queue(parse_target(name)) == "lambda-releases"


async def test_only_place_is_that_of_every_name(nobody: ReleaseClient) -> None:
    async with serve_as(nobody.temporal, identify(SHOP, DUBLIN), "odd"):
        assert await nobody.places.find_queue(parse_target("checkout")) == "odd"
        assert [place.task_queue for place in await nobody.places.list()] == ["odd"]
        await create_unserved_rollout(nobody, f"lambda:{BANK}:{DUBLIN}:checkout:live")
        with pytest.raises(Ambiguous, match="give --account and --region"):
            await nobody.places.find_queue(parse_target("checkout"))
