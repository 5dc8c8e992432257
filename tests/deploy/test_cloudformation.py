"""CloudFormation: what cfn-lint says, and what an emulator makes of it."""

from __future__ import annotations

import asyncio
import re
import shlex
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
from aiobotocore.session import get_session
from botocore.exceptions import ClientError

from deploy.local.emulator import LocalLambda
from tests.deploy.conftest import Tools

TEMPLATES: Final = Path(__file__).parents[2] / "deploy" / "cloudformation"
WORKER: Final = TEMPLATES / "worker.yaml"
IAM: Final = TEMPLATES / "iam.yaml"
_SECRET: Final = "arn:aws:secretsmanager:us-east-1:000000000000:secret:releases/key-AbCdEf"
_POLICY: Final = "arn:aws:iam::aws:policy/ReadOnlyAccess"


def lint(tools: Tools, *templates: Path) -> dict[str, str]:
    """What cfn-lint has against templates, by their names; informational findings, too."""
    arguments = ("--include-checks", "I", "--format", "parseable", "--")
    done = tools.run("cfn-lint", *arguments, *templates, check=False)
    assert bool(done.returncode) == bool(done.stdout), done.stderr
    lines = [line.split(":", 1) for line in done.stdout.splitlines()]
    return {Path(path).stem: finding for path, finding in lines}


@dataclass
class CloudFormation:
    """Creates stacks on the emulator."""

    clients: Mapping[str, Any]
    network: Mapping[str, str]

    async def create(self, name: str, template: Path, **parameters: str) -> dict[str, str]:
        """Create a stack; return its resources' physical ids by their names in the template."""
        cloudformation = self.clients["cloudformation"]
        await cloudformation.create_stack(
            StackName=name,
            TemplateBody=for_emulator(template.read_text()),
            Parameters=[
                {"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()
            ],
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"],
        )
        status = ""
        async with asyncio.timeout(60):
            while not status.endswith(("COMPLETE", "FAILED")):
                await asyncio.sleep(0.05)
                stacks = await cloudformation.describe_stacks(StackName=name)
                status = stacks["Stacks"][0]["StackStatus"]
        events = (await cloudformation.describe_stack_events(StackName=name))["StackEvents"]
        reasons = [event.get("ResourceStatusReason") for event in events]
        assert status == "CREATE_COMPLETE", reasons
        found = await cloudformation.describe_stack_resources(StackName=name)
        return {
            each["LogicalResourceId"]: each["PhysicalResourceId"]
            for each in found["StackResources"]
        }

    async def create_worker(self, name: str, **parameters: str) -> dict[str, str]:
        """Create a stack of workers."""
        return await self.create(
            name,
            WORKER,
            **{
                "Image": "registry.example.com/lambda-releases:1",
                "TemporalAddress": "temporal.example.com:7233",
                "PolicyArns": _POLICY,
                **self.network,
                **parameters,
            },
        )

    async def read_container(self, resources: Mapping[str, str]) -> dict[str, Any]:
        """The container of a stack's task definition, as ECS has it."""
        task = await self.clients["ecs"].describe_task_definition(taskDefinition=resources["Task"])
        container: dict[str, Any] = task["taskDefinition"]["containerDefinitions"][0]
        return container


def for_emulator(template: str) -> str:
    """A template that ministack 1.5.33 can create: it takes parameters of type Number for text."""
    return re.sub(r"DesiredCount: !Ref \w+", "DesiredCount: 2", template)


@pytest.fixture(scope="session")
async def cloudformation() -> AsyncIterator[CloudFormation]:
    async with LocalLambda.start(settle=0.05) as aws, AsyncExitStack() as stack:
        clients = {
            name: await stack.enter_async_context(
                get_session().create_client(
                    name,
                    endpoint_url=aws.endpoint_url,
                    region_name="us-east-1",
                    aws_access_key_id="test",
                    aws_secret_access_key="test",
                )
            )
            for name in ("cloudformation", "ec2", "ecs", "iam")
        }
        vpc = (await clients["ec2"].create_vpc(CidrBlock="10.0.0.0/16"))["Vpc"]["VpcId"]
        subnets = [
            (await clients["ec2"].create_subnet(VpcId=vpc, CidrBlock=f"10.0.{number}.0/24"))[
                "Subnet"
            ]["SubnetId"]
            for number in (1, 2)
        ]
        yield CloudFormation(clients, {"Vpc": vpc, "Subnets": ",".join(subnets)})


def test_templates_pass_cfn_lint(tools: Tools) -> None:
    assert lint(tools, *TEMPLATES.glob("*.yaml")) == {}


def test_mistakes_in_a_template_are_found(tools: Tools, tmp_path: Path) -> None:
    text = WORKER.read_text()
    for name, (right, wrong, _) in MISTAKES.items():
        assert right in text, name
        (tmp_path / f"{name}.yaml").write_text(text.replace(right, wrong))
    findings = lint(tools, *sorted(tmp_path.glob("*.yaml")))
    for name, (_, _, finding) in MISTAKES.items():
        assert finding in findings.get(name, "nothing"), name


MISTAKES: Final = {
    "property": ("StopTimeout: !If", "StopTimeOut: !If", "StopTimeOut"),
    "value": ("LaunchType: !Ref LaunchType", "LaunchType: SERVERLESS", "SERVERLESS"),
    "attribute": ("!GetAtt TaskRole.Arn", "!GetAtt TaskRole.ARN", "'ARN' is not one of"),
    "number": ("RetentionInDays: !Ref LogRetentionDays", "RetentionInDays: 91", "91"),
    "action": ("Action: kms:Decrypt", "Action: kms:Decipher", "decipher"),
    "parameter": ("Image: !Ref Image", "Image: !Ref Picture", "Picture"),
}
"""What is right, wrong, and found."""


def test_policies_are_those_that_the_generator_prints() -> None:
    """By the command that stands in the template."""
    comments, _, template = IAM.read_text().partition("AWSTemplateFormatVersion")
    command = comments.replace("\\\n#", "").partition("python -m deploy.iam")[2].splitlines()[0]
    printed = subprocess.run(
        [sys.executable, "-m", "deploy.iam", *shlex.split(command)],
        cwd=TEMPLATES.parents[1],
        capture_output=True,
        text=True,
        check=True,
    )
    assert printed.stdout == f"AWSTemplateFormatVersion{template}"


async def test_workers_get_the_policies_of_the_other_template(
    cloudformation: CloudFormation,
) -> None:
    names = dict.fromkeys(("Functions", "Hooks", "References", "Secrets"), "checkout-*")
    policies = await cloudformation.create("iam", IAM, Bucket="artifacts", **names)
    assert set(policies) == {"PlanPolicy", "ReleasePolicy", "OperationsPolicy"}
    release = policies["ReleasePolicy"]
    resources = await cloudformation.create_worker("allowed", PolicyArns=release)
    attached = await cloudformation.clients["iam"].list_attached_role_policies(
        RoleName=resources["TaskRole"]
    )
    assert [each["PolicyArn"] for each in attached["AttachedPolicies"]] == [release]


async def test_workers_are_created_hardened(cloudformation: CloudFormation) -> None:
    resources = await cloudformation.create_worker("plain")
    assert set(resources) == {
        "OwnCluster",
        "Logs",
        "TaskRole",
        "ExecutionRole",
        "SecurityGroup",
        "Task",
        "Service",
    }
    container = await cloudformation.read_container(resources)
    assert (container["user"], container["readonlyRootFilesystem"]) == ("10001:10001", True)
    environment = {each["name"]: each["value"] for each in container["environment"]}
    # Fargate kills after 120 s at most: the worker has given up on its hooks before.
    assert (container["stopTimeout"], environment["RELEASES_GRACE"]) == (120, "110s")
    assert environment["RELEASES_TASK_QUEUE"] == "lambda-releases"
    attached = await cloudformation.clients["iam"].list_attached_role_policies(
        RoleName=resources["TaskRole"]
    )
    assert [each["PolicyArn"] for each in attached["AttachedPolicies"]] == [_POLICY]


async def test_workers_on_ec2_have_time_for_hooks(cloudformation: CloudFormation) -> None:
    await cloudformation.clients["ecs"].create_cluster(clusterName="own")
    resources = await cloudformation.create_worker("instances", LaunchType="EC2", Cluster="own")
    assert "OwnCluster" not in resources
    container = await cloudformation.read_container(resources)
    environment = {each["name"]: each["value"] for each in container["environment"]}
    assert (container["stopTimeout"], environment["RELEASES_GRACE"]) == (920, "15m")


async def test_workers_on_ec2_need_a_cluster(cloudformation: CloudFormation) -> None:
    with pytest.raises(ClientError, match="LaunchType EC2 needs a Cluster"):
        await cloudformation.create_worker("homeless", LaunchType="EC2")


async def test_address_with_a_scheme_is_refused(cloudformation: CloudFormation) -> None:
    with pytest.raises(ClientError, match="TemporalAddress"):
        await cloudformation.create_worker("url", TemporalAddress="https://temporal:7233/")


async def test_secrets_come_from_the_secrets_manager(cloudformation: CloudFormation) -> None:
    resources = await cloudformation.create_worker(
        "secret",
        TemporalApiKeySecret=_SECRET,
        CodecKeysSecret=_SECRET,
        SecretsKey="arn:aws:kms:us-east-1:000000000000:key/11111111-2222-3333-4444-555555555555",
    )
    container = await cloudformation.read_container(resources)
    assert not {"TEMPORAL_API_KEY", "RELEASES_CODEC_KEYS"} & {
        each["name"] for each in container["environment"]
    }
    policy = await cloudformation.clients["iam"].get_role_policy(
        RoleName=resources["ExecutionRole"], PolicyName="read-secrets"
    )
    actions = [each["Action"] for each in policy["PolicyDocument"]["Statement"]]
    assert actions == ["secretsmanager:GetSecretValue", "kms:Decrypt"]


async def test_workers_of_several_accounts_may_assume_roles(cloudformation: CloudFormation) -> None:
    role = "arn:aws:iam::222222222222:role/lambda-releases"
    places = f'places:\n  - {{account: "222222222222", region: eu-west-1, role_arn: {role}}}\n'
    resources = await cloudformation.create_worker("places", Places=places, PlaceRoleArns=role)
    container = await cloudformation.read_container(resources)
    environment = {each["name"]: each["value"] for each in container["environment"]}
    assert environment["PLACES"] == places
    assert "RELEASES_TASK_QUEUE" not in environment
    policy = await cloudformation.clients["iam"].get_role_policy(
        RoleName=resources["TaskRole"], PolicyName="assume-roles-of-places"
    )
    assert policy["PolicyDocument"]["Statement"][0]["Resource"] == [role]
