"""Builds a request from flags and a file: the same JSON that the workflow takes.

It is validated here by the same converter as in the workflow.
"""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar, cast

import yaml
from pydantic import TypeAdapter, ValidationError
from temporalio.exceptions import ApplicationError

from activities.configuration import ConfigurationChange
from workflows.cli.field_names import FieldNames
from workflows.cli.flags import Flags
from workflows.client.errors import BadRequest
from workflows.client.lookup import parse_target
from workflows.domain.rejection import read_problems
from workflows.temporal.payloads import StrictPayloadConverter

_Input = TypeVar("_Input")
Document = dict[str, Any]

_KEY_PLACEHOLDER: Final = "the hash of its content"
"""The key of a ``--zip`` until its content is hashed."""


def build_document(flags: Flags, target: str | None, *, by: str) -> Document:
    """Build the input of a release from flags and the file they name.

    It is not validated yet. Flags win over the file: the artifact as a whole, everything else
    member by member. ``by`` is the requester if neither names one. Raises ``BadRequest`` for flags
    that no JSON can express.
    """
    document = _read_file(flags.file) if flags.file else {}
    problems: list[str] = []
    document = {**document, **_build_target(target), **_build_artifact(flags, problems)}
    if details := {
        name: value
        for name, value in (
            ("architecture", flags.architecture),
            ("kms_key", flags.kms_key),
            ("storage_mode", flags.storage_mode),
            ("revision", flags.revision),
        )
        if value
    }:
        document["artifact"] = {**_get_mapping(document, "artifact"), **details}
    configuration = _build_configuration(flags, _get_mapping(document, "configuration"), problems)
    members = {
        "configuration": configuration,
        "concurrency": _merge_member(
            document, "concurrency", reserved=flags.reserved, provisioned=flags.provisioned
        ),
        "hooks": _merge_member(
            document,
            "hooks",
            before_traffic=flags.before_traffic,
            after_traffic=flags.after_traffic,
        ),
        "guards": _merge_member(
            document,
            "guards",
            alarms=flags.alarms or None,
            metrics=_parse_json("--metrics", flags.metrics) if flags.metrics else None,
            after=flags.after,
        ),
        "hotfix": flags.hotfix or None,
        "again": flags.again or None,
        "include_latest": flags.include_latest or None,
        "even_if_inactive": flags.even_if_inactive or None,
        "strategy": _parse_strategy(flags.strategy),
        "reason": flags.reason or None,
        "requested_by": flags.by or document.get("requested_by") or by,
    }
    if problems:
        raise BadRequest(problems)
    return {**document, **{name: value for name, value in members.items() if value}}


def parse_input(
    document: object, model: type[_Input], *, names: FieldNames | None = None
) -> _Input:
    """Parse a document as ``model``, as the workflow would.

    Raises ``BadRequest`` with every problem and the name of its field, in the workflow's words.
    """
    names = names or FieldNames({})
    converter = StrictPayloadConverter()
    try:
        [value] = converter.from_payloads(converter.to_payloads([document]), [model])
    except ApplicationError as error:
        found = read_problems(error.details)
        raise BadRequest(
            [names.describe(problem) for problem in found] or [error.message]
        ) from None
    return cast("_Input", value)


def _read_file(file: Path) -> Document:
    """Read a file, or stdin, as JSON or YAML."""
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
        # YAML includes JSON, except that it allows no tabs for indentation.
        loaded: object = json.loads(text) if text.lstrip().startswith("{") else yaml.safe_load(text)
    except OSError as error:
        raise BadRequest([f"{file}: cannot be read: {error.strerror}"]) from None
    except UnicodeDecodeError as error:
        raise BadRequest([f"{file}: not text in UTF-8: {error.reason}"]) from None
    except json.JSONDecodeError as error:
        raise BadRequest([f"{file}: not JSON: {error}"]) from None
    except yaml.YAMLError as error:
        raise BadRequest([f"{file}: not YAML: {' '.join(str(error).split())}"]) from None
    if not isinstance(loaded, dict):
        raise BadRequest([f"{file}: not a release: it holds no mapping"])
    return cast("Document", loaded)


def _build_target(text: str | None) -> Document:
    if text is None:
        return {}
    target = parse_target(text)
    return {"target": {"function": target.function, "alias": target.alias}}


def _build_artifact(flags: Flags, problems: list[str]) -> Document:
    values: dict[str, object] = {
        "--s3": flags.s3,
        "--zip": flags.package,
        "--image": flags.image,
        "--version": flags.version,
        "--latest": flags.latest,
    }
    given = [name for name, value in values.items() if value]
    if len(given) > 1:
        problems.append(f"artifact: {' and '.join(given)} are given: one of them is enough")
    if flags.package and not flags.bucket:
        problems.append("--zip: name the --bucket that it is to be uploaded to")
    if flags.bucket and not flags.package:
        problems.append("--bucket: is for --zip only")
    match given[:1]:
        case ["--s3"]:
            return {"artifact": _parse_s3_url(flags.s3 or "", problems)}
        case ["--zip"]:
            return {"artifact": {"kind": "s3", "bucket": flags.bucket, "key": _KEY_PLACEHOLDER}}
        case ["--image"]:
            return {"artifact": {"kind": "image", "uri": flags.image}}
        case ["--version"]:
            return {"artifact": {"kind": "version", "version": flags.version}}
        case ["--latest"]:
            return {"artifact": {"kind": "latest"}}
        case _:
            return {}


def _parse_s3_url(url: str, problems: list[str]) -> Document:
    # Not urllib: a key may hold any character, ? and # included.
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


def _build_configuration(flags: Flags, base: Document, problems: list[str]) -> Document:
    settings = {
        name: _parse_setting(name, value)
        for name, value in _split_pairs("--set", flags.settings, problems)
    }
    variables = dict(_split_pairs("--env", flags.environment, problems))
    configuration = {**base, **settings}
    if variables:
        environment = _get_mapping(configuration, "Environment")
        configuration["Environment"] = {
            **environment,
            "Variables": {**_get_mapping(environment, "Variables"), **variables},
        }
    return configuration


def _split_pairs(flag: str, texts: Sequence[str], problems: list[str]) -> Iterator[tuple[str, str]]:
    for text in texts:
        name, equals, value = text.partition("=")
        if name and equals:
            yield name, value
        else:
            problems.append(f"{flag}: {name or 'nothing'} is not of the form NAME=VALUE")


def _parse_setting(name: str, text: str) -> object:
    """Parse a setting: text where AWS takes text, else JSON (512, true, a list)."""
    member = next(
        (member for member in ConfigurationChange.model_fields.values() if member.alias == name),
        None,
    )
    if member is not None:
        adapter = TypeAdapter[Any](member.rebuild_annotation())
        with contextlib.suppress(ValidationError):
            return cast("object", adapter.validate_python(text))
    with contextlib.suppress(ValueError):
        return cast("object", json.loads(text))
    return text


def _parse_strategy(text: str | None) -> object:
    if text is None or not text.lstrip().startswith(("{", "[")):
        return text
    steps = _parse_json("--strategy", text)
    return {"steps": cast("list[object]", steps)} if isinstance(steps, list) else steps


def _parse_json(flag: str, text: str) -> object:
    try:
        return cast("object", json.loads(text))
    except ValueError as error:
        raise BadRequest([f"{flag}: not JSON: {error}"]) from None


def _get_mapping(document: Mapping[str, Any], name: str) -> Document:
    """A copy of a member that is a mapping; empty where it is anything else.

    A member of another type is left to the model to report, unless flags replace it.
    """
    value = document.get(name)
    return dict(cast("Mapping[str, Any]", value)) if isinstance(value, Mapping) else {}


def _merge_member(document: Mapping[str, Any], name: str, **flags: object) -> object:
    given = {flag: value for flag, value in flags.items() if value is not None}
    return {**_get_mapping(document, name), **given} if given else document.get(name)
