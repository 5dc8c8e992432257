"""What ``-o json`` prints, by command, as one JSON Schema.

``python -m workflows.cli.output_schema`` prints it; ``docs/output.schema.json`` is a copy.
"""

from __future__ import annotations

from json import dumps
from typing import Any, Final

from pydantic import TypeAdapter

from activities.check_result import CheckResult
from workflows.cli.shown_release import ShownRelease
from workflows.client.explanation import Explanation
from workflows.client.rejudge import Rejudgement
from workflows.client.runs import Run
from workflows.client.schedule_outlook import ScheduleOutlook
from workflows.client.schedule_trigger import ScheduleTrigger
from workflows.client.schedules import ScheduleStatus
from workflows.client.start_outcome import StartOutcome
from workflows.client.stats import ReleaseStats
from workflows.client.watch import WatchUpdate
from workflows.domain.alias_survey import AliasSurvey
from workflows.domain.status import ReleaseStatus
from workflows.plan import ReleasePlan

OUTPUTS: Final[dict[str, Any]] = {
    "start": StartOutcome,
    "plan": ReleasePlan,
    "status": list[Run],
    "status TARGET": ShownRelease,
    "watch": WatchUpdate,
    "approve": ReleaseStatus,
    "pause": ReleaseStatus,
    "resume": ReleaseStatus,
    "promote": ReleaseStatus,
    "abort": ReleaseStatus,
    "give-up": ReleaseStatus,
    "resolve": ReleaseStatus,
    "rollback": StartOutcome,
    "history": list[Run],
    "explain": Explanation,
    "rejudge": list[Rejudgement],
    "stats": list[ReleaseStats],
    "doctor": list[CheckResult],
    "repair": AliasSurvey | StartOutcome,
    "schedule create": ScheduleOutlook,
    "schedule list": list[ScheduleStatus],
    "schedule pause": ScheduleStatus,
    "schedule resume": ScheduleStatus,
    "schedule trigger": ScheduleTrigger,
    "schedule delete": ScheduleStatus,
}
"""What each command prints. ``watch`` prints one a line."""


def build_schema() -> dict[str, Any]:
    """Build the schema: an object with the output of each command under its name."""
    by_command, shared = TypeAdapter.json_schemas(
        [(command, "serialization", TypeAdapter(kind)) for command, kind in OUTPUTS.items()]
    )
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "What releases prints with -o json, by command",
        "type": "object",
        "properties": {command: schema for (command, _), schema in by_command.items()},
        **shared,
    }


if __name__ == "__main__":
    print(dumps(build_schema(), indent=2))  # noqa: T201 - it is what it is for
