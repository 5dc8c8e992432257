"""The problems of a malformed input, and the failure that lists them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, cast

from pydantic import ValidationError
from pydantic_core import ErrorDetails, from_json
from temporalio.exceptions import ApplicationError

from workflows.domain.input_schema import InputSchema, read_schema
from workflows.domain.input_words import KEY_OF_MAPPING, describe_error
from workflows.domain.rejection import WHOLE_INPUT, make_rejection
from workflows.domain.status import InputProblem

_MAX_PROBLEMS: Final = 50
_MAX_KEY_LENGTH: Final = 100
_WRONG_TAGS: Final = {"union_tag_invalid", "union_tag_not_found"}

_ROLLOUT_TAGS: Final = {"release", "rollback", "continued_release", "continued_rollback"}
"""The tags of the inputs of a ``Rollout``, which users do not write."""

REJECTED: Final = "ReleaseRejected"
"""The failure type of a request that was refused, whose detail is a ``ReleaseStatus``."""


def make_failure(model: Any, problems: list[dict[str, str]], data: bytes = b"") -> ApplicationError:
    """The failure of a malformed input of a model, which is not retried.

    A problem is ``{"field": path, "problem": text}``. All are in the message, and in the details:
    in those of a rejection as they stand in a ``ReleaseStatus``, else as a list.
    """
    text = "; ".join(f"{problem['field']}: {problem['problem']}" for problem in problems)
    message = f"invalid {model.__name__}: {text}"
    details: object = problems
    if model.failure_type == REJECTED:
        found = [InputProblem.model_validate(problem) for problem in problems]
        details = make_rejection(message, found, _parse_document(data))
    return ApplicationError(message, details, type=model.failure_type, non_retryable=True)


def make_input_failure(model: Any, problem: str) -> ApplicationError:
    """The failure of an input with a problem that is not one of a field."""
    return make_failure(model, [{"field": WHOLE_INPUT, "problem": problem}])


def make_count_failure(text: str, failure_type: str) -> ApplicationError:
    """The failure of a wrong number of inputs."""
    problems = [InputProblem(field=WHOLE_INPUT, problem=text)]
    details = [make_rejection(text, problems)] if failure_type == REJECTED else []
    return ApplicationError(text, *details, type=failure_type, non_retryable=True)


def list_problems(error: ValidationError, data: bytes, model: Any) -> list[dict[str, str]]:
    """List the problems, each with the path of its field in the user's JSON.

    Values are not repeated. At most fifty are listed.
    """
    schema = read_schema(model)
    document = _parse_document(data)
    found = [
        problem
        for problem in error.errors(include_url=False, include_input=False)
        if problem["type"] != "default_factory_not_called"
    ]
    return [_make_problem(problem, document, schema) for problem in found[:_MAX_PROBLEMS]]


def _make_problem(error: ErrorDetails, document: object, schema: InputSchema) -> dict[str, str]:
    """The field of an error and what is wrong with it.

    A check of several fields begins with the name of the one that it is about.
    """
    path = _find_path(error["loc"], document)
    text = describe_error(error, document, schema)
    if error["type"] in _WRONG_TAGS:
        path.append(str(error.get("ctx", {}).get("discriminator")).strip("'"))
    elif error["type"] == "value_error":
        name, _, rest = text.partition(": ")
        if rest and schema.has_place((*error["loc"], *_parse_path(name)), document):
            path.append(name)
            text = rest
    return {"field": ".".join(path) or WHOLE_INPUT, "problem": text}


def _parse_path(path: str) -> list[int | str]:
    return [int(part) if part.isdecimal() else part for part in path.split(".")]


def _parse_document(data: bytes) -> object:
    try:
        document: object = from_json(data)
    except ValueError:
        return None
    return document


def _find_path(location: tuple[int | str, ...], document: object) -> list[str]:
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
        if isinstance(part, str) and (part.startswith("<") or part == KEY_OF_MAPPING):
            continue  # one of our tags, since no key has a "<"; or pydantic's word for a key
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
    return path
