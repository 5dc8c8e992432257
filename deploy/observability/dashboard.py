"""The dashboard of releases, for Grafana.

Seldom events are counted by sums of the rules beside it (``releases:ended:sum``): a counter is born
at 1, and its first event would be no increase. Histograms are read as they are, since the start of
each worker, for the same reason.
"""

from __future__ import annotations

import json
from typing import Any, Final

from deploy.observability.panels import DATASOURCE, Lines, Number, Panel, Query

_JOB: Final = 'job=~"$job"'
_WIDTH: Final = 24
_HEIGHT: Final = {Number: 4, Lines: 8}


def _count(outcomes: str) -> str:
    """How many releases ended in the chosen time, with one of these outcomes."""
    return f'sum(increase(releases:ended:sum{{{_JOB}, outcome=~"{outcomes}"}}[$__range]))'


def _quantile(share: float, histogram: str, labels: str = "", by: str = "le") -> str:
    """The quantile of what workers of the chosen time have recorded since their start."""
    selector = f"{histogram}_bucket{{{', '.join(filter(None, [_JOB, labels]))}}}"
    return f"histogram_quantile({share}, sum by ({by}) (max_over_time({selector}[$__range])))"


def _rate(counter: str, by: str, labels: str = "") -> str:
    selector = f"{counter}{{{', '.join(filter(None, [_JOB, labels]))}}}"
    return f"sum by ({by}) (rate({selector}[$__rate_interval]))"


def _mean(histogram: str, by: str) -> str:
    total, count = (
        f"sum by ({by}) (max_over_time({histogram}_{part}{{{_JOB}}}[$__range]))"
        for part in ("sum", "count")
    )
    return f"{total} / {count}"


def _wait(kind: str) -> str:
    bucket = f"temporal_{kind}_schedule_to_start_latency_seconds_bucket{{{_JOB}}}"
    return f"histogram_quantile(0.95, sum by (task_queue, le) (rate({bucket}[$__rate_interval])))"


_FAILED: Final = "rolled_back|rollback_failed"

ROWS: Final[dict[str, tuple[Panel, ...]]] = {
    "DORA's four (releases stats has them exactly, from histories)": (
        Number(
            "Deployments a day",
            "Releases that succeeded, per day of the chosen time.",
            "short",
            (Query(f"{_count('succeeded')} / ($__range_s / 86400)"),),
        ),
        Number(
            "Lead time, median",
            "From the start of a release to all traffic; what comes before it is not known here.",
            "s",
            (Query(_quantile(0.5, "release_seconds", 'outcome="succeeded"')),),
        ),
        Number(
            "Change failure rate",
            "Releases that were rolled back, or should have been, of those that moved traffic.",
            "percentunit",
            (Query(f"{_count(_FAILED)} / {_count('succeeded|' + _FAILED)}"),),
        ),
        Number(
            "Time to restore, median",
            "From the verdict on a candidate to the alias being back.",
            "s",
            (Query(_quantile(0.5, "rollback_seconds")),),
        ),
    ),
    "Releases": (
        Lines(
            "Releases by outcome",
            "How releases and rollbacks ended.",
            "short",
            (
                Query(
                    f"sum by (outcome) (increase(releases:ended:sum{{{_JOB}}}[$__rate_interval]))",
                    "{{outcome}}",
                ),
            ),
        ),
        Lines(
            "Running, by phase",
            "Every worker serves the numbers of its queue: the greatest of them is taken.",
            "short",
            (
                Query(
                    f"sum by (phase) (max by (task_queue, phase) (releases_running{{{_JOB}}}))",
                    "{{phase}}",
                ),
            ),
        ),
        Lines(
            "Time in a phase, mean",
            "awaiting_approval and paused are people's, the others machines'.",
            "s",
            (Query(_mean("release_phase_seconds", "phase"), "{{phase}}"),),
        ),
        Lines(
            "Time to roll back",
            "From the verdict to the alias being back; over ten seconds is an alert.",
            "s",
            (
                Query(_quantile(0.5, "rollback_seconds"), "median"),
                Query(_quantile(0.95, "rollback_seconds"), "95 %"),
            ),
        ),
        Lines(
            "Duration of releases, 95 %",
            "From the start to the end, by outcome.",
            "s",
            (Query(_quantile(0.95, "release_seconds", by="outcome, le"), "{{outcome}}"),),
        ),
        Lines(
            "Looks of guards",
            "failed: canaries are not watched.",
            "reqps",
            (Query(_rate("guard_looks_total", "guard, outcome"), "{{guard}} {{outcome}}"),),
        ),
    ),
    "AWS": (
        Lines(
            "Calls",
            "Requests to AWS, by operation.",
            "reqps",
            (Query(_rate("lambda_api_calls_total", "operation"), "{{operation}}"),),
        ),
        Lines(
            "Throttles",
            "Requests that AWS refused, since there were too many.",
            "reqps",
            (
                Query(
                    _rate("lambda_api_calls_total", "operation", 'outcome="Throttled"'),
                    "{{operation}}",
                ),
            ),
        ),
        Lines(
            "Faults",
            "Requests to AWS that failed; NotFound is often an answer.",
            "reqps",
            (Query(_rate("lambda_api_calls_total", "outcome", 'outcome!="ok"'), "{{outcome}}"),),
        ),
    ),
    "Workers": (
        Lines(
            "Places that are served",
            "1, or 0 where no worker serves the place.",
            "short",
            (
                Query(
                    f"max by (account, region) (releases_place_ready{{{_JOB}}})",
                    "{{account}} {{region}}",
                ),
            ),
        ),
        Lines(
            "Wait for a worker, 95 %",
            "How long tasks wait in Temporal's queue; over ten seconds is an alert.",
            "s",
            (
                Query(_wait("activity"), "activities of {{task_queue}}"),
                Query(_wait("workflow_task"), "workflow tasks of {{task_queue}}"),
            ),
        ),
        Lines(
            "Requests that Temporal refused",
            "NOT_FOUND and the like are answers.",
            "reqps",
            (
                Query(
                    _rate("temporal_request_failure_total", "operation, status_code"),
                    "{{operation}} {{status_code}}",
                ),
            ),
        ),
    ),
}


def make_dashboard() -> dict[str, Any]:
    """Return the dashboard, as Grafana imports it."""
    panels, top = list[dict[str, Any]](), 0
    for title, row in ROWS.items():
        place = {"x": 0, "y": top, "w": _WIDTH, "h": 1}
        panels.append(
            {"type": "row", "title": title, "collapsed": False, "gridPos": place, "panels": []}
        )
        top += 1
        width = _WIDTH // min(len(row), 4 if isinstance(row[0], Number) else 3)
        height = _HEIGHT[type(row[0])]
        for number, panel in enumerate(row):
            line, left = divmod(number * width, _WIDTH)
            place = {"x": left, "y": top + line * height, "w": width, "h": height}
            panels.append({**panel.draw(), "gridPos": place})
        top += -(-len(row) * width // _WIDTH) * height
    for number, drawn in enumerate(panels, start=1):
        drawn["id"] = number
    return {
        "uid": "lambda-releases",
        "title": "Lambda releases",
        "description": "Made by python -m deploy.observability; it needs releases.rules.yaml.",
        "tags": ["lambda-releases", "temporal"],
        "editable": True,
        "schemaVersion": 39,
        "refresh": "1m",
        "time": {"from": "now-7d", "to": "now"},
        "templating": {"list": _make_variables()},
        "panels": panels,
    }


def _make_variables() -> list[dict[str, Any]]:
    return [
        {
            "name": "datasource",
            "label": "Prometheus",
            "type": "datasource",
            "query": "prometheus",
            "multi": False,
        },
        {
            "name": "job",
            "label": "Job",
            "type": "query",
            "datasource": DATASOURCE,
            "query": "label_values(releases_started_total, job)",
            "multi": True,
            "includeAll": True,
            "allValue": ".*",
            "current": {"text": "All", "value": "$__all"},
            "refresh": 2,
        },
    ]


def render() -> str:
    """Return the dashboard as JSON."""
    return json.dumps(make_dashboard(), indent=2) + "\n"
