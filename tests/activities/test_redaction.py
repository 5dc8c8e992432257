"""Redaction: an error message never repeats a value that we sent."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Callable
from typing import Final
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from activities.redaction import redact, summarize_validation_report

PLAIN = st.text(
    st.characters(codec="ascii", exclude_categories=["Cc"]), min_size=6, max_size=40
).filter(lambda text: text == text.strip())

PEM: Final = (
    "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEA/+x9c\nab+c/d==\n"
    "-----END RSA PRIVATE KEY-----\n"
)
PASSWORD: Final = "p\"a'ss\\wörd/%41 €😀&<nul>\t0"
SECRETS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=8, max_size=60),
    st.integers(min_value=10**8).map(str),
    st.binary(min_size=12, max_size=90).map(
        lambda key: PEM.replace("MIIEow", base64.encodebytes(key).decode())
    ),
    st.from_regex(r"[a-z]+://[\w]+:[\"'\\/%+&\w]+@[\w./]+", fullmatch=True),
).filter(lambda text: len(" ".join(text.split())) >= 8)
"""From eight characters on, with whitespace folded."""

SPELLINGS: Final[dict[str, Callable[[str], str]]] = {
    "plain": str,
    "json": json.dumps,
    "json-unicode": lambda text: json.dumps(text, ensure_ascii=False),
    "json-slashes": lambda text: json.dumps(text).replace("/", "\\/"),
    "json-upper": lambda text: "".join(f"\\u{ord(each):04X}" for each in text if ord(each) < 65536),
    "json-in-json": lambda text: json.dumps(json.dumps({"a": text})),
    "url": quote,
    "url-safe": lambda text: quote(text, safe=""),
    "form": quote_plus,
    "json-in-url": lambda text: quote_plus(json.dumps([text])),
    "repr": repr,
    "ascii": ascii,
    "bytes": lambda text: repr(text.encode()),
    "html": lambda text: html.escape(text, quote=True),
}


@settings(deadline=None, max_examples=50)  # a busy machine is no failure
@pytest.mark.parametrize("spelling", SPELLINGS)
@given(secret=SECRETS)
@example(secret=PEM)
@example(secret=PASSWORD)
@example(secret="++++++++")
@example(secret="100%41secret")
@example(secret="C:\\new\\table")
def test_secret_is_hidden_in_every_spelling(spelling: str, secret: str) -> None:
    spell = SPELLINGS[spelling]
    if spelling == "json-upper" and any(ord(each) > 65535 for each in secret):
        return
    sent = {"Environment": {"Variables": {"A": secret}}}
    shown = redact(f"refused: {spell(secret)} is too long", sent)
    assert "…" in shown
    assert shown.startswith("refused")
    assert shown.endswith(" is too long")
    # What is left are the quotes, brackets and names around it, and its whitespace.
    left = shown.removeprefix("refused").removeprefix(": ").removesuffix(" is too long")
    around = spell("").replace("…", "")
    assert len(left) <= len(around) + 1 + 12 * (len(secret) - len(secret.strip()))


@settings(deadline=None, max_examples=50)  # a busy machine is no failure
@pytest.mark.parametrize("spelling", ["plain", "json", "json-unicode", "url", "form", "ascii"])
@given(secret=SECRETS, data=st.data())
def test_secret_that_is_cut_off_is_hidden(spelling: str, secret: str, data: st.DataObject) -> None:
    spelled = SPELLINGS[spelling](secret.strip())
    if SPELLINGS[spelling](""):  # the quotes around it
        spelled = spelled[1:-1]
    cut = spelled[: data.draw(st.integers(8, max(8, len(spelled))))]
    sent = {"Environment": {"Variables": {"A": secret}}}
    shown = redact(f"refused: {cut}", sent)
    left = shown.removeprefix("refused: ").removeprefix("…")
    # An escape sequence that was cut itself may be left: \\ud83d\\ude0, %E2%82.
    assert len(left) <= 11, shown
    is_short = len(" ".join(cut.split())) < 8  # redaction folds whitespace
    assert is_short or "…" in shown or cut.startswith(("\\", "%")), shown


@pytest.mark.parametrize("spelled", ["48213377", '"48213377"', "4.8213377e7"])
def test_number_of_a_json_secret_is_hidden(spelled: str) -> None:
    sent = {"Environment": {"Variables": {"A": f'{{"pin": {spelled}, "on": true}}'}}}
    number = spelled.strip('"')
    assert redact(f"Could not parse {number}.", sent) == "Could not parse …."


def test_text_of_json_in_json_is_hidden() -> None:
    secret = json.dumps({"inner": json.dumps({"token": 'hunter2-"what"'}), "inner2": 7})
    sent = {"Environment": {"Variables": {"A": secret}}}
    assert redact('no: hunter2-"what"', sent) == "no: …"


def test_client_context_is_hidden_as_aws_decodes_it() -> None:
    context = base64.b64encode(b'{"custom": {"token": "hunter2-what"}}').decode()
    assert redact("no: hunter2-what", {"ClientContext": context}) == "no: …"


def test_line_of_a_key_is_hidden_where_its_head_is_cut_off() -> None:
    sent = {"Environment": {"Variables": {"A": PEM}}}
    assert redact("no: …KCAQEA MIIEowIBAAKCAQEA/+x9c", sent) == "no: …KCAQEA …"


def test_arn_that_begins_like_a_value_stays() -> None:
    sent = {"Environment": {"Variables": {"A": "arn:aws:sqs:us-east-1:123456789012:orders"}}}
    message = "arn:aws:iam::123456789012:role/reader may not"
    assert redact(message, sent) == message


@pytest.mark.parametrize("operation", ["create_function", "update_function_configuration"])
def test_configuration_that_aws_repeats_is_dropped_from_its_first_brace(operation: str) -> None:
    measured = json.dumps({"KEY": PEM, "PASSWORD": PASSWORD})
    message = f"the environment variables exceeded the 4KB limit. String measured: {measured}"
    shown = redact(message, {}, operation=operation)
    assert shown == "the environment variables exceeded the 4KB limit. String measured: …"


def test_brace_of_another_operation_stays() -> None:
    assert redact("a pattern {1,64} failed", {}, operation="invoke") == "a pattern {1,64} failed"


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
