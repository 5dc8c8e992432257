"""Policies, as ``python -m deploy.iam`` prints them: what the code calls, and nothing more."""

from __future__ import annotations

import ast
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from activities.access import OTHER_OPERATIONS, RELEASE_OPERATIONS
from activities.permission_needs import NEEDS, OTHER_NEEDS, list_actions
from deploy.iam.__main__ import build_policies, main
from deploy.iam.arguments import parse_arguments
from deploy.iam.aws_calls import UnreadableCallError, find_calls
from deploy.iam.call_graph import CallGraph, is_operation, read_product
from deploy.iam.policy import MAX_CHARACTERS, count_characters
from deploy.iam.tiers import Tier, UnknownCallError, find_tier_actions, find_tier_calls
from tests.policy_evaluator import Authorization, Caller, is_allowed, pascal

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs/permissions.md").read_text()
PLACE = ["--account", "123456789012", "--region", "eu-west-1"]
HERE = Caller("123456789012", "eu-west-1")
FUNCTION = "arn:aws:lambda:eu-west-1:123456789012:function:checkout"
SECRET = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:checkout/token"
KEY = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
EVERYTHING = [
    *("--functions", "checkout", "--bucket", "artifacts", "--bucket-key", KEY),
    *("--images", "shop/checkout", "--hooks", "smoke", "--references", "/checkout/*"),
    *("--secrets", "checkout/token", "--reference-key", KEY, "--layers", "tools"),
    *("--role", "checkout", "--key", KEY, "--codec-key", KEY, "--worker-role", "releases"),
    *("--vpc", "--file-systems", *PLACE),
]
BY_AWS = {
    "ec2:DescribeSecurityGroups": "VpcConfig",
    "ec2:DescribeSubnets": "VpcConfig",
    "ec2:DescribeVpcs": "VpcConfig",
    "ec2:GetSecurityGroupsForVpc": "VpcConfig",
    "ecr:BatchGetImage": "ImageUri",
    "ecr:GetDownloadUrlForLayer": "ImageUri",
    "ecr:GetRepositoryPolicy": "ImageUri",
    "elasticfilesystem:DescribeMountTargets": "FileSystemConfigs",
    "iam:PassRole": "Role",
    "kms:CreateGrant": "KMSKeyArn",
    "kms:Decrypt": "KMSKeyArn",
    "kms:Encrypt": "KMSKeyArn",
    "kms:GenerateDataKey": "KMSKeyArn",
    "lambda:GetLayerVersion": "Layers",
    "s3:ListBucket": "the difference between a missing object and a forbidden one",
}
"""Rights that no call of the code is named for: AWS uses them for its caller, and for what."""

NO_CALLS = {"activities.identity._ask", "activities.identity.read_account"}
"""Calls that stand outside of the tiers, since they need no permission."""


@pytest.fixture(scope="module")
def graph() -> CallGraph:
    return read_product()


def policy_of(graph: CallGraph, *arguments: str) -> dict[str, Any]:
    [policy] = build_policies(parse_arguments(arguments), graph).values()
    return policy


def actions_of(policy: dict[str, Any]) -> set[str]:
    return {action for statement in policy["Statement"] for action in statement["Action"]}


# --- what the code calls ------------------------------------------------------------------------


def make_graph(folder: Path, source: str) -> CallGraph:
    """The graph of a product with one module."""
    for package in ("activities", "workflows"):
        (folder / package).mkdir()
    (folder / "activities/one.py").write_text(source)
    return CallGraph(folder)


def read_calls(folder: Path, source: str) -> dict[str, list[str]]:
    """The calls that are reached from ``root``."""
    graph = make_graph(folder, source)
    return find_calls(graph, graph.reach([graph.find("activities.one.root")]))


def test_call_in_a_function_that_is_reached_is_found(tmp_path: Path) -> None:
    source = """
NAME = "get_alias"
def root(aws): helper(aws)
def helper(aws): aws.call("lambda", NAME, {})
def unused(aws): aws.call("lambda", "delete_function", {})
"""
    assert read_calls(tmp_path, source) == {"lambda.get_alias": ["activities.one.helper"]}


def test_call_by_a_parameter_is_found_at_its_callers(tmp_path: Path) -> None:
    source = """
def root(aws): Writer(aws).write("update_alias", {})
class Writer:
    def __init__(self, aws): self.aws = aws
    def write(self, operation, request): self.pass_on(operation=operation)
    def pass_on(self, *, operation): self.aws.call("lambda", operation, {})
    def never(self): self.aws.call("lambda", "delete_alias", {})
"""
    assert read_calls(tmp_path, source) == {"lambda.update_alias": ["activities.one.root"]}


def test_call_whose_operation_is_computed_is_refused(tmp_path: Path) -> None:
    source = "def root(aws, kind): aws.call('lambda', f'get_{kind}', {})"
    with pytest.raises(UnreadableCallError, match=r"one\.root: f'get_{kind}' is neither a text"):
        read_calls(tmp_path, source)


def test_call_that_the_table_does_not_know_is_refused() -> None:
    with pytest.raises(UnknownCallError, match=r"the code calls sns\.publish, and .* sns:Publish"):
        find_tier_actions(["lambda.get_function", "sns.publish"])


def list_port_calls(graph: CallGraph) -> Iterator[str]:
    """Every function of the product that sends a request: ``….call("service", …)``."""
    for each in graph.list_functions():
        for node in ast.walk(each.node):
            match node:
                case ast.Call(func=ast.Attribute(attr="call"), args=[_, _, _]) if (
                    each.name.split(".")[-1] != "call"
                ):
                    yield str(each)
                case _:
                    pass


def test_every_call_of_the_product_is_in_a_tier(graph: CallGraph) -> None:
    callers = set(list_port_calls(graph))
    assert len(callers) > 50
    places = {
        place for tier in Tier for found in find_tier_calls(graph, tier).values() for place in found
    }
    forwarders = {
        "activities.latest_writer.LatestWriter.write",
        "activities.pagination.iterate_pages",
    }
    tried = {each for each in callers if each.startswith("activities.permission_reads.")}
    assert callers - places - forwarders - tried - NO_CALLS == set()


def test_calls_are_those_that_docstrings_of_operations_name(graph: CallGraph) -> None:
    """The docstring of an operation lists its calls for people, apart from the code."""
    for operation in RELEASE_OPERATIONS | OTHER_OPERATIONS:
        [found] = graph.find_operations([operation])
        assert is_operation(found.node)
        text = " ".join((ast.get_docstring(found.node) or "").split())  # type: ignore[arg-type]
        listed = re.search(r"AWS: (.+?)\.$", text)
        named = set(re.findall(r"\b[A-Z][a-z]+(?:[A-Z][a-z]+)+\b", listed[1] if listed else ""))
        made = {pascal(each.partition(".")[2]) for each in find_calls(graph, graph.reach([found]))}
        assert named - made - {"DryRun", "CloudWatch"} == set(), operation


def test_reads_that_doctor_tries_are_made_by_releases(graph: CallGraph) -> None:
    tries = [each for each in graph.list_functions() if each.module.endswith(".permission_reads")]
    assert set(find_calls(graph, tries)) <= set(find_tier_calls(graph, Tier.RELEASE))


# --- the policies -------------------------------------------------------------------------------


def find_uncovered(graph: CallGraph, tier: Tier, policy: dict[str, Any]) -> set[str]:
    """The actions of the tier's calls that the policy does not allow."""
    allowed = actions_of(policy)
    calls = find_tier_calls(graph, tier)
    needed = {action for call in calls for action in list_actions(call)}
    return needed - allowed - {"sts:GetCallerIdentity"}


def find_unused(graph: CallGraph, tier: Tier, policy: dict[str, Any]) -> set[str]:
    """The actions that the policy allows, and that no call of the tier takes."""
    calls = find_tier_calls(graph, tier)
    needed = {action for call in calls for action in list_actions(call)}
    return actions_of(policy) - needed - set(BY_AWS)


@pytest.mark.parametrize("tier", Tier)
def test_policy_covers_every_call_and_nothing_more(graph: CallGraph, tier: Tier) -> None:
    policy = policy_of(graph, *EVERYTHING, "--tier", tier)
    assert find_uncovered(graph, tier, policy) == set()
    assert find_unused(graph, tier, policy) == set()
    assert count_characters(policy) < MAX_CHARACTERS


def test_policy_without_an_action_or_with_one_more_is_noticed(graph: CallGraph) -> None:
    policy = policy_of(graph, *EVERYTHING)
    functions = policy["Statement"][0]["Action"]
    functions.remove("lambda:UpdateAlias")
    functions.append("lambda:DeleteFunction")
    assert find_uncovered(graph, Tier.RELEASE, policy) == {"lambda:UpdateAlias"}
    assert find_unused(graph, Tier.RELEASE, policy) == {"lambda:DeleteFunction"}


def test_plan_may_write_nothing(graph: CallGraph) -> None:
    reading = re.compile(r"\w+:(Get|List|Describe|BatchGet|Simulate)\w+|kms:Decrypt")
    assert not [
        action
        for action in actions_of(policy_of(graph, *EVERYTHING, "--tier", "plan"))
        if not reading.fullmatch(action)
    ]


def test_tier_of_releases_holds_that_of_plans(graph: CallGraph) -> None:
    plan, release = (policy_of(graph, *EVERYTHING, "--tier", tier) for tier in ("plan", "release"))
    assert actions_of(plan) < actions_of(release)


def test_single_operation_gets_its_own_rights_alone(graph: CallGraph) -> None:
    tier = ["--tier", "operations", "--operations", "list_aliases,list_tags"]
    policy = policy_of(graph, "--functions", "checkout", *PLACE, *tier)
    assert actions_of(policy) == {"lambda:ListAliases", "lambda:ListTags"}


def test_scope_without_a_flag_is_left_out(
    graph: CallGraph, capsys: pytest.CaptureFixture[str]
) -> None:
    policy = policy_of(graph, "--functions", "checkout", *PLACE)
    assert {action.partition(":")[0] for action in actions_of(policy)} == {"lambda", "cloudwatch"}
    assert (
        "left out of tier release, since nothing is named: --hooks, --b" in capsys.readouterr().err
    )


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("lambda:UpdateAlias", f"{FUNCTION}-admin"),
        ("lambda:InvokeFunction", FUNCTION),
        ("lambda:UpdateFunctionCode", f"{FUNCTION}s"),
        ("s3:GetObject", "arn:aws:s3:::artifacts-private/checkout.zip"),
        ("ssm:GetParameters", "arn:aws:ssm:eu-west-1:123456789012:parameter/payments/token"),
        (
            "secretsmanager:GetSecretValue",
            f"{SECRET}2-AbCdEf",
        ),
        ("iam:PassRole", "arn:aws:iam::123456789012:role/checkout"),
        ("kms:Decrypt", f"{KEY[:-1]}c"),
    ],
)
def test_other_resources_stay_out_of_reach(graph: CallGraph, action: str, resource: str) -> None:
    assert not is_allowed(policy_of(graph, *EVERYTHING), Authorization(action, resource))


@pytest.mark.parametrize(
    ("action", "resource", "context"),
    [
        ("lambda:UpdateAlias", FUNCTION, {}),
        ("lambda:GetFunction", f"{FUNCTION}:7", {}),
        ("lambda:InvokeFunction", f"{FUNCTION}:7", {}),
        ("lambda:InvokeFunction", HERE.arn("lambda", "function:smoke"), {}),
        (
            "secretsmanager:GetSecretValue",
            f"{SECRET}-AbCdEf",
            {},
        ),
        (
            "iam:PassRole",
            "arn:aws:iam::123456789012:role/checkout",
            {"iam:PassedToService": "lambda.amazonaws.com"},
        ),
    ],
)
def test_resources_of_the_release_are_in_reach(
    graph: CallGraph, action: str, resource: str, context: dict[str, str]
) -> None:
    assert is_allowed(policy_of(graph, *EVERYTHING), Authorization(action, resource, context))


def test_pattern_of_functions_holds_their_versions(graph: CallGraph) -> None:
    policy = policy_of(graph, "--functions", "checkout-*", *PLACE)
    for resource in ("checkout-eu", "checkout-eu:live"):
        wanted = Authorization("lambda:GetFunction", HERE.arn("lambda", f"function:{resource}"))
        assert is_allowed(policy, wanted)
    assert policy["Statement"][0]["Resource"] == f"{FUNCTION}-*"


def test_worker_that_takes_roles_needs_nothing_else(graph: CallGraph) -> None:
    role = "arn:aws:iam::210987654321:role/releases"
    policy = policy_of(graph, "--assume", role, "--codec-key", KEY, *PLACE)
    assert {(*each["Action"], each["Resource"]) for each in policy["Statement"]} == {
        ("sts:AssumeRole", "sts:TagSession", role),
        ("kms:Decrypt", KEY),
    }


def test_partition_is_that_of_the_region(graph: CallGraph) -> None:
    place = ["--account", "123456789012", "--region", "cn-north-1"]
    policy = policy_of(graph, "--functions", "checkout", "--key", KEY, *place)
    resources = [each["Resource"] for each in policy["Statement"]]
    assert "arn:aws-cn:lambda:cn-north-1:123456789012:function:checkout:*" in resources
    [condition] = [each["Condition"] for each in policy["Statement"] if "Condition" in each]
    assert condition == {"StringEquals": {"kms:ViaService": "lambda.cn-north-1.amazonaws.com.cn"}}


# --- the command --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (PLACE, "--functions: name the functions that are released"),
        (["--functions", "checkout"], "--account '': give the 12 digits of the account"),
        (["--functions", "a", "--account", "1", "--region", "x"], "--account '1': give the 12"),
        (
            ["--functions", "checkout,", *PLACE],
            "argument --functions: 'checkout,': a name is empty",
        ),
        (["--functions", "a", "--tier", "all", *PLACE], "--tier 'all': give plan, release, oper"),
        (
            ["--functions", "a", "--operations", "fly", *PLACE],
            "--operations fly: give some of add_",
        ),
        (["--functions", "a", "--assume", "role", *PLACE], "--assume 'role': give the ARN of a"),
    ],
)
def test_bad_flag_is_refused_by_its_name(
    arguments: list[str], problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(arguments)
    assert problem in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--functions", "arn:aws:lambda:a"], "--functions 'arn:aws:lambda:a': give a function's"),
        (["--functions", "a", "--bucket", "s3://b"], "--bucket 's3://b': give a bucket, such as"),
        (["--functions", "a", "--key", "alias/mine"], "--key 'alias/mine': give a key's ARN or id"),
        (["--functions", "a", "--tier", "plan,release"], "--tier plan,release: print one policy"),
        (["--tier", "upload"], "the policy of tier upload allows nothing: give --bucket"),
        (["--trust", "irsa"], "this platform needs --issuer"),
        (["--trust", "github", "--subject", "repo:acme/*"], "--subject 'repo:acme/*': give one"),
        (
            ["--trust", "account", "--principal", "arn:aws:iam::123456789012:root"],
            "--principal 'arn:aws:iam::123456789012:root': give the ARN of one role",
        ),
    ],
)
def test_bad_name_is_refused_by_its_flag(
    arguments: list[str], problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*arguments, *PLACE]) == 2
    assert problem in capsys.readouterr().err


def test_template_takes_names_as_parameters(capsys: pytest.CaptureFixture[str]) -> None:
    names = ["--functions", "${Functions}", "--bucket", "${Bucket}"]
    assert main([*names, "--format", "cloudformation", "--trust", "ecs", "--tier", "plan"]) == 0
    template = yaml.safe_load(capsys.readouterr().out)
    assert set(template["Parameters"]) == {"Functions", "Bucket"}
    assert set(template["Resources"]) == {"PlanPolicy", "PlanRole"}
    place = "${AWS::Region}:${AWS::AccountId}"
    document = template["Resources"]["PlanPolicy"]["Properties"]["PolicyDocument"]
    assert document["Statement"][0]["Resource"][0] == {
        "Fn::Sub": f"arn:${{AWS::Partition}}:lambda:{place}:function:${{Functions}}"
    }


def test_module_of_terraform_has_policies_and_roles(capsys: pytest.CaptureFixture[str]) -> None:
    names = ["--functions", "${FunctionNames}", "--format", "terraform", "--trust", "ec2"]
    assert main(names) == 0
    module = json.loads(capsys.readouterr().out)
    assert set(module["variable"]) == {"account", "region", "function_names"}
    policy = json.loads(module["resource"]["aws_iam_policy"]["release"]["policy"])
    assert policy["Statement"][0]["Resource"][0] == (
        "arn:aws:lambda:${var.region}:${var.account}:function:${var.function_names}"
    )
    assert set(module["resource"]) == {
        "aws_iam_policy",
        "aws_iam_role",
        "aws_iam_role_policy_attachment",
    }


# --- the page -----------------------------------------------------------------------------------


def list_commands() -> list[list[str]]:
    """The commands of the page, without what they write to."""
    code = "\n".join(line[4:] for line in PAGE.splitlines() if line.startswith("    "))
    lines = code.replace("\\\n", " ").splitlines()
    found = [line.partition(" > ")[0] for line in lines if line.startswith("python -m deploy.iam")]
    return [shlex.split(line)[3:] for line in found]


def test_page_shows_the_policy_that_is_generated(capsys: pytest.CaptureFixture[str]) -> None:
    command, *_ = list_commands()
    assert main(command) == 0
    printed = capsys.readouterr().out
    assert "".join(f"    {line}\n" for line in printed.splitlines()) in PAGE


@pytest.mark.parametrize("command", list_commands()[1:], ids=" ".join)
def test_command_of_the_page_runs(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(command) == 0
    assert capsys.readouterr().out


def test_every_right_of_the_table_is_on_the_page() -> None:
    actions = {action for need in (*NEEDS, *OTHER_NEEDS[:1]) for action in need.actions}
    assert sorted(action for action in actions if f"`{action}`" not in PAGE) == []


def test_every_flag_is_on_the_page(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    flags = set(re.findall(r"--[a-z-]+", capsys.readouterr().out))
    assert {flag for flag in flags if flag not in PAGE} == set()
