"""Advice: by the cause of an error, one sentence, and of this cause alone."""

from __future__ import annotations

import pytest

from activities.advice import _ADVICE_BY_CODE, _ADVICE_BY_PHRASE, _AMBIGUOUS_CODES
from activities.error_codes import CODE_TABLES
from activities.errors import AwsError, Fault, classify_error, to_activity_failure

KNOWN = {code for table in CODE_TABLES for codes in table.values() for code in codes.split()}


def advise(code: str, message: str = "no reason", operation: str = "update_function_code") -> str:
    """The last sentence of a failure, as it stands in a history."""
    error = AwsError(operation, code, message)
    text = to_activity_failure(error, attempt=1, once=False).message
    return text.removeprefix(f"{error}. ")


@pytest.mark.parametrize(
    ("code", "message", "expected"),
    [
        ("ExpiredTokenException", "", "Renew the worker's credentials"),
        ("TokenRefreshRequired", "", "Renew the worker's credentials"),
        ("UnauthorizedSSOTokenError", "", "aws sso login"),
        ("NoCredentialsError", "", "AWS_ACCESS_KEY_ID"),
        ("CredentialRetrievalError", "", "credential_process"),
        ("ProfileNotFound", "", "AWS_PROFILE"),
        ("Http407", "", "HTTPS_PROXY"),
        ("Http403", "", "NO_PROXY"),
        ("SSLError", "", "AWS_CA_BUNDLE"),
        ("RequestTimeTooSkewed", "", "chronyc"),
        ("InvalidSignatureException", "does not match", "AWS_SECRET_ACCESS_KEY"),
        ("InvalidSignatureException", "…: this machine's clock is 9 minutes behind", "chronyc"),
        ("KMSAccessDeniedException", "", "kms:Decrypt"),
        ("KMSDisabledException", "", "aws kms enable-key"),
        ("CannotRestore", "AWS cannot decrypt it: KMSAccessDenied", "kms:Decrypt"),
        (
            "AccessDeniedException",
            "User: arn:aws:iam::1:user/ci is not authorized to perform: kms:Decrypt on resource: k",
            "kms:Decrypt",
        ),
        (
            "AccessDeniedException",
            "User: u is not authorized to perform: lambda:UpdateAlias on resource: a because no …",
            "Allow the worker's role lambda:UpdateAlias",
        ),
        ("AccessDeniedException", "", "Check the worker's credentials"),
        (
            "InvalidParameterValueException",
            "Error occurred while GetObject. S3 Error Code: NoSuchKey. S3 Error Message: …",
            "Check the bucket, the key and the object version",
        ),
        (
            "InvalidParameterValueException",
            "Your access has been denied by S3. S3 Error Code: AccessDenied.",
            "s3:GetObject",
        ),
        (
            "InvalidParameterValueException",
            "… decreases account's UnreservedConcurrentExecution below its minimum value of [100].",
            "AWS keeps 100",
        ),
        (
            "InvalidParameterValueException",
            "The role defined for the function cannot be assumed by Lambda.",
            "lambda.amazonaws.com",
        ),
        (
            "InvalidParameterValueException",
            "The runtime parameter of python3.7 is no longer supported for updating functions.",
            "configuration.Runtime",
        ),
        ("InvalidParameterValueException", "Unzipped size must be smaller than 1", "50 MB"),
        ("InvalidParameterValueException", "MemorySize: too large", "Correct the request"),
        ("NoSuchVersion", "", "aws s3api head-object"),
        ("CodeStorageExceededException", "", "delete old versions"),
        ("SubnetIPAddressLimitReachedException", "", "add a subnet"),
        ("Strange", "", "activities/error_codes.py"),
    ],
)
def test_advice_is_by_the_cause(code: str, message: str, expected: str) -> None:
    assert expected in advise(code, message)


@pytest.mark.parametrize("code", sorted(KNOWN))
def test_old_versions_are_deleted_for_storage_alone(code: str) -> None:
    is_about_storage = code == "CodeStorageExceededException"
    assert ("delete old versions" in advise(code).lower()) is is_about_storage


@pytest.mark.parametrize("fault", Fault)
def test_advice_of_a_fault_deletes_no_versions(fault: Fault) -> None:
    assert "versions" not in fault.advice


@pytest.mark.parametrize("advice", sorted({*_ADVICE_BY_CODE.values(), *_ADVICE_BY_PHRASE.values()}))
def test_advice_is_one_sentence(advice: str) -> None:
    assert advice.endswith(".")
    assert ". " not in advice
    assert len(advice) < 200


def test_advice_is_for_codes_that_are_known() -> None:
    assert {*_ADVICE_BY_CODE} <= KNOWN
    assert {*_ADVICE_BY_CODE}.isdisjoint(_AMBIGUOUS_CODES)
    assert _AMBIGUOUS_CODES <= KNOWN


@pytest.mark.parametrize("code", sorted(_AMBIGUOUS_CODES))
def test_ambiguous_code_without_a_phrase_has_its_faults_advice(code: str) -> None:
    assert advise(code) == classify_error(AwsError("update_function_code", code, "")).advice
