"""Redaction: an error message never repeats a value that we sent."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from activities.redaction import redact, summarize_validation_report

PLAIN = st.text(
    st.characters(codec="ascii", exclude_categories=["Cc"]), min_size=6, max_size=40
).filter(lambda text: text == text.strip())


@settings(deadline=None)  # a busy machine is no failure
@given(value=PLAIN, before=st.text(max_size=20), after=st.text(max_size=20))
def test_environment_values_are_redacted(value: str, before: str, after: str) -> None:
    sent = {"FunctionName": "f", "Environment": {"Variables": {"A": value}}}
    assert value not in redact(f"{before}{value}{after}", sent).replace("…", "")


@pytest.mark.parametrize(
    "sent",
    [
        {"Environment": {"Variables": {"A": "tops3cret"}}},
        {"Payload": b"tops3cret"},
        {"InvokeArgs": b"tops3cret"},
        {"Code": {"ZipFile": b"tops3cret"}},
        {"ZipFile": b"tops3cret"},
        {"ClientContext": "tops3cret"},
    ],
)
def test_sensitive_members_are_redacted(sent: dict[str, object]) -> None:
    assert redact("could not read tops3cret there", sent) == "could not read … there"


def test_other_text_stays() -> None:
    assert (
        redact("Function not found: checkout", {"FunctionName": "checkout"})
        == "Function not found: checkout"
    )


def test_short_value_is_redacted_only_where_it_stands_alone() -> None:
    sent = {"Environment": {"Variables": {"MODE": "in"}}}
    assert (
        redact("An update is in progress, says in-house 'in'", sent)
        == "An update is … progress, says …-house '…'"
    )


def test_longer_of_two_values_is_redacted_whole() -> None:
    sent = {"Environment": {"Variables": {"A": "secret", "B": "secret-two"}}}
    assert redact("it was secret-two", sent) == "it was …"


def test_quoted_value_is_redacted_in_any_quoting() -> None:
    constraint = "at 'environment.variables' failed to satisfy constraint"
    message = f"1 validation error detected: Value '{{A=it''s; B=x}}' {constraint}"
    assert redact(message, {}) == f"1 validation error detected: Value {constraint}"


def test_address_loses_its_query() -> None:
    url = "https://bucket.s3.amazonaws.com/code.zip"
    query = "X-Amz-Signature=abc&X-Amz-Security-Token=def"
    message = f'Could not connect to "{url}?{query}": broken'
    assert (
        redact(message, {})
        == 'Could not connect to "https://bucket.s3.amazonaws.com/code.zip": broken'
    )


def test_refused_signature_is_reported_without_its_request() -> None:
    message = (
        "The request signature we calculated does not match the signature you provided. "
        "Check your key.\n\n"
        "The Canonical String for this request should have been\n"
        "'POST\n/x\n\nx-amz-security-token:FwoGZXIv"
    )
    assert redact(message, {}) == "The request signature we calculated does not match"


def test_message_is_one_line() -> None:
    assert redact("one\n  two\tthree", {}) == "one two three"


@pytest.mark.parametrize(
    ("report", "names"),
    [
        (
            'Missing required parameter in input: "FunctionName"',
            "Missing required parameter FunctionName",
        ),
        ('Missing required parameter in Code: "ZipFile"', "Missing required parameter ZipFile"),
        (
            'Unknown parameter in input: "Pass", must be one of: FunctionName, Role',
            "Unknown parameter Pass",
        ),
        (
            (
                "Invalid type for parameter Environment.Variables.A, value: b'hunter2, type: x', "
                "type: <class 'bytes'>, valid types: <class 'str'>"
            ),
            "Invalid type for parameter Environment.Variables.A",
        ),
        (
            "Invalid length for parameter FunctionName, value: 0, valid min length: 1",
            "Invalid length for parameter FunctionName",
        ),
        (
            "Invalid range for parameter Layers[0].Size, value: -1, valid min value: 0",
            "Invalid range for parameter Layers[0].Size",
        ),
        (
            (
                "Invalid type for parameter A, value: 1, type: x\n"
                "Invalid type for parameter B, value: 2, type: x"
            ),
            "Invalid type for parameter A; Invalid type for parameter B",
        ),
        ("something new from botocore: hunter2", "a parameter is not of the right type"),
    ],
)
def test_botocores_report_keeps_parameters_without_values(report: str, names: str) -> None:
    assert summarize_validation_report(report) == names


@pytest.mark.parametrize(
    "sent",
    [
        {"InvokeArgs": b'{"token": "hunter2-what-was-sent"}'},
        {"Payload": b'[{"a": [{"b": "hunter2-what-was-sent"}]}, 7, null]'},
        {"Environment": {"Variables": {"API": ' {"token": "hunter2-what-was-sent"}'}}},
        {
            "Payload": b"[" * 5000 + b'"hunter2-what-was-sent"',
            "ClientContext": "hunter2-what-was-sent",
        },
    ],
)
def test_part_of_a_json_payload_is_redacted_too(sent: dict[str, object]) -> None:
    assert redact("Could not parse hunter2-what-was-sent.", sent) == "Could not parse …."
