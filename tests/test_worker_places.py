"""``worker.py --config``: several accounts and regions, served by one process.

Two stand-ins for AWS, with different accounts and functions of the same name in both.
"""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from temporalio.client import Client, WorkflowFailureError

from activities.limits.sharing import list_pollers
from deploy.local.processes import Process
from tests.activities.stub import Stub
from tests.cli.shell import Shell
from tests.fake_lambda import FakeLambda
from tests.fake_lambda.account import REGION
from tests.fake_lambda.http import FakeLambdaServer
from tests.namespaces import create_namespace
from tests.place_workers import identify, serve_as
from tests.worker_processes import PATIENCE, Workers
from workflows.client.place_search import Places
from workflows.temporal.plugin import LambdaReleases
from workflows.worker.places import PlacesFileError, WorkerPlace, read_places
from workflows.worker.web_server import find_free_address

SHOP, BANK = "111111111111", "222222222222"
ROLE = f"arn:aws:iam::{SHOP}:role/releases"
AT_ONCE = ("--strategy", "AllAtOnce", "--set", "Timeout=9")


@dataclass(frozen=True)
class Cloud:
    """Two accounts, and their addresses."""

    shop: FakeLambda
    bank: FakeLambda
    shop_stub: Stub
    bank_stub: Stub

    def describe(self, **changes: dict[str, Any]) -> dict[str, Any]:
        """The file of a worker: a role in one account, a profile in the other."""
        shop = {
            "account": SHOP,
            "region": REGION,
            "role_arn": ROLE,
            "external_id": "shop-42",
            "session_tags": {"team": "shop"},
            "endpoint_url": self.shop_stub.url,
        }
        bank = {
            "account": BANK,
            "region": REGION,
            "profile": "bank",
            "endpoint_url": self.bank_stub.url,
        }
        return {
            "places": [{**shop, **changes.get("shop", {})}, {**bank, **changes.get("bank", {})}]
        }


@pytest.fixture
async def cloud(workers: Workers) -> Cloud:
    """Two accounts, each with a function ``checkout``."""
    shop, bank = FakeLambda(account_id=SHOP), FakeLambda(account_id=BANK)
    shop.external_id = "shop-42"
    for aws in (shop, bank):
        aws.create("checkout", "one", "two")
    stubs = [
        await workers.stack.enter_async_context(Stub(FakeLambdaServer(aws))) for aws in (shop, bank)
    ]
    return Cloud(shop, bank, *stubs)


def start(workers: Workers, file: dict[str, Any], namespace: str) -> tuple[str, Process]:
    """Start a worker with this file; return the address of its web server, and the process."""
    path, profiles = workers.directory / "workers.yaml", workers.directory / "aws"
    path.write_text(json.dumps(file))
    profiles.write_text(
        "[profile bank]\naws_access_key_id = bank\naws_secret_access_key = secret\n"
    )
    address = find_free_address()
    process = workers.start(
        "places",
        "",
        RELEASES_CONFIG=str(path),
        RELEASES_METRICS=address,
        AWS_CONFIG_FILE=str(profiles),
        TEMPORAL_NAMESPACE=namespace,
    )
    return f"http://{address}", process


async def fetch(url: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.get(url) as found:
        return found.status, await found.text()


async def wait_until_ready(url: str, expected: str = "ok\n") -> None:
    """Wait for an answer of the probe that has this line, or its beginning."""
    text = ""
    async with asyncio.timeout(PATIENCE):
        while f"\n{expected}" not in f"\n{text}":
            try:
                _, text = await fetch(f"{url}/readyz?places=all")
            except aiohttp.ClientError:
                await asyncio.sleep(0.2)


async def read_ready_places(url: str) -> dict[str, float]:
    """The metric of each place by its account."""
    _, text = await fetch(f"{url}/metrics")
    samples = re.findall(r'^releases_place_ready\{account="(\d+)".*\} (\S+)$', text, re.MULTILINE)
    return {account: float(value) for account, value in samples}


async def wait_for_metrics(url: str, expected: dict[str, float]) -> None:
    """Wait for the metric of each place: it is set every other second."""
    async with asyncio.timeout(PATIENCE):
        while await read_ready_places(url) != expected:
            await asyncio.sleep(0.2)


def get_live(aws: FakeLambda) -> str:
    return str(aws.functions["checkout"].aliases["live"]["FunctionVersion"])


async def test_one_process_releases_in_two_accounts(workers: Workers, cloud: Cloud) -> None:
    namespace = await create_namespace(workers.temporal.client, "places")
    url, _ = start(workers, cloud.describe(), namespace)
    await wait_until_ready(url)
    address = workers.temporal.client.service_client.config.target_host
    client = await connect(address, namespace)
    async with asyncio.timeout(PATIENCE):
        while len(await Places(client).list()) < 2:
            await asyncio.sleep(0.1)
    shell = Shell(address, "")
    shell.environment |= {"TEMPORAL_NAMESPACE": namespace}
    del shell.environment["RELEASES_TASK_QUEUE"]

    refused = await shell("start", "checkout", *AT_ONCE)
    assert refused.exit_code == 2, refused.output
    assert f"account {SHOP} in {REGION} or in account {BANK} in {REGION}" in refused.stderr
    assert f"--account {SHOP} --region {REGION}" in refused.stderr
    assert (cloud.shop.writes, cloud.bank.writes) == (["assume_role"], [])

    started = await shell("start", "checkout", *AT_ONCE, "--account", BANK, "--wait")
    assert started.exit_code == 0, started.output
    assert (get_live(cloud.shop), get_live(cloud.bank)) == ("2", "3")
    arn = f"arn:aws:lambda:{REGION}:{SHOP}:function:checkout"
    started = await shell("start", arn, *AT_ONCE, "--wait")
    assert started.exit_code == 0, started.output
    assert (get_live(cloud.shop), get_live(cloud.bank)) == ("3", "3")

    ambiguous = await shell("status", "checkout")
    assert ambiguous.exit_code == 2
    for account in (SHOP, BANK):
        place = ("--account", account, "--region", REGION)
        shown = await shell("status", "checkout", *place, "-o", "json")
        assert json.loads(shown.stdout)["account"] == account, shown.output
    planned = await shell(
        "plan", "checkout", "--set", "Timeout=11", "--account", SHOP, "-o", "json"
    )
    assert planned.exit_code == 0, planned.output
    rolled_back = await shell("rollback", "checkout", "--account", SHOP, "--wait")
    assert rolled_back.exit_code == 0, rolled_back.output
    assert (get_live(cloud.shop), get_live(cloud.bank)) == ("2", "3")
    created = await shell(
        "schedule",
        "create",
        "nightly",
        "checkout",
        *AT_ONCE,
        "--cron",
        "0 3 * * *",
        "--account",
        BANK,
    )
    assert created.exit_code == 0, created.output
    assert "no worker" not in created.output
    examined = await shell("doctor", "-o", "json")
    texts = " ".join(finding["text"] for finding in json.loads(examined.stdout))
    assert f"account {SHOP} in {REGION}" in texts
    assert f"account {BANK} in {REGION}" in texts

    [poller] = await list_pollers(client, f"lambda-releases:{SHOP}:{REGION}")
    check_session(cloud, poller)
    await wait_for_metrics(url, {SHOP: 1, BANK: 1})


def check_session(cloud: Cloud, poller: str) -> None:
    """The role's session names the worker and has its tags; the requests name the release."""
    [session] = cloud.shop.sessions
    assert session["RoleArn"] == ROLE
    assert session["ExternalId"] == "shop-42"
    assert session["Tags"] == [{"Key": "team", "Value": "shop"}]
    assert session["RoleSessionName"].endswith(poller.rpartition("/")[2])
    moves = [
        request.headers
        for request in cloud.shop_stub.requests
        if request.operation == "update_alias"
    ]
    assert all("Credential=ASIA0000000000000001/" in each["authorization"] for each in moves)
    rollout = f"workflow/lambda:{SHOP}:{REGION}:checkout:live run/"
    assert [each["user-agent"] for each in moves if rollout not in each["user-agent"]] == []


async def connect(address: str, namespace: str) -> Client:
    return await Client.connect(address, namespace=namespace, plugins=[LambdaReleases()])


async def test_place_that_fails_ends_no_other_and_is_tried_again(
    workers: Workers, cloud: Cloud
) -> None:
    cloud.shop.external_id = "another"
    url, _ = start(workers, cloud.describe(), "default")
    queues = [f"lambda-releases:{account}:{REGION}" for account in (SHOP, BANK)]
    async with asyncio.timeout(PATIENCE):
        while not await list_pollers(workers.temporal.client, queues[1]):
            await asyncio.sleep(0.1)
    await wait_until_ready(url, f"account {SHOP} in {REGION}: its credentials are of no use: ")
    status, text = await fetch(f"{url}/readyz")
    assert status == 200, text
    assert "sts:AssumeRole" in text
    await wait_for_metrics(url, {SHOP: 0, BANK: 1})
    handle = await workers.temporal.client.start_workflow(
        "Release",
        {
            "target": {"function": "checkout"},
            "configuration": {"Timeout": 9},
            "strategy": "AllAtOnce",
        },
        id="beside-a-failed-place",
        task_queue=queues[1],
    )
    await handle.result()
    assert (get_live(cloud.shop), get_live(cloud.bank)) == ("2", "3")

    cloud.shop.external_id, cloud.shop.session_seconds = "shop-42", 300
    await wait_until_ready(url)
    arn = f"arn:aws:lambda:{REGION}:{BANK}:function:checkout"
    with pytest.raises(WorkflowFailureError, match="Workflow execution failed") as refusal:
        await workers.temporal.client.execute_workflow(
            "Release",
            {"target": {"function": arn}, "configuration": {"Timeout": 11}},
            id="of-another-account",
            task_queue=queues[0],
        )
    assert getattr(refusal.value.cause, "type", "") == "ReleaseRejected"
    assert f"this worker serves account {SHOP}" in str(refusal.value.cause)
    assert len(cloud.shop.sessions) > 1  # a session that ends soon is begun anew

    intruder = identify("999999999999", REGION)
    async with serve_as(workers.temporal.client, intruder, queues[0]):
        taken = f"account {SHOP} in {REGION}: task queue {queues[0]} is served by a worker of acc"
        await wait_until_ready(url, taken)
        assert (await fetch(f"{url}/readyz"))[0] == 200


async def test_place_with_credentials_of_another_account_is_not_served(
    workers: Workers, cloud: Cloud
) -> None:
    file = cloud.describe(bank={"endpoint_url": cloud.shop_stub.url})
    url, _ = start(workers, file, "default")
    problem = f"its credentials are of account {SHOP}, and not of {BANK}: mend role_arn, profile"
    await wait_until_ready(url, f"account {BANK} in {REGION}: {problem}")


async def test_process_that_is_stopped_while_a_place_starts_ends_at_once(
    workers: Workers, cloud: Cloud
) -> None:
    is_waiting = asyncio.Event()

    async def never_answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        is_waiting.set()
        await asyncio.sleep(60)
        writer.close()

    silent = await asyncio.start_server(never_answer, "127.0.0.1", 0)
    endpoint = f"http://127.0.0.1:{silent.sockets[0].getsockname()[1]}"
    changes = {"endpoint_url": endpoint}
    file = cloud.describe(shop=changes, bank=changes)
    process = start(workers, file, "default")[1]
    async with asyncio.timeout(PATIENCE):
        await is_waiting.wait()
    process.popen.terminate()
    async with asyncio.timeout(15):
        while not process.has_exited:
            await asyncio.sleep(0.1)
    silent.close()
    assert process.popen.returncode == 0, process.read_log_tail()


VALID = {"account": SHOP, "region": REGION}


@pytest.mark.parametrize(
    ("places", "problem"),
    [
        ([{**VALID, "account": 111111111111}], "places.0.account: must be text: write it in quot"),
        ([{**VALID, "account": "1234"}], "places.0.account: has not the right form: the id of an"),
        ([{**VALID, "region": "Ireland"}], "places.0.region: has not the right form: the name of"),
        ([{**VALID, "role": ROLE}], "places.0.role: there is no such key; did you mean role_arn?"),
        ([VALID, {"region": REGION}], "places.1.account: missing"),
        ([{**VALID, "role_arn": "releases"}], "places.0.role_arn: has not the right form: the ARN"),
        (
            [{"account": BANK, "region": REGION, "role_arn": ROLE}],
            f"places.0.role_arn: is a role of account {SHOP}, and the place is in {BANK}",
        ),
        ([{**VALID, "role_arn": ROLE, "profile": "p"}], "places.0.profile: cannot stand beside ro"),
        ([{**VALID, "external_id": "x1"}], "places.0.external_id: is of use with role_arn only"),
        ([{**VALID, "session_tags": {"a": "b"}}], "places.0.session_tags: is of use with role_arn"),
        ([{**VALID, "aws_rate": 0}], "places.0.aws_rate: must be at least 0.1"),
        ([{**VALID, "endpoint_url": "aws"}], "places.0.endpoint_url: must be a URL, such as http:"),
        ([VALID, VALID], f"places.1: account {SHOP} in {REGION} is places.0 already"),
        (
            [{**VALID, "task_queue": "q"}, {"account": BANK, "region": REGION, "task_queue": "q"}],
            "places.1.task_queue: q is that of places.0 already",
        ),
        ([], "places: is empty"),
        ("eu-west-1", "places: must be a list"),
    ],
)
def test_mistake_in_the_file_is_named_by_its_path(
    tmp_path: Path, places: object, problem: str
) -> None:
    path = tmp_path / "workers.yaml"
    path.write_text(json.dumps({"places": places}))
    with pytest.raises(PlacesFileError, match=re.escape(f"{path}: {problem}")):
        read_places(path)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("places: [", "not YAML: "),
        ("- account", "must be a mapping with the key places"),
        ("place: []", "place: there is no such key; did you mean places?"),
        (
            f'places:\n- account: "{SHOP}"\n  region: {REGION}\n  region: us-east-1\n',
            "not YAML: region stands twice in what begins in line 2",
        ),
    ],
)
def test_file_that_is_of_no_use_is_refused(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "workers.yaml"
    path.write_text(text)
    with pytest.raises(PlacesFileError, match=re.escape(f"{path}: {problem}")):
        read_places(path)


def test_file_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(PlacesFileError, match=r"workers\.yaml: cannot be read: No such file"):
        read_places(tmp_path / "workers.yaml")


def test_every_problem_of_the_file_is_listed(tmp_path: Path) -> None:
    path = tmp_path / "workers.yaml"
    path.write_text(json.dumps({"places": [{"account": "1"}, {"rate": 1}]}))
    with pytest.raises(PlacesFileError, match=r"places\.1\.account: missing") as refusal:
        read_places(path)
    assert len(str(refusal.value).splitlines()) == 5


def test_queue_of_a_place_is_named_by_account_and_region() -> None:
    place = WorkerPlace(account=SHOP, region=REGION)
    assert place.queue == f"lambda-releases:{SHOP}:{REGION}"


def test_session_has_the_name_that_the_file_gives() -> None:
    place = WorkerPlace(account=SHOP, region=REGION, role_arn=ROLE, session_name="releases-eu")
    assert place.make_source("7@host/1a2b3c4d").session_name == "releases-eu"


def test_session_of_a_long_host_name_ends_with_the_process() -> None:
    source = WorkerPlace(account=SHOP, region=REGION, role_arn=ROLE).make_source(
        f"7@{'very-long-host-name' * 4}/1a2b3c4d"
    )
    assert len(source.session_name) == 64
    assert re.fullmatch(r"lambda-releases-[\w+=,.@-]*-1a2b3c4d", source.session_name)


def test_setting_of_a_single_place_is_refused_beside_the_file(tmp_path: Path) -> None:
    problem = "RELEASES_TASK_QUEUE: unset it beside RELEASES_CONFIG: each place of .* has its own"
    with pytest.raises(PlacesFileError, match=problem):
        read_places(
            tmp_path / "workers.yaml", {"RELEASES_ACCOUNT": None, "RELEASES_TASK_QUEUE": "queue"}
        )
