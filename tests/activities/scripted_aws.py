"""A port to AWS that answers from a script, and keeps what was requested."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from activities.errors import AwsError

Answer = dict[str, Any] | AwsError


class ScriptedAws:
    """Each operation has its answers in order. The last one is repeated."""

    def __init__(self, **answers: Answer | list[Answer]) -> None:
        self.answers = {
            operation: given if isinstance(given, list) else [given]
            for operation, given in answers.items()
        }
        self.requests: list[tuple[str, dict[str, Any]]] = []
        self.packages: dict[str, bytes] = {}

    async def call(
        self, service: str, operation: str, parameters: Mapping[str, Any]
    ) -> dict[str, Any]:
        del service
        self.requests.append((operation, copy.deepcopy(dict(parameters))))
        answers = self.answers[operation]
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, AwsError):
            raise answer
        return copy.deepcopy(answer)

    async def download(self, url: str, *, limit: int) -> bytes:
        assert len(self.packages[url]) <= limit
        return self.packages[url]

    def times(self, operation: str) -> int:
        return sum(name == operation for name, _ in self.requests)

    def last(self, operation: str) -> dict[str, Any]:
        return next(parameters for name, parameters in reversed(self.requests) if name == operation)
