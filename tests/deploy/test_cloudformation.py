"""CloudFormation: what cfn-lint says, and what an emulator makes of it."""

from __future__ import annotations

import asyncio
import itertools
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
from deploy.local.sample import build_package
from tests.deploy.conftest import Tools
from tests.test_docs import code_lines

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = ROOT / "docs" / "install-ecs.md"
OWNERSHIP: Final = ROOT / "docs" / "alias-ownership.md"
TEMPLATES: Final = ROOT / "deploy" / "cloudformation"
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
            Capabilities=["CAPABILITY_IAM"],
        )
        return await self.read_resources(name)

    async def read_resources(self, name: str) -> dict[str, str]:
        """Wait until a stack is complete; return its resources' physical ids."""
        cloudformation = self.clients["cloudformation"]
        status = ""
        async with asyncio.timeout(60):
            while not status.endswith(("COMPLETE", "FAILED")):
                await asyncio.sleep(0.05)
                stacks = await cloudformation.describe_stacks(StackName=name)
                status = stacks["Stacks"][0]["StackStatus"]
        events = (await cloudformation.describe_stack_events(StackName=name))["StackEvents"]
        reasons = [event.get("ResourceStatusReason") for event in events]
        assert status in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}, reasons
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
            for name in ("cloudformation", "ec2", "ecs", "iam", "lambda", "s3")
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
        cwd=ROOT,
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
    places = f'places:\n  - {{account: "222222222222", region: eu-west-1, roll_arn: {role}}}\n'
    resources = await cloudformation.create_worker("places", Places=places, PlaceRoleArns=role)
    container = await cloudformation.read_container(resources)
    environment = {each["name"]: each["value"] for each in container["environment"]}
    assert environment["PLACES"] == places
    assert "RELEASES_TASK_QUEUE" not in environment
    policy = await cloudformation.clients["iam"].get_role_policy(
        RoleName=resources["TaskRole"], PolicyName="assume-roles-of-places"
    )
    assert policy["PolicyDocument"]["Statement"][0]["Resource"] == [role]
    # The worker reads them: the mistake in them is what it ends with.
    started = subprocess.run(
        [*container["entryPoint"], *container["command"]],
        env={"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (started.returncode, "places.0.roll_arn" in started.stderr) == (1, True), started.stderr


async def test_commands_of_the_page_create_both_stacks(cloudformation: CloudFormation) -> None:
    commands = [shlex.split(line) for line in code_lines(PAGE) if line.startswith("aws ")]
    policies: dict[str, str] = {}
    for command in commands:
        options = dict(itertools.pairwise(command))
        words = command[command.index("--parameter-overrides") + 1 :]
        parameters = dict(word.split("=", 1) for word in words)
        template = ROOT / options["--template-file"]
        if template == WORKER:
            parameters |= {**cloudformation.network, "PolicyArns": policies["ReleasePolicy"]}
        name = f"page-{options['--stack-name']}"
        policies |= await cloudformation.create(name, template, **parameters)
    assert len(commands) == 2
    assert "Service" in policies


FUNCTION: Final = """
Resources:
  Checkout:
    Type: AWS::Lambda::Function
    Properties:
      FunctionName: checkout
      Runtime: python3.13
      Handler: checkout.handler
      MemorySize: 128
      Role: arn:aws:iam::000000000000:role/checkout
      Code: {S3Bucket: packages, S3Key: checkout.zip}
  First:
    Type: AWS::Lambda::Version
    DeletionPolicy: Retain
    Properties: {FunctionName: !Ref Checkout}
"""


async def test_update_of_a_stack_leaves_the_alias(
    cloudformation: CloudFormation, tmp_path: Path
) -> None:
    """With the alias as the page writes it; the emulator's word, not that of AWS."""
    functions, s3 = cloudformation.clients["lambda"], cloudformation.clients["s3"]
    await s3.create_bucket(Bucket="packages")
    await s3.put_object(Bucket="packages", Key="checkout.zip", Body=build_package("checkout"))
    lines = code_lines(OWNERSHIP)
    begin = lines.index("Live:")
    alias = "\n".join(f"  {line}" for line in lines[begin : begin + 6])
    template = tmp_path / "function.yaml"
    template.write_text(f"{FUNCTION}{alias}\n    DependsOn: First\n")
    await cloudformation.create("function", template)
    alias_of = {"FunctionName": "checkout", "Name": "live"}
    assert (await functions.get_alias(**alias_of))["FunctionVersion"] == "1"
    await functions.update_function_code(
        FunctionName="checkout", ZipFile=build_package("good"), Publish=True
    )
    await functions.update_alias(**alias_of, FunctionVersion="2")
    await cloudformation.clients["cloudformation"].update_stack(
        StackName="function",
        TemplateBody=template.read_text().replace("MemorySize: 128", "MemorySize: 256"),
    )
    await cloudformation.read_resources("function")
    changed = await functions.get_function_configuration(FunctionName="checkout")
    assert changed["MemorySize"] == 256
    assert (await functions.get_alias(**alias_of))["FunctionVersion"] == "2"
