"""AWS's errors: the codes and messages that a client must be able to distinguish.

The messages are AWS's where a recording of them was known. A client decides by the code.
"""

from __future__ import annotations


class LambdaError(Exception):
    """A request that AWS would refuse. Nothing was changed."""

    def __init__(self, code: str, message: str, status: int) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status


def invalid_parameter(message: str) -> LambdaError:
    """Build the error for a request that is well-formed but not acceptable."""
    return LambdaError("InvalidParameterValueException", message, 400)


def validation_error(member: str, value: object, constraint: str) -> LambdaError:
    """Build the error for a broken constraint, which AWS checks first."""
    problem = f"Value '{value}' at '{member}' failed to satisfy constraint: {constraint}"
    return LambdaError("ValidationException", f"1 validation error detected: {problem}", 400)


def resource_not_found(message: str) -> LambdaError:
    """Build the error for a missing function, version, alias, policy or mapping."""
    return LambdaError("ResourceNotFoundException", message, 404)


def function_not_found(arn: str) -> LambdaError:
    """Build the error for a missing function or version, named with its qualifier."""
    return resource_not_found(f"Function not found: {arn}")


def alias_not_found(arn: str) -> LambdaError:
    """Build the error for a missing alias."""
    return resource_not_found(f"Cannot find alias arn: {arn}")


def resource_conflict(message: str) -> LambdaError:
    """Build the error for a resource that exists, is being changed or is referred to.

    AWS has one code for all three.
    """
    return LambdaError("ResourceConflictException", message, 409)


def update_in_progress(arn: str) -> LambdaError:
    """Build the error for a function whose earlier change has not settled."""
    return resource_conflict(
        "The operation cannot be performed at this time. "
        f"An update is in progress for resource: {arn}"
    )


def invalid_state(state: str) -> LambdaError:
    """Build the error for a function whose state does not allow the operation."""
    return resource_conflict(
        "The operation cannot be performed at this time. "
        f"The function is currently in the following state: {state}"
    )


def resource_in_use(verb: str) -> LambdaError:
    """Build the error for an event source mapping that is changing its state."""
    return LambdaError(
        "ResourceInUseException",
        f"Cannot {verb} the event source mapping because it is in use.",
        400,
    )


def precondition_failed(*apis: str) -> LambdaError:
    """Build the error for a revision that is not the latest one."""
    where = "/".join(apis)
    return LambdaError(
        "PreconditionFailedException",
        "The Revision Id provided does not match the latest Revision Id. "
        f"Call the {where} API to retrieve the latest Revision Id",
        412,
    )


def payload_too_large(size: int, kind: str, limit: int) -> LambdaError:
    """Build the error for a payload above the limit of an invocation."""
    message = (
        f"{size} byte payload is too large for the {kind} invocation type (limit {limit} bytes)"
    )
    return LambdaError("RequestTooLargeException", message, 413)


def package_too_large(message: str) -> LambdaError:
    """Build the error for an upload above the limit.

    botocore's model does not have this code.
    """
    return LambdaError("RequestEntityTooLargeException", message, 413)


def qualifier_not_allowed() -> LambdaError:
    """Build the error for a qualifier where the operation takes whole functions only."""
    return invalid_parameter(
        "This operation is permitted on Lambda functions only. "
        "Aliases and versions do not support this operation. "
        "Please specify either a function name or an unqualified function ARN."
    )
