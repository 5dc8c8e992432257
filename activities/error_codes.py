"""The error codes that this program knows, by the fault that each of them means.

Keys are the values of :class:`~activities.errors.Fault`; codes are separated by white space. Codes
that mean different faults by operation and message are split in :mod:`activities.errors`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

AWS_CODES: Final[Mapping[str, str]] = {
    "Unavailable": """
        ServiceException EC2UnexpectedException SnapStartTimeoutException
        SnapStartRegenerationFailureException EFSMountConnectivityException EFSMountTimeoutException
        S3FilesMountConnectivityException S3FilesMountTimeoutException InternalFailure InternalError
        InternalServerError InternalServiceError InternalServiceFault ServiceUnavailable
        ServiceUnavailableException RequestTimeout RequestTimeoutException ServerException
        UnableToGetUpstreamImageException IDPCommunicationError
    """,
    "Throttled": """
        TooManyRequestsException ThrottlingException Throttling ThrottledException RequestThrottled
        RequestThrottledException RequestLimitExceeded SlowDown EC2ThrottledException
    """,
    "NotReady": """
        ResourceNotReadyException ENINotReadyException SnapStartNotReadyException
        CodeArtifactUserPendingException
    """,
    "Conflict": "ResourceInUseException ResourceConflictException ConcurrentModification",
    "Stale": "PreconditionFailedException",
    "Exists": "DurableExecutionAlreadyStartedException",
    "NotFound": """
        ResourceNotFoundException ResourceNotFound ProvisionedConcurrencyConfigNotFoundException
        CodeSigningConfigNotFoundException NoPublishedVersionException KMSNotFoundException
        ParameterNotFound ParameterVersionNotFound NoSuchBucket NoSuchKey NoSuchVersion
        RepositoryNotFoundException ImageNotFoundException
    """,
    "Invalid": """
        InvalidParameterValueException ValidationException ValidationError
        InvalidRequestContentException InvalidParameterException InvalidRequestException
        InvalidParameterValue InvalidParameterCombination MissingParameter MissingRequiredParameter
        SerializationException MalformedQueryString InvalidAction UnknownOperationException
        InvalidNextToken InvalidKeyId UnsupportedMediaTypeException ModeNotSupportedException
        InvalidRuntimeException InvalidZipFileException InvalidCodeSignatureException
        CodeVerificationFailedException CodeArtifactUserDeletedException
        CodeArtifactUserFailedException InvalidSecurityGroupIDException InvalidSubnetIDException
        KMSDisabledException KMSInvalidStateException EFSIOException EFSMountFailureException
        S3FilesMountFailureException SnapStartException PublicPolicyException
        RecursiveInvocationException
    """,
    "Denied": """
        AccessDeniedException AccessDenied UnauthorizedOperation NotAuthorized OptInRequired
        SubscriptionRequiredException UnrecognizedClientException InvalidClientTokenId
        InvalidSignatureException SignatureDoesNotMatch IncompleteSignature
        IncompleteSignatureException MissingAuthenticationToken MissingAuthenticationTokenException
        ExpiredTokenException ExpiredToken RequestExpired RequestTimeTooSkewed TokenRefreshRequired
        InvalidToken InvalidAccessKeyId AuthFailure AccountProblem AllAccessDisabled
        IDPRejectedClaim InvalidIdentityToken UnauthorizedException ForbiddenException
        RegionDisabledException PendingVerification NotSignedUp
        KMSAccessDeniedException EC2AccessDeniedException DecryptionFailure
        Http401 Http403 Http407
    """,
    "Exhausted": """
        CodeStorageExceededException AliasLimitExceededException PolicyLengthExceededException
        LimitExceededException
        ServiceQuotaExceededException FunctionVersionsPerCapacityProviderLimitExceededException
        ENILimitReachedException SubnetIPAddressLimitReachedException RequestTooLargeException
        RequestEntityTooLargeException SerializedRequestEntityTooLargeException
    """,
}
"""AWS's codes, those that it documents and those that it sends without documenting them."""

BOTOCORE_ERRORS: Final[Mapping[str, str]] = {
    "Unavailable": """
        ReadTimeoutError ConnectTimeoutError EndpointConnectionError ConnectionClosedError
        ConnectionError HTTPClientError IncompleteReadError ResponseStreamingError
        ResponseParserError ProxyConnectionError SSLError ChecksumError FlexibleChecksumError
        CredentialRetrievalError MetadataRetrievalError
    """,
    "Invalid": """
        ParamValidationError UnknownServiceError EndpointResolutionError InvalidRegionError
        NoRegionError InvalidConfigError ConfigParseError InvalidEndpointConfigurationError
    """,
    "Denied": """
        NoCredentialsError PartialCredentialsError NoAuthTokenError TokenRetrievalError
        UnauthorizedSSOTokenError SSOTokenLoadError SSOError LoginError LoginRefreshRequired
        LoginInsufficientPermissions LoginTokenLoadError LoginAuthorizationCodeError
        RefreshWithMFAUnsupportedError UnknownCredentialError UnknownTokenProviderError
        ConfigNotFound ProfileNotFound InfiniteLoopConfigError InvalidProxiesConfigError
    """,
}
"""Names of botocore's exceptions, for requests that were not sent or had no response."""

OWN_CODES: Final[Mapping[str, str]] = {
    "Unavailable": "DownloadFailed",
    "Denied": """
        CredentialsExpired WrongAccount OperationNotServed FunctionNotServed ReferenceNotServed
    """,
    "Throttled": "RateLimited",
    "NotReady": "InProgress Quiet",
    "Invalid": """
        WrongRegion InvalidReference UpdateFailed CreationFailed ProvisioningFailed NotServing
    """,
    "Exhausted": "ResponseTooLarge CannotRestore",
}
"""Codes that this program gives to errors of its own."""

NOT_SERVED_CODES: Final = frozenset(
    {"OperationNotServed", "FunctionNotServed", "ReferenceNotServed"}
)
"""What a setting of the worker's operator refuses: it is final at once."""

CODE_TABLES: Final = (AWS_CODES, BOTOCORE_ERRORS, OWN_CODES)

_PASSING: Final = """
    ExpiredTokenException ExpiredToken RequestExpired TokenRefreshRequired CredentialsExpired
    RequestTimeTooSkewed InvalidSignatureException SignatureDoesNotMatch
    IncompleteSignature IncompleteSignatureException
    MissingAuthenticationToken MissingAuthenticationTokenException
    UnrecognizedClientException InvalidClientTokenId InvalidToken InvalidAccessKeyId AuthFailure
    IDPCommunicationError IDPRejectedClaim InvalidIdentityToken UnauthorizedException
    Http401 Http403 Http407
    NoCredentialsError PartialCredentialsError CredentialRetrievalError MetadataRetrievalError
    NoAuthTokenError TokenRetrievalError UnauthorizedSSOTokenError SSOTokenLoadError SSOError
    LoginError LoginRefreshRequired LoginTokenLoadError LoginAuthorizationCodeError
    LoginInsufficientPermissions RefreshWithMFAUnsupportedError UnknownCredentialError
    UnknownTokenProviderError ConfigNotFound ProfileNotFound InfiniteLoopConfigError
    InvalidProxiesConfigError WrongAccount
"""

UNSENT_CODES: Final = frozenset(
    {"EndpointConnectionError", "ConnectTimeoutError", "ProxyConnectionError", "SSLError"}
)
"""No connection was made: not a byte was sent, and so nothing happened.

A connection that was made and reset later is ``HTTPClientError`` (:mod:`activities.aws`).
"""

PASSING_CODES: Final = frozenset(_PASSING.split())
"""Codes about what stands between this worker and AWS: credentials, the clock, a proxy.

Time or a person mends it without a change of the release.
"""
