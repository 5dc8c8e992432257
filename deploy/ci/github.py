"""GitHub Actions: groups, annotations, comments, the summary of a job."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from deploy.ci.forge import Job
from deploy.ci.http import ForgeError, request_json

_PAGE: Final = 100
_MOST_PAGES: Final = 30
_MOST_COMMENT: Final = 65_000
"""GitHub refuses a comment of more than 65,536 characters."""


class GitHub:
    """A job of GitHub Actions, by the variables that it is given."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        """Read the event that the job was started for."""
        self._environment = environment
        self._event = _read_event(environment.get("GITHUB_EVENT_PATH", ""))
        self._pull_request: dict[str, Any] = self._event.get("pull_request") or {}
        self.job = self._read_job()

    def open_group(self, title: str) -> None:
        """Begin a group."""
        print(f"::group::{_escape_data(title)}", flush=True)

    def close_group(self) -> None:
        """End the group."""
        print("::endgroup::", flush=True)

    def print_line(self, text: str) -> None:
        """Print a line in which GitHub finds no command, whatever stands in it."""
        line = " ".join(text.split("\n")).replace("##[", "## [")
        print(f"  {line}" if not line.lstrip().startswith("::") else f"  \u200b{line}", flush=True)

    def note(self, title: str, text: str) -> None:
        """Annotate the job."""
        print(f"::notice title={_escape_property(title)}::{_escape_data(text)}", flush=True)

    def fail(self, title: str, text: str) -> None:
        """Annotate the job with an error."""
        print(f"::error title={_escape_property(title)}::{_escape_data(text)}", flush=True)

    def comment(self, key: str, body: str) -> None:
        """Write or replace the comment that begins with an invisible mark of the key."""
        number = self._pull_request.get("number")
        if not number:
            return
        mark = f"<!-- lambda-releases: {_escape_mark(key)} -->"
        document = {"body": f"{mark}\n{body}"[:_MOST_COMMENT]}
        comments = f"issues/{number}/comments"
        for page in range(1, _MOST_PAGES + 1):
            found = self._request("GET", f"{comments}?per_page={_PAGE}&page={page}")
            for each in found:
                if str(each.get("body", "")).startswith(mark):
                    self._request("PATCH", f"issues/comments/{each['id']}", document)
                    return
            if len(found) < _PAGE:
                break
        self._request("POST", comments, document)

    def summarize(self, body: str) -> None:
        """Add to the summary of the job."""
        self._append("GITHUB_STEP_SUMMARY", f"{body}\n\n")

    def publish(self, outputs: Mapping[str, str]) -> None:
        """Set outputs of the step."""
        for name, value in outputs.items():
            # A delimiter that the value cannot hold, so that it can set no other output.
            delimiter = f"end-{secrets.token_hex(16)}"
            self._append("GITHUB_OUTPUT", f"{name}<<{delimiter}\n{value}\n{delimiter}\n")

    def _append(self, variable: str, text: str) -> None:
        if path := self._environment.get(variable):
            with Path(path).open("a", encoding="utf-8") as file:
                file.write(text)

    def _request(self, method: str, path: str, document: object = None) -> Any:
        token = self._environment.get("GITHUB_TOKEN")
        if not token:
            raise ForgeError("GITHUB_TOKEN is not set: no comment without it")
        headers = {
            "Authorization": f"Bearer {token}",
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": "2022-11-28",
        }
        api = self._environment.get("GITHUB_API_URL", "https://api.github.com")
        repository = self._environment.get("GITHUB_REPOSITORY", "")
        return request_json(method, f"{api}/repos/{repository}/{path}", headers, document)

    def _read_job(self) -> Job:
        get = self._environment.get
        repository, run = get("GITHUB_REPOSITORY", ""), get("GITHUB_RUN_ID", "0")
        # That of the pull request: GITHUB_SHA is a merge that nobody has made.
        head = self._pull_request.get("head") or {}
        revision = str(head.get("sha") or get("GITHUB_SHA", ""))
        commit: dict[str, Any] = self._event.get("head_commit") or {}
        title = self._pull_request.get("title") or commit.get("message") or ""
        number = self._pull_request.get("number")
        subject = str(title).partition("\n")[0]
        reason = f"#{number} {subject}" if number else subject
        return Job(
            id=f"github:{repository.replace('/', '.')}:{run}",
            author=get("GITHUB_ACTOR", ""),
            reason=reason or f"{repository} {revision[:7]}",
            revision=revision,
            url=f"{get('GITHUB_SERVER_URL', 'https://github.com')}/{repository}/actions/runs/{run}",
        )


def _read_event(path: str) -> dict[str, Any]:
    try:
        document = json.loads(Path(path).read_text(encoding="utf-8")) if path else {}
    except (OSError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}


def _escape_data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _escape_property(text: str) -> str:
    return _escape_data(text).replace(":", "%3A").replace(",", "%2C")


def _escape_mark(key: str) -> str:
    return key.replace("--", "- -").replace(">", "")
