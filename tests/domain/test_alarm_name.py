"""Names of alarms, which may be given as ARNs."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from workflows.domain.alarm_name import find_foreign_alarms, name_of_alarm
from workflows.domain.target import Place
from workflows.guard_settings import GuardSettings

ARN = "arn:aws:cloudwatch:us-east-1:123456789012:alarm:"
PLACE = Place(account="123456789012", region="us-east-1", function="checkout")


@pytest.mark.parametrize("name", ["errors", "a/b: c", "Pässe", "x" * 255])
def test_name_is_taken_from_an_arn(name: str) -> None:
    assert (name_of_alarm(name), name_of_alarm(ARN + name)) == (name, name)


def test_alarm_given_twice_guards_once() -> None:
    guards = GuardSettings.model_validate({"alarms": ["b", ARN + "a", "a", ARN + "b"]})
    assert (guards.alarms, guards.alarm_names) == (("b", ARN + "a"), ("b", "a"))


@pytest.mark.parametrize(
    ("reference", "problem"),
    [
        ("arn:aws:sns:us-east-1:123456789012:topic", "not the ARN of a CloudWatch alarm"),
        ("arn:aws:cloudwatch:us-east-1:123:alarm:a", "not the ARN of a CloudWatch alarm"),
        (ARN, "not the ARN of a CloudWatch alarm"),
        ("x" * 256, "more than 255 characters"),
        (ARN + "x" * 256, "more than 255 characters"),
        ("", "at least 1 character"),
    ],
)
def test_reference_that_names_no_alarm_is_refused(reference: str, problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        GuardSettings.model_validate({"alarms": [reference]})


def test_alarm_of_another_region_or_account_is_foreign() -> None:
    regional = ARN.replace("us-east-1", "eu-west-3") + "a"
    other = ARN.replace("123456789012", "210987654321") + "a"
    reasons = [*find_foreign_alarms(["a", ARN + "a", regional, other], PLACE)]
    assert [("region eu-west-3" in each, "account 210987654321" in each) for each in reasons] == [
        (True, False),
        (False, True),
    ]
    assert all(each.startswith("guards.alarms: arn:") for each in reasons)
