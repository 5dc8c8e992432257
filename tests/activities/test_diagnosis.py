"""What a worker knows of itself, its clock and its permissions."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from activities.aws import Connection
from activities.check_result import CheckResult, CheckState
from activities.diagnosis import DiagnoseRequest, WorkerDiagnosis, describe_skew
from activities.permission_needs import NEEDS, Scope
from activities.permission_resources import PermissionResources, find_resources
from activities.reference_scope import OWN_REFERENCES
from tests.fake_lambda import FakeLambda

CHECKOUT = DiagnoseRequest(function_name="checkout")
PERMISSIONS = (Path(__file__).parents[2] / "docs" / "permissions.md").read_text()
KEY = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd"
LAYER = "arn:aws:lambda:eu-west-1:123456789012:layer:tools:3"
IMAGE = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/shop/checkout:42"


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
    purposes = [each.text.split(":")[0] for each in findings if each.check == "permissions"]
    assert purposes == [
        "every release",
        "code and configuration",
        "concurrency",
        "guards.alarms",
        "guards.metrics, analysis, adaptive",
        "probes",
        "notes on triggers",
        "signed code",
        "change of the execution role",
    ]
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
    assert sorted(action for action in actions if f"`{action}`" not in PERMISSIONS) == []


# --- what the function and its releases are about ---


def find(configuration: dict[str, Any], **others: Any) -> PermissionResources:
    """The resources of a function with these settings."""
    arn = "arn:aws:lambda:eu-west-1:123456789012:function:checkout"
    found = {"Configuration": {"FunctionArn": arn, **configuration}, "Code": others.pop("code", {})}
    return find_resources(found, alias="live", version="7", **others)


def test_resources_are_those_that_the_function_has() -> None:
    arns = find(
        {
            "Role": "arn:aws:iam::123456789012:role/checkout",
            "KMSKeyArn": KEY,
            "Layers": [{"Arn": LAYER}],
            "VpcConfig": {"SubnetIds": ["subnet-1"]},
        },
        code={"ImageUri": IMAGE, "SourceKMSKeyArn": KEY},
        bucket="artifacts",
        references=OWN_REFERENCES,
    ).arns
    assert arns[Scope.ROLE] == ("arn:aws:iam::123456789012:role/checkout",)
    assert arns[Scope.FUNCTION_KEY] == arns[Scope.CODE_KEY] == (KEY,)
    assert arns[Scope.LAYER] == (LAYER,)
    assert arns[Scope.NETWORK] == ("*",)
    assert arns[Scope.IMAGE] == ("arn:aws:ecr:eu-west-1:123456789012:repository/shop/checkout",)
    assert arns[Scope.PACKAGE] == ("arn:aws:s3:::artifacts/*",)
    assert arns[Scope.PARAMETER] == ("arn:aws:ssm:eu-west-1:123456789012:parameter/checkout/*",)
    assert arns[Scope.SECRET] == (
        "arn:aws:secretsmanager:eu-west-1:123456789012:secret:checkout/*",
    )


def test_resources_that_are_not_known_are_not_checked() -> None:
    resources = find({})
    assert {scope for scope, arns in resources.arns.items() if arns} == {
        Scope.FUNCTION,
        Scope.VERSION,
        Scope.ANY,
    }
    [hooks] = [need for need in NEEDS if need.purpose == "hooks"]
    assert resources.list_checked(hooks) == []


async def test_packages_and_references_are_checked_where_they_are_known(
    checkout: FakeLambda,
) -> None:
    checkout.denied_actions |= {"s3:GetObjectVersion", "ssm:GetParameters"}
    request = DiagnoseRequest(function_name="checkout", bucket="artifacts")
    diagnosis = WorkerDiagnosis(checkout, OWN_REFERENCES)
    packages, parameters = list_problems((await diagnosis.diagnose(request)).findings)
    assert packages[0] is CheckState.WARNING
    assert packages[1].startswith("packages in S3: s3:GetObjectVersion denied to ")
    assert packages[2] == (
        "allow that on arn:aws:s3:::artifacts/*, before a release uses packages in S3"
    )
    assert parameters[1].startswith("dynamic references to parameters: ssm:GetParameters denied")
    assert "parameter/checkout/*" in parameters[2]


async def test_conditions_of_a_role_and_a_key_are_known_to_the_simulation(
    checkout: FakeLambda,
) -> None:
    checkout.functions["checkout"].latest["KMSKeyArn"] = KEY
    await diagnose(checkout)
    contexts = {
        action: call.parameters["ContextEntries"]
        for call in checkout.calls
        for action in call.parameters.get("ActionNames", [])
        if "ContextEntries" in call.parameters
    }
    found = {
        action: (entry["ContextKeyName"], entry["ContextKeyValues"])
        for action, [entry] in contexts.items()
    }
    by_lambda = ("kms:ViaService", ["lambda.eu-west-1.amazonaws.com"])
    keys = ("kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey", "kms:CreateGrant")
    assert found == {
        "iam:PassRole": ("iam:PassedToService", ["lambda.amazonaws.com"]),
        **dict.fromkeys(keys, by_lambda),
    }


async def test_reads_that_are_tried_read_no_package_and_no_secret(checkout: FakeLambda) -> None:
    checkout.denied_actions.add("iam:SimulatePrincipalPolicy")
    checkout.fail("get_secret_value", "AccessDeniedException")
    request = DiagnoseRequest(function_name="checkout", bucket="artifacts")
    diagnosis = WorkerDiagnosis(checkout, OWN_REFERENCES)
    secrets, unknown = list_problems((await diagnosis.diagnose(request)).findings)
    assert secrets[1].startswith("dynamic references to secrets: secretsmanager:GetSecretValue de")
    assert "ssm:GetParameters" not in unknown[1]
    assert "s3:ListBucket" not in unknown[1]
    assert not checkout.writes
