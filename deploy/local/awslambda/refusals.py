"""AWS's refusals, in AWS's words: the codes and messages a client must be able to tell apart.

The messages are those recorded from AWS, where a recording was known (reference/lambda.md, C); a caller decides by the code.
"""

from __future__ import annotations


class RefusalError(Exception):
    """A request AWS would not carry out. Nothing was changed."""

    def __init__(self, code: str, message: str, status: int) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status


def invalid(message: str) -> RefusalError:
    """The request is well-formed, but not acceptable."""
    return RefusalError("InvalidParameterValueException", message, 400)


def malformed(member: str, value: object, constraint: str) -> RefusalError:
    """A member breaks its own constraint: AWS answers these before it looks at anything else."""
    problem = f"Value '{value}' at '{member}' failed to satisfy constraint: {constraint}"
    return RefusalError("ValidationException", f"1 validation error detected: {problem}", 400)


def not_found(message: str) -> RefusalError:
    """No such function, version, alias, policy or mapping."""
    return RefusalError("ResourceNotFoundException", message, 404)


def no_function(arn: str) -> RefusalError:
    """No such function or version; the message names what was asked for, qualifier and all."""
    return not_found(f"Function not found: {arn}")


def no_alias(arn: str) -> RefusalError:
    """No such alias."""
    return not_found(f"Cannot find alias arn: {arn}")


def conflict(message: str) -> RefusalError:
    """It exists already, or is being changed, or is referred to: AWS has one code for all three."""
    return RefusalError("ResourceConflictException", message, 409)


def updating(arn: str) -> RefusalError:
    """An earlier change has not settled."""
    return conflict(
        f"The operation cannot be performed at this time. An update is in progress for resource: {arn}"
    )


def in_state(state: str) -> RefusalError:
    """The function cannot do this in the state it is in."""
    return conflict(
        f"The operation cannot be performed at this time. The function is currently in the following state: {state}"
    )


def in_use(verb: str) -> RefusalError:
    """An event source mapping is on its way from one state to another."""
    return RefusalError(
        "ResourceInUseException",
        f"Cannot {verb} the event source mapping because it is in use.",
        400,
    )


def stale(*apis: str) -> RefusalError:
    """Somebody changed it since the caller read it."""
    where = "/".join(apis)
    return RefusalError(
        "PreconditionFailedException",
        f"The Revision Id provided does not match the latest Revision Id. Call the {where} API to retrieve the latest Revision Id",
        412,
    )


def payload_too_large(size: int, kind: str, limit: int) -> RefusalError:
    """More than an invocation may carry."""
    message = (
        f"{size} byte payload is too large for the {kind} invocation type (limit {limit} bytes)"
    )
    return RefusalError("RequestTooLargeException", message, 413)


def package_too_large(message: str) -> RefusalError:
    """More than may be uploaded directly. botocore's model does not know this code."""
    return RefusalError("RequestEntityTooLargeException", message, 413)


def functions_only() -> RefusalError:
    """A qualifier where the operation knows whole functions only."""
    return invalid(
        "This operation is permitted on Lambda functions only. Aliases and versions do not support this operation. "
        "Please specify either a function name or an unqualified function ARN."
    )
