"""Advice for the reader of a history: what to do next, by the cause of an error.

One sentence, with a command where there is one. An error without advice here has that of its fault
(:class:`~activities.errors.Fault`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

_RENEW_CREDENTIALS: Final = (
    "Renew the worker's credentials (aws sts get-caller-identity shows what it has)."
)
_SIGN_IN: Final = "Sign in again on the worker's machine: aws sso login, or aws login."
_CORRECT_KEY: Final = (
    "Check the worker's AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY: AWS does not know the key, or"
    " the secret is not the key's."
)
_SET_CLOCK: Final = "Set this machine's clock: chronyc makestep, or timedatectl set-ntp true."
_GIVE_CREDENTIALS: Final = (
    "Give the worker credentials: AWS_PROFILE, AWS_ACCESS_KEY_ID, or a role for its machine."
)
_GIVE_ROLE_BACK: Final = (
    "Check where the worker gets its credentials from: the instance's or task's role, or"
    " credential_process in its AWS profile."
)
_CHECK_PROFILE: Final = "Check the worker's AWS_PROFILE and its file ~/.aws/config."
_LOG_IN_AT_PROXY: Final = (
    "The proxy asks for credentials: set HTTPS_PROXY=http://user:password@host:port for the worker."
)
_OPEN_PROXY: Final = (
    "A proxy or a firewall answered instead of AWS: let the worker reach AWS's endpoints, or name"
    " them in NO_PROXY."
)
_CHECK_PROXY: Final = "Check that the proxy in the worker's HTTPS_PROXY runs and may be reached."
_TRUST_CERTIFICATE: Final = (
    "Check the TLS between the worker and AWS: a proxy that breaks it needs its certificate in"
    " AWS_CA_BUNDLE."
)
_CHECK_PACKAGE: Final = "Check the bucket, the key and the object version: aws s3api head-object."
_ALLOW_PACKAGE: Final = (
    "Allow the worker's role s3:GetObject and s3:GetObjectVersion on the package, and kms:Decrypt"
    " on the bucket's key."
)
_ALLOW_KEY: Final = (
    "Allow the function's role and the worker's role kms:Decrypt on the KMS key: aws kms"
    " get-key-policy shows who may."
)
_ENABLE_KEY: Final = "Enable the KMS key again: aws kms enable-key, or aws kms cancel-key-deletion."
_FIND_KEY: Final = "Check the ARN and the region of the KMS key: aws kms describe-key."
_DELETE_VERSIONS: Final = (
    "The account's code storage is full: delete old versions (aws lambda delete-function"
    " --qualifier), or request a higher quota from AWS."
)
_SHRINK_PACKAGE: Final = (
    "Make the package smaller: 50 MB in a request, 250 MB unzipped with its layers; or ship it from"
    " S3 or as an image."
)
_FREE_CONCURRENCY: Final = (
    "AWS keeps 100 of the account's concurrency unreserved: ask for less, or lower another"
    " function's (aws lambda get-account-settings)."
)
_ALLOW_LAMBDA: Final = "Let lambda.amazonaws.com assume the function's role in its trust policy."
_ALLOW_LAYER: Final = (
    "Choose a layer version that exists, and that the worker's role may read"
    " (lambda:GetLayerVersion)."
)
_CHOOSE_RUNTIME: Final = (
    "Release code and configuration.Runtime together, with a runtime that AWS still supports."
)
_ALLOW_IMAGE: Final = (
    "Allow lambda.amazonaws.com ecr:BatchGetImage and ecr:GetDownloadUrlForLayer in the"
    " repository's policy."
)
_CHECK_IMAGE: Final = "Check the repository and the tag or digest: aws ecr describe-images."
_ENABLE_REGION: Final = "Enable the region for the account, or correct the worker's AWS_REGION."
_SETTLE_ACCOUNT: Final = "AWS has closed or restricted the account: see its billing and support."
_REMOVE_STATEMENTS: Final = (
    "The function's policy is full (20 KB): remove statements that nobody needs: aws lambda"
    " get-policy, remove-permission."
)
_WIDEN_SUBNET: Final = (
    "The function's subnets are out of addresses: add a subnet to its VpcConfig or free addresses."
)
_FREE_INTERFACES: Final = (
    "The VPC's quota of network interfaces is used up: remove unused ones or request more."
)
_REQUEST_QUOTA: Final = "Request a higher quota from AWS: aws service-quotas list-service-quotas."
_ASK_OPERATOR: Final = (
    "The worker's operator limits it by the setting above: docs/security.md says what that closes."
)
_SIGN_PACKAGE: Final = (
    "Sign the package with a profile that the function's code signing configuration allows."
)

_ADVICE_BY_CODES: Final[Mapping[str, str]] = {
    "ExpiredTokenException ExpiredToken TokenRefreshRequired CredentialsExpired": (
        _RENEW_CREDENTIALS
    ),
    "UnauthorizedSSOTokenError SSOTokenLoadError SSOError TokenRetrievalError NoAuthTokenError"
    " LoginError LoginRefreshRequired LoginTokenLoadError LoginAuthorizationCodeError"
    " UnauthorizedException": _SIGN_IN,
    "InvalidSignatureException SignatureDoesNotMatch UnrecognizedClientException"
    " InvalidClientTokenId InvalidAccessKeyId InvalidToken AuthFailure IncompleteSignature"
    " IncompleteSignatureException": _CORRECT_KEY,
    "RequestTimeTooSkewed RequestExpired": _SET_CLOCK,
    "NoCredentialsError PartialCredentialsError MissingAuthenticationToken"
    " MissingAuthenticationTokenException": _GIVE_CREDENTIALS,
    "CredentialRetrievalError MetadataRetrievalError RefreshWithMFAUnsupportedError"
    " LoginInsufficientPermissions IDPCommunicationError IDPRejectedClaim"
    " InvalidIdentityToken": _GIVE_ROLE_BACK,
    "ConfigNotFound ProfileNotFound InfiniteLoopConfigError UnknownCredentialError"
    " UnknownTokenProviderError": _CHECK_PROFILE,
    "Http407": _LOG_IN_AT_PROXY,
    "Http401 Http403": _OPEN_PROXY,
    "ProxyConnectionError InvalidProxiesConfigError": _CHECK_PROXY,
    "SSLError": _TRUST_CERTIFICATE,
    "NoSuchKey NoSuchBucket NoSuchVersion": _CHECK_PACKAGE,
    "KMSAccessDeniedException DecryptionFailure": _ALLOW_KEY,
    "KMSDisabledException KMSInvalidStateException": _ENABLE_KEY,
    "KMSNotFoundException": _FIND_KEY,
    "CodeStorageExceededException": _DELETE_VERSIONS,
    "RequestEntityTooLargeException RequestTooLargeException": _SHRINK_PACKAGE,
    "RepositoryNotFoundException ImageNotFoundException": _CHECK_IMAGE,
    "RegionDisabledException OptInRequired": _ENABLE_REGION,
    "AccountProblem AllAccessDisabled NotSignedUp SubscriptionRequiredException"
    " PendingVerification": _SETTLE_ACCOUNT,
    "PolicyLengthExceededException": _REMOVE_STATEMENTS,
    "SubnetIPAddressLimitReachedException": _WIDEN_SUBNET,
    "ENILimitReachedException": _FREE_INTERFACES,
    "ServiceQuotaExceededException AliasLimitExceededException"
    " FunctionVersionsPerCapacityProviderLimitExceededException": _REQUEST_QUOTA,
    "OperationNotServed FunctionNotServed ReferenceNotServed": _ASK_OPERATOR,
    "InvalidCodeSignatureException CodeVerificationFailedException"
    " CodeSigningConfigNotFoundException": _SIGN_PACKAGE,
}

_ADVICE_BY_CODE: Final = {
    code: advice for codes, advice in _ADVICE_BY_CODES.items() for code in codes.split()
}

_AMBIGUOUS_CODES: Final = frozenset(
    {
        "InvalidParameterValueException",
        "ValidationException",
        "AccessDeniedException",
        "AccessDenied",
        "UpdateFailed",
        "CreationFailed",
        "DownloadFailed",
        "CannotRestore",
    }
)
"""Codes that AWS, or this program, gives to many causes: the message tells them apart."""

_ADVICE_BY_PHRASE: Final[Mapping[str, str]] = {
    "nosuchkey": _CHECK_PACKAGE,
    "nosuchbucket": _CHECK_PACKAGE,
    "nosuchversion": _CHECK_PACKAGE,
    "s3 error code: accessdenied": _ALLOW_PACKAGE,
    "access has been denied by s3": _ALLOW_PACKAGE,
    "kms:": _ALLOW_KEY,
    "kms key": _ALLOW_KEY,
    "kmsaccessdenied": _ALLOW_KEY,
    "cannot be assumed by lambda": _ALLOW_LAMBDA,
    "unreservedconcurrentexecution": _FREE_CONCURRENCY,
    "unzipped size must be": _SHRINK_PACKAGE,
    "lambda:getlayerversion": _ALLOW_LAYER,
    "layer version": _ALLOW_LAYER,
    "no longer supported": _CHOOSE_RUNTIME,
    "access the ecr image": _ALLOW_IMAGE,
    "source image": _CHECK_IMAGE,
    "not signed": _SIGN_PACKAGE,
}
"""Advice by a phrase of AWS's message, in lower case; the first that it holds counts."""

_DENIED_ACTION: Final = re.compile(r"not authorized to perform:? ([\w-]+:\w+)")

CLOCK_PHRASE: Final = "this machine's clock is"
"""In a message of :mod:`activities.clock_skew`."""


def find_advice(code: str, message: str) -> str | None:
    """Return what to do about an error of this code, with this message; None: not known."""
    if CLOCK_PHRASE in message:
        return _SET_CLOCK
    if code not in _AMBIGUOUS_CODES:
        return _ADVICE_BY_CODE.get(code)
    text = message.lower()
    for phrase, advice in _ADVICE_BY_PHRASE.items():
        if phrase in text:
            return advice
    if denied := _DENIED_ACTION.search(message):
        return f"Allow the worker's role {denied[1]} on it, or mend the policy that denies it."
    return None
