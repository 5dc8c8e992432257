"""The connection to Temporal, where it does not answer."""

from __future__ import annotations

import asyncio
import socket

import pytest

from workflows.client import ReleaseClient
from workflows.client.errors import Unreachable


async def test_refused_connection_is_reported_in_a_sentence_within_seconds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", "127.0.0.1:1")
    async with asyncio.timeout(6):
        with pytest.raises(
            Unreachable,
            match=r"^cannot connect to Temporal at 127\.0\.0\.1:1 \(TEMPORAL_ADDRESS\): "
            r"Connection refused$",
        ):
            await ReleaseClient.connect()


async def test_server_that_accepts_and_is_silent_times_out_after_five_seconds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("TEMPORAL_ADDRESS", "{}:{}".format(*silent.getsockname()))
        async with asyncio.timeout(8):
            with pytest.raises(Unreachable, match="Temporal does not answer"):
                await ReleaseClient.connect()
