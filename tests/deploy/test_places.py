"""One worker process, two accounts of the local AWS: roles are really assumed, by its STS.

Not proven here: what AWS's own STS and IAM decide about trust, external ids and session tags.
"""

from __future__ import annotations

import asyncio
import json
import shlex
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import yaml
from aiobotocore.session import get_session

from deploy.local import sample
from deploy.local.emulator import LocalLambda
from tests.cli.shell import Shell
from tests.namespaces import create_namespace
from tests.test_docs import code_lines
from tests.worker_processes import PATIENCE, ROOT, Workers
from workflows.client.place_search import Places
from workflows.worker.places import read_places

SHOP, BANK, REGION = "111111111111", "222222222222", "us-east-1"
PAGE = ROOT / "docs/several-accounts.md"


@asynccontextmanager
async def open_account(aws: LocalLambda, account: str, service: str) -> AsyncIterator[Any]:
    """A client of an account: to the local AWS, an access key of twelve digits is an account."""
    async with get_session().create_client(
        service,
        region_name=REGION,
        endpoint_url=aws.endpoint_url,
        aws_access_key_id=account,
        aws_secret_access_key="test",
    ) as client:
        yield client


async def prepare(aws: LocalLambda, account: str) -> str:
    """Create the role and a function ``checkout`` in an account; return the role's ARN."""
    async with open_account(aws, account, "iam") as iam:
        trust = {
            "Effect": "Allow",
            "Action": ["sts:AssumeRole", "sts:TagSession"],
            "Principal": {"AWS": "*"},
        }
        role = await iam.create_role(
            RoleName="releases",
            AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}),
        )
    async with open_account(aws, account, "lambda") as awslambda:
        await sample.create_function(awslambda)
    return str(role["Role"]["Arn"])


def read_page() -> str:
    """The page, in one line."""
    return " ".join(PAGE.read_text().split())


def read_file() -> str:
    """The file that the page shows."""
    return "\n".join(code_lines(PAGE)).partition("python worker.py")[0]


def list_commands() -> list[list[str]]:
    """The words of each command of the page, without ``releases``."""
    return [shlex.split(line)[1:] for line in code_lines(PAGE) if line.startswith("releases ")]


async def read_live(aws: LocalLambda, account: str) -> str:
    async with open_account(aws, account, "lambda") as awslambda:
        return str(
            (await awslambda.get_alias(FunctionName="checkout", Name="live"))["FunctionVersion"]
        )


async def test_one_worker_releases_the_same_name_in_two_accounts(workers: Workers) -> None:
    aws = await workers.stack.enter_async_context(LocalLambda.start())
    roles = {account: await prepare(aws, account) for account in (SHOP, BANK)}
    file = workers.directory / "workers.yaml"
    file.write_text(read_file())
    places = [place.model_dump(exclude_none=True) for place in read_places(file)]
    for place in places:
        place |= {"role_arn": roles[place["account"]], "endpoint_url": aws.endpoint_url}
        place.pop("profile", None)
    file.write_text(yaml.safe_dump({"places": places}))
    namespace = await create_namespace(workers.temporal.client, "two")
    process = workers.start(
        "places",
        "",
        RELEASES_CONFIG=str(file),
        RELEASES_LOG_FORMAT="console",
        TEMPORAL_NAMESPACE=namespace,
    )
    address = workers.temporal.client.service_client.config.target_host
    client = await type(workers.temporal.client).connect(address, namespace=namespace)
    async with asyncio.timeout(PATIENCE):
        while len(await Places(client).list()) < len(places):
            await asyncio.sleep(0.1)
    shell = Shell(address, "")
    shell.environment |= {"TEMPORAL_NAMESPACE": namespace}
    del shell.environment["RELEASES_TASK_QUEUE"]
    refused, *accepted = list_commands()
    result = await shell(*refused)
    assert result.exit_code == 2, result.output
    assert " ".join(result.stderr.split()).removeprefix("releases: ") in read_page()
    for words in accepted:
        result = await shell(*words)
        assert result.exit_code == 0, f"{words}: {result.output}"
    assert all(f"account {account} in {REGION}" in result.output for account in roles)
    working = [line for line in process.read_log_tail(50).splitlines() if "working" in line]
    assert (await read_live(aws, SHOP), await read_live(aws, BANK)) == ("1", "2")
    assert len(working) == len(places)
