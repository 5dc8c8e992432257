"""``worker.py`` and the account it serves: which it is, and which task queues it stays away from.

Real processes on a real Temporal server, over the AWS of the account in question.
"""

from __future__ import annotations

import asyncio

from activities.limits.sharing import HEARTBEAT_INTERVAL
from tests.fake_lambda.account import ACCOUNT, REGION
from tests.worker_processes import NOWHERE, PATIENCE, Workers

OTHER = "999999999999"


async def test_worker_of_another_account_leaves_a_served_queue_alone(workers: Workers) -> None:
    ours = workers.start("ours", "accounts", AWS_ENDPOINT_URL=await workers.endpoint(ACCOUNT))
    assert f"lambda-releases@{ACCOUNT}/{REGION}:" in await workers.wait_until_polling("accounts")
    other = workers.start("other", "accounts", AWS_ENDPOINT_URL=await workers.endpoint(OTHER))
    text = await workers.read_refusal(other)
    assert f"task queue accounts is served by a worker of account {ACCOUNT} in {REGION}" in text
    assert f"this worker has account {OTHER} in {REGION}" in text
    assert not ours.has_exited


async def test_worker_of_another_region_leaves_a_served_queue_alone(workers: Workers) -> None:
    endpoint = await workers.endpoint(ACCOUNT)
    workers.start("ours", "regions", AWS_ENDPOINT_URL=endpoint)
    await workers.wait_until_polling("regions")
    other = workers.start("other", "regions", AWS_ENDPOINT_URL=endpoint, AWS_REGION="us-east-1")
    assert f"this worker has account {ACCOUNT} in us-east-1" in await workers.read_refusal(other)


async def test_queue_of_a_killed_worker_is_free_for_another_account(workers: Workers) -> None:
    killed = workers.start("killed", "freed", AWS_ENDPOINT_URL=await workers.endpoint(ACCOUNT))
    before = await workers.wait_until_polling("freed")
    await asyncio.sleep(2 * HEARTBEAT_INTERVAL.total_seconds())  # it is listed
    killed.popen.kill()
    process = workers.start("next", "freed", AWS_ENDPOINT_URL=await workers.endpoint(OTHER))
    await workers.wait_until_polling("freed", before={before})
    assert not process.has_exited, process.read_log_tail()


async def test_two_accounts_that_begin_together_do_not_share_a_queue(workers: Workers) -> None:
    endpoints = [await workers.endpoint(account) for account in (ACCOUNT, OTHER)]
    both = [
        workers.start(f"worker-{number}", "race", AWS_ENDPOINT_URL=endpoint)
        for number, endpoint in enumerate(endpoints)
    ]
    async with asyncio.timeout(PATIENCE):
        while not any(process.has_exited for process in both):
            await asyncio.sleep(0.1)
    left = next(process for process in both if process.has_exited)
    assert "task queue race is served by a worker of account" in left.read_log_tail()


async def test_account_is_the_operator_s_where_sts_is_out_of_reach(workers: Workers) -> None:
    workers.start("named", "named", HTTPS_PROXY=NOWHERE, RELEASES_ACCOUNT=OTHER)
    assert f"lambda-releases@{OTHER}/{REGION}:" in await workers.wait_until_polling("named")


async def test_worker_without_sts_says_how_to_name_the_account(workers: Workers) -> None:
    text = await workers.read_refusal(workers.start("lost", "lost", HTTPS_PROXY=NOWHERE))
    assert "STS does not say whose credentials these are" in text
    assert "RELEASES_ACCOUNT" in text


async def test_emulator_without_sts_is_served_with_a_warning(workers: Workers) -> None:
    process = workers.start("emulated", "emulated", AWS_ENDPOINT_URL=NOWHERE)
    assert "lambda-releases@" not in await workers.wait_until_polling("emulated")
    assert "the account is unknown" in process.read_log_tail(50)


async def test_name_that_is_no_account_stops_the_worker(workers: Workers) -> None:
    text = await workers.read_refusal(workers.start("typo", "typo", RELEASES_ACCOUNT="1234"))
    assert "RELEASES_ACCOUNT: no account has the id 1234" in text
