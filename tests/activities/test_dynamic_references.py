"""Dynamic references: their form, their values, and failures without values."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from activities.aws import Connection
from activities.dynamic_references import (
    ParameterReference,
    Reference,
    SecretReference,
    parse_references,
    resolve_references,
)
from activities.errors import AwsError, Fault, classify_error
from tests.activities.scripted_aws import ScriptedAws
from tests.activities.stub import Stub
from tests.fake_lambda.http import HttpRequest, HttpResponse

ARN = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-Ab1Cd2"
NAME = st.text("azAZ09_./-", min_size=1, max_size=20)
PLAIN = st.text().filter(lambda text: "{{resolve:" not in text)
REFERENCE = st.one_of(
    st.builds(lambda name: (f"{{{{resolve:ssm:{name}}}}}", ParameterReference(name)), NAME),
    st.builds(
        lambda name, number: (
            f"{{{{resolve:ssm:{name}:{number}}}}}",
            ParameterReference(f"{name}:{number}"),
        ),
        NAME,
        st.integers(1, 10**6),
    ),
    st.builds(lambda name: (f"{{{{resolve:secretsmanager:{name}}}}}", SecretReference(name)), NAME),
    st.builds(
        lambda name, key, stage: (
            f"{{{{resolve:secretsmanager:{name}:SecretString:{key}:{stage}}}}}",
            SecretReference(name, key, stage),
        ),
        NAME,
        NAME,
        NAME,
    ),
)


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("ssm:/path", ParameterReference("/path")),
        ("ssm:/path:3", ParameterReference("/path:3")),
        ("ssm-secure:/path", ParameterReference("/path")),
        ("ssm-secure:/path:12", ParameterReference("/path:12")),
        (
            "ssm:arn:aws:ssm:eu-west-1:123456789012:parameter/path:3",
            ParameterReference("arn:aws:ssm:eu-west-1:123456789012:parameter/path:3"),
        ),
        ("secretsmanager:db", SecretReference("db")),
        ("secretsmanager:db:SecretString", SecretReference("db")),
        ("secretsmanager:db:SecretString:password", SecretReference("db", "password")),
        (
            "secretsmanager:db:SecretString:password:AWSPREVIOUS",
            SecretReference("db", "password", "AWSPREVIOUS"),
        ),
        (
            "secretsmanager:db:SecretString:password::1234",
            SecretReference("db", "password", "", "1234"),
        ),
        ("secretsmanager:db::::", SecretReference("db")),
        (f"secretsmanager:{ARN}", SecretReference(ARN)),
        (f"secretsmanager:{ARN}:SecretString:password", SecretReference(ARN, "password")),
    ],
)
def test_reference_is_read_as_cloudformation_reads_it(text: str, reference: Reference) -> None:
    assert parse_references(f"{{{{resolve:{text}}}}}") == [reference]


@pytest.mark.parametrize(
    "value",
    [
        "{{resolve:ssm:}}",
        "{{resolve:ssm:/path:latest}}",
        "{{resolve:ssm:/path:0}}",
        "{{resolve:ssm:/path",
        "{{resolve:ssm:/path}",
        "{{resolve:ssm:/a}}{{resolve:ssm:/b",
        "{{resolve:ssm:{{resolve:ssm:/a}}}}",
        "{{resolve:s3:bucket}}",
        "{{resolve:}}",
        "{{resolve:secretsmanager:}}",
        "{{resolve:secretsmanager:db:SecretBinary}}",
        "{{resolve:secretsmanager:db:SecretString:key:AWSCURRENT:1234}}",
        "{{resolve:secretsmanager:db:SecretString:key:::}}",
    ],
)
def test_malformed_reference_is_refused_without_its_text(value: str) -> None:
    with pytest.raises(ValueError, match="a dynamic reference") as caught:
        parse_references(value)
    assert "/path" not in str(caught.value)


@settings(deadline=None)  # a busy machine is no failure
@given(st.lists(st.tuples(PLAIN, REFERENCE)), PLAIN)
def test_references_are_found_in_order_wherever_they_stand(
    parts: list[tuple[str, tuple[str, Reference]]], end: str
) -> None:
    value = "".join(before + text for before, (text, _) in parts) + end
    if value.count("{{resolve:") == len(parts):
        assert parse_references(value) == [reference for _, (_, reference) in parts]


@settings(deadline=None)
@given(PLAIN)
async def test_plain_value_stays_and_nothing_is_fetched(value: str) -> None:
    assert await resolve_references(ScriptedAws(), {"A": value}) == {"A": value}


async def test_references_are_replaced_and_the_rest_stays() -> None:
    port = ScriptedAws(
        get_parameters={
            "Parameters": [
                {"Name": "/host", "Value": "db.local"},
                {"Name": "/user", "Value": "{{not:resolved}}"},
            ]
        },
        get_secret_value={"SecretString": '{"password": "hunter2", "port": 5432}'},
    )
    url = "pg://{{resolve:ssm:/user}}:{{resolve:secretsmanager:db:SecretString:password}}@{{resolve:ssm:/host}}:{{resolve:secretsmanager:db:SecretString:port}}/"
    assert await resolve_references(port, {"URL": url, "PLAIN": "{{x}}"}) == {
        "URL": "pg://{{not:resolved}}:hunter2@db.local:5432/",
        "PLAIN": "{{x}}",
    }
    assert port.times("get_secret_value") == 1


async def test_versions_of_one_parameter_are_distinguished() -> None:
    found = [{"Name": "/a", "Value": "old", "Selector": ":3"}, {"Name": "/a", "Value": "new"}]
    port = ScriptedAws(get_parameters={"Parameters": found})
    assert await resolve_references(
        port, {"A": "{{resolve:ssm:/a:3}} {{resolve:ssm-secure:/a}}"}
    ) == {"A": "old new"}
    assert port.last("get_parameters") == {"Names": ["/a:3", "/a"], "WithDecryption": True}


async def test_parameters_are_fetched_ten_at_a_time() -> None:
    port = ScriptedAws(
        get_parameters={
            "Parameters": [{"Name": f"/{number}", "Value": str(number)} for number in range(25)]
        }
    )
    await resolve_references(
        port, {f"V{number}": f"{{{{resolve:ssm:/{number}}}}}" for number in range(25)}
    )
    assert [len(parameters["Names"]) for _, parameters in port.requests] == [10, 10, 5]


async def test_shared_parameter_may_be_named_by_its_arn() -> None:
    arn = "arn:aws:ssm:eu-west-1:123456789012:parameter/a"
    port = ScriptedAws(get_parameters={"Parameters": [{"Name": "/a", "ARN": arn, "Value": "x"}]})
    assert await resolve_references(port, {"A": f"{{{{resolve:ssm:{arn}}}}}"}) == {"A": "x"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("db", {"SecretId": "db"}),
        ("db:SecretString:k:AWSPREVIOUS", {"SecretId": "db", "VersionStage": "AWSPREVIOUS"}),
        ("db:SecretString:k::1234", {"SecretId": "db", "VersionId": "1234"}),
    ],
)
async def test_secret_is_fetched_in_the_requested_version(
    text: str, expected: dict[str, str]
) -> None:
    port = ScriptedAws(get_secret_value={"SecretString": '{"k": "v"}'})
    await resolve_references(port, {"A": f"{{{{resolve:secretsmanager:{text}}}}}"})
    assert port.last("get_secret_value") == expected


NO_PARAMETER: dict[str, Any] = {
    "get_parameters": {"Parameters": [], "InvalidParameters": ["/hunter2"]}
}


@pytest.mark.parametrize(
    ("value", "answers"),
    [
        ("{{resolve:ssm:/hunter2}}", NO_PARAMETER),
        (
            "{{resolve:ssm:/hunter2:9}}",
            {"get_parameters": {"Parameters": [{"Name": "/hunter2", "Value": "x"}]}},
        ),
        (
            "{{resolve:secretsmanager:hunter2}}",
            {"get_secret_value": AwsError("get_secret_value", "ResourceNotFoundException", "none")},
        ),
        ("{{resolve:secretsmanager:hunter2}}", {"get_secret_value": {"SecretBinary": b"hunter2"}}),
        (
            "{{resolve:secretsmanager:db:SecretString:hunter2}}",
            {"get_secret_value": {"SecretString": '{"other": "hunter2"}'}},
        ),
        (
            "{{resolve:secretsmanager:db:SecretString:hunter2}}",
            {"get_secret_value": {"SecretString": "hunter2"}},
        ),
        ("{{resolve:hunter2", {}),
        ("hunter2 {{resolve:x:hunter2}}", {}),
    ],
)
async def test_unknown_reference_is_invalid_naming_the_variable_alone(
    value: str, answers: dict[str, Any]
) -> None:
    with pytest.raises(AwsError, match="environment variable DB_PASSWORD") as caught:
        await resolve_references(ScriptedAws(**answers), {"FINE": "x", "DB_PASSWORD": value})
    assert (caught.value.code, classify_error(caught.value)) == ("InvalidReference", Fault.INVALID)
    assert "environment variable DB_PASSWORD" in str(caught.value)
    assert "hunter2" not in str(caught.value)


async def test_refusal_of_aws_passes_through() -> None:
    port = ScriptedAws(
        get_parameters=AwsError(
            "get_parameters", "AccessDeniedException", "not authorized to perform ssm:GetParameters"
        )
    )
    with pytest.raises(AwsError, match="not authorized") as caught:
        await resolve_references(port, {"A": "{{resolve:ssm:/a}}"})
    assert classify_error(caught.value) is Fault.DENIED


async def test_references_are_resolved_over_http(aws: Connection, stub: Stub) -> None:
    async def services(request: HttpRequest) -> HttpResponse:
        return HttpResponse(200, ANSWERS[request.operation])

    stub.handler = services
    values = {"A": "{{resolve:ssm:/a:2}}", "B": "{{resolve:secretsmanager:b:SecretString:k}}"}
    assert await resolve_references(aws, values) == {"A": "x", "B": "y"}


ANSWERS = {
    "GetParameters": b'{"Parameters": [{"Name": "/a", "Selector": ":2", "Value": "x"}]}',
    "GetSecretValue": b'{"SecretString": "{\\"k\\": \\"y\\"}"}',
}
