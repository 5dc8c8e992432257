"""Ways to spoil a response of AWS.

Each makes a bad one from a good one and a random source.
"""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from tests.fake_lambda.http import HttpResponse
from tests.fuzz.documents import list_paths

TYPED = "hunter2-what-was-sent"
"""The secret in requests: a response that repeats it must not be passed on."""

Random = random.Random
Way = Callable[[HttpResponse, Random], HttpResponse]
WAYS: dict[str, Way] = {}

OTHERS: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    1.5,
    10**30,
    "",
    "SomethingNew",
    "x" * 300,
    [],
    [None],
    [[]],
    ["a"],
    {},
    {"a": None},
    {"a": {}},
    [{}],
)


def register(function: Way) -> Way:
    """Register a way to spoil a response."""
    WAYS[function.__name__] = function
    return function


def spoil_members(document: Any, chance: Random, *, times: int = 1) -> Any:
    """A document with members missing, null, of another type, or with an unknown value."""
    document = copy.deepcopy(document)
    for _ in range(times):
        places = [place for place in list_paths(document) if place]
        if not places:
            return chance.choice(OTHERS)
        place = chance.choice(places)
        holder = document
        for step in place[:-1]:
            holder = holder[step]
        match chance.choice(["missing", "null", "type", "type", "unknown", "more"]):
            case "missing":
                del holder[place[-1]]
            case "null":
                holder[place[-1]] = None
            case "unknown" if isinstance(holder[place[-1]], str):
                holder[place[-1]] = "SomethingNew"
            case "more" if isinstance(holder, dict):
                holder["SomethingNew"] = chance.choice(OTHERS)
            case _:
                holder[place[-1]] = chance.choice(OTHERS)
    return document


def _of(answer: HttpResponse) -> Any:
    try:
        return json.loads(answer.body)
    except ValueError:
        return {}


@register
def member(answer: HttpResponse, chance: Random) -> HttpResponse:
    """One member is wrong."""
    return replace(answer, body=json.dumps(spoil_members(_of(answer), chance)).encode())


@register
def members(answer: HttpResponse, chance: Random) -> HttpResponse:
    """Several members are wrong."""
    return replace(
        answer,
        body=json.dumps(spoil_members(_of(answer), chance, times=chance.randint(2, 6))).encode(),
    )


@register
def root(answer: HttpResponse, chance: Random) -> HttpResponse:
    """JSON that is not an object."""
    return replace(answer, body=json.dumps(chance.choice(OTHERS)).encode())


@register
def huge(answer: HttpResponse, chance: Random) -> HttpResponse:
    """Five megabytes: in a known member, in an unknown one, or as a long list."""
    document = _of(answer)
    if not isinstance(document, dict):
        return answer
    names = [name for name, value in document.items() if isinstance(value, str)]
    lists = [name for name, value in document.items() if isinstance(value, list) and value]
    match chance.choice(["known", "unknown", "list", "key"]):
        case "known" if names:
            document[chance.choice(names)] = chance.choice(["x", "é", "\x00"]) * 2_500_000
        case "list" if lists:
            name = chance.choice(lists)
            document[name] *= 5_000_000 // (len(json.dumps(document[name])) + 1)
        case "key":
            document["x" * 5_000_000] = 1
        case _:
            document["SomethingNew"] = "x" * 5_000_000
    return replace(answer, body=json.dumps(document, ensure_ascii=False).encode())


@register
def not_json(answer: HttpResponse, chance: Random) -> HttpResponse:
    """A body that is not JSON: a web page, half a response, or bytes."""
    half = answer.body[: len(answer.body) // 2]
    bodies = [
        b"<html>Welcome to the guest network</html>",
        half,
        b"\xff\xfe\x00",
        b"{'a': 1}",
        b"[1, 2",
        b"NaN",
        b'{"a": NaN}',
        b'{"a": 1e999}',
        b'{"Version": ' + b"9" * 5000 + b"}",
        b'"\\ud800"',
        b'{"RevisionId": "\\ud800"}',
        b"\x00" * 1000,
        answer.body + answer.body,
        b"  ",
    ]
    return replace(answer, body=chance.choice(bodies))


@register
def empty(answer: HttpResponse, chance: Random) -> HttpResponse:
    """An empty body."""
    return replace(answer, body=b"", headers={} if chance.random() < 0.5 else answer.headers)


@register
def nested(answer: HttpResponse, chance: Random) -> HttpResponse:
    """Deep nesting, alone or within a member."""
    depth = chance.choice([100, 990, 5_000, 200_000])
    inner = chance.choice(
        [b"[" * depth + b"]" * depth, b'{"a":' * depth + b"1" + b"}" * depth, b"[" * depth]
    )
    name = chance.choice(
        [*map(str, _of(answer) if isinstance(_of(answer), dict) else ()), "SomethingNew"]
    )
    return replace(
        answer, body=chance.choice([inner, b'{"' + name.encode() + b'": ' + inner + b"}"])
    )


@register
def twice(answer: HttpResponse, chance: Random) -> HttpResponse:
    """A duplicate member."""
    document = _of(answer)
    if not isinstance(document, dict) or not document:
        return replace(answer, body=b'{"a": 1, "a": 2}')
    name = chance.choice([*document])
    again = f"{json.dumps(name)}: {json.dumps(chance.choice(OTHERS))}"
    return replace(answer, body=(json.dumps(document)[:-1] + f", {again}}}").encode())


@register
def status(answer: HttpResponse, chance: Random) -> HttpResponse:
    """The good body with another status."""
    moved = {"Location": "http://127.0.0.1:9/elsewhere"} if chance.random() < 0.3 else {}
    number = chance.choice(
        [
            201,
            202,
            204,
            206,
            299,
            301,
            302,
            304,
            307,
            400,
            403,
            404,
            409,
            412,
            413,
            418,
            429,
            500,
            502,
            503,
            504,
            599,
            700,
            999,
        ]
    )
    return replace(answer, status=number, headers=answer.headers | moved)


_CODES = (
    "ResourceNotFoundException",
    "ResourceConflictException",
    "PreconditionFailedException",
    "ServiceException",
    "TooManyRequestsException",
    "SomethingNewException",
    "InvalidParameterValueException",
    "AccessDeniedException",
    "",
    "x" * 5000,
    "a\x00b",
    "Bug",
    "404",
    "com.amazonaws#ServiceException",
    "ServiceException:http://internal.amazon.com/",
)
_MESSAGES: tuple[Any, ...] = (
    None,
    7,
    [],
    {},
    "",
    "no reason",
    "x" * 5_000_000,
    TYPED,
    f"Value '{TYPED}' at 'environment' failed to satisfy constraint",
    f"it was {TYPED}!",
    (
        "The request signature we calculated does not match the signature you provided. "
        f"{TYPED} x-amz-security-token:{TYPED}"
    ),
    f"https://bucket.s3.amazonaws.com/key?X-Amz-Signature={TYPED}&x=1 is gone",
    f'{{"a": "{TYPED}"}}',
    "\ud800".encode(errors="surrogatepass").decode("latin-1"),
)


@register
def error(answer: HttpResponse, chance: Random) -> HttpResponse:  # noqa: ARG001 - whatever it was
    """An error, in the forms that AWS has for them and in some that it has not."""
    code = chance.choice(_CODES)
    body: Any = {
        chance.choice(["message", "Message", "msg"]): chance.choice(_MESSAGES),
        chance.choice(["__type", "code", "Type", "Code"]): code,
    }
    body |= chance.choice(
        [
            {},
            {"Reason": chance.choice(["CallerRateLimitExceeded", TYPED, 7, None, "x" * 5000])},
            {"Error": [TYPED]},
        ]
    )
    body |= chance.choice(
        [
            {},
            {
                "retryAfterSeconds": chance.choice(
                    ["1", "-1", "1e9", "soon", "99999999999", 3, [1], None, "NaN"]
                )
            },
        ]
    )
    headers = chance.choice([{}, {"x-amzn-ErrorType": code.replace("\x00", "")}])
    headers = headers | chance.choice(
        [
            {},
            {
                "Retry-After": chance.choice(
                    ["-5", "1", "1e400", "Wed, 21 Oct 2026 07:28:00 GMT", "9" * 400]
                )
            },
        ]
    )
    written = chance.choice(
        [
            json.dumps(body).encode(),
            json.dumps([body]).encode(),
            b"",
            b"<Error><Code>SlowDown</Code></Error>",
            TYPED.encode(),
            b"null",
            b"\xff",
        ]
    )
    return HttpResponse(
        chance.choice([400, 400, 403, 404, 409, 412, 429, 500, 503, 511]), written, headers
    )


@register
def headers(answer: HttpResponse, chance: Random) -> HttpResponse:
    """Headers that are missing, too long, wrong, or contradict the body."""
    wrong = chance.choice(
        [
            {},
            {"X-Amz-Executed-Version": "9" * 7000},
            {"X-Amz-Function-Error": "x" * 5000},
            {"X-Amz-Log-Result": "no base64!"},
            {"X-Amz-Log-Result": "/" * 8000},
            {"Content-Type": "text/html; charset=nothing"},
            {"Content-Encoding": "gzip"},
            {"Content-Encoding": "br, nothing"},
            {"x-amzn-RequestId": "y" * 60_000},
            {"x-amzn-ErrorType": "ServiceException"},
            {"Transfer-Encoding": "nothing"},
            {"Date": "never"},
            {"Content-Type": ""},
            {f"X-{number}": "z" * 100 for number in range(2000)},
        ]
    )
    return replace(answer, headers=wrong if chance.random() < 0.5 else answer.headers | wrong)


@register
def wire(answer: HttpResponse, chance: Random) -> HttpResponse:
    """Broken HTTP: cut, of another length, or none at all."""
    good = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
    length = str(len(answer.body)).encode()
    whole = good + b"Content-Length: " + length + b"\r\n\r\n" + answer.body
    return HttpResponse(
        verbatim=chance.choice(
            [
                whole[: len(whole) - len(answer.body) // 2 - 1],
                whole[:30],
                b"",
                b"banana",
                b"HTTP/9.9 200 OK\r\n\r\n",
                b"HTTP/1.1 abc OK\r\n\r\n",
                good + b"Content-Length: -1\r\n\r\n{}",
                good + b"Content-Length: many\r\n\r\n{}",
                good + b"Content-Length: 99999999999999999999\r\n\r\n{}",
                good + b"Content-Length: 1\r\n\r\n" + answer.body,
                good + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n{}",
                good + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n" + answer.body,
                good + b"Transfer-Encoding: chunked\r\n\r\n5\r\n{}",
                b"HTTP/1.1 100 Continue\r\n\r\n" + whole,
                b"HTTP/1.1 200 OK\r\n: none\r\n\r\n",
                good + b"no colon\r\n\r\n{}",
                b"\x16\x03\x01\x02\x00" * 20,
                whole,
            ]
        )
    )
