"""What a forge does with a report, and what it knows about the job."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Job:
    """What a forge knows about the job that runs.

    - ``id``: the beginning of the ids of its releases. One that is run again goes on with the
      release that it started.
    - ``author``, ``reason``, ``revision``: who pushed what; empty where that is not known.
    - ``url``: of the job's log.
    """

    id: str
    author: str = ""
    reason: str = ""
    revision: str = ""
    url: str = ""


class Forge(Protocol):
    """Where a report goes."""

    job: Job

    def open_group(self, title: str) -> None:
        """Begin a part of the log that can be folded."""

    def close_group(self) -> None:
        """End the part of the log."""

    def print_line(self, text: str) -> None:
        """Print a line of the log, which is nothing but text."""

    def note(self, title: str, text: str) -> None:
        """Show what somebody should do or know."""

    def fail(self, title: str, text: str) -> None:
        """Show why the job failed."""

    def comment(self, key: str, body: str) -> None:
        """Write a comment on the pull request, or replace the last one of this key.

        Raises :class:`~deploy.ci.http.ForgeError`. Does nothing where there is no pull request.
        """

    def summarize(self, body: str) -> None:
        """Show Markdown beside the log."""

    def publish(self, outputs: Mapping[str, str]) -> None:
        """Hand values to later steps and jobs."""


class Terminal:
    """No forge: a machine on which somebody tries the commands."""

    def __init__(self, author: str) -> None:
        """Print everything to standard output."""
        self.job = Job(id="local", author=author)

    def open_group(self, title: str) -> None:
        """Print the title."""
        print(f"── {title} ──", flush=True)

    def close_group(self) -> None:
        """Do nothing."""

    def print_line(self, text: str) -> None:
        """Print the line."""
        print(text, flush=True)

    def note(self, title: str, text: str) -> None:
        """Print both."""
        self.print_line(f"{title}: {text}")

    def fail(self, title: str, text: str) -> None:
        """Print both."""
        self.print_line(f"{title}: {text}")

    def comment(self, key: str, body: str) -> None:
        """Print the comment."""
        self.print_line(f"comment {key}:\n{body}")

    def summarize(self, body: str) -> None:
        """Print the summary."""
        self.print_line(body)

    def publish(self, outputs: Mapping[str, str]) -> None:
        """Print the values."""
        for name, value in outputs.items():
            self.print_line(f"{name}={value}")
