"""The tables of codes: complete, and without contradiction."""

from __future__ import annotations

import re

import botocore.exceptions
import botocore.session
import pytest

from activities.error_codes import CODE_TABLES, PASSING_CODES
from activities.errors import AwsError, Fault, classify_error

OPERATIONS = [
    "AddPermission",
    "CreateAlias",
    "CreateEventSourceMapping",
    "CreateFunction",
    "DeleteAlias",
    "DeleteEventSourceMapping",
    "DeleteFunction",
    "DeleteFunctionConcurrency",
    "GetAccountSettings",
    "GetAlias",
    "GetEventSourceMapping",
    "GetFunction",
    "GetFunctionConfiguration",
    "GetPolicy",
    "Invoke",
    "InvokeAsync",
    "ListAliases",
    "ListEventSourceMappings",
    "ListFunctions",
    "ListTags",
    "ListVersionsByFunction",
    "PublishVersion",
    "PutFunctionConcurrency",
    "RemovePermission",
    "TagResource",
    "UntagResource",
    "UpdateAlias",
    "UpdateEventSourceMapping",
    "UpdateFunctionCode",
    "UpdateFunctionConfiguration",
    "PutProvisionedConcurrencyConfig",
    "GetProvisionedConcurrencyConfig",
    "DeleteProvisionedConcurrencyConfig",
]


OTHERS = {
    "cloudwatch": ["DescribeAlarms", "GetMetricData"],
    "ssm": ["GetParameters", "GetParameter"],
    "ecr": ["BatchGetImage"],
    "secretsmanager": ["GetSecretValue"],
}


def documented() -> list[str]:
    session = botocore.session.get_session()
    codes = set()
    for service, operations in {"lambda": OPERATIONS, **OTHERS}.items():
        model = session.get_service_model(service)
        for operation in operations:
            shapes = model.operation_model(operation).error_shapes
            codes |= {shape.metadata.get("error", {}).get("code", shape.name) for shape in shapes}
    return sorted(codes)


def test_operations_under_test_are_thirty_three() -> None:
    assert len(OPERATIONS) == 33


@pytest.mark.parametrize("code", documented())
def test_code_that_botocore_documents_is_known(code: str) -> None:
    assert classify_error(AwsError("update_alias", code, "no reason")) is not Fault.UNKNOWN


@pytest.mark.parametrize(
    "code",
    [
        "ValidationException",
        "AccessDeniedException",
        "RequestEntityTooLargeException",
        "UnrecognizedClientException",
        "InvalidSignatureException",
        "ExpiredTokenException",
        "ThrottlingException",
        "IncompleteSignatureException",
        "MissingAuthenticationTokenException",
        "RequestExpired",
        "InternalFailure",
        "ServiceUnavailable",
        "SignatureDoesNotMatch",
        "RequestTimeTooSkewed",
        "ExpiredToken",
        "TokenRefreshRequired",
        "InvalidToken",
        "InvalidAccessKeyId",
        "AuthFailure",
    ],
)
def test_code_that_aws_does_not_document_is_known(code: str) -> None:
    assert classify_error(AwsError("update_alias", code, "no reason")) is not Fault.UNKNOWN


@pytest.mark.parametrize(
    "code",
    [
        "ReadTimeoutError",
        "ConnectTimeoutError",
        "EndpointConnectionError",
        "ConnectionClosedError",
        "IncompleteReadError",
        "ResponseStreamingError",
        "ProxyConnectionError",
        "SSLError",
        "HTTPClientError",
        "ParamValidationError",
        "NoCredentialsError",
        "PartialCredentialsError",
        "TokenRetrievalError",
        "CredentialRetrievalError",
        "UnauthorizedSSOTokenError",
        "SSOTokenLoadError",
        "InvalidConfigError",
        "ProfileNotFound",
    ],
)
def test_failure_of_botocores_own_is_known(code: str) -> None:
    assert hasattr(botocore.exceptions, code)
    assert classify_error(AwsError("update_alias", code, "no reason")) is not Fault.UNKNOWN


@pytest.mark.parametrize(
    "code",
    [
        name
        for name, kind in vars(botocore.exceptions).items()
        if isinstance(kind, type)
        and issubclass(kind, botocore.exceptions.BotoCoreError)
        and re.search("Credential|Token|SSO|Login|Metadata|Prox|SSL|Profile|ConfigNotFound", name)
    ],
)
def test_credentials_and_proxies_of_botocores_pass(code: str) -> None:
    assert classify_error(AwsError("update_alias", code, "")) in {Fault.DENIED, Fault.UNAVAILABLE}


def test_code_that_passes_is_in_the_tables() -> None:
    codes = {code for table in CODE_TABLES for codes in table.values() for code in codes.split()}
    assert codes >= PASSING_CODES


def test_code_stands_under_one_fault() -> None:
    codes = [code for table in CODE_TABLES for codes in table.values() for code in codes.split()]
    assert len(codes) == len(set(codes))
