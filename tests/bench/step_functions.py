"""Contender: the pipeline as a state machine of ministack's Step Functions.

It uses AWS's SDK integrations. In ministack 1.5.33 they have eight operations of Lambda:
createFunction, updateFunctionConfiguration, updateFunctionCode, createAlias, updateAlias, getAlias,
getFunction, getFunctionConfiguration. PublishVersion and provisioned concurrency are missing, so
this state machine publishes by UpdateFunctionCode and makes two calls less. A ``Wait`` takes whole
seconds, as on AWS.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any, Final

from aiobotocore.session import get_session

from deploy.local.emulator import ROOT
from deploy.local.processes import Process, ProcessError
from tests.bench.contenders import BurstResult, make_prefix
from tests.bench.harness import BenchHarness
from tests.bench.pipeline import BAKE, BUCKET, LIVE, PERCENT, CallCounts, check_released
from tests.bench.usage import Meter

CALLS: Final[CallCounts] = {
    "get_alias": range(1, 2),
    "get_function": range(3, 12),
    "update_function_code": range(1, 2),
    "update_alias": range(2, 3),
}

_NAME: Final = "the emulator"


def _task(
    action: str, following: str | None, keep: str | None, **parameters: Any
) -> dict[str, Any]:
    into = {"ResultPath": f"$.{keep}" if keep else None}
    then = {"Next": following} if following else {"End": True}
    return {
        "Type": "Task",
        "Resource": f"arn:aws:states:::aws-sdk:lambda:{action}",
        "Parameters": parameters,
        **into,
        **then,
    }


_ALIAS: Final = {"FunctionName.$": "$.function", "Name": LIVE}

DEFINITION: Final = {
    "StartAt": "Alias",
    "States": {
        "Alias": _task("getAlias", "Function", "alias", **_ALIAS),
        "Function": _task("getFunction", "Stable", "found", **{"FunctionName.$": "$.function"}),
        "Stable": _task(
            "getFunction",
            "Code",
            "stable",
            **{"FunctionName.$": "$.function", "Qualifier.$": "$.alias.FunctionVersion"},
        ),
        "Code": _task(
            "updateFunctionCode",
            "Poll",
            "code",
            **{
                "FunctionName.$": "$.function",
                "S3Bucket": BUCKET,
                "S3Key.$": "States.Format('{}/2.zip', $.function)",
                "RevisionId.$": "$.found.Configuration.RevisionId",
                "Publish": True,
            },
        ),
        "Poll": _task("getFunction", "Settled", "found", **{"FunctionName.$": "$.function"}),
        "Settled": {
            "Type": "Choice",
            "Choices": [
                {
                    "Variable": "$.found.Configuration.LastUpdateStatus",
                    "StringEquals": "Successful",
                    "Next": "Shift",
                }
            ],
            "Default": "Settling",
        },
        "Settling": {"Type": "Wait", "Seconds": 1, "Next": "Poll"},
        "Shift": _task(
            "updateAlias",
            "Bake",
            "alias",
            **{
                **_ALIAS,
                "FunctionVersion.$": "$.alias.FunctionVersion",
                "RoutingConfig": {"AdditionalVersionWeights": {"2": PERCENT / 100}},
                "RevisionId.$": "$.alias.RevisionId",
            },
        ),
        "Bake": {"Type": "Wait", "Seconds": int(BAKE), "Next": "Promote"},
        "Promote": _task(
            "updateAlias",
            None,
            "alias",
            **{
                **_ALIAS,
                "FunctionVersion.$": "$.code.Version",
                "RoutingConfig": {"AdditionalVersionWeights": {}},
                "RevisionId.$": "$.alias.RevisionId",
            },
        ),
    },
}


async def start_emulator(harness: BenchHarness) -> None:
    """Start the emulator of Step Functions."""
    command = [sys.executable, "-m", "tests.bench.step_functions_emulator", harness.services.url]
    process = Process.start(
        _NAME,
        command,
        environment=harness.services.environment,
        directory=ROOT,
        log=harness.directory / "emulator.log",
        pipe_stdout=True,
    )
    harness.stack.push_async_callback(process.stop)
    line = await process.read_first_line(60)
    if not line.startswith("ready "):
        raise ProcessError(f"{_NAME} did not start: {process.read_log_tail()}")
    harness.processes[_NAME] = process
    harness.urls[_NAME] = line.removeprefix("ready ")


async def run_step_functions(harness: BenchHarness, count: int) -> BurstResult:
    """Run a burst of executions.

    One is over when the stand-in has received its last write.
    """
    if _NAME not in harness.urls:
        await start_emulator(harness)
    prefix = make_prefix("machine")
    await harness.create_functions(prefix, count)
    client = get_session().create_client(
        "stepfunctions",
        endpoint_url=harness.urls[_NAME],
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    async with client as states:
        created = await states.create_state_machine(
            name=prefix,
            definition=json.dumps(DEFINITION),
            roleArn="arn:aws:iam::000000000000:role/bench",
        )

        async def start(function: str) -> str:
            document = json.dumps({"function": function})
            started = await states.start_execution(
                stateMachineArn=created["stateMachineArn"], name=function, input=document
            )
            arn: str = started["executionArn"]
            return arn

        async def wait_until_over(arn: str) -> None:
            while True:
                found = await states.describe_execution(executionArn=arn)
                if found["status"] != "RUNNING":
                    break
                await asyncio.sleep(0.5)
            if found["status"] != "SUCCEEDED":
                reason = f"{found.get('error')} {found.get('cause')}"
                raise ProcessError(f"{arn}: {found['status']} {reason}")

        await wait_until_over(await start(f"{prefix}w-0"))
        meter, now = Meter({"worker": harness.pids[_NAME]}), time.time()
        executions = await asyncio.gather(*(start(f"{prefix}-{number}") for number in range(count)))
        await asyncio.gather(*map(wait_until_over, executions))
        cpu = meter.read()
    reports = await harness.read_functions(prefix)
    check_released("the state machine", reports, calls=CALLS)
    return BurstResult([one["moved_at"] - now for one in reports.values()], cpu)
