"""Why no worker takes a release: nobody polls its task queue, or none of its version."""

from __future__ import annotations

from temporalio.client import Client, WorkflowExecutionDescription
from temporalio.service import RPCError

from activities.check_result import CheckState
from workflows.client.queue_workers import list_queue_workers
from workflows.client.worker_check import WorkerCheck


async def find_outages(client: Client, task_queue: str) -> tuple[str, ...]:
    """Find the reasons why no worker would take a new release of a queue, each with its remedy.

    None where a worker polls, and where Temporal does not tell us.
    """
    try:
        results = await WorkerCheck(client, task_queue=task_queue, target=None).run()
    except RPCError:
        return ()
    return tuple(
        f"{result.text}: {result.remedy}" if result.remedy else result.text
        for result in results
        if result.state is CheckState.FAILED
    )


async def describe_silence(client: Client, execution: WorkflowExecutionDescription) -> str:
    """Describe why no worker answers for a running workflow; empty where that is not known."""
    queue = execution.task_queue
    pinned = execution.raw_description.workflow_execution_info.versioning_info.deployment_version
    try:
        workers = await list_queue_workers(client, queue)
    except RPCError:
        return ""
    if not pinned.build_id:
        return "" if workers else f"no worker polls task queue {queue}"
    builds = {(worker.deployment, worker.build_id) for worker in workers}
    if (pinned.deployment_name, pinned.build_id) in builds:
        return ""
    ids = ", ".join(f"'{each}'" for each in (execution.id, execution.parent_id) if each)
    return (
        f"it is pinned to build {pinned.build_id} of deployment {pinned.deployment_name}, which no "
        f"worker of task queue {queue} runs: start one of that build, or let it go on with the "
        f"current one: temporal workflow update-options --namespace {client.namespace} --yes "
        f"--query \"WorkflowId IN ({ids}) AND ExecutionStatus = 'Running'\" "
        "--versioning-override-behavior auto_upgrade"
    )
