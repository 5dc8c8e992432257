"""Temporal's HTTP API, by curl alone."""

from __future__ import annotations

import asyncio
import json
import uuid
from dataclasses import dataclass
from typing import Any, Final

COMPLETED: Final = "UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_COMPLETED"
_CLOSE: Final = "waitNewEvent=true&historyEventFilterType=HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT"


@dataclass(frozen=True)
class Answer:
    """The HTTP status and the body of a response."""

    code: int
    body: dict[str, Any]


@dataclass(frozen=True)
class Curl:
    """One namespace's workflows by HTTP."""

    workflows: str
    """The URL of the namespace's workflows."""

    async def get(self, path: str) -> Answer:
        """Send a GET below the workflows."""
        return await self._run(f"{self.workflows}/{path}")

    async def post(self, path: str, body: dict[str, Any]) -> Answer:
        """Send a POST below the workflows."""
        return await self._run("--data", json.dumps(body), f"{self.workflows}/{path}")

    async def start(self, id: str, *, queue: str, request: dict[str, Any]) -> None:
        """Start a ``Release``."""
        started = await self.post(
            id,
            {
                "workflowType": {"name": "Release"},
                "taskQueue": {"name": queue},
                "input": [request],
            },
        )
        assert started.code == 200, started

    async def query(self, id: str) -> dict[str, Any]:
        """Return what the query ``status`` answers; empty while the workflow is not there."""
        answer = await self.post(f"{id}/query/status", {})
        [status] = answer.body["queryResult"] if answer.code == 200 else [{}]
        return dict(status)

    async def update(
        self, id: str, name: str, *args: dict[str, Any], update_id: str | None = None
    ) -> dict[str, Any]:
        """Send an update, and return its outcome: ``success`` or ``failure``."""
        answer = await self.send_update(id, name, *args, update_id=update_id)
        assert answer.code == 200, answer
        return dict(answer.body["outcome"])

    async def send_update(
        self, id: str, name: str, *args: dict[str, Any], update_id: str | None = None
    ) -> Answer:
        """Send an update, and return the response."""
        return await self.post(
            f"{id}/update/{name}",
            {
                "request": {
                    "meta": {"updateId": update_id or uuid.uuid4().hex},
                    "input": {"args": args} if args else {},
                },
                "waitPolicy": {"lifecycleStage": COMPLETED},
            },
        )

    async def wait_for_end(self, id: str) -> dict[str, Any]:
        """Wait for the event that ended a workflow, and return it; Temporal asks to ask again."""
        async with asyncio.timeout(120):
            while True:
                answer = await self.get(f"{id}/history?{_CLOSE}")
                if events := answer.body["history"].get("events"):
                    [event] = events
                    return dict(event)

    @staticmethod
    async def _run(*arguments: str) -> Answer:
        process = await asyncio.create_subprocess_exec(
            "curl",
            *("--silent", "--show-error", "--max-time", "60", "--write-out", "\n%{http_code}"),
            *arguments,
            stdout=asyncio.subprocess.PIPE,
        )
        output, _ = await process.communicate()
        assert process.returncode == 0, output
        body, _, code = output.decode().rpartition("\n")
        return Answer(int(code), json.loads(body))
