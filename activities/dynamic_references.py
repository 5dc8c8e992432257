"""Dynamic references in environment values: ``{{resolve:ssm:/path}}`` stands for a secret that is fetched where it is written.

The syntax is CloudFormation's. A reference may stand anywhere in a value, several in one:

    {{resolve:ssm:/path}}                                        a parameter, its latest version
    {{resolve:ssm:/path:3}}                                      version 3 of it
    {{resolve:ssm-secure:/path}}                                 the same: an encrypted parameter is decrypted either way
    {{resolve:secretsmanager:name}}                              a whole secret (its SecretString)
    {{resolve:secretsmanager:name:SecretString:key}}             one member of a secret that is a JSON object
    {{resolve:secretsmanager:name:SecretString:key:AWSPREVIOUS}} of the version of that stage; or ``…:key::version-id``

A secret may be named by its ARN. What is fetched never leaves the activity, and no failure here repeats a value.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, cast

from activities.errors import AwsError, Fault, classify_error
from activities.operation import Aws


@dataclass(frozen=True)
class ParameterReference:
    """A parameter of Systems Manager: ``name`` as GetParameters takes it, with ``:version`` where one was asked for."""

    name: str


@dataclass(frozen=True)
class SecretReference:
    """A secret of Secrets Manager, or one key of it; empty means the whole of it, and the current version."""

    secret_id: str
    key: str = ""
    version_stage: str = ""
    version_id: str = ""


Reference = ParameterReference | SecretReference

_BEGINNING: Final = "{{resolve:"
_REFERENCE: Final = re.compile(r"\{\{resolve:([^{}]*)\}\}")
_PARAMETER: Final = re.compile(
    r"ssm(?:-secure)?:((?:arn:[^:]+:ssm:[^:]*:[^:]*:parameter)?[\w./-]+(?::[1-9]\d*)?)", re.ASCII
)
_SECRET: Final = re.compile(
    r"secretsmanager:(?P<secret_id>arn:[^:]+:secretsmanager:[^:]+:\d{12}:secret:[^:]+|[\w/+=.@-]+)"
    r"(?::(?:SecretString)?(?::(?P<key>[^:]*)(?::(?P<version_stage>[^:]*)(?::(?P<version_id>[^:]*))?)?)?)?",
    re.ASCII,
)


def parse_references(value: str) -> list[Reference]:
    """Every reference in a value, in order. Raises ``ValueError``, without the value, where one is malformed."""
    found = [_parsed(match[1]) for match in _REFERENCE.finditer(value)]
    if value.count(_BEGINNING) != len(found):
        raise ValueError("a dynamic reference is not closed, or another stands within it")
    return found


def _parsed(text: str) -> Reference:
    if match := _PARAMETER.fullmatch(text):
        return ParameterReference(match[1])
    if match := _SECRET.fullmatch(text):
        secret = SecretReference(**{name: given or "" for name, given in match.groupdict().items()})
        if secret.version_stage and secret.version_id:
            raise ValueError(
                "a dynamic reference names a version stage and a version id, and only one of them can be followed"
            )
        return secret
    raise ValueError(
        "a dynamic reference is not {{resolve:ssm:…}}, {{resolve:ssm-secure:…}} or {{resolve:secretsmanager:…}}"
    )


async def resolve_references(aws: Aws, values: Mapping[str, str]) -> dict[str, str]:
    """The same variables with every reference replaced by what it stands for; each parameter and secret is fetched once.

    Raises AwsError ``InvalidReference`` (Invalid), naming the variable, where a reference is malformed or points to nothing;
    what AWS itself refuses (access, a disabled key) passes through.
    """
    wanted: dict[Reference, str] = {}
    for variable, value in values.items():
        try:
            for reference in parse_references(value):
                wanted.setdefault(reference, variable)
        except ValueError as malformed:
            raise _refused(variable, str(malformed)) from None
    known = await _parameters(
        aws,
        {wish.name: variable for wish, variable in wanted.items() if isinstance(wish, ParameterReference)},
    )
    known |= await _secrets(
        aws, {wish: variable for wish, variable in wanted.items() if isinstance(wish, SecretReference)}
    )
    return {
        variable: _REFERENCE.sub(lambda match: known[_parsed(match[1])], value)
        for variable, value in values.items()
    }


async def _parameters(aws: Aws, wanted: Mapping[str, str]) -> dict[Reference, str]:
    """The parameters of these names, ten a call; each name comes with the variable that asks for it."""
    found: dict[Reference, str] = {}
    names = list(wanted)
    for start in range(0, len(names), _AT_ONCE):
        answer = await aws.call(
            "ssm",
            "get_parameters",
            {"Names": names[start : start + _AT_ONCE], "WithDecryption": True},
        )
        for parameter in answer.get("Parameters", ()):
            for name in (parameter["Name"], parameter.get("ARN", "")):
                found[ParameterReference(f"{name}{parameter.get('Selector') or ''}")] = parameter["Value"]
    for name, variable in wanted.items():
        if ParameterReference(name) not in found:
            raise _refused(
                variable, "it refers to an SSM parameter, or a version of one, that does not exist"
            )
    return found


async def _secrets(aws: Aws, wanted: Mapping[SecretReference, str]) -> dict[Reference, str]:
    """These secrets, each fetched once however many of its keys are asked for."""
    found: dict[Reference, str] = {}
    texts: dict[SecretReference, str] = {}
    for wish, variable in wanted.items():
        whole = replace(wish, key="")
        if whole not in texts:
            texts[whole] = await _secret(aws, whole, variable)
        found[wish] = _member(texts[whole], wish.key, variable) if wish.key else texts[whole]
    return found


async def _secret(aws: Aws, secret: SecretReference, variable: str) -> str:
    stage = {"VersionStage": secret.version_stage} if secret.version_stage else {}
    version = {"VersionId": secret.version_id} if secret.version_id else {}
    try:
        answer = await aws.call(
            "secretsmanager", "get_secret_value", {"SecretId": secret.secret_id, **stage, **version}
        )
    except AwsError as error:
        if classify_error(error) is Fault.NOT_FOUND:
            raise _refused(
                variable, "it refers to a secret, or a version of one, that does not exist"
            ) from None
        raise
    if "SecretString" not in answer:
        raise _refused(variable, "it refers to a secret that is not text")
    return str(answer["SecretString"])


def _member(text: str, key: str, variable: str) -> str:
    """One member of a secret that is a JSON object; what is not text there is spelt as JSON."""
    try:
        members: Any = json.loads(text)
    except ValueError:
        members = None
    if not isinstance(members, dict) or key not in members:
        raise _refused(variable, "it refers to a key that the secret does not have")
    value = cast("dict[str, Any]", members)[key]
    return value if isinstance(value, str) else json.dumps(value)


def _refused(variable: str, why: str) -> AwsError:
    return AwsError("resolve", "InvalidReference", f"environment variable {variable}: {why}")


_AT_ONCE: Final = 10
