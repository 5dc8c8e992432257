"""Dynamic references in environment values.

``{{resolve:ssm:/path}}`` stands for a secret, and is resolved where the value is written. The
syntax is CloudFormation's. A value may hold several references, anywhere in it:

    {{resolve:ssm:/path}}                               a parameter, its latest version
    {{resolve:ssm:/path:3}}                             version 3 of it
    {{resolve:ssm-secure:/path}}                        the same; both forms decrypt
    {{resolve:secretsmanager:name}}                     a whole secret (its SecretString)
    {{resolve:secretsmanager:name:SecretString:key}}    one member of a secret that is a JSON object
    {{resolve:secretsmanager:name:SecretString:key:AWSPREVIOUS}}   … of the version of that stage
    {{resolve:secretsmanager:name:SecretString:key::version-id}}   … of that version

A secret may be named by its ARN. Resolved values never leave the activity, and no failure holds
one.
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/dynamic-references.html
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, cast

from activities.errors import AwsError, Fault, classify_error
from activities.operation import Aws
from activities.reference_scope import ALL_REFERENCES, REFERENCES_SETTING, ReferenceScope


@dataclass(frozen=True)
class ParameterReference:
    """A parameter of Systems Manager: its name, with an optional ``:version``."""

    name: str

    @property
    def resource(self) -> str:
        """What it names, by name or ARN."""
        return self.name


@dataclass(frozen=True)
class SecretReference:
    """A secret of Secrets Manager, or one key of it.

    An empty ``key`` means the whole secret; an empty stage and id mean the current version.
    """

    secret_id: str
    key: str = ""
    version_stage: str = ""
    version_id: str = ""

    @property
    def resource(self) -> str:
        """What it names, by name or ARN."""
        return self.secret_id


Reference = ParameterReference | SecretReference

INVALID_REFERENCE: Final = "InvalidReference"

REFERENCE_NOT_SERVED: Final = "ReferenceNotServed"

_OPENING: Final = "{{resolve:"
_REFERENCE: Final = re.compile(r"\{\{resolve:([^{}]*)\}\}")
_PARAMETER: Final = re.compile(
    r"ssm(?:-secure)?:((?:arn:[^:]+:ssm:[^:]*:[^:]*:parameter)?[\w./-]+(?::[1-9]\d*)?)", re.ASCII
)
_SECRET: Final = re.compile(
    r"secretsmanager:(?P<secret_id>arn:[^:]+:secretsmanager:[^:]+:\d{12}:secret:[^:]+|[\w/+=.@-]+)"
    r"(?::(?:SecretString)?"
    r"(?::(?P<key>[^:]*)(?::(?P<version_stage>[^:]*)(?::(?P<version_id>[^:]*))?)?)?)?",
    re.ASCII,
)

_PARAMETERS_PER_CALL: Final = 10
"""AWS's own maximum for GetParameters."""


def parse_references(value: str) -> list[Reference]:
    """Return the references in a value, in order.

    Raises ``ValueError``, without the value, where a reference is malformed.
    """
    parsed = [_parse_reference(match[1]) for match in _REFERENCE.finditer(value)]
    if value.count(_OPENING) != len(parsed):
        raise ValueError("a dynamic reference is not closed, or contains another one")
    return parsed


def _parse_reference(text: str) -> Reference:
    if match := _PARAMETER.fullmatch(text):
        return ParameterReference(match[1])
    if match := _SECRET.fullmatch(text):
        secret = SecretReference(**{name: part or "" for name, part in match.groupdict().items()})
        if secret.version_stage and secret.version_id:
            raise ValueError(
                "a dynamic reference names both a version stage and a version id; only one of them"
                " is allowed"
            )
        return secret
    raise ValueError(
        "a dynamic reference is not {{resolve:ssm:…}}, {{resolve:ssm-secure:…}} or"
        " {{resolve:secretsmanager:…}}"
    )


async def resolve_references(
    aws: Aws,
    variables: Mapping[str, str],
    *,
    function: str = "",
    scope: ReferenceScope = ALL_REFERENCES,
) -> dict[str, str]:
    """Return the variables with every reference replaced by its value.

    Each parameter and each secret is read once. Raises AwsError ``InvalidReference`` (Invalid),
    which names the variable, where a reference is malformed or refers to nothing, and
    ``ReferenceNotServed`` (Denied) for one that is not in the ``scope`` of the function: then
    nothing is read. AWS's own errors (no access, a disabled key) are passed on.
    """
    variable_by_reference = check_references(variables, function=function, scope=scope)
    resolved = await _read_parameters(
        aws,
        {
            reference.name: variable
            for reference, variable in variable_by_reference.items()
            if isinstance(reference, ParameterReference)
        },
    )
    resolved |= await _read_secrets(
        aws,
        {
            reference: variable
            for reference, variable in variable_by_reference.items()
            if isinstance(reference, SecretReference)
        },
    )
    return {
        variable: _REFERENCE.sub(lambda match: resolved[_parse_reference(match[1])], value)
        for variable, value in variables.items()
    }


async def find_unresolvable(
    aws: Aws, variables: Mapping[str, str], *, function: str, scope: ReferenceScope
) -> list[str]:
    """Return a problem for each reference that cannot be resolved, naming the variable.

    Values are read and dropped. AWS's own errors (no access, a disabled key) are raised.
    """
    try:
        variable_by_reference = check_references(variables, function=function, scope=scope)
    except AwsError as error:
        return [error.message]
    parameters, secrets = dict[str, str](), dict[str, dict[SecretReference, str]]()
    for reference, variable in variable_by_reference.items():
        match reference:
            case ParameterReference(name):
                parameters[name] = variable
            case SecretReference(secret_id):
                secrets.setdefault(secret_id, {})[reference] = variable
    reads = [_read_parameters(aws, parameters)]
    reads += [_read_secrets(aws, keys) for keys in secrets.values()]
    problems: list[str] = []
    for result in await asyncio.gather(*reads, return_exceptions=True):
        if isinstance(result, AwsError) and result.code == INVALID_REFERENCE:
            problems.append(result.message)
        elif isinstance(result, BaseException):
            raise result
    return problems


def extract_references(variables: Mapping[str, str]) -> dict[str, str]:
    """Return the references alone of each variable that has some, as they are written."""
    written = {
        variable: "".join(match[0] for match in _REFERENCE.finditer(value))
        for variable, value in variables.items()
    }
    return {variable: text for variable, text in written.items() if text}


def check_references(
    variables: Mapping[str, str], *, function: str, scope: ReferenceScope
) -> dict[Reference, str]:
    """Return the references in the variables, each with a variable that uses it.

    Raises as :func:`resolve_references` does before it reads anything.
    """
    variable_by_reference = _list_references(variables)
    for reference, variable in variable_by_reference.items():
        if not scope.holds(reference.resource, function=function):
            raise AwsError(
                "resolve",
                REFERENCE_NOT_SERVED,
                f"environment variable {variable}: it refers to what this worker does not resolve "
                f"for this function ({REFERENCES_SETTING}={scope}); nothing was sent",
            )
    return variable_by_reference


def _list_references(variables: Mapping[str, str]) -> dict[Reference, str]:
    variable_by_reference: dict[Reference, str] = {}
    for variable, value in variables.items():
        try:
            for reference in parse_references(value):
                variable_by_reference.setdefault(reference, variable)
        except ValueError as malformed:
            raise _invalid_reference_error(variable, str(malformed)) from None
    return variable_by_reference


async def _read_parameters(aws: Aws, variable_by_name: Mapping[str, str]) -> dict[Reference, str]:
    """Read the named parameters, ten per call; each with a variable that uses it."""
    values: dict[Reference, str] = {}
    names = list(variable_by_name)
    for start in range(0, len(names), _PARAMETERS_PER_CALL):
        response = await aws.call(
            "ssm",
            "get_parameters",
            {"Names": names[start : start + _PARAMETERS_PER_CALL], "WithDecryption": True},
        )
        for parameter in response.get("Parameters", ()):
            for name in (parameter["Name"], parameter.get("ARN", "")):
                reference = ParameterReference(f"{name}{parameter.get('Selector') or ''}")
                values[reference] = parameter["Value"]
    missing = [
        variable
        for name, variable in variable_by_name.items()
        if ParameterReference(name) not in values
    ]
    if missing:
        raise _invalid_reference_error(
            ", ".join(dict.fromkeys(missing)),
            "it refers to an SSM parameter, or a version of one, that does not exist",
        )
    return values


async def _read_secrets(
    aws: Aws, variable_by_secret: Mapping[SecretReference, str]
) -> dict[Reference, str]:
    """Read the secrets, each once, however many of its keys are referred to."""
    values: dict[Reference, str] = {}
    texts: dict[SecretReference, str] = {}
    for secret, variable in variable_by_secret.items():
        whole = replace(secret, key="")
        if whole not in texts:
            texts[whole] = await _read_secret(aws, whole, variable)
        values[secret] = (
            _select_member(texts[whole], secret.key, variable) if secret.key else texts[whole]
        )
    return values


async def _read_secret(aws: Aws, secret: SecretReference, variable: str) -> str:
    stage = {"VersionStage": secret.version_stage} if secret.version_stage else {}
    version = {"VersionId": secret.version_id} if secret.version_id else {}
    try:
        response = await aws.call(
            "secretsmanager", "get_secret_value", {"SecretId": secret.secret_id, **stage, **version}
        )
    except AwsError as error:
        if classify_error(error) is Fault.NOT_FOUND:
            raise _invalid_reference_error(
                variable, "it refers to a secret, or a version of one, that does not exist"
            ) from None
        raise
    if "SecretString" not in response:
        raise _invalid_reference_error(variable, "it refers to a secret that is not text")
    return str(response["SecretString"])


def _select_member(text: str, key: str, variable: str) -> str:
    """Return one member of a secret that is a JSON object, as text or else as JSON."""
    try:
        members: Any = json.loads(text)
    except ValueError:
        members = None
    if not isinstance(members, dict) or key not in members:
        raise _invalid_reference_error(variable, "it refers to a key that the secret does not have")
    value = cast("dict[str, Any]", members)[key]
    return value if isinstance(value, str) else json.dumps(value)


def _invalid_reference_error(variable: str, problem: str) -> AwsError:
    subject = "variables" if ", " in variable else "variable"
    return AwsError("resolve", INVALID_REFERENCE, f"environment {subject} {variable}: {problem}")
