"""Malformed responses, over real HTTP: each is no response. Many were found by fuzzing."""

from __future__ import annotations

from datetime import timedelta

import pytest

from activities.aws import Connection
from activities.errors import find_time_limit
from tests.activities.adapter import refused
from tests.activities.stub import (
    Answer,
    Stub,
)


@pytest.mark.parametrize(
    ("operation", "body", "wrong"),
    [
        ("get_function", b"{}", "Configuration is missing"),
        ("get_function", b'{"Configuration": null}', "Configuration is missing"),
        (
            "get_function",
            b'{"Configuration": {"RevisionId": "r1", "Handler": 7}}',
            "Configuration.Handler is of another type",
        ),
        (
            "get_function",
            b'{"Configuration": {"RevisionId": "r1", "Layers": [null]}}',
            "Configuration.Layers is of another type",
        ),
        (
            "get_function",
            (
                b'{"Configuration": {"RevisionId": "r1", '
                b'"Environment": {"Variables": {"A": {"B": 1}}}}}'
            ),
            "Environment.Variables is of another type",
        ),
        (
            "get_function",
            b'{"Configuration": {"RevisionId": "r1", "Description": "\\ud800"}}',
            "Configuration.Description is of another type",
        ),
        (
            "get_function",
            b'{"Configuration": {"Timeout": 3}}',
            "Configuration.RevisionId is missing",
        ),
        ("get_alias", b'{"FunctionVersion": "1", "RevisionId": ""}', "RevisionId is missing"),
        ("get_alias", b'{"RevisionId": "r1"}', "FunctionVersion is missing"),
        ("list_functions", b"{}", "Functions is missing"),
        (
            "get_alias",
            (
                b'{"FunctionVersion": "1", "RevisionId": "r1", '
                b'"RoutingConfig": {"AdditionalVersionWeights": {"7": NaN}}}'
            ),
            "AdditionalVersionWeights is of another type",
        ),
        (
            "get_alias",
            b'{"FunctionVersion": "1", "RevisionId": "r1", '
            b'"RoutingConfig": {"AdditionalVersionWeights": {"7": 1%s}}}' % (b"0" * 400),
            "not as AWS describes it",
        ),
        (
            "get_event_source_mapping",
            b'{"UUID": "u", "LastModified": 1e30}',
            "not as AWS describes it",
        ),
        ("get_alias", b"", "not JSON"),
    ],
)
async def test_response_that_is_not_as_aws_describes_it_is_none(
    aws: Connection, stub: Stub, operation: str, body: bytes, wrong: str
) -> None:
    stub.meets(Answer(200, body=body))
    parameters = {
        "list_functions": {"MaxItems": 1},
        "get_function": {"FunctionName": "checkout"},
        "get_event_source_mapping": {"UUID": "00000000-0000-0000-0000-000000000001"},
    }
    error = await refused(aws, operation, **parameters.get(operation, {}))
    assert error.code == "ResponseParserError"
    assert wrong in error.message
    assert find_time_limit(error) == timedelta(minutes=5)


async def test_response_without_a_body_is_empty_where_aws_has_none(
    aws: Connection,
) -> None:
    assert (
        await aws.call("lambda", "delete_alias", {"FunctionName": "checkout", "Name": "live"}) == {}
    )
