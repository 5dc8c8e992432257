"""The page of a ``Release`` or ``Rollback`` in the Temporal UI: its current details, in Markdown.

While its rollout runs, the UI shows the rollout's page there instead
(:mod:`workflows.temporal.rollout_queries`).
"""

from __future__ import annotations

from temporalio import workflow

from workflows.domain.markdown import render_headline
from workflows.domain.status import ReleaseStatus
from workflows.request import ReleaseRequest, RollbackRequest


class ReleasePage:
    """What was requested, which rollout does the work, and how it has ended."""

    def __init__(self, request: ReleaseRequest | RollbackRequest) -> None:
        """Show what was requested."""
        requested_by = f"Requested by {request.requested_by}." if request.requested_by else ""
        self._request = [f"**{request.summary}**", request.reason, requested_by]
        self._rollout = ""
        self._show([])

    def show_rollout(self, rollout_id: str, run_id: str | None) -> None:
        """Show which rollout does the work."""
        link = link_rollout(rollout_id, run_id, namespace=workflow.info().namespace)
        self._rollout = f"{link} does the work."
        self._show([])

    def show_end(self, status: ReleaseStatus) -> None:
        """Show how it has ended."""
        self._rollout = self._rollout.replace(" does ", " did ")
        account = f"Account {status.account}, {status.region}." if status.account else ""
        self._show([render_headline(status), account])

    def _show(self, state: list[str]) -> None:
        lines = filter(None, [*state, self._rollout, *self._request])
        workflow.set_current_details("\n\n".join(lines))


def link_rollout(rollout_id: str, run_id: str | None, *, namespace: str) -> str:
    """Return a link to the page of a rollout; without a run, to the latest run under its id."""
    run = f"/{run_id}" if run_id else ""
    path = rollout_id.replace("/", "%2F").replace(":", "%3A")
    return f"[{rollout_id}](/namespaces/{namespace}/workflows/{path}{run})"
