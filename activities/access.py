"""What a worker does at anybody's request: its operations, functions and references.

Whoever may write to the Temporal namespace may have the worker call AWS, with the worker's role.
These settings of the worker's operator limit that. What they do not allow is refused in the worker,
before anything is sent, as ``Denied``, and the failure names the setting (``docs/security.md``).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, Final

from temporalio import activity

from activities.errors import AwsError, to_activity_failure
from activities.function_scope import FUNCTIONS_SETTING, FunctionScope
from activities.operation import AwsWithDownloads
from activities.reference_scope import (
    ALL_REFERENCES,
    OWN_REFERENCES,
    REFERENCES_SETTING,
    ReferenceScope,
)

OPERATIONS_SETTING: Final = "RELEASES_OPERATIONS"

OPERATION_NOT_SERVED: Final = "OperationNotServed"

_RELEASE: Final = "release"
_ALL: Final = "all"

RELEASE_OPERATIONS: Final = frozenset(
    {
        "compare_latest",
        "create_alias",
        "delete_alias",
        "delete_function_concurrency",
        "delete_provisioned_concurrency_config",
        "describe_alarms",
        "diagnose",
        "find_constraints",
        "find_equal_version",
        "find_triggers",
        "get_account_settings",
        "get_alias",
        "get_caller_identity",
        "get_function",
        "get_metrics",
        "get_provisioned_concurrency_config",
        "invoke",
        "probe_function",
        "publish_version",
        "put_function_concurrency",
        "put_provisioned_concurrency_config",
        "resolve_image",
        "restore_latest",
        "settle_function",
        "settle_provisioned_concurrency",
        "update_alias",
        "update_function_code",
        "update_function_configuration",
        "watch_alarm_data",
        "watch_alarms",
        "watch_metrics",
        "watch_version",
    }
)
"""What workflows of this program call."""

OTHER_OPERATIONS: Final = frozenset(
    {
        "add_permission",
        "create_event_source_mapping",
        "create_function",
        "delete_event_source_mapping",
        "delete_function",
        "get_event_source_mapping",
        "get_function_concurrency",
        "get_function_configuration",
        "get_policy",
        "invoke_async",
        "list_aliases",
        "list_event_source_mappings",
        "list_functions",
        "list_tags",
        "list_versions_by_function",
        "remove_permission",
        "tag_resource",
        "untag_resource",
        "update_event_source_mapping",
    }
)
"""What only callers outside of this program call."""


class AccessSettingError(ValueError):
    """A setting of the operator is malformed; the message names it."""


@dataclass(frozen=True)
class Access:
    """What a worker allows; by default everything.

    ``operations`` are served whoever calls them. Those of a release are also served to
    ``workflows``, the types of workflow that release. None: no limit.
    """

    operations: frozenset[str] | None = None
    functions: FunctionScope | None = None
    references: ReferenceScope = ALL_REFERENCES
    workflows: frozenset[str] = frozenset()

    @classmethod
    def parse(
        cls,
        *,
        operations: str = _RELEASE,
        functions: str | None = None,
        references: str | None = None,
        workflows: frozenset[str] = frozenset(),
    ) -> Access:
        """Parse the settings as an operator writes them; None: the default of a setting.

        Raises :class:`AccessSettingError`, which names the setting.
        """
        try:
            touched = None if functions is None else FunctionScope.parse(functions)
        except ValueError as problem:
            raise AccessSettingError(
                f"{FUNCTIONS_SETTING}: {problem}: give names of functions, without ARN, in which * "
                "stands for any characters, such as checkout-*,payments"
            ) from None
        try:
            scope = OWN_REFERENCES if references is None else ReferenceScope.parse(references)
        except ValueError as problem:
            raise AccessSettingError(
                f"{REFERENCES_SETTING}: {problem}: give names of parameters and secrets, without "
                "ARN, in which * stands for any characters and {function} for the function's name, "
                f"such as {OWN_REFERENCES},/shared/*"
            ) from None
        return cls(_parse_operations(operations), touched, scope, workflows)

    def serves(self, operation: str, *, workflow_type: str | None) -> bool:
        """Whether an operation is served to a workflow of this type; None: to no workflow."""
        return (
            self.operations is None
            or operation in self.operations
            or (operation in RELEASE_OPERATIONS and workflow_type in self.workflows)
        )


class FunctionGuard:
    """The port to AWS of a worker that touches some functions only."""

    def __init__(self, aws: AwsWithDownloads, scope: FunctionScope) -> None:
        """Let through to ``aws`` what is about a function of ``scope``, or not of AWS Lambda."""
        self._aws = aws
        self._scope = scope

    async def call(
        self, service: str, operation: str, parameters: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Send one request, once; see :class:`~activities.operation.Aws`.

        ``FunctionNotServed`` where it is about another function.
        """
        if service == "lambda":
            await self._scope.check(self._aws, operation, parameters)
        return await self._aws.call(service, operation, parameters)

    async def download(self, url: str, *, limit: int) -> bytes:
        """Return the content of a presigned URL, at most ``limit`` bytes."""
        return await self._aws.download(url, limit=limit)


def limit_operation(
    serve: Callable[..., Coroutine[Any, Any, Any]], access: Access
) -> Callable[..., Coroutine[Any, Any, Any]]:
    """Return an activity that fails as ``OperationNotServed`` for callers who are not served.

    Not in the port to AWS: activities share calls there, and one caller's refusal would meet all.
    """
    name = serve.__name__

    async def run(*args: Any) -> Any:
        workflow_type = activity.info().workflow_type if activity.in_activity() else None
        if not access.serves(name, workflow_type=workflow_type):
            problem = f"this worker does not serve it ({OPERATIONS_SETTING}); nothing was sent"
            refusal = AwsError(name, OPERATION_NOT_SERVED, problem)
            raise to_activity_failure(refusal, attempt=1, once=True)
        return await serve(*args)

    # Its annotations tell Temporal what to decode; its definition, in __dict__, is not copied.
    functools.update_wrapper(run, serve, updated=())
    return activity.defn(name=name)(run)


def _parse_operations(text: str) -> frozenset[str] | None:
    names = {each.strip() for each in text.split(",")}
    if unknown := sorted(names - RELEASE_OPERATIONS - OTHER_OPERATIONS - {_RELEASE, _ALL}):
        raise AccessSettingError(
            f"{OPERATIONS_SETTING}: {', '.join(map(repr, unknown))[:200]} is no operation: give "
            "release, all, or names separated by commas, such as release,list_aliases"
        )
    if _ALL in names:
        return None
    return frozenset(names - {_RELEASE}) | (
        RELEASE_OPERATIONS if _RELEASE in names else frozenset[str]()
    )
