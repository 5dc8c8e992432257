"""The connection of a worker to Temporal, and its renewal when certificates are."""

from __future__ import annotations

import asyncio
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Final

import structlog
from temporalio.client import Client, Plugin
from temporalio.runtime import Runtime
from temporalio.service import RPCError
from temporalio.worker import Worker

from activities.limits.sharing import RateShare
from workflows.temporal.codec_settings import read_data_converter
from workflows.temporal.connection_fault import find_connection_fault
from workflows.temporal.connection_settings import (
    ConnectionSettingError,
    is_private,
    read_connection_settings,
)
from workflows.temporal.plugin import LambdaReleases
from workflows.temporal.worker_runtime import create_identity
from workflows.worker.certificate_files import read_fingerprint
from workflows.worker.settings import WorkerStartError

_CONNECT_SECONDS: Final = 30.0
_RENEWAL_INTERVAL_SECONDS: Final = 10.0

log: structlog.stdlib.BoundLogger = structlog.get_logger("worker")


class TemporalConnection:
    """The client of a process; a new one replaces it when the files of its settings change."""

    def __init__(self, client: Client, runtime: Runtime, plugins: Sequence[Plugin]) -> None:
        """Hold a connected client, with its plugins beside our own."""
        self.client = client
        self._runtime = runtime
        self._plugins = plugins
        self._users: tuple[tuple[Worker, RateShare], ...] = ()

    @classmethod
    async def open(
        cls, runtime: Runtime, identity: str | None = None, plugins: Sequence[Plugin] = ()
    ) -> TemporalConnection:
        """Connect with the settings of ``temporalio.envconfig`` and with our plugin.

        ``identity`` is that of the worker; None for one of this process. Raises
        :class:`WorkerStartError`, with the address and the cause.
        """
        client = await _connect(runtime, identity or create_identity(), plugins)
        return cls(client, runtime, plugins)

    async def open_another(self, identity: str) -> TemporalConnection:
        """Connect once more, for a worker of this identity.

        The SDK's core sends the heartbeats of all workers of a connection with one identity, the
        last one's, whatever the workers' own are. So workers of two accounts on one connection take
        each other for intruders.
        """
        return await self.open(self._runtime, identity, self._plugins)

    @contextmanager
    def lend(self, worker: Worker, share: RateShare) -> Generator[None]:
        """Give these two each new client, until this block ends."""
        user = (worker, share)
        self._users = (*self._users, user)
        try:
            yield
        finally:
            self._users = tuple(each for each in self._users if each is not user)

    async def renew(self) -> None:
        """Look every ten seconds whether files have changed; connect anew with what they hold.

        Runs until cancelled. A connection that fails is tried again, and the old one stays in use.
        """
        known = read_fingerprint()
        while True:
            await asyncio.sleep(_RENEWAL_INTERVAL_SECONDS)
            if (found := read_fingerprint()) == known:
                continue
            try:
                client = await _connect(self._runtime, self.client.identity, self._plugins)
            except WorkerStartError as error:
                log.warning("changed files of the connection are of no use yet", reason=str(error))
                continue
            self.client = client
            for worker, share in self._users:
                worker.client = client
                share.use(client)
            known = found
            log.info("connected anew: certificates or settings of Temporal have changed")


async def _connect(runtime: Runtime, identity: str, plugins: Sequence[Plugin]) -> Client:
    try:
        settings = read_connection_settings()
        converter, plugin = await read_data_converter(), LambdaReleases(is_private=is_private())
    except ConnectionSettingError as error:
        raise WorkerStartError(str(error)) from error
    try:
        # Client.connect has no timeout of its own: a server may accept and never answer.
        async with asyncio.timeout(_CONNECT_SECONDS):
            return await Client.connect(
                **settings,
                identity=identity,
                data_converter=converter,
                plugins=[*plugins, plugin],
                runtime=runtime,
            )
    except TimeoutError:
        fault = f"no answer within {_CONNECT_SECONDS:.0f} s"
    except (RuntimeError, RPCError, ValueError, OSError) as error:
        fault = await find_connection_fault(settings, error)
    raise WorkerStartError(
        f"cannot reach Temporal at {settings['target_host']}: {fault} "
        "(TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, TEMPORAL_PROFILE)"
    )
