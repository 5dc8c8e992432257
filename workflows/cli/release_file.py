"""From flags and files to a request: the same JSON that the workflow takes, judged here by the same converter as there."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, cast

import yaml
from pydantic import TypeAdapter, ValidationError
from temporalio.exceptions import ApplicationError

from activities.functions import ConfigurationChange
from workflows.cli.flags import Flags
from workflows.client.errors import BadRequest
from workflows.client.lookup import target_of
from workflows.domain.target import Target
from workflows.temporal.payloads import StrictPayloadConverter

_Input = TypeVar("_Input")
Document = dict[str, Any]

_TO_COME = "the hash of its content"


def request_document(flags: Flags, target: str | None, *, by: str) -> Document:
    """The release that flags, and the file they name, stand for; unchecked but for what no JSON could express.

    Flags win over the file: the artifact as a whole, everything else member by member. ``by`` is who asks if nobody is named.
    A ``--zip`` is a package that is still to come.
    """
    document = _read(flags.file) if flags.file else {}
    problems: list[str] = []
    document = {**document, **_target(target), **_artifact(flags, problems)}
    configuration = _configuration(flags, _mapping(document, "configuration"), problems)
    merged = {
        "configuration": configuration,
        "concurrency": _over(
            document, "concurrency", reserved=flags.reserved, provisioned=flags.provisioned
        ),
        "hooks": _over(
            document,
            "hooks",
            before_traffic=flags.before_traffic,
            after_traffic=flags.after_traffic,
        ),
        "guards": _over(
            document,
            "guards",
            alarms=flags.alarms or None,
            metrics=_json("--metrics", flags.metrics) if flags.metrics else None,
            after=flags.after,
        ),
        "hotfix": flags.hotfix or None,
        "strategy": _strategy(flags.strategy),
        "reason": flags.reason or None,
        "requested_by": flags.by or document.get("requested_by") or by,
    }
    if problems:
        raise BadRequest(problems)
    return {**document, **{name: value for name, value in merged.items() if value}}


def checked(document: object, model: type[_Input]) -> _Input:
    """A document as ``model``, or ``BadRequest`` with every problem and its path, in the words in which the workflow would say it."""
    converter = StrictPayloadConverter()
    try:
        [value] = converter.from_payloads(converter.to_payloads([document]), [model])
    except ApplicationError as error:
        found = cast("Sequence[Mapping[str, str]]", error.details[0] if error.details else ())
        raise BadRequest([_said(problem) for problem in found] or [error.message]) from None
    return cast("_Input", value)


def _said(problem: Mapping[str, str]) -> str:
    return (
        problem["problem"]
        if problem["field"] == "(input)"
        else f"{problem['field']}: {problem['problem']}"
    )


def _read(file: Path) -> Document:
    """A file, or stdin, as JSON or YAML: JSON is YAML, but for the tabs."""
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
        loaded: object = json.loads(text) if text.lstrip().startswith("{") else yaml.safe_load(text)
    except (OSError, UnicodeDecodeError) as error:
        raise BadRequest([f"{file}: cannot be read: {error}"]) from None
    except json.JSONDecodeError as error:
        raise BadRequest([f"{file}: not JSON: {error}"]) from None
    except yaml.YAMLError as error:
        raise BadRequest([f"{file}: not YAML: {' '.join(str(error).split())}"]) from None
    if not isinstance(loaded, dict):
        raise BadRequest([f"{file}: not a release: it holds no mapping"])
    return cast("Document", loaded)


def _target(text: str | None) -> Document:
    if text is None:
        return {}
    target: Target = target_of(text)
    return {"target": {"function": target.function, "alias": target.alias}}


def _artifact(flags: Flags, problems: list[str]) -> Document:
    given: dict[str, object] = {
        "--s3": flags.s3,
        "--zip": flags.package,
        "--image": flags.image,
        "--version": flags.version,
        "--latest": flags.latest,
    }
    named = [name for name, value in given.items() if value]
    if len(named) > 1:
        problems.append(f"artifact: {' and '.join(named)} are given: one of them is enough")
    if flags.package and not flags.bucket:
        problems.append("--zip: name the --bucket that it is to be uploaded to")
    if flags.bucket and not flags.package:
        problems.append("--bucket: is for --zip only")
    match named[:1]:
        case ["--s3"]:
            return {"artifact": _s3(flags.s3 or "", problems)}
        case ["--zip"]:
            return {"artifact": {"kind": "s3", "bucket": flags.bucket, "key": _TO_COME}}
        case ["--image"]:
            return {"artifact": {"kind": "image", "uri": flags.image}}
        case ["--version"]:
            return {"artifact": {"kind": "version", "version": flags.version}}
        case ["--latest"]:
            return {"artifact": {"kind": "latest"}}
        case _:
            return {}


def _s3(url: str, problems: list[str]) -> Document:
    """A key may hold anything, ? and # too, so this is not parsed as other URLs are."""
    where, _, version = url.partition("?versionId=")
    scheme, _, path = where.partition("://")
    bucket, _, key = path.partition("/")
    if scheme != "s3" or not bucket or not key:
        problems.append("--s3: not of the form s3://bucket/key or s3://bucket/key?versionId=…")
    return {
        "kind": "s3",
        "bucket": bucket,
        "key": key,
        **({"object_version": version} if version else {}),
    }


def _configuration(flags: Flags, given: Document, problems: list[str]) -> Document:
    settings = {
        name: _setting(name, value) for name, value in _pairs("--set", flags.settings, problems)
    }
    variables = dict(_pairs("--env", flags.environment, problems))
    configuration = {**given, **settings}
    if variables:
        environment = _mapping(configuration, "Environment")
        configuration["Environment"] = {
            **environment,
            "Variables": {**_mapping(environment, "Variables"), **variables},
        }
    return configuration


def _pairs(flag: str, given: Sequence[str], problems: list[str]) -> Iterator[tuple[str, str]]:
    for text in given:
        name, equals, value = text.partition("=")
        if name and equals:
            yield name, value
        else:
            problems.append(f"{flag}: {name or 'nothing'} is not of the form NAME=VALUE")


def _setting(name: str, text: str) -> object:
    """What a setting's text means: text where AWS wants text, JSON (512, true, a list) where it wants something else."""
    member = next(
        (member for member in ConfigurationChange.model_fields.values() if member.alias == name),
        None,
    )
    if member is not None:
        with contextlib.suppress(ValidationError):
            return cast(
                "object", TypeAdapter[Any](member.rebuild_annotation()).validate_python(text)
            )
    with contextlib.suppress(ValueError):
        return cast("object", json.loads(text))
    return text


def _strategy(text: str | None) -> object:
    if text is None or not text.lstrip().startswith(("{", "[")):
        return text
    steps = _json("--strategy", text)
    return {"steps": cast("list[object]", steps)} if isinstance(steps, list) else steps


def _json(flag: str, text: str) -> object:
    try:
        return cast("object", json.loads(text))
    except ValueError as error:
        raise BadRequest([f"{flag}: not JSON: {error}"]) from None


def _mapping(document: Mapping[str, Any], name: str) -> Document:
    """A member that should be a mapping, to be added to. What it is instead is for the model to judge, unless something is added."""
    value = document.get(name)
    return dict(cast("Mapping[str, Any]", value)) if isinstance(value, Mapping) else {}


def _over(document: Mapping[str, Any], name: str, **flags: object) -> object:
    given = {flag: value for flag, value in flags.items() if value is not None}
    return {**_mapping(document, name), **given} if given else document.get(name)
