"""AWS's refusals: a code, a message, and the HTTP status that AWS sends with the code."""

from __future__ import annotations

STATUS = {
    "InvalidParameterValueException": 400,
    "CodeVerificationFailedException": 400,
    "ResourceInUseException": 400,
    "ValidationException": 400,
    "InvalidSignatureException": 403,
    "AccessDeniedException": 403,
    "AccessDenied": 403,
    "ExpiredTokenException": 403,
    "RequestTimeTooSkewed": 403,
    "SignatureDoesNotMatch": 403,
    "UnrecognizedClientException": 403,
    "403": 403,
    "404": 404,
    "407": 407,
    "ResourceNotFoundException": 404,
    "ProvisionedConcurrencyConfigNotFoundException": 404,
    "ResourceConflictException": 409,
    "CodeArtifactUserDeletedException": 409,
    "SnapStartNotReadyException": 409,
    "PreconditionFailedException": 412,
    "RequestEntityTooLargeException": 413,
    "TooManyRequestsException": 429,
    "ServiceException": 500,
    "KMSAccessDeniedException": 502,
    "ResourceNotReadyException": 502,
}
"""HTTP statuses by code. A code that is missing here means that no response came: status 0."""


class Refusal(Exception):
    """A request that AWS does not carry out. Nothing was changed.

    ``retry_after`` is in seconds. With a botocore exception's name as the code
    (``ReadTimeoutError``) it stands for a response that never came.
    """

    def __init__(self, code: str, message: str = "", *, retry_after: float | None = None) -> None:
        super().__init__(message or f"AWS's message for {code}")
        self.code = code
        self.retry_after = retry_after

    @property
    def message(self) -> str:
        return str(self)

    @property
    def status(self) -> int:
        return STATUS.get(self.code, 0)


def invalid(message: str) -> Refusal:
    return Refusal("InvalidParameterValueException", message)


def conflict(message: str) -> Refusal:
    return Refusal("ResourceConflictException", message)


def not_found(message: str) -> Refusal:
    return Refusal("ResourceNotFoundException", message)


def stale(message: str) -> Refusal:
    return Refusal("PreconditionFailedException", message)


def wrong_state(state: str) -> Refusal:
    return conflict(
        "The operation cannot be performed at this time. "
        f"The function is currently in the following state: {state}"
    )


def denied(action: str, resource: str) -> Refusal:
    return Refusal(
        "AccessDeniedException",
        f"User: arn:aws:sts::123456789012:assumed-role/releases/worker is not authorized to "
        f"perform: {action} on resource: {resource} because no resource-based policy allows the "
        f"{action} action",
    )
