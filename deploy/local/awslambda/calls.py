"""What a request asks of Lambda: the operation, the function it names in whatever form, and what came along."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from deploy.local.awslambda import upstream
from deploy.local.awslambda.refusals import RefusalError, invalid, malformed, not_found

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


def _pattern(path: str) -> re.Pattern[str]:
    named = path.replace("{function}", "(?P<function>[^/]+)").replace(
        "{member}", "(?P<member>[^/]+)"
    )
    return re.compile(r"/\d{4}-\d\d-\d\d" + named.replace("{member:rest}", "(?P<member>.+)") + "/?")


_COMPILED: Final = tuple((method, _pattern(path), operation) for method, path, operation in _ROUTES)

_REFERENCE: Final = re.compile(
    r"(?:arn:aws[a-zA-Z-]*:lambda:)?(?:(?P<region>[a-z]{2}(?:-[a-z]+)+-\d):)?(?:(?P<account>\d{12}):)?(?:function:)?"
    r"(?P<name>[a-zA-Z0-9-_]+)(?::(?P<qualifier>\$LATEST|[a-zA-Z0-9-_]+))?"
)
_NAME_LIMIT: Final = 64
_REFERENCE_CONSTRAINT: Final = (
    "Member must satisfy regular expression pattern: (arn:(aws[a-zA-Z-]*)?:lambda:)?([a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\\d{1}:)?"
    "(\\d{12}:)?(function:)?([a-zA-Z0-9-_]+)(:(\\$LATEST|[a-zA-Z0-9-_]+))?"
)


@dataclass(frozen=True)
class Call:
    """One request, understood."""

    operation: str
    """AWS's name of it, ``UpdateAlias``."""
    function: str
    """The bare name of the function in the path, whatever form it was given in; empty where the path names none."""
    qualifier: str | None
    """Version or alias, from the function's name or from ``?Qualifier=``."""
    member: str
    """What else the path names: an alias, a statement, a mapping's UUID, a resource's ARN."""
    headers: Mapping[str, str]
    query: Mapping[str, list[str]]
    body: bytes

    def asked(self, name: str) -> str | None:
        """A parameter of the query string."""
        values = self.query.get(name) or [""]
        return values[0] or None

    def document(self) -> dict[str, Any]:
        """The body as JSON."""
        if not self.body:
            return {}
        try:
            document = json.loads(self.body)
        except ValueError:
            raise RefusalError(
                "SerializationException", "The request body is no JSON.", 400
            ) from None
        return document if isinstance(document, dict) else {}


def understand(
    method: str, path: str, headers: Mapping[str, str], body: bytes, query: Mapping[str, list[str]]
) -> Call | None:
    """The call a request makes; None for the operations that are left to ministack.

    Paths are matched whole: a function may be called ``provisioned-concurrency``.
    """
    for expected, pattern, operation in _COMPILED:
        if expected == method and (found := pattern.fullmatch(path)):
            named = found.groupdict()
            asked = (query.get("Qualifier") or [""])[0] or None
            name, qualifier = parse(named["function"]) if named.get("function") else ("", None)
            if qualifier and asked and qualifier != asked:
                raise invalid(
                    "The derived qualifier from the function name does not match the specified qualifier."
                )
            return Call(
                operation, name, qualifier or asked, named.get("member") or "", headers, query, body
            )
    return None


def parse(reference: str) -> tuple[str, str | None]:
    """The bare name and the qualifier in a name, a partial ARN or an ARN; refused when it is somewhere else."""
    found = _REFERENCE.fullmatch(reference)
    if found is None:
        raise malformed("functionName", reference, _REFERENCE_CONSTRAINT)
    here = upstream.region()
    if (region := found["region"]) and region != here:
        raise not_found(f"Functions from '{region}' are not reachable in this region ('{here}')")
    if (account := found["account"]) and account != upstream.account():
        raise RefusalError(
            "AccessDeniedException",
            f"Not authorized to access function {reference} of another account",
            403,
        )
    if len(found["name"]) > _NAME_LIMIT:
        raise malformed(
            "functionName",
            found["name"],
            f"Member must have length less than or equal to {_NAME_LIMIT}",
        )
    return found["name"], found["qualifier"]
