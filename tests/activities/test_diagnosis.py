"""What a worker knows of itself, its clock and its permissions."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from activities.aws import Connection
from activities.check_result import CheckResult, CheckState
from activities.diagnosis import DiagnoseRequest, WorkerDiagnosis, describe_skew
from activities.permission_needs import NEEDS
from tests.fake_lambda import FakeLambda

CHECKOUT = DiagnoseRequest(function_name="checkout")
OPERATE = (Path(__file__).parents[2] / "docs" / "operate.md").read_text()


async def diagnose(port: FakeLambda, request: DiagnoseRequest = CHECKOUT) -> list[CheckResult]:
    return (await WorkerDiagnosis(port).diagnose(request)).findings


def list_problems(findings: list[CheckResult]) -> list[tuple[CheckState, str, str]]:
    return [
        (finding.state, finding.text, finding.remedy)
        for finding in findings
        if finding.state is not CheckState.OK and finding.check != "clock"
    ]


@pytest.fixture
def checkout(port: FakeLambda) -> FakeLambda:
    port.create("checkout", "one", "two")
    return port


async def test_worker_that_may_do_everything_has_no_problems(checkout: FakeLambda) -> None:
    findings = await diagnose(checkout)
    assert list_problems(findings) == []
    assert {finding.check for finding in findings} == {
        "credentials",
        "clock",
        "function",
        "alias",
        "permissions",
    }
    assert sum(finding.check == "permissions" for finding in findings) == len(NEEDS)
    assert not checkout.writes


async def test_denied_action_is_named_with_its_resource(checkout: FakeLambda) -> None:
    checkout.denied_actions |= {"lambda:UpdateAlias", "cloudwatch:GetMetricData"}
    required, optional = list_problems(await diagnose(checkout))
    assert required[0] is CheckState.FAILED
    assert required[1].startswith("every release: lambda:UpdateAlias denied to arn:aws:sts::")
    assert required[2] == f"allow that on {checkout.functions['checkout'].arn}"
    assert optional[0] is CheckState.WARNING
    assert "cloudwatch:GetMetricData denied" in optional[1]
    assert "before a release uses guards.metrics" in optional[2]


async def test_role_whose_path_is_not_known_is_not_verified(checkout: FakeLambda) -> None:
    checkout.denied_actions.add("iam:GetRole")
    [(state, text, remedy)] = list_problems(await diagnose(checkout))
    assert state is CheckState.WARNING
    assert text.startswith("not verified: lambda:PublishVersion, lambda:CreateAlias")
    assert "iam:SimulatePrincipalPolicy and iam:GetRole" in remedy


async def test_reads_are_tried_where_iam_may_not_be_asked(checkout: FakeLambda) -> None:
    checkout.denied_actions.add("iam:SimulatePrincipalPolicy")
    checkout.fail("describe_alarms", "AccessDenied")
    checkout.fail("list_versions_by_function", "AccessDeniedException")
    versions, alarms, unknown = list_problems(await diagnose(checkout))
    assert versions[0] is CheckState.FAILED
    assert versions[1] == (
        "every release: lambda:ListVersionsByFunction denied to "
        "arn:aws:sts::123456789012:assumed-role/releases/worker (tried)"
    )
    assert "guards.alarms: cloudwatch:DescribeAlarms denied" in alarms[1]
    assert "lambda:UpdateAlias" in unknown[1]
    assert "lambda:GetFunction" not in unknown[1]
    assert not checkout.writes


async def test_action_that_depends_on_a_tag_is_not_verified(checkout: FakeLambda) -> None:
    checkout.denied_actions.add("lambda:UpdateAlias")
    checkout.unknown_conditions["lambda:UpdateAlias"] = "aws:ResourceTag/team"
    [(state, text, remedy)] = list_problems(await diagnose(checkout))
    assert (state, remedy) == (CheckState.WARNING, "")
    assert text == "not verified: lambda:UpdateAlias (it depends on aws:ResourceTag/team)"


async def test_missing_function_is_a_finding(port: FakeLambda) -> None:
    [(state, text, _)] = list_problems(await diagnose(port))
    assert state is CheckState.FAILED
    assert text.startswith("get_function: ")


async def test_alias_that_is_not_there_yet_is_no_problem(checkout: FakeLambda) -> None:
    request = DiagnoseRequest(function_name="checkout", alias="beta")
    [alias] = [one for one in await diagnose(checkout, request) if one.check == "alias"]
    assert (alias.state, alias.text) == (
        CheckState.OK,
        "there is no alias beta yet: the first release creates it",
    )


async def test_refused_credentials_are_a_finding_with_advice(port: FakeLambda) -> None:
    port.fail("get_caller_identity", "ExpiredToken")
    [(state, text, remedy)] = list_problems(await diagnose(port))
    assert state is CheckState.FAILED
    assert text.startswith("get_caller_identity: ")
    assert remedy


async def test_clock_of_aws_is_compared_by_the_date_of_an_answer(aws: Connection) -> None:
    findings = (await WorkerDiagnosis(aws).diagnose(DiagnoseRequest())).findings
    [clock] = [finding for finding in findings if finding.check == "clock"]
    assert clock.state is CheckState.OK
    assert clock.text.startswith("the worker's clock and AWS's agree")


def test_clock_that_is_off_is_described() -> None:
    late = describe_skew(
        "clock", timedelta(seconds=-90), clocks=("the worker's", "AWS's"), at_most=timedelta(0)
    )
    assert (late.state, late.text) == (
        CheckState.WARNING,
        "the worker's clock is 90 s behind AWS's",
    )
    assert "timedatectl" in late.remedy


def test_needed_actions_are_in_the_operators_table() -> None:
    actions = {action for need in NEEDS for action in need.actions}
    assert sorted(action for action in actions if f"`{action}`" not in OPERATE) == []
