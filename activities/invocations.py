"""Invocations: running a function, which no one can take back."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from activities.errors import Fault
from activities.operation import ONCE, OperationGroup, is_retry, operation
from activities.readback import permanent_error
from activities.shapes import Blob, NamespacedFunctionName, Qualifier, Request, Response

MAX_PAYLOAD_BYTES: Final = 1_048_576
"""Bytes of a function's answer that are kept: base64 makes 1.4 MB of them, and Temporal refuses 2 MB."""

_MAX_LOG_BYTES: Final = 4_096


class InvokeRequest(Request):
    """What may be asked of :meth:`Invocations.invoke` (``InvocationRequest`` of AWS's model).

    ``Payload`` is JSON, as bytes, base64 on the wire; 6 MB at most, or 1 MB for an Event, by AWS; about 1.4 MB by Temporal.
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
    tenant_id: (
        Annotated[str, Field(min_length=1, max_length=256, pattern=r"^[a-zA-Z0-9._:/=+@ -]+$")]
        | None
    ) = None


class InvokeAsyncRequest(Request):
    """What may be asked of :meth:`Invocations.invoke_async`. ``InvokeArgs`` is JSON, as bytes, base64 on the wire; 256 kB at most."""

    function_name: NamespacedFunctionName
    invoke_args: Blob = Field(repr=False)


class InvocationResponse(Response):
    """How an invocation went. A function that failed is an answer, not a failure: ``function_error`` says so.

    ``status_code`` is 200, 202 for an Event, 204 for a DryRun. ``payload`` is the function's answer, or its error as JSON, cut to 1 MiB
    where ``payload_truncated`` says so. ``log_result`` is the end of the log as text (AWS sends base64), 4 kB at most.
    """

    status_code: int | None = None
    function_error: str | None = None
    log_result: str | None = None
    payload: Blob | None = Field(default=None, repr=False)
    payload_truncated: bool = False
    executed_version: str | None = None
    durable_execution_arn: str | None = None


class InvokeAsyncResponse(Response):
    """202: the event is queued."""

    status: int | None = None


class Invocations(OperationGroup):
    """What can be done with functions' code: run it. Neither operation is ever sent twice."""

    @operation(ONCE)
    async def invoke(self, request: InvokeRequest) -> InvocationResponse:
        """Run a function and wait for its answer (at most 15 minutes); as an Event, queue it; as a DryRun, only see whether we may.

        Sent once or not at all. Attempted a second time, for whatever reason, it sends nothing and ends ``Unavailable``, not to be
        repeated: the function may have run already. After a lost answer, too, it may or may not have run. Only a function that knows
        its own repetitions, by a key in its payload, can be asked again, and the asker decides that.

        AWS: Invoke.
        """
        self._refuse_again("invoke", request)
        answer = await self.aws.call("lambda", "invoke", request.parameters())
        payload = answer.get("Payload") or b""
        kept = {
            "Payload": payload[:MAX_PAYLOAD_BYTES],
            "PayloadTruncated": len(payload) > MAX_PAYLOAD_BYTES,
            "LogResult": _text(answer.get("LogResult")),
        }
        return InvocationResponse.model_validate(answer | kept)

    @operation(ONCE)
    async def invoke_async(self, request: InvokeAsyncRequest) -> InvokeAsyncResponse:
        """Queue an event for a function, in the way that AWS has deprecated: ``invoke`` with InvocationType Event is its successor.

        Sent once or not at all, as ``invoke``. AWS: InvokeAsync.
        """
        self._refuse_again("invoke_async", request)
        return InvokeAsyncResponse.model_validate(
            await self.aws.call("lambda", "invoke_async", request.parameters())
        )

    @staticmethod
    def _refuse_again(name: str, request: InvokeRequest | InvokeAsyncRequest) -> None:
        if is_retry():
            raise permanent_error(
                Fault.UNAVAILABLE,
                name,
                f"{request.function_name} may have run already, and was not invoked again",
            )


def _text(log: Any) -> str | None:
    if not log:
        return None
    try:
        return base64.b64decode(log, validate=True)[-_MAX_LOG_BYTES:].decode(errors="replace")
    except (binascii.Error, ValueError):
        return None
