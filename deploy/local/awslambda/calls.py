"""Parses a request to Lambda: its operation, function name, qualifier and body."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from deploy.local.awslambda import ministack_api
from deploy.local.awslambda.errors import (
    LambdaError,
    invalid_parameter,
    resource_not_found,
    validation_error,
)

_ROUTES: Final = (
    ("POST", "/functions", "CreateFunction"),
    ("GET", "/functions", "ListFunctions"),
    ("GET", "/functions/{function}", "GetFunction"),
    ("DELETE", "/functions/{function}", "DeleteFunction"),
    ("GET", "/functions/{function}/configuration", "GetFunctionConfiguration"),
    ("PUT", "/functions/{function}/configuration", "UpdateFunctionConfiguration"),
    ("PUT", "/functions/{function}/code", "UpdateFunctionCode"),
    ("POST", "/functions/{function}/versions", "PublishVersion"),
    ("GET", "/functions/{function}/versions", "ListVersionsByFunction"),
    ("POST", "/functions/{function}/aliases", "CreateAlias"),
    ("GET", "/functions/{function}/aliases", "ListAliases"),
    ("GET", "/functions/{function}/aliases/{member}", "GetAlias"),
    ("PUT", "/functions/{function}/aliases/{member}", "UpdateAlias"),
    ("DELETE", "/functions/{function}/aliases/{member}", "DeleteAlias"),
    ("POST", "/functions/{function}/invocations", "Invoke"),
    ("POST", "/functions/{function}/invoke-async", "InvokeAsync"),
    ("POST", "/functions/{function}/policy", "AddPermission"),
    ("GET", "/functions/{function}/policy", "GetPolicy"),
    ("DELETE", "/functions/{function}/policy/{member}", "RemovePermission"),
    ("PUT", "/functions/{function}/concurrency", "PutFunctionConcurrency"),
    ("GET", "/functions/{function}/concurrency", "GetFunctionConcurrency"),
    ("DELETE", "/functions/{function}/concurrency", "DeleteFunctionConcurrency"),
    ("PUT", "/functions/{function}/provisioned-concurrency", "PutProvisionedConcurrencyConfig"),
    ("GET", "/functions/{function}/provisioned-concurrency", "GetProvisionedConcurrencyConfig"),
    (
        "DELETE",
        "/functions/{function}/provisioned-concurrency",
        "DeleteProvisionedConcurrencyConfig",
    ),
    ("POST", "/event-source-mappings", "CreateEventSourceMapping"),
    ("GET", "/event-source-mappings", "ListEventSourceMappings"),
    ("GET", "/event-source-mappings/{member}", "GetEventSourceMapping"),
    ("PUT", "/event-source-mappings/{member}", "UpdateEventSourceMapping"),
    ("DELETE", "/event-source-mappings/{member}", "DeleteEventSourceMapping"),
    ("GET", "/tags/{member:rest}", "ListTags"),
    ("POST", "/tags/{member:rest}", "TagResource"),
    ("DELETE", "/tags/{member:rest}", "UntagResource"),
    ("GET", "/account-settings", "GetAccountSettings"),
)


def _compile_pattern(path: str) -> re.Pattern[str]:
    named = path.replace("{function}", "(?P<function>[^/]+)").replace(
        "{member}", "(?P<member>[^/]+)"
    )
    return re.compile(r"/\d{4}-\d\d-\d\d" + named.replace("{member:rest}", "(?P<member>.+)") + "/?")


_COMPILED: Final = tuple(
    (method, _compile_pattern(path), operation) for method, path, operation in _ROUTES
)

_REFERENCE: Final = re.compile(
    r"(?:arn:aws[a-zA-Z-]*:lambda:)?(?:(?P<region>[a-z]{2}(?:-[a-z]+)+-\d):)?"
    r"(?:(?P<account>\d{12}):)?(?:function:)?"
    r"(?P<name>[a-zA-Z0-9-_]+)(?::(?P<qualifier>\$LATEST|[a-zA-Z0-9-_]+))?"
)
_NAME_LIMIT: Final = 64
_REFERENCE_CONSTRAINT: Final = (
    "Member must satisfy regular expression pattern: (arn:(aws[a-zA-Z-]*)?:lambda:)?"
    "([a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\\d{1}:)?"
    "(\\d{12}:)?(function:)?([a-zA-Z0-9-_]+)(:(\\$LATEST|[a-zA-Z0-9-_]+))?"
)


@dataclass(frozen=True)
class Call:
    """One parsed request."""

    operation: str
    """The operation by AWS's name, such as ``UpdateAlias``."""
    function: str
    """The bare name of the function in the path, whatever its form; empty where there is none."""
    qualifier: str | None
    """Version or alias, from the function's name or from ``?Qualifier=``."""
    member: str
    """The path's last name: an alias, a statement, a mapping's UUID or a resource's ARN."""
    headers: Mapping[str, str]
    query: Mapping[str, list[str]]
    body: bytes

    def query_parameter(self, name: str) -> str | None:
        """Return a parameter of the query string; None where it is absent or empty."""
        values = self.query.get(name) or [""]
        return values[0] or None

    def json_body(self) -> dict[str, Any]:
        """Return the body as a JSON object; empty where there is none."""
        if not self.body:
            return {}
        try:
            document = json.loads(self.body)
        except ValueError:
            raise LambdaError(
                "SerializationException", "The request body is no JSON.", 400
            ) from None
        return document if isinstance(document, dict) else {}


def parse_call(
    method: str, path: str, headers: Mapping[str, str], body: bytes, query: Mapping[str, list[str]]
) -> Call | None:
    """Parse a request; None for an operation that is left to ministack.

    Whole paths are matched: a function may be called ``provisioned-concurrency``.
    """
    for expected, pattern, operation in _COMPILED:
        if expected == method and (found := pattern.fullmatch(path)):
            named = found.groupdict()
            given = (query.get("Qualifier") or [""])[0] or None
            name, qualifier = (
                parse_function_name(named["function"]) if named.get("function") else ("", None)
            )
            if qualifier and given and qualifier != given:
                raise invalid_parameter(
                    "The derived qualifier from the function name does not match the specified "
                    "qualifier."
                )
            return Call(
                operation, name, qualifier or given, named.get("member") or "", headers, query, body
            )
    return None


def parse_function_name(reference: str) -> tuple[str, str | None]:
    """Return the bare name and the qualifier in a name, a partial ARN or an ARN.

    Raises :class:`LambdaError` for another account or region, and for a malformed name.
    """
    found = _REFERENCE.fullmatch(reference)
    if found is None:
        raise validation_error("functionName", reference, _REFERENCE_CONSTRAINT)
    here = ministack_api.region()
    if (region := found["region"]) and region != here:
        raise resource_not_found(
            f"Functions from '{region}' are not reachable in this region ('{here}')"
        )
    if (account := found["account"]) and account != ministack_api.account():
        raise LambdaError(
            "AccessDeniedException",
            f"Not authorized to access function {reference} of another account",
            403,
        )
    if len(found["name"]) > _NAME_LIMIT:
        raise validation_error(
            "functionName",
            found["name"],
            f"Member must have length less than or equal to {_NAME_LIMIT}",
        )
    return found["name"], found["qualifier"]
