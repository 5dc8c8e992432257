"""GitLab CI: sections, notes on merge requests, artifacts."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from deploy.ci.forge import Job
from deploy.ci.http import ForgeError, request_json

SUMMARY: Final = "releases-summary.md"
OUTPUTS: Final = "releases.env"
_PAGE: Final = 100
_MOST_PAGES: Final = 30
_ERASE: Final = "\x1b[0K"
_ESCAPES: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


class GitLab:
    """A job of GitLab CI, by the variables that it is given."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        """Begin without an open section."""
        self._environment = environment
        self._sections = 0
        get = environment.get
        merge_request = get("CI_MERGE_REQUEST_IID", "")
        title = get("CI_MERGE_REQUEST_TITLE") or get("CI_COMMIT_TITLE", "")
        project = get("CI_PROJECT_PATH", "").replace("/", ".")
        self.job = Job(
            id=f"gitlab:{project}:{get('CI_PIPELINE_ID', '0')}",
            author=get("GITLAB_USER_LOGIN", ""),
            reason=f"!{merge_request} {title}" if merge_request else title,
            revision=get("CI_COMMIT_SHA", ""),
            url=get("CI_JOB_URL", ""),
        )

    def open_group(self, title: str) -> None:
        """Begin a section."""
        self._sections += 1
        name = f"section_start:{time.time():.0f}:step_{self._sections}"
        print(f"{_ERASE}{name}\r{_ERASE}{_clean(title)}", flush=True)

    def close_group(self) -> None:
        """End the section."""
        name = f"section_end:{time.time():.0f}:step_{self._sections}"
        print(f"{_ERASE}{name}\r{_ERASE}", flush=True)

    def print_line(self, text: str) -> None:
        """Print a line without control characters, by which a section could be faked."""
        print(f"  {_clean(text)}", flush=True)

    def note(self, title: str, text: str) -> None:
        """Print it in yellow."""
        print(f"\x1b[33m{_clean(title)}: {_clean(text)}\x1b[0m", flush=True)

    def fail(self, title: str, text: str) -> None:
        """Print it in red."""
        print(f"\x1b[31m{_clean(title)}: {_clean(text)}\x1b[0m", flush=True)

    def comment(self, key: str, body: str) -> None:
        """Write or replace the note that begins with an invisible mark of the key."""
        iid = self._environment.get("CI_MERGE_REQUEST_IID")
        if not iid:
            return
        mark = f"<!-- lambda-releases: {key.replace('--', '- -').replace('>', '')} -->"
        document = {"body": f"{mark}\n{body}"}
        notes = f"merge_requests/{iid}/notes"
        for page in range(1, _MOST_PAGES + 1):
            found = self._request("GET", f"{notes}?per_page={_PAGE}&page={page}")
            for each in found:
                if str(each.get("body", "")).startswith(mark):
                    self._request("PUT", f"{notes}/{each['id']}", document)
                    return
            if len(found) < _PAGE:
                break
        self._request("POST", notes, document)

    def summarize(self, body: str) -> None:
        """Add to the artifact of the summary."""
        with Path(SUMMARY).open("a", encoding="utf-8") as file:
            file.write(f"{body}\n\n")

    def publish(self, outputs: Mapping[str, str]) -> None:
        """Add to the variables of later jobs (``artifacts:reports:dotenv``)."""
        with Path(OUTPUTS).open("a", encoding="utf-8") as file:
            for name, value in outputs.items():
                variable = f"RELEASE_{name.upper().replace('-', '_')}"
                file.write(f"{variable}={_clean(value)}\n")

    def _request(self, method: str, path: str, document: object = None) -> Any:
        token = self._environment.get("GITLAB_TOKEN")
        if not token:
            raise ForgeError("GITLAB_TOKEN is not set: no note without it (scope api)")
        api = self._environment.get("CI_API_V4_URL", "https://gitlab.com/api/v4")
        project = self._environment.get("CI_PROJECT_ID", "")
        url = f"{api}/projects/{project}/{path}"
        return request_json(method, url, {"PRIVATE-TOKEN": token}, document)


def _clean(text: str) -> str:
    return _ESCAPES.sub("", " ".join(text.split("\n")))
