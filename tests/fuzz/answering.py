"""Good HTTP responses to every request of an operation, with secrets in them."""

from __future__ import annotations

import base64
import datetime as dt
import json
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StructureShape

from tests.activities.model import SERVICE, pascal, response_shape, sample
from tests.fake_lambda.http import HttpRequest, HttpResponse
from tests.fuzz.everything import draw_settled

KEPT = "hunter3-what-aws-knows"
"""The secret in AWS's responses.

In environment values and in the signature of a package's URL.
"""

_VALUES = {
    "Variables": {"TOKEN": KEPT},
    "SecretString": json.dumps({"password": KEPT, "user": 7}),
    "AWSResponse": None,
}


def answer_request(request: HttpRequest, url: str) -> HttpResponse:  # noqa: PLR0911 - one a kind of request
    """AWS's response to this request, with every member set.

    ``url`` is the server's own.
    """
    target = request.headers.get("x-amz-target", "")
    match target.rpartition(".")[2] or request.operation:
        case "DescribeAlarms":
            names = json.loads(request.body)["AlarmNames"]
            return _json(
                {
                    "MetricAlarms": [
                        {
                            "AlarmName": name,
                            "StateValue": "ALARM",
                            "StateReason": "Threshold crossed",
                        }
                        for name in names
                    ]
                }
            )
        case "GetMetricData":
            parameters = json.loads(request.body)
            times = [parameters["StartTime"], parameters["StartTime"] + 60]
            return _json(
                {
                    "MetricDataResults": [
                        {
                            "Id": query["Id"],
                            "Label": "x",
                            "Timestamps": times,
                            "Values": [7.0, 0.5],
                            "StatusCode": "Complete",
                        }
                        for query in parameters["MetricDataQueries"]
                        if query.get("ReturnData", True)
                    ]
                }
            )
        case "GetParameters":
            names = json.loads(request.body)["Names"]
            return _json(
                {
                    "Parameters": [
                        {"Name": name, "Value": KEPT, "ARN": f"arn:{name}", "Version": 1}
                        for name in names
                    ]
                }
            )
        case "GetSecretValue":
            return _json({"ARN": "arn:s", "Name": "s", "SecretString": _VALUES["SecretString"]})
        case operation if request.path.startswith("/code/"):
            return HttpResponse(200, b"package")
        case operation if request.method == "HEAD":
            return HttpResponse(
                200,
                b"",
                {"x-amz-checksum-sha256": base64.b64encode(b"0" * 32).decode(), "ETag": '"e"'},
            )
        case operation:
            return _lambda(operation, url)


def _lambda(operation: str, url: str) -> HttpResponse:
    shape = response_shape(operation)
    status: int = SERVICE.operation_model(pascal(operation)).http.get("responseCode", 200)
    if shape is None:
        return HttpResponse(status)
    answer = draw_settled(sample(shape))
    _plant_secrets(answer, url)
    headers, body = {}, {}
    payload = shape.serialization.get("payload")
    for name, member in shape.members.items():
        match member.serialization.get("location"):
            case "header":
                headers[member.serialization.get("name", name)] = str(answer.get(name))
            case "statusCode":
                continue
            case _ if name in answer:
                body[member.serialization.get("name", name)] = _encode(answer[name], member)
            case _:
                continue
    if payload:
        return HttpResponse(200, b'{"accept": true}', headers)
    return HttpResponse(status, json.dumps(body).encode(), headers)


def _plant_secrets(answer: Any, url: str) -> None:
    """Put secrets where AWS has them, and end pagination after the first page."""
    match answer:
        case dict():
            for name, value in answer.items():
                if name == "Variables":
                    answer[name] = {"TOKEN": KEPT}
                elif name == "Location":
                    answer[name] = f"{url}/code/checkout/1?X-Amz-Signature={KEPT}"
                elif name in {"Error", "ResolvedS3Object"} and isinstance(value, dict):
                    answer[name] = None
                elif name == "FunctionVersion":
                    answer[name] = "1"
                else:
                    _plant_secrets(value, url)
            for name in [name for name, value in answer.items() if value is None]:
                del answer[name]
        case list():
            for each in answer:
                _plant_secrets(each, url)
        case _:
            return


def _encode(value: Any, shape: Shape) -> Any:
    match shape:
        case StructureShape():
            return {
                shape.members[name].serialization.get("name", name): _encode(
                    inner, shape.members[name]
                )
                for name, inner in value.items()
            }
        case ListShape():
            return [_encode(inner, shape.member) for inner in value]
        case MapShape():
            return {name: _encode(inner, shape.value) for name, inner in value.items()}
        case _ if isinstance(value, bytes):
            return base64.b64encode(value).decode()
        case _ if isinstance(value, dt.datetime):
            return value.timestamp()
        case _:
            return value


def _json(answer: dict[str, Any]) -> HttpResponse:
    return HttpResponse(
        200, json.dumps(answer).encode(), {"Content-Type": "application/x-amz-json-1.1"}
    )
