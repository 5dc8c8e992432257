"""The pipeline as a state machine, by AWS's SDK integrations, on the local emulator's Step Functions.

ministack's Step Functions (1.5.33) reaches eight operations of Lambda's that way: createFunction, updateFunctionConfiguration,
updateFunctionCode, createAlias, updateAlias, getAlias, getFunction, getFunctionConfiguration. PublishVersion and what is provisioned are not
among them, so this machine publishes by UpdateFunctionCode and makes two calls less. A ``Wait`` is of whole seconds, as AWS's.
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
from tests.bench.contenders import BurstResult, new_prefix
from tests.bench.harness import BenchHarness
from tests.bench.pipeline import BAKE, BUCKET, LIVE, PERCENT, Calls, check_released
from tests.bench.usage import Meter

CALLS: Final[Calls] = {
    "get_alias": range(1, 2),
    "get_function": range(3, 12),
    "update_function_code": range(1, 2),
    "update_alias": range(2, 3),
}

NAME: Final = "the emulator"


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
            "Look",
            "code",
            **{
                "FunctionName.$": "$.function",
                "S3Bucket": BUCKET,
                "S3Key.$": "States.Format('{}/2.zip', $.function)",
                "RevisionId.$": "$.found.Configuration.RevisionId",
                "Publish": True,
            },
        ),
        "Look": _task("getFunction", "Settled", "found", **{"FunctionName.$": "$.function"}),
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
        "Settling": {"Type": "Wait", "Seconds": 1, "Next": "Look"},
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
    """Start the emulator."""
    command = [sys.executable, "-m", "tests.bench.step_functions_emulator", harness.services.url]
    process = Process.start(
        NAME,
        command,
        environment=harness.services.environment,
        directory=ROOT,
        log=harness.directory / "emulator.log",
        pipe_stdout=True,
    )
    harness.stack.push_async_callback(process.stop)
    line = await process.read_first_line(60)
    if not line.startswith("ready "):
        raise ProcessError(f"{NAME} did not start: {process.read_log_tail()}")
    harness.processes[NAME] = process
    harness.places[NAME] = line.removeprefix("ready ")


async def run_step_functions(harness: BenchHarness, count: int) -> BurstResult:
    """So many executions at once. One is over when the stand-in has seen its last write."""
    if NAME not in harness.places:
        await start_emulator(harness)
    prefix = new_prefix("machine")
    await harness.functions(prefix, count)
    client = get_session().create_client(
        "stepfunctions",
        endpoint_url=harness.places[NAME],
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

        async def begin(function: str) -> str:
            given = json.dumps({"function": function})
            begun = await states.start_execution(
                stateMachineArn=created["stateMachineArn"], name=function, input=given
            )
            arn: str = begun["executionArn"]
            return arn

        async def over(arn: str) -> None:
            while (described := await states.describe_execution(executionArn=arn))[
                "status"
            ] == "RUNNING":
                await asyncio.sleep(0.5)
            if described["status"] != "SUCCEEDED":
                raise ProcessError(
                    f"{arn}: {described['status']} {described.get('error')} {described.get('cause')}"
                )

        await over(await begin(f"{prefix}w-0"))
        meter, now = Meter({"worker": harness.pids[NAME]}), time.time()
        executions = await asyncio.gather(*(begin(f"{prefix}-{number}") for number in range(count)))
        await asyncio.gather(*map(over, executions))
        cpu = meter.read()
    told = await harness.read_functions(prefix)
    check_released("the state machine", told, calls=CALLS)
    return BurstResult([one["moved_at"] - now for one in told.values()], cpu)
