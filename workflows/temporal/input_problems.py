"""The problems of a malformed input, and the failure that lists them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, cast

from pydantic import ValidationError
from pydantic_core import ErrorDetails, from_json
from temporalio.exceptions import ApplicationError

_MAX_PROBLEMS: Final = 50
_MAX_KEY_LENGTH: Final = 100

_ROLLOUT_TAGS: Final = {"release", "rollback", "continued_release", "continued_rollback"}
"""The tags of the inputs of a ``Rollout``, which users do not write."""

_WHOLE_INPUT: Final = "(input)"


def make_failure(model: Any, problems: list[dict[str, str]]) -> ApplicationError:
    """The failure of a malformed input of a model, which is not retried.

    A problem is ``{"field": path, "problem": text}``. All are in the message, and in the details.
    """
    text = "; ".join(f"{problem['field']}: {problem['problem']}" for problem in problems)
    return ApplicationError(
        f"invalid {model.__name__}: {text}", problems, type=model.failure_type, non_retryable=True
    )


def make_input_failure(model: Any, problem: str) -> ApplicationError:
    """The failure of an input with a problem that is not one of a field."""
    return make_failure(model, [{"field": _WHOLE_INPUT, "problem": problem}])


def list_problems(error: ValidationError, data: bytes) -> list[dict[str, str]]:
    """List the problems, each with the path of its field in the user's JSON.

    Values are not repeated. At most fifty are listed.
    """
    try:
        document: object = from_json(data)
    except ValueError:
        document = None
    found = [
        problem
        for problem in error.errors(include_url=False, include_input=False)
        if problem["type"] != "default_factory_not_called"
    ]
    return [
        {"field": _find_path(problem["loc"], document), "problem": _describe_problem(problem)}
        for problem in found[:_MAX_PROBLEMS]
    ]


def _describe_problem(problem: ErrorDetails) -> str:
    """Pydantic's message, except where that repeats a value."""
    if problem["type"] == "union_tag_invalid":
        context = problem.get("ctx", {})
        return f"{context.get('discriminator')} must be one of {context.get('expected_tags')}"
    return problem["msg"].removeprefix("Value error, ")


def _find_path(location: tuple[int | str, ...], document: object) -> str:
    """The path of a field, without the tags that pydantic adds for unions."""
    path: list[str] = []
    if (
        location
        and location[0] in _ROLLOUT_TAGS
        and not (isinstance(document, dict) and location[0] in document)
    ):
        location = location[1:]
    is_tag_skipped = False
    for index, part in enumerate(location):
        is_last = index == len(location) - 1
        if isinstance(part, str) and part.startswith("<"):  # one of our tags; no key has a "<"
            continue
        match document:
            case dict():
                members = cast("Mapping[object, object]", document)
                if (
                    part == members.get("kind")
                    and not is_tag_skipped
                    and (not is_last or part not in members)
                ):
                    is_tag_skipped = True
                    continue
                if not is_last and part not in members:
                    continue
                is_tag_skipped = False
                document = members.get(part)
            case list() if isinstance(part, int) and 0 <= part < len(
                cast("list[object]", document)
            ):
                document = cast("list[object]", document)[part]
            case _ if not is_last:
                continue
            case _:
                pass
        path.append(str(part)[:_MAX_KEY_LENGTH])
    return ".".join(path) or _WHOLE_INPUT
