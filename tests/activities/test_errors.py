"""Faults: what each of AWS's codes means, and how long it is retried."""

from __future__ import annotations

from datetime import timedelta

import pytest
from temporalio.exceptions import ApplicationErrorCategory

from activities import errors
from activities.error_codes import PASSING_CODES
from activities.errors import (
    AwsError,
    Fault,
    classify_error,
    find_time_limit,
    to_activity_failure,
)
from activities.retry_budget import (
    AT_ONCE,
    READ_BUDGET,
    UNLIMITED_BUDGET,
    WATCH_BUDGET,
    WRITE_BUDGET,
    RetryBudget,
)

HALF_MINUTE = timedelta(seconds=30)
TEN_MINUTES = timedelta(minutes=10)


def error(
    code: str, message: str = "no reason", operation: str = "update_alias", *, status: int = 0
) -> AwsError:
    return AwsError(operation, code, message, status=status)


def is_final(problem: AwsError, failing_for: float) -> bool:
    return to_activity_failure(
        problem, attempt=2, once=False, failing_for=timedelta(seconds=failing_for)
    ).non_retryable


@pytest.mark.parametrize("fault", Fault)
def test_fault_says_what_to_do_next(fault: Fault) -> None:
    assert fault.advice.endswith(".")


@pytest.mark.parametrize(
    ("code", "fault"),
    [
        ("ServiceException", Fault.UNAVAILABLE),
        ("TooManyRequestsException", Fault.THROTTLED),
        ("PreconditionFailedException", Fault.STALE),
        ("ResourceNotFoundException", Fault.NOT_FOUND),
        ("ProvisionedConcurrencyConfigNotFoundException", Fault.NOT_FOUND),
        ("InvalidParameterValueException", Fault.INVALID),
        ("ValidationException", Fault.INVALID),
        ("ResourceInUseException", Fault.CONFLICT),
        ("AccessDeniedException", Fault.DENIED),
        ("CodeStorageExceededException", Fault.EXHAUSTED),
        ("RequestEntityTooLargeException", Fault.EXHAUSTED),
        ("InvalidZipFileException", Fault.INVALID),
        ("EC2ThrottledException", Fault.THROTTLED),
        ("SnapStartNotReadyException", Fault.NOT_READY),
        ("InvalidReference", Fault.INVALID),
        ("WrongRegion", Fault.INVALID),
    ],
)
def test_code_means_a_fault(code: str, fault: Fault) -> None:
    assert classify_error(error(code)) is fault


@pytest.mark.parametrize(
    ("status", "fault"),
    [
        (500, Fault.UNAVAILABLE),
        (503, Fault.UNAVAILABLE),
        (429, Fault.THROTTLED),
        (400, Fault.UNKNOWN),
    ],
)
def test_unknown_code_is_classified_by_its_status(status: int, fault: Fault) -> None:
    assert classify_error(error("BrandNewException", status=status)) is fault


def test_known_code_counts_more_than_its_status() -> None:
    assert classify_error(error("KMSAccessDeniedException", status=502)) is Fault.DENIED


@pytest.mark.parametrize(
    ("operation", "message", "fault"),
    [
        ("create_function", "Function already exist: f", Fault.EXISTS),
        ("create_alias", "Alias already exists: arn", Fault.EXISTS),
        (
            "create_event_source_mapping",
            "… update or delete the existing mapping with UUID 1",
            Fault.EXISTS,
        ),
        ("add_permission", "The statement id (s) provided already exists.", Fault.EXISTS),
        ("update_function_code", "An update is in progress for resource: arn", Fault.CONFLICT),
        ("create_function", "An update is in progress for resource: arn", Fault.CONFLICT),
        (
            "publish_version",
            "… The function is currently in the following state: Pending",
            Fault.NOT_READY,
        ),
        ("invoke", "… The function is currently in the following state: Pending", Fault.NOT_READY),
        (
            "delete_function",
            "Unable to delete version because the following aliases reference it: [live]",
            Fault.INVALID,
        ),
        (
            "put_provisioned_concurrency_config",
            (
                "Alias can't be used for Provisioned Concurrency configuration "
                "on an already Provisioned version"
            ),
            Fault.INVALID,
        ),
        (
            "put_provisioned_concurrency_config",
            "Version is pointed by a Provisioned Concurrency alias",
            Fault.INVALID,
        ),
        ("update_alias", "something else holds it", Fault.CONFLICT),
    ],
)
def test_conflict_is_existing_or_busy_or_referenced(
    operation: str, message: str, fault: Fault
) -> None:
    assert classify_error(error("ResourceConflictException", message, operation)) is fault


@pytest.mark.parametrize(
    "message",
    [
        "The role defined for the function cannot be assumed by Lambda.",
        (
            "The provided execution role does not have permissions "
            "to call CreateNetworkInterface on EC2"
        ),
        "Please ensure the role can perform kms:Decrypt",
        "Your request has been throttled by EC2",
        "Lambda was unable to configure access: KMS key is invalid for CreateGrant",
        "Lambda was unable to delete arn because it is a replicated function.",
    ],
)
def test_role_that_aws_does_not_know_yet_is_tried_for_five_minutes(
    message: str,
) -> None:
    problem = error("InvalidParameterValueException", message, "update_function_configuration")
    assert classify_error(problem) is Fault.INVALID
    assert find_time_limit(problem, WRITE_BUDGET) == timedelta(minutes=5)
    assert [is_final(problem, failing_for) for failing_for in (0, 299, 300)] == [False, False, True]


@pytest.mark.parametrize(
    ("operation", "fault"), [("publish_version", Fault.STALE), ("create_function", Fault.INVALID)]
)
def test_publish_version_of_other_code_is_stale_and_not_retried(
    operation: str, fault: Fault
) -> None:
    message = "CodeSHA256 (old) is different from current CodeSHA256 in $LATEST (new)."
    refused = error("InvalidParameterValueException", message, operation, status=400)
    assert classify_error(refused) is fault
    assert to_activity_failure(refused, attempt=1, once=False).type == fault.value
    assert to_activity_failure(refused, attempt=1, once=False).non_retryable


def test_other_invalid_parameter_is_final_at_once() -> None:
    assert to_activity_failure(
        error("InvalidParameterValueException", "1 validation error"), attempt=1, once=False
    ).non_retryable


@pytest.mark.parametrize(
    ("operation", "seconds"),
    [("update_alias", 7), ("add_permission", 7), ("get_alias", 0), ("invoke", 0)],
)
def test_write_that_may_name_a_fresh_version_is_retried(operation: str, seconds: int) -> None:
    missing = error("ResourceNotFoundException", operation=operation)
    assert find_time_limit(missing) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "code",
    ["ServiceException", "TooManyRequestsException", "ResourceInUseException", "ReadTimeoutError"],
)
@pytest.mark.parametrize("budget", [READ_BUDGET, WRITE_BUDGET])
def test_transient_fault_is_tried_without_end(code: str, budget: RetryBudget) -> None:
    assert find_time_limit(error(code), budget) is None
    assert not to_activity_failure(
        error(code), attempt=10_000, once=False, failing_for=timedelta(days=1), budget=budget
    ).non_retryable


@pytest.mark.parametrize(
    "code",
    ["ValidationException", "PreconditionFailedException", "CodeStorageExceededException"],
)
@pytest.mark.parametrize("budget", [READ_BUDGET, WATCH_BUDGET, UNLIMITED_BUDGET])
def test_permanent_fault_is_final_at_once(code: str, budget: RetryBudget) -> None:
    assert to_activity_failure(error(code), attempt=1, once=False, budget=budget).non_retryable


# --- How long a fault that passes is retried ----------------------------------------------------


@pytest.mark.parametrize("code", ["ExpiredTokenException", "AccessDeniedException", "Strange"])
def test_number_of_attempts_alone_makes_no_failure_final(code: str) -> None:
    # A watch that was quiet for an hour has made 360 attempts, and fails for the first time.
    late = AwsError("watch_alarms", code, "x")
    assert not to_activity_failure(late, attempt=360, once=False).non_retryable
    assert to_activity_failure(
        late, attempt=2, once=False, failing_for=timedelta(seconds=31)
    ).non_retryable


@pytest.mark.parametrize(
    ("code", "read", "write", "watch"),
    [
        ("AccessDeniedException", HALF_MINUTE, HALF_MINUTE, TEN_MINUTES),
        ("KMSAccessDeniedException", HALF_MINUTE, HALF_MINUTE, TEN_MINUTES),
        ("ExpiredTokenException", HALF_MINUTE, TEN_MINUTES, TEN_MINUTES),
        ("InvalidSignatureException", HALF_MINUTE, TEN_MINUTES, TEN_MINUTES),
        ("RequestTimeTooSkewed", HALF_MINUTE, TEN_MINUTES, TEN_MINUTES),
        ("NoCredentialsError", HALF_MINUTE, TEN_MINUTES, TEN_MINUTES),
        ("CredentialRetrievalError", HALF_MINUTE, TEN_MINUTES, TEN_MINUTES),
        ("Http407", HALF_MINUTE, TEN_MINUTES, TEN_MINUTES),
        ("ServiceException", None, None, TEN_MINUTES),
        ("ReadTimeoutError", None, None, TEN_MINUTES),
        ("TooManyRequestsException", None, None, TEN_MINUTES),
        ("Strange", timedelta(seconds=15), timedelta(seconds=15), TEN_MINUTES),
        ("InProgress", None, None, None),
        ("ValidationException", AT_ONCE, AT_ONCE, AT_ONCE),
    ],
)
def test_time_limit_is_by_cause_and_by_policy(
    code: str, read: timedelta | None, write: timedelta | None, watch: timedelta | None
) -> None:
    budgets = (READ_BUDGET, WRITE_BUDGET, WATCH_BUDGET)
    assert [find_time_limit(error(code), budget) for budget in budgets] == [read, write, watch]


@pytest.mark.parametrize("code", sorted(PASSING_CODES))
def test_code_about_credentials_clock_or_proxy_passes(code: str) -> None:
    fault = classify_error(error(code))
    assert fault in {Fault.DENIED, Fault.UNAVAILABLE}
    assert fault.passes
    assert find_time_limit(error(code), UNLIMITED_BUDGET) is None


def test_faults_that_pass_are_those_that_an_undo_waits_for() -> None:
    assert {fault for fault in Fault if not fault.passes} == {
        Fault.STALE,
        Fault.EXISTS,
        Fault.NOT_FOUND,
        Fault.INVALID,
        Fault.EXHAUSTED,
        Fault.BUG,
    }


def test_failure_that_lasts_says_for_how_long() -> None:
    failure = to_activity_failure(
        error("ExpiredTokenException", "The security token included in the request is expired"),
        attempt=9,
        once=False,
        failing_for=timedelta(minutes=3, seconds=12),
        budget=WATCH_BUDGET,
    )
    assert failure.message.startswith(
        "update_alias: The security token included in the request is expired"
        " (ExpiredTokenException), for 3 min so far. Renew the worker's credentials"
    )


def test_details_name_the_attempt_only_after_the_first() -> None:
    details = to_activity_failure(error("ValidationException"), attempt=3, once=False).details
    assert details[0]["attempt"] == 3


@pytest.mark.parametrize(
    "code", ["ServiceException", "TooManyRequestsException", "ReadTimeoutError", "Strange"]
)
def test_operation_that_happens_once_is_never_tried_again(code: str) -> None:
    assert to_activity_failure(error(code, operation="invoke"), attempt=1, once=True).non_retryable


def test_lost_invocation_is_reported_as_possibly_done() -> None:
    assert (
        "may or may not have happened"
        in to_activity_failure(
            error("ReadTimeoutError", operation="invoke"), attempt=1, once=True
        ).message
    )


def test_failure_carries_awss_message_advice_and_a_small_detail() -> None:
    failure = to_activity_failure(
        error("ResourceNotFoundException", "Function not found: f", "get_function"),
        attempt=1,
        once=False,
    )
    assert failure.type == "NotFound"
    assert (
        failure.message
        == "get_function: Function not found: f (ResourceNotFoundException). "
        + Fault.NOT_FOUND.advice
    )
    assert failure.details == (
        {"operation": "get_function", "code": "ResourceNotFoundException", "fault": "NotFound"},
    )


def test_retry_after_of_aws_is_the_delay() -> None:
    throttle = AwsError(
        "update_alias", "TooManyRequestsException", "Rate exceeded", status=429, retry_after=7
    )
    assert to_activity_failure(throttle, attempt=1, once=False).next_retry_delay == timedelta(
        seconds=7
    )
    assert (
        to_activity_failure(error("ServiceException"), attempt=1, once=False).next_retry_delay
        is None
    )


def test_waiting_alone_is_benign() -> None:
    benign = [
        code
        for code in errors._FAULT_BY_CODE
        if to_activity_failure(error(code), attempt=1, once=False).category
        is ApplicationErrorCategory.BENIGN
    ]
    assert {classify_error(error(code)) for code in benign} == {Fault.NOT_READY}


def test_message_is_cut_to_a_thousand_characters() -> None:
    assert len(error("ValidationException", "x" * 5000).message) == 1000
