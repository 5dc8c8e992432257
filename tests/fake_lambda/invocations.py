"""Invocations: what functions answer, in handlers that a test gives them."""

from __future__ import annotations

import json

from tests.fake_lambda.account import Account, Answer, Parameters, operation
from tests.fake_lambda.refusals import Refusal, conflict

_DEFAULT_RESULT = b'{"ok": true}'


@operation("lambda")
def invoke(account: Account, parameters: Parameters) -> Answer:
    """Call the function's handler; without one, every function answers that it is well.

    What a handler raises is a FunctionError. Bytes are the payload as they are, all else as JSON.
    """
    function, qualifier = account.find(parameters)
    version = account.configuration(function, qualifier)
    if version["State"] == "Pending":
        raise conflict(
            "The operation cannot be performed at this time. "
            "The function is currently in the following state: Pending"
        )
    if function.reserved == 0:
        raise Refusal("TooManyRequestsException", "Rate Exceeded.")
    payload = parameters.get("Payload") or b"null"
    account.invocations.append(payload)
    if parameters.get("InvocationType") == "Event":
        return {"StatusCode": 202, "Payload": b""}
    answer: Answer = {"StatusCode": 200, "ExecutedVersion": version["Version"]}
    handler = account.handlers.get(function.name)
    if handler is None:
        return answer | {"Payload": _DEFAULT_RESULT}
    try:
        result = handler(json.loads(payload))
    except Exception as error:  # noqa: BLE001 - whatever a handler raises is a FunctionError
        result = {"errorMessage": str(error), "errorType": type(error).__name__}
        answer["FunctionError"] = "Unhandled"
    answer["Payload"] = result if isinstance(result, bytes) else json.dumps(result).encode()
    return answer


@operation("lambda")
def invoke_async(account: Account, parameters: Parameters) -> Answer:
    account.find(parameters)
    account.invocations.append(parameters["InvokeArgs"])
    return {"Status": 202}
