"""Has a worker look at an alias whose release is lost: what AWS alone tells of it."""

from __future__ import annotations

from temporalio.client import Client

from workflows.client.plan import Reading, read_by_worker
from workflows.domain.alias_survey import AliasSurvey
from workflows.domain.target import Target
from workflows.survey import SurveyRequest


async def survey_alias(client: Client, target: Target, *, task_queue: str) -> AliasSurvey:
    """Have a worker look at an alias, and return what it found.

    Raises the errors of :func:`~workflows.client.plan.plan_release`.
    """
    reading = Reading(
        "Survey",
        SurveyRequest(target=target),
        target=target,
        summary=f"Survey of {target}",
        result_type=AliasSurvey,
    )
    return await read_by_worker(client, reading, task_queue=task_queue)
