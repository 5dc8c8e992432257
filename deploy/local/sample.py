"""The sample: a function behind an alias, two packages in S3, and an alarm."""

from __future__ import annotations

import io
import zipfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from botocore.exceptions import ClientError

from deploy.local.emulator import LocalLambda

FUNCTION: Final = "checkout"
ALIAS: Final = "live"
BUCKET: Final = "artifacts"
GOOD: Final = "checkout/good.zip"
BROKEN: Final = "checkout/broken.zip"
ALARM: Final = "checkout-errors"

_SOURCES: Final = Path(__file__).with_name("functions")
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Clients:
    """Clients of the local AWS for what the sample and its traffic use."""

    awslambda: Any
    s3: Any
    cloudwatch: Any

    @classmethod
    @asynccontextmanager
    async def connect(cls, aws: LocalLambda | str) -> AsyncIterator[Clients]:
        """Open clients of a local Lambda, or of the one at this URL. They do not retry."""
        url = aws if isinstance(aws, str) else aws.endpoint_url
        config = AioConfig(
            retries={"total_max_attempts": 1},
            connect_timeout=3,
            read_timeout=30,
            s3={"addressing_style": "path"},
        )
        async with AsyncExitStack() as stack:
            clients = [
                await stack.enter_async_context(
                    get_session().create_client(
                        service,
                        endpoint_url=url,
                        region_name="us-east-1",
                        aws_access_key_id="test",
                        aws_secret_access_key="test",  # noqa: S106 - the local AWS checks none
                        config=config,
                    )
                )
                for service in ("lambda", "s3", "cloudwatch")
            ]
            yield cls(*clients)


def build_package(name: str) -> bytes:
    """Build a zip of one source file in ``functions/``; the same bytes every time."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(
            zipfile.ZipInfo("checkout.py", _EPOCH), (_SOURCES / f"{name}.py").read_bytes()
        )
    return buffer.getvalue()


async def create_sample(clients: Clients) -> None:
    """Create the sample: version 1 live, two packages, an alarm on errors.

    A function and alias that exist already are left unchanged.
    """
    try:
        await clients.awslambda.get_alias(FunctionName=FUNCTION, Name=ALIAS)
    except ClientError as problem:
        if problem.response["Error"]["Code"] != "ResourceNotFoundException":
            raise
        await create_function(clients.awslambda)
    await clients.s3.create_bucket(Bucket=BUCKET)
    await clients.s3.put_object(Bucket=BUCKET, Key=GOOD, Body=build_package("good"))
    await clients.s3.put_object(Bucket=BUCKET, Key=BROKEN, Body=build_package("broken"))
    await clients.cloudwatch.put_metric_alarm(
        AlarmName=ALARM,
        AlarmDescription="an order failed in the last ten seconds",
        Namespace="AWS/Lambda",
        MetricName="Errors",
        Dimensions=[
            {"Name": "FunctionName", "Value": FUNCTION},
            {"Name": "Resource", "Value": f"{FUNCTION}:{ALIAS}"},
        ],
        Statistic="Sum",
        Period=10,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanOrEqualToThreshold",
        TreatMissingData="notBreaching",
    )


async def create_function(awslambda: Any, name: str = FUNCTION) -> None:
    """Create a function like the sample's, with version 1 live."""
    await awslambda.create_function(
        FunctionName=name,
        Runtime="python3.11",
        Handler="checkout.handler",
        Role="arn:aws:iam::000000000000:role/checkout",
        Timeout=10,
        Code={"ZipFile": build_package("checkout")},
        Publish=True,
    )
    await awslambda.get_waiter("function_active_v2").wait(FunctionName=name, Qualifier="1")
    await awslambda.create_alias(FunctionName=name, Name=ALIAS, FunctionVersion="1")
