"""Invocations: running a function, which cannot be undone."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from activities.errors import Fault
from activities.operation import ONCE, OperationGroup, is_retry, operation
from activities.readback import permanent_error
from activities.shapes import (
    Blob,
    NamespacedFunctionName,
    Qualifier,
    Request,
    Response,
    TenantId,
)

MAX_PAYLOAD_BYTES: Final = 1_048_576
"""Bytes of a function's response that are kept.

Base64 makes 1.4 MB of them. Temporal refuses results above 2 MB
(https://docs.temporal.io/troubleshooting/blob-size-limit-error).
"""

_MAX_LOG_BYTES: Final = 4_096


class InvokeRequest(Request):
    """The request of :meth:`Invocations.invoke` (AWS's ``InvocationRequest``).

    ``Payload`` is JSON, as bytes, base64 on the wire. AWS allows 6 MB, or 1 MB for an Event;
    Temporal about 1.4 MB.
    """

    function_name: NamespacedFunctionName
    invocation_type: Literal["Event", "RequestResponse", "DryRun"] | None = None
    log_type: Literal["None", "Tail"] | None = None
    client_context: str | None = Field(default=None, repr=False)
    durable_execution_name: (
        Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[a-zA-Z0-9_-]+$")] | None
    ) = None
    payload: Blob | None = Field(default=None, repr=False)
    qualifier: Qualifier | None = None
    tenant_id: TenantId | None = None


class InvokeAsyncRequest(Request):
    """The request of :meth:`Invocations.invoke_async`.

    ``InvokeArgs`` is JSON, as bytes, base64 on the wire; 256 kB at most.
    """

    function_name: NamespacedFunctionName
    invoke_args: Blob = Field(repr=False)


class InvocationResponse(Response):
    """The result of an invocation; ``function_error`` is set if the function failed.

    A function's failure is a response, not a failure of the operation. ``status_code`` is 200, 202
    for an Event, 204 for a DryRun. ``payload`` is the function's response, or its error as JSON;
    ``payload_truncated`` is true where it was cut to 1 MiB. ``log_result`` is the end of the log as
    text (AWS sends base64), 4 kB at most.
    """

    status_code: int | None = None
    function_error: str | None = None
    log_result: str | None = None
    payload: Blob | None = Field(default=None, repr=False)
    payload_truncated: bool = False
    executed_version: str | None = None
    durable_execution_arn: str | None = None


class InvokeAsyncResponse(Response):
    """``status`` is 202: the event is queued."""

    status: int | None = None


class Invocations(OperationGroup):
    """Operations that run a function. Neither is ever sent twice."""

    @operation(ONCE)
    async def invoke(self, request: InvokeRequest) -> InvocationResponse:
        """Run a function and wait for its response, at most 15 minutes.

        An Event is queued instead; a DryRun only checks the permission.

        Sent once or not at all. A second attempt, for whatever reason, sends nothing and fails
        permanently with ``Unavailable``: the function may have run already. After a lost response,
        too, it may have run or not. Only a function that recognises duplicates, by a key in its
        payload, can be invoked a second time, and the caller decides that.

        AWS: Invoke.
        """
        self._refuse_retry("invoke", request)
        answer = await self.aws.call("lambda", "invoke", request.parameters())
        payload = answer.get("Payload") or b""
        kept = {
            "Payload": payload[:MAX_PAYLOAD_BYTES],
            "PayloadTruncated": len(payload) > MAX_PAYLOAD_BYTES,
            "LogResult": _decode_log(answer.get("LogResult")),
        }
        return InvocationResponse.model_validate(answer | kept)

    @operation(ONCE)
    async def invoke_async(self, request: InvokeAsyncRequest) -> InvokeAsyncResponse:
        """Queue an event for a function. Sent once or not at all, as ``invoke``.

        AWS has deprecated it in favour of ``invoke`` with InvocationType Event. AWS: InvokeAsync.
        """
        self._refuse_retry("invoke_async", request)
        return InvokeAsyncResponse.model_validate(
            await self.aws.call("lambda", "invoke_async", request.parameters())
        )

    @staticmethod
    def _refuse_retry(name: str, request: InvokeRequest | InvokeAsyncRequest) -> None:
        if is_retry():
            raise permanent_error(
                Fault.UNAVAILABLE,
                name,
                f"{request.function_name} may have run already, and was not invoked again",
            )


def _decode_log(log: Any) -> str | None:
    if not log:
        return None
    try:
        return base64.b64decode(log, validate=True)[-_MAX_LOG_BYTES:].decode(errors="replace")
    except (binascii.Error, ValueError):
        return None
