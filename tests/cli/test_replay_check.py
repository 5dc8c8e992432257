"""Which open releases this version would not go on with."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from activities.check_result import CheckState
from tests.cli.shell import Shell, start_waiting_release
from tests.harness import Harness
from workflows.client.replay_check import ReplayCheck

QUEUE = "of-another-version"


@workflow.defn(name="Release")
class OtherRelease:
    """A release of a version that began by waiting."""

    @workflow.run
    async def run(self, request: Any) -> None:
        del request
        await workflow.sleep(timedelta(hours=1))


async def test_open_release_of_this_version_replays(
    harness: Harness, shell: Shell, package: str
) -> None:
    await start_waiting_release(shell, harness, package)
    [found] = await ReplayCheck(harness.client, task_queue=harness.queue).run()
    assert found.state is CheckState.OK, found
    assert found.text.startswith(f"2 of 2 open workflows of task queue {harness.queue} go on with")
    result = await shell("doctor", "--before-deploy")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith("✓ replay: 2 of 2 open workflows")


async def test_release_that_would_break_is_named(
    temporal: WorkflowEnvironment, shell: Shell
) -> None:
    plain = await Client.connect(temporal.client.service_client.config.target_host)
    async with Worker(
        plain,
        task_queue=QUEUE,
        workflows=[OtherRelease],
        workflow_runner=UnsandboxedWorkflowRunner(),
    ):
        request = {"target": {"function": "checkout"}, "artifact": {"kind": "latest"}}
        handle = await plain.start_workflow(
            "Release", request, id="of-another-version", task_queue=QUEUE
        )
        async for event in handle.fetch_history_events(wait_new_event=True):
            if event.HasField("timer_started_event_attributes"):
                break
        try:
            result = await shell("doctor", "--before-deploy", "--task-queue", QUEUE)
        finally:
            await handle.terminate()
    assert (result.exit_code, result.stderr) == (1, "")
    first, last = result.stdout.splitlines()
    assert first.startswith("✗ replay: Release of-another-version would not go on with this code: ")
    assert "Nondeterminism" in first
    assert "releases watch of-another-version" in first
    assert last.startswith(f"✓ replay: 0 of 1 open workflows of task queue {QUEUE} go on")


async def test_queue_without_releases_may_get_any_version(temporal: WorkflowEnvironment) -> None:
    [found] = await ReplayCheck(temporal.client, task_queue="empty").run()
    assert (found.state, found.text) == (
        CheckState.OK,
        "no release of task queue empty runs: any version may follow",
    )


async def test_replay_of_one_function_is_refused(shell: Shell) -> None:
    result = await shell("doctor", "checkout", "--before-deploy")
    assert result.exit_code == 2
    assert "leave out TARGET" in result.stderr
