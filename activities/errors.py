"""What can go wrong between us and AWS, and what each kind of failure means for whoever is waiting.

A fault is what an activity's failure is called (``ApplicationError.type``), in histories, in the UI and in workflows:

    transient     Unavailable   AWS or the network did not answer; a write may or may not have happened
    intermittent  Throttled     too many calls: wait as long as AWS says, then again
                  NotReady      the thing exists but is still settling (benign: no alarm, no warning)
                  Conflict      somebody else's operation holds it for the moment
    permanent     Stale         it is not as we last read it: somebody else changed it
                  Exists        there is one of that name already, and it is another one
                  NotFound      no such function, version, alias, mapping …
                  Invalid       AWS, or our own models, do not accept the request
                  Denied        credentials or permissions do not suffice
                  Exhausted     a quota or a size limit is reached
    unclear       Unknown       a code we have never seen: tried a few times, then given up
    ours          Bug           a mistake in this program, nothing that AWS said

Decisions are made by AWS's error *code*, never by botocore's exception classes: several real codes are not modelled.
One table holds them all; a test fails as soon as botocore documents a code that it lacks. Three codes mean several things,
and are told apart by operation and message: ``ResourceConflictException`` (exists, busy, referenced),
``InvalidParameterValueException`` (wrong, or a role that AWS has not heard of yet) and ``ResourceNotFoundException``
(missing, or so new that not every host of AWS's knows it).
"""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import Final

from temporalio.exceptions import ApplicationError, ApplicationErrorCategory


class Fault(StrEnum):
    """A kind of failure; its value is the failure type that Temporal records."""

    UNAVAILABLE = "Unavailable"
    THROTTLED = "Throttled"
    NOT_READY = "NotReady"
    CONFLICT = "Conflict"
    STALE = "Stale"
    EXISTS = "Exists"
    NOT_FOUND = "NotFound"
    INVALID = "Invalid"
    DENIED = "Denied"
    EXHAUSTED = "Exhausted"
    UNKNOWN = "Unknown"
    BUG = "Bug"

    @property
    def is_retryable(self) -> bool:
        """Whether the same request may succeed later, with nobody changing anything."""
        return self in {
            Fault.UNAVAILABLE,
            Fault.THROTTLED,
            Fault.NOT_READY,
            Fault.CONFLICT,
            Fault.UNKNOWN,
        }

    @property
    def advice(self) -> str:
        """What to do next, in one sentence for whoever reads the history."""
        return _ADVICE[self]


class AwsError(Exception):
    """AWS answered with an error, or did not answer: what the port to AWS raises, and nothing else.

    ``code`` is AWS's own (``ResourceConflictException``), or botocore's exception name where no answer came (``ReadTimeoutError``),
    or one of ours (``WrongRegion``, ``InvalidReference``, ``InProgress`` …: the last part of the table).
    ``retry_after`` is AWS's advice in seconds. ``message`` is AWS's, cut to 1,000 characters; it never holds a parameter's
    value that we sent.
    """

    def __init__(
        self,
        operation: str,
        code: str,
        message: str,
        *,
        status: int = 0,
        retry_after: float | None = None,
    ) -> None:
        """Keep what AWS said, in AWS's words."""
        message = message.encode(errors="replace").decode()
        message = (
            message if len(message) <= _MESSAGE_LENGTH else message[: _MESSAGE_LENGTH - 1] + "…"
        )
        super().__init__(f"{operation}: {message} ({code})")
        self.operation: Final = operation
        self.code: Final = code
        self.message: Final = message
        self.status: Final = status
        self.retry_after: Final = retry_after


_MESSAGE_LENGTH: Final = 1_000

_CODES_BY_FAULT: Final[dict[Fault, str]] = {
    Fault.UNAVAILABLE: """
        ServiceException EC2UnexpectedException SnapStartTimeoutException SnapStartRegenerationFailureException
        EFSMountConnectivityException EFSMountTimeoutException S3FilesMountConnectivityException S3FilesMountTimeoutException
        InternalFailure InternalError InternalServerError InternalServiceError InternalServiceFault ServiceUnavailable
        ServiceUnavailableException RequestTimeout RequestTimeoutException
        ReadTimeoutError ConnectTimeoutError EndpointConnectionError ConnectionClosedError ConnectionError HTTPClientError
        IncompleteReadError ResponseStreamingError ResponseParserError ProxyConnectionError SSLError ChecksumError
        FlexibleChecksumError CredentialRetrievalError MetadataRetrievalError
        DownloadFailed
    """,
    Fault.THROTTLED: """
        TooManyRequestsException ThrottlingException Throttling ThrottledException RequestThrottled RequestThrottledException
        RequestLimitExceeded SlowDown EC2ThrottledException
        RateLimited
    """,
    Fault.NOT_READY: """
        ResourceNotReadyException ENINotReadyException SnapStartNotReadyException CodeArtifactUserPendingException
        InProgress Quiet
    """,
    Fault.CONFLICT: "ResourceInUseException ResourceConflictException ConcurrentModification",
    Fault.STALE: "PreconditionFailedException",
    Fault.EXISTS: "DurableExecutionAlreadyStartedException",
    Fault.NOT_FOUND: """
        ResourceNotFoundException ResourceNotFound ProvisionedConcurrencyConfigNotFoundException CodeSigningConfigNotFoundException
        NoPublishedVersionException KMSNotFoundException ParameterNotFound ParameterVersionNotFound
        NoSuchBucket NoSuchKey NoSuchVersion
    """,
    Fault.INVALID: """
        InvalidParameterValueException ValidationException ValidationError InvalidRequestContentException InvalidParameterException
        InvalidRequestException InvalidParameterValue InvalidParameterCombination MissingParameter MissingRequiredParameter
        SerializationException MalformedQueryString InvalidAction UnknownOperationException InvalidNextToken InvalidKeyId
        UnsupportedMediaTypeException ModeNotSupportedException InvalidRuntimeException InvalidZipFileException
        InvalidCodeSignatureException CodeVerificationFailedException CodeArtifactUserDeletedException CodeArtifactUserFailedException
        InvalidSecurityGroupIDException InvalidSubnetIDException KMSDisabledException KMSInvalidStateException
        EFSIOException EFSMountFailureException S3FilesMountFailureException SnapStartException PublicPolicyException
        RecursiveInvocationException
        ParamValidationError UnknownServiceError EndpointResolutionError InvalidRegionError NoRegionError InvalidConfigError
        ConfigParseError ProfileNotFound InvalidProxiesConfigError
        WrongRegion InvalidReference UpdateFailed CreationFailed ProvisioningFailed
    """,
    Fault.DENIED: """
        AccessDeniedException AccessDenied UnauthorizedOperation NotAuthorized OptInRequired SubscriptionRequiredException
        UnrecognizedClientException InvalidClientTokenId InvalidSignatureException SignatureDoesNotMatch IncompleteSignature
        IncompleteSignatureException MissingAuthenticationToken MissingAuthenticationTokenException
        ExpiredTokenException ExpiredToken RequestExpired RequestTimeTooSkewed
        KMSAccessDeniedException EC2AccessDeniedException DecryptionFailure
        NoCredentialsError PartialCredentialsError NoAuthTokenError TokenRetrievalError UnauthorizedSSOTokenError SSOTokenLoadError
        SSOError LoginError LoginRefreshRequired LoginInsufficientPermissions LoginTokenLoadError RefreshWithMFAUnsupportedError
    """,
    Fault.EXHAUSTED: """
        CodeStorageExceededException AliasLimitExceededException PolicyLengthExceededException ServiceQuotaExceededException
        FunctionVersionsPerCapacityProviderLimitExceededException ENILimitReachedException SubnetIPAddressLimitReachedException
        RequestTooLargeException RequestEntityTooLargeException SerializedRequestEntityTooLargeException
        ResponseTooLarge CannotRestore
    """,
}
"""Every code that AWS documents, those that it sends without documenting them, botocore's own, and (each last line) ours."""

_FAULT_BY_CODE: Final = {code: fault for fault, codes in _CODES_BY_FAULT.items() for code in codes.split()}

_ADVICE: Final[dict[Fault, str]] = {
    Fault.UNAVAILABLE: "AWS or the network did not answer; if it lasts, look at the AWS Health Dashboard and at the worker's network.",
    Fault.THROTTLED: "Too many calls for this account and region; if it lasts, lower the worker's rates or find the other caller.",
    Fault.NOT_READY: "Nothing to do: it is looked at again.",
    Fault.CONFLICT: "Another operation holds it; if it lasts, find out who else is changing this function.",
    Fault.STALE: "Somebody else changed it since it was read: look at what is there now before anything else is tried.",
    Fault.EXISTS: "There is another one already: choose another name, or update or remove the one that is there.",
    Fault.NOT_FOUND: "Check the name and the qualifier, and that this worker serves the right account and region.",
    Fault.INVALID: "Correct the request: AWS says above what it does not accept.",
    Fault.DENIED: "Check the worker's credentials, and what its role may do with this function and with what it refers to.",
    Fault.EXHAUSTED: "A limit is reached: make room (delete old versions, make the package smaller) or ask AWS for a higher quota.",
    Fault.UNKNOWN: "This code is not in our table yet: look it up in AWS's documentation, and add it to activities/errors.py.",
    Fault.BUG: "This is a mistake in lambda-releases, not in your release: please report it with this history.",
}

_ONCE_ADVICE: Final = "It was sent once and is not sent again, so it may or may not have happened."


def classify_error(error: AwsError) -> Fault:
    """The kind of failure that an error of AWS's is."""
    if error.code == "ResourceConflictException":
        return _conflict(error)
    if fault := _FAULT_BY_CODE.get(error.code):
        return fault
    if error.status >= _SERVER_ERROR:
        return Fault.UNAVAILABLE
    return Fault.THROTTLED if error.status == _TOO_MANY_REQUESTS else Fault.UNKNOWN


_SERVER_ERROR: Final = 500
_TOO_MANY_REQUESTS: Final = 429

_EXCLUSIVE: Final = ("create_", "add_permission")
_REFERENCED: Final = (
    "aliases reference it",
    "provisioned version",
    "provisioned concurrency alias",
)


def _conflict(error: AwsError) -> Fault:
    """What AWS's most ambiguous code means: still settling, held by somebody else, taken already, or in use by something else."""
    said = error.message.lower()
    if "following state: pending" in said:
        return Fault.NOT_READY
    if "in progress" in said or "following state" in said:
        return Fault.CONFLICT
    if any(phrase in said for phrase in _REFERENCED):
        return Fault.INVALID
    return Fault.EXISTS if error.operation.startswith(_EXCLUSIVE) else Fault.CONFLICT


_FIVE_MINUTES: Final = 15
"""Attempts: 1 + 2 + 4 + 8 + 16 s, then every 30 s (the retry policy of every operation, see :mod:`activities.operation`)."""

_SECONDS: Final = 4
"""Attempts: 1 + 2 + 4 s."""

_A_FEW: Final = 5

_SPREADING: Final[dict[str, int]] = {
    "cannot be assumed by lambda": _FIVE_MINUTES,
    "execution role does not have permissions": _FIVE_MINUTES,
    "ensure the role can perform": _FIVE_MINUTES,
    "throttled by ec2": _FIVE_MINUTES,
    "kms key is invalid for creategrant": _FIVE_MINUTES,
    "because it is a replicated function": _FIVE_MINUTES,
    "function does not exist": _SECONDS,
}
"""What an ``InvalidParameterValueException`` says when the request is right and AWS's other services do not know it yet."""

_FRESHLY_NAMED: Final = {
    "update_alias",
    "create_alias",
    "add_permission",
    "put_provisioned_concurrency_config",
}
"""Writes that name a version which may have been published a moment ago."""


def max_attempts(error: AwsError) -> int | None:
    """How many attempts this error deserves in all: 1 when no repetition can help, None when there is no reason to ever stop."""
    fault = classify_error(error)
    match error.code:
        case "InvalidParameterValueException":
            said = error.message.lower()
            return next((attempts for phrase, attempts in _SPREADING.items() if phrase in said), 1)
        case "ResourceNotFoundException" if error.operation in _FRESHLY_NAMED:
            return _SECONDS
        case "ExpiredTokenException" | "ExpiredToken" | "DownloadFailed":
            return _A_FEW
        case "ResponseParserError":
            return _FIVE_MINUTES
        case _ if fault is Fault.UNKNOWN:
            return _A_FEW
        case _:
            return None if fault.is_retryable else 1


def to_activity_failure(error: AwsError, *, attempt: int, once: bool) -> ApplicationError:
    """The activity failure for an error of AWS's: its fault as type, what to do next as text, and whether Temporal tries again.

    An operation that must happen ``once`` is never tried again, whatever went wrong. The details are one small mapping:
    operation, AWS's code, fault.
    """
    fault, most = classify_error(error), max_attempts(error)
    advice = _ONCE_ADVICE if once and fault is Fault.UNAVAILABLE else fault.advice
    return ApplicationError(
        f"{error}. {advice}",
        {"operation": error.operation, "code": error.code, "fault": fault.value},
        type=fault.value,
        non_retryable=once or (most is not None and attempt >= most),
        next_retry_delay=None
        if error.retry_after is None
        else timedelta(seconds=error.retry_after),
        category=ApplicationErrorCategory.BENIGN
        if fault is Fault.NOT_READY
        else ApplicationErrorCategory.UNSPECIFIED,
    )
