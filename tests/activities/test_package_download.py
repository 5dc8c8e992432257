"""Packages that the adapter downloads, over real HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from activities.aws import Connection
from activities.errors import AwsError, Fault, classify_error
from tests.activities.adapter import TOO_LATE
from tests.activities.stub import (
    Answer,
    DropBefore,
    Stub,
    Truncated,
)


async def test_package_that_times_out_is_given_up(hasty: Connection, stub: Stub) -> None:
    stub.meets(TOO_LATE)
    with pytest.raises(AwsError, match="DownloadFailed") as caught:
        await hasty.download(f"{stub.url}/code/checkout/1", limit=100)
    assert caught.value.code == "DownloadFailed"


async def test_package_is_downloaded_from_its_address(aws: Connection, stub: Stub) -> None:
    assert (
        await aws.download(f"{stub.url}/code/checkout/1?X-Amz-Signature=secret", limit=100)
        == b"one"
    )


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (Answer(403, body=b""), "DownloadFailed"),
        (DropBefore(), "DownloadFailed"),
        (Truncated(), "DownloadFailed"),
    ],
)
async def test_failed_download_keeps_its_address_secret(
    aws: Connection, stub: Stub, fault: Any, code: str
) -> None:
    stub.meets(fault, fault)
    with pytest.raises(AwsError, match=code) as caught:
        await aws.download(f"{stub.url}/code/checkout/1?X-Amz-Signature=secret", limit=100)
    assert caught.value.code == code
    assert "127.0.0.1" not in str(caught.value)


async def test_package_over_the_limit_is_not_downloaded_whole(aws: Connection, stub: Stub) -> None:
    with pytest.raises(AwsError, match="2 bytes") as caught:
        await aws.download(f"{stub.url}/code/checkout/1", limit=2)
    assert classify_error(caught.value) is Fault.EXHAUSTED
