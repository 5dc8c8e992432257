"""Terraform: the module, and functions whose alias is moved by releases.

Terraform and its AWS provider come from no registry of Python, Debian or npm packages. Where they
are absent these tests are skipped: the only ones that are.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest
from aiobotocore.session import get_session

from deploy.local import sample
from deploy.local.stack import Stack
from tests.test_docs import code_lines

ROOT: Final = Path(__file__).parents[2]
MODULE: Final = ROOT / "deploy" / "terraform"
RELEASES: Final = Path(sys.executable).with_name("releases")
_PROVIDER: Final = "hashicorp/aws"
_PLUGINS: Final = (
    *filter(None, [os.environ.get("TERRAFORM_PLUGINS")]),
    "/opt/tf-plugins",
    "~/.terraform.d/plugins",
    "/usr/local/share/terraform/plugins",
    "/usr/share/terraform/plugins",
)
_DIFFERENT: Final = 2
"""The exit status of ``terraform plan -detailed-exitcode`` where something differs."""

_EMULATOR: Final = """
provider "aws" {
  access_key                  = "test"
  secret_key                  = "test"
  region                      = "us-east-1"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = true
}
"""


class Terraform:
    """Runs Terraform in folders of its own, with plugins that are there already."""

    def __init__(self, command: str, plugins: Path) -> None:
        self._command = command
        self._plugins = plugins

    def run(
        self, folder: Path, *arguments: str, check: bool = True, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in a folder; fail with its output."""
        name, *rest = arguments
        kept = {key: value for key, value in os.environ.items() if not key.startswith("TF_")}
        done = subprocess.run(
            [self._command, name, *([] if name == "fmt" else ["-no-color"]), *rest],
            cwd=folder,
            env={**kept, "TF_IN_AUTOMATION": "1", "CHECKPOINT_DISABLE": "1", **environment},
            text=True,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=110,
            check=False,
        )
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done

    def initialize(self, folder: Path) -> None:
        """Have the plugins in a folder."""
        self.run(folder, "init", "-backend=false", f"-plugin-dir={self._plugins}")

    def copy_example(self, name: str, folder: Path) -> Path:
        """Copy the module, and make one of its examples ready to run on the emulator."""
        shutil.copytree(MODULE, folder / "terraform")
        example = folder / "terraform" / "examples" / name
        (example / "provider.tf").write_text(_EMULATOR)
        self.initialize(example)
        return example


@pytest.fixture(scope="session")
def terraform() -> Terraform:
    command = shutil.which("terraform")
    plugins = [
        path for each in _PLUGINS if any((path := Path(each).expanduser()).glob(f"*/{_PROVIDER}"))
    ]
    if command is None or not plugins:
        missing = f"the provider {_PROVIDER} (TERRAFORM_PLUGINS)" if command else "terraform"
        pytest.skip(f"NOT CHECKED, deploy/terraform: {missing} is not on this machine")
    return Terraform(command, plugins[0])


@pytest.fixture(scope="session")
def initialized(terraform: Terraform, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the module that is ready to run."""
    folder = Path(shutil.copytree(MODULE, tmp_path_factory.mktemp("terraform") / "module"))
    terraform.initialize(folder)
    return folder


def test_module_is_formatted(terraform: Terraform, tmp_path: Path) -> None:
    check = ("fmt", "-check", "-recursive", "-diff")
    assert terraform.run(MODULE, *check).stdout == ""
    broken = tmp_path / "main.tf"
    broken.write_text((MODULE / "main.tf").read_text().replace("  name ", "name "))
    assert terraform.run(tmp_path, *check, check=False).returncode != 0


def test_roles_and_policies_of_deploy_iam_are_valid(terraform: Terraform, tmp_path: Path) -> None:
    names = ("--functions", "${Functions}", "--bucket", "${Bucket}", "--tier", "plan,release")
    command = ("-m", "deploy.iam", *names, "--trust", "ec2", "--format", "terraform")
    run = subprocess.run([sys.executable, *command], cwd=ROOT, capture_output=True, check=True)
    (tmp_path / "iam.tf.json").write_bytes(run.stdout)
    terraform.initialize(tmp_path)
    terraform.run(tmp_path, "validate")


def test_module_is_valid_and_passes_its_tests(terraform: Terraform, initialized: Path) -> None:
    terraform.run(initialized, "validate")
    assert "0 failed" in terraform.run(initialized, "test").stdout


@pytest.mark.parametrize(
    ("command", "mistakes"),
    [
        (
            "validate",
            {
                "vpc_id      = var.vpc_id": ("vpc_ids     = var.vpc_id", '"vpc_ids"'),
                "aws_iam_role.task.arn": ("aws_iam_role.worker.arn", '"aws_iam_role" "worker"'),
            },
        ),
        (
            "test -filter=tests/worker.tftest.hcl",
            {
                "? 120 : 920": ("? 920 : 120", "Fargate's most is 120 s"),
                'drop = ["ALL"]': ('drop = ["NET_RAW"]', "the container is hardened"),
            },
        ),
    ],
    ids=["validate", "test"],
)
def test_mistakes_in_the_module_are_found(
    terraform: Terraform,
    initialized: Path,
    tmp_path: Path,
    command: str,
    mistakes: dict[str, tuple[str, str]],
) -> None:
    module = Path(shutil.copytree(initialized, tmp_path / "broken", symlinks=True))
    main = module / "main.tf"
    for right, (wrong, _) in mistakes.items():
        text = main.read_text()
        assert right in text
        main.write_text(text.replace(right, wrong))
    done = terraform.run(module, *command.split(), check=False)
    assert done.returncode == 1
    for _, finding in mistakes.values():
        assert finding in done.stdout + done.stderr


async def test_workers_are_applied_to_the_emulator(
    terraform: Terraform, local_stack: Stack, tmp_path: Path
) -> None:
    example = terraform.copy_example("worker", tmp_path)
    lines = [shlex.split(line) for line in code_lines(ROOT / "docs" / "install-ecs.md")]
    (generate,) = (line for line in lines if line[:3] == ["python", "-m", "deploy.iam"])
    printed = subprocess.run(
        [sys.executable, *generate[1 : generate.index(">")]],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert generate[-1] == "deploy/terraform/examples/worker/release.json"
    (example / "release.json").write_text(printed.stdout)
    (apply,) = (line for line in lines if line[:1] == ["terraform"] and "apply" in line)
    terraform.run(
        example,
        "apply",
        "-auto-approve",
        *(word for word in apply if word.startswith("-var")),
        AWS_ENDPOINT_URL=local_stack.aws.endpoint_url,
    )
    async with connect(local_stack, "ecs") as ecs:
        services = await ecs.describe_services(
            cluster="lambda-releases", services=["lambda-releases"]
        )
        service = services["services"][0]
        task = await ecs.describe_task_definition(taskDefinition=service["taskDefinition"])
    container = task["taskDefinition"]["containerDefinitions"][0]
    assert (service["desiredCount"], container["stopTimeout"]) == (2, 120)
    assert container["linuxParameters"] == {"capabilities": {"drop": ["ALL"]}}


def connect(stack: Stack, service: str) -> Any:
    """A client of the local AWS."""
    return get_session().create_client(
        service,
        endpoint_url=stack.aws.endpoint_url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )


def test_apply_leaves_what_a_release_has_moved(
    terraform: Terraform, local_stack: Stack, tmp_path: Path
) -> None:
    """And without ``ignore_changes`` it would take the release back."""
    example = terraform.copy_example("function", tmp_path)
    package = tmp_path / "first.zip"
    package.write_bytes(sample.build_package("checkout"))
    variables = (
        f"-var=first_package={package}",
        "-var=role_arn=arn:aws:iam::000000000000:role/checkout",
    )
    aws = {"AWS_ENDPOINT_URL": local_stack.aws.endpoint_url}
    plan = ("plan", "-detailed-exitcode", *variables)
    terraform.run(example, "apply", "-auto-approve", *variables, **aws)
    release = ("start", "orders", "--s3", f"s3://{sample.BUCKET}/{sample.GOOD}")
    done = subprocess.run(
        [RELEASES, *release, "--strategy", "AllAtOnce", "--revision", "42", "--wait"],
        env={**os.environ, "TEMPORAL_ADDRESS": local_stack.address},
        text=True,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    terraform.run(example, *plan, **aws)
    main = example / "main.tf"
    main.write_text(
        main.read_text().replace(
            "ignore_changes = [function_version", "ignore_changes = [description"
        )
    )
    taken_back = terraform.run(example, *plan, check=False, **aws)
    assert taken_back.returncode == _DIFFERENT, taken_back.stderr
    assert 'function_version = "2" -> "1"' in taken_back.stdout


def test_page_about_aliases_shows_the_example() -> None:
    page = "\n".join(code_lines(ROOT / "docs" / "alias-ownership.md"))
    example = (MODULE / "examples" / "function" / "main.tf").read_text()
    shown, written = (
        [
            re.findall(r"\w+", names)
            for names in re.findall(r"(?s)ignore_changes = \[(.*?)\]", re.sub(r"#.*", "", text))
        ]
        for text in (page, example)
    )
    assert len(shown) == 2
    assert shown == written
