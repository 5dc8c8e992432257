"""The connection of a worker to Temporal, and its renewal when certificates are."""

from __future__ import annotations

import asyncio
import os
import ssl
from typing import Any, Final

import structlog
from temporalio.client import Client
from temporalio.envconfig import ClientConfig
from temporalio.runtime import Runtime
from temporalio.service import RPCError
from temporalio.worker import Worker

from activities.limits.sharing import RateShare
from workflows.temporal.plugin import LambdaReleases
from workflows.temporal.search_attribute_registration import summarize_error
from workflows.temporal.worker_runtime import create_identity
from workflows.worker.certificate_files import read_fingerprint
from workflows.worker.settings import WorkerStartError

_DEFAULT_TEMPORAL_ADDRESS: Final = "localhost:7233"
_PROBE_SECONDS: Final = 5.0
_RENEWAL_INTERVAL_SECONDS: Final = 10.0
_CODEC_VARIABLES: Final = ("TEMPORAL_CODEC_ENDPOINT", "TEMPORAL_CODEC_AUTH")

log: structlog.stdlib.BoundLogger = structlog.get_logger("worker")


class TemporalConnection:
    """The client of a worker; a new one replaces it when the files of its settings change."""

    def __init__(self, client: Client, runtime: Runtime) -> None:
        """Hold a connected client."""
        self.client = client
        self._runtime = runtime

    @classmethod
    async def open(cls, runtime: Runtime) -> TemporalConnection:
        """Connect with the settings of ``temporalio.envconfig`` and with our plugin.

        Raises :class:`WorkerStartError`, with the address and the cause.
        """
        return cls(await _connect(runtime, create_identity()), runtime)

    async def renew(self, worker: Worker, share: RateShare) -> None:
        """Look every ten seconds whether files have changed; connect anew with what they hold.

        Runs until cancelled. A connection that fails is tried again, and the old one stays in use.
        """
        known = read_fingerprint()
        while True:
            await asyncio.sleep(_RENEWAL_INTERVAL_SECONDS)
            if (found := read_fingerprint()) == known:
                continue
            try:
                client = await _connect(self._runtime, self.client.identity)
            except WorkerStartError as error:
                log.warning("changed files of the connection are of no use yet", reason=str(error))
                continue
            self.client = worker.client = client
            share.use(client)
            known = found
            log.info("connected anew: certificates or settings of Temporal have changed")


async def _connect(runtime: Runtime, identity: str) -> Client:
    _refuse_codec()
    try:
        settings: dict[str, Any] = {
            "target_host": _DEFAULT_TEMPORAL_ADDRESS,
            **ClientConfig.load_client_connect_config(config_file_strict=True),
        }
    except (RuntimeError, ValueError, OSError) as error:
        raise WorkerStartError(
            f"the settings of Temporal cannot be read: {summarize_error(error)} "
            "(TEMPORAL_PROFILE, TEMPORAL_CONFIG_FILE, TEMPORAL_TLS_…)"
        ) from error
    try:
        return await Client.connect(
            **settings, identity=identity, plugins=[LambdaReleases()], runtime=runtime
        )
    except (RuntimeError, RPCError, ValueError, OSError) as error:
        address, has_tls = settings["target_host"], bool(settings.get("tls"))
        cause = await _find_cause(address, has_tls=has_tls) or summarize_error(error)
        raise WorkerStartError(
            f"cannot reach Temporal at {address}: {cause} "
            "(TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, TEMPORAL_PROFILE)"
        ) from error


def _refuse_codec() -> None:
    """Refuse a codec that this program does not apply: payloads would not be encrypted."""
    for variable in _CODEC_VARIABLES:
        if os.environ.get(variable):
            raise WorkerStartError(
                f"{variable}: a remote codec is not applied by this worker, and payloads would "
                "not be encrypted: unset it"
            )


async def _find_cause(address: str, *, has_tls: bool) -> str | None:
    """Find out why nobody answers at an address; None where that is not known."""
    host, _, port = address.rpartition(":")
    if not port.isdecimal():
        return "it is no address: host:port is needed"
    try:
        is_tls = await _speaks_tls(host.strip("[]"), int(port))
    except TimeoutError:
        return f"no answer within {_PROBE_SECONDS:.0f} s"
    except OSError as error:
        return error.strerror or str(error)
    if is_tls and not has_tls:
        return "it expects TLS: set TEMPORAL_TLS=true"
    if has_tls and not is_tls:
        return "it speaks plain text, and not TLS: unset TEMPORAL_TLS and TEMPORAL_TLS_…"
    return None


async def _speaks_tls(host: str, port: int) -> bool:
    """Whether a server answers a TLS handshake, whatever its certificate is."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    async with asyncio.timeout(_PROBE_SECONDS):
        _, plain = await asyncio.open_connection(host, port)
        plain.close()
        try:
            _, writer = await asyncio.open_connection(host, port, ssl=context)
        except ssl.SSLError as error:
            # A server that wants a certificate of ours refuses in TLS' own words.
            return error.reason not in {"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE"}
        except (ConnectionError, asyncio.IncompleteReadError):
            return False
        writer.close()
        return True
