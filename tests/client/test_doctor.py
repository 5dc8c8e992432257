"""What is wrong with Temporal, its workers, or the worker's AWS."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from temporalio import activity
from temporalio.client import Client, WorkflowFailureError
from temporalio.common import VersioningBehavior, WorkerDeploymentVersion
from temporalio.worker import Worker, WorkerDeploymentConfig

from activities import list_operations
from activities.check_result import CheckResult, CheckState
from activities.identity import ServedAccount
from activities.limits.sharing import list_pollers
from tests.fake_lambda import FakeLambda
from tests.fake_lambda.account import ACCOUNT, REGION
from tests.harness import Harness
from workflows.client import ReleaseClient, doctor
from workflows.client.doctor import Doctor
from workflows.client.lookup import parse_target
from workflows.temporal.plugin import LambdaReleases

HERE = ServedAccount(ACCOUNT, REGION)
ELSEWHERE = ServedAccount("999999999999", REGION)
_numbers = itertools.count(1)


@asynccontextmanager
async def serve(
    releases: ReleaseClient, aws: FakeLambda, *served: ServedAccount, **options: Any
) -> AsyncIterator[str]:
    """A queue with one worker for each of these accounts."""
    queue = f"doctor-{next(_numbers)}"
    address = releases.temporal.service_client.config.target_host
    workers = [
        Worker(
            await Client.connect(address, plugins=[LambdaReleases()]),
            task_queue=queue,
            activities=list_operations(aws),
            identity=account.identify(f"{number}@here"),
            **options,
        )
        for number, account in enumerate(served)
    ]
    tasks = [asyncio.create_task(worker.run()) for worker in workers]
    try:
        async with asyncio.timeout(120):
            while len(await list_pollers(releases.temporal, queue)) < len(workers):
                await asyncio.sleep(0.05)
        yield queue
    finally:
        await asyncio.gather(*(worker.shutdown() for worker in workers))
        await asyncio.gather(*tasks)


def of(findings: list[CheckResult], check: str) -> list[CheckResult]:
    return [finding for finding in findings if finding.check == check]


async def test_namespace_and_worker_in_order_have_no_problems(
    releases: ReleaseClient, harness: Harness
) -> None:
    async with serve(releases, harness.aws, HERE) as queue:
        findings = await Doctor(releases.temporal, task_queue=queue).examine(
            parse_target(harness.function)
        )
    assert [finding for finding in findings if finding.state is CheckState.FAILED] == []
    assert list(dict.fromkeys(finding.check for finding in findings)) == [
        "temporal",
        "namespace",
        "search attributes",
        "workers",
        "clock",
        "version",
        "credentials",
        "function",
        "alias",
        "permissions",
    ]
    [worker] = of(findings, "workers")
    assert worker.text.startswith(f"account {ACCOUNT} in {REGION}, ")
    assert "not versioned, polled " in worker.text


async def test_permission_that_the_workers_role_lacks_is_a_problem(
    releases: ReleaseClient, harness: Harness
) -> None:
    harness.aws.denied_actions.add("lambda:PublishVersion")
    async with serve(releases, harness.aws, HERE) as queue:
        findings = await Doctor(releases.temporal, task_queue=queue).examine(
            parse_target(harness.function)
        )
    [denied] = [finding for finding in findings if finding.state is CheckState.FAILED]
    assert "lambda:PublishVersion denied to arn:aws:sts::" in denied.text
    assert denied.remedy.endswith(f":function:{harness.function}")


async def test_queue_without_a_worker_is_a_problem(releases: ReleaseClient) -> None:
    findings = await Doctor(releases.temporal, task_queue="nobody's").examine()
    [nobody] = [finding for finding in findings if finding.state is CheckState.FAILED]
    assert (nobody.check, nobody.text) == ("workers", "no worker polls task queue nobody's")
    assert "RELEASES_TASK_QUEUE=nobody's python worker.py" in nobody.remedy


async def test_worker_that_does_not_answer_is_a_problem(
    releases: ReleaseClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "_ANSWER_TIMEOUT", doctor.timedelta(seconds=2))
    queue = f"doctor-{next(_numbers)}"
    client = await Client.connect(releases.temporal.service_client.config.target_host)

    async def unrelated() -> None: ...

    async with Worker(
        client, task_queue=queue, activities=[activity.defn(name="unrelated")(unrelated)]
    ):
        async with asyncio.timeout(120):
            while not await list_pollers(client, queue):
                await asyncio.sleep(0.05)
        findings = await Doctor(releases.temporal, task_queue=queue).examine()
    [silent] = of(findings, "worker")
    assert silent.text == f"no worker of {queue} has answered within 2 s"


async def test_accounts_that_share_a_queue_are_a_problem(
    releases: ReleaseClient, harness: Harness
) -> None:
    async with serve(releases, harness.aws, HERE, ELSEWHERE) as queue:
        findings = await Doctor(releases.temporal, task_queue=queue).examine()
    [*_, shared] = of(findings, "workers")
    assert shared.state is CheckState.FAILED
    assert str(HERE) in shared.text
    assert str(ELSEWHERE) in shared.text


async def test_target_of_an_account_that_nobody_serves_is_a_problem(
    releases: ReleaseClient, harness: Harness
) -> None:
    target = parse_target(f"arn:aws:lambda:{REGION}:999999999999:function:{harness.function}")
    async with serve(releases, harness.aws, HERE) as queue:
        findings = await Doctor(releases.temporal, task_queue=queue).examine(target)
    [_, unserved] = of(findings, "workers")
    assert unserved.state is CheckState.FAILED
    assert f"serves account 999999999999 in {REGION}" in unserved.text


async def test_deployment_without_a_current_version_is_a_problem(
    releases: ReleaseClient, harness: Harness
) -> None:
    name = f"releases-{next(_numbers)}"
    versioning = WorkerDeploymentConfig(
        version=WorkerDeploymentVersion(deployment_name=name, build_id="b1"),
        use_worker_versioning=True,
        default_versioning_behavior=VersioningBehavior.PINNED,
    )
    async with serve(releases, harness.aws, HERE, deployment_config=versioning) as queue:
        findings = await Doctor(releases.temporal, task_queue=queue).examine()
    [worker] = of(findings, "workers")
    assert f"build b1 of deployment {name}" in worker.text
    [versioned] = of(findings, "versioning")
    assert versioned.state is CheckState.FAILED
    assert "has no current version" in versioned.text
    assert versioned.remedy.endswith(
        f"set-current-version --namespace default --deployment-name {name} --build-id b1"
    )


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        ({"target": {"function": "check out"}}, "target.function"),
        ({"targets": {}}, "targets"),
        ({"target": {"function": "checkout", "alias": "7"}}, "target.alias"),
    ],
)
async def test_malformed_input_of_a_diagnosis_ends_it_at_once(
    releases: ReleaseClient, harness: Harness, document: dict[str, Any], problem: str
) -> None:
    handle = await releases.temporal.start_workflow(
        "Diagnosis", document, id=f"diagnosis-{next(_numbers)}", task_queue=harness.queue
    )
    with pytest.raises(WorkflowFailureError, match="failed") as failure:
        await handle.result()
    assert problem in str(failure.value.cause)


async def test_namespace_that_is_not_there_is_a_problem(releases: ReleaseClient) -> None:
    address = releases.temporal.service_client.config.target_host
    client = await Client.connect(address, namespace="nowhere", plugins=[LambdaReleases()])
    [_, missing] = await Doctor(client, task_queue="any").examine()
    assert (missing.state, missing.text) == (
        CheckState.FAILED,
        "there is no namespace nowhere",
    )
    assert "TEMPORAL_NAMESPACE" in missing.remedy
