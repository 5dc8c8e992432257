"""The release that a request to AWS is for, in its User-Agent: CloudTrail keeps that.

A role's session is the worker's, and many releases share it. So the session cannot name a release.
"""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import quote

from temporalio import activity

BEFORE_SEND: Final = "before-send"
"""botocore writes the header anew before it signs a request. The signature leaves it out."""

_MAX_CHARACTERS: Final = 200
_HEADER: Final = "User-Agent"


def name_release(request: Any, **_: Any) -> None:
    """Name the workflow and the run that a request is sent for; botocore calls this before it."""
    if not activity.in_activity():
        return
    info = activity.info()
    workflow_id = quote(info.workflow_id or "", safe=":-_.")[:_MAX_CHARACTERS]
    before = request.headers.get(_HEADER, "")
    before = before.decode() if isinstance(before, bytes) else before
    request.headers[_HEADER] = f"{before} workflow/{workflow_id} run/{info.workflow_run_id}"
