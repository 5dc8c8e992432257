"""Why a connection to Temporal failed, in a sentence that names what to set.

The SDK reports the debug text of nested Rust types. Where that does not say it, the address is
tried by other means.
"""

from __future__ import annotations

import asyncio
import os
import re
import ssl
from collections.abc import Mapping
from typing import Any, Final

_PROBE_SECONDS: Final = 3.0
_MAX_CHARACTERS: Final = 300
_MAX_PORT: Final = 65_535

_FAULTS: Final = {
    "PrivateKeyParseError": "the key of the client certificate cannot be read "
    "(TEMPORAL_TLS_CLIENT_KEY_…)",
    "NoCertificatesPresented": "the client certificate cannot be read: there is no PEM certificate "
    "in it (TEMPORAL_TLS_CLIENT_CERT_…)",
    "CertificateParseError": "a certificate cannot be read "
    "(TEMPORAL_TLS_CLIENT_CERT_…, TEMPORAL_TLS_SERVER_CA_CERT_…)",
    "InconsistentKeys": "the client certificate and its key do not belong together "
    "(TEMPORAL_TLS_CLIENT_CERT_…, TEMPORAL_TLS_CLIENT_KEY_…)",
    "Must have both client cert and private key": "a client certificate needs its key, and a key "
    "its certificate (TEMPORAL_TLS_CLIENT_CERT_…, TEMPORAL_TLS_CLIENT_KEY_…)",
    "UnknownIssuer": "its certificate is of an authority that is not trusted here "
    "(TEMPORAL_TLS_SERVER_CA_CERT_PATH)",
    "NotValidForName": "its certificate is for another name (TEMPORAL_TLS_SERVER_NAME)",
    "Expired": "its certificate has expired",
    "CertificateExpired": "the client certificate has expired (TEMPORAL_TLS_CLIENT_CERT_…)",
    "CertificateRequired": "it wants a client certificate (TEMPORAL_TLS_CLIENT_CERT_PATH)",
}
"""Faults by what the SDK's text holds; a later one counts where two fit."""

_CLOSED: Final = (
    "BrokenPipe",
    "ConnectionReset",
    "UnexpectedEof",
    "received fatal alert",
    "operation was canceled",
)
"""How the SDK words it that a server closed the connection: which, is a matter of the moment."""


async def find_connection_fault(settings: Mapping[str, Any], error: BaseException) -> str:
    """Find out why ``Client.connect(**settings)`` failed; takes a few seconds at most."""
    text = str(error)
    if known := [fault for mark, fault in _FAULTS.items() if mark in text]:
        return known[-1]
    address, tls = str(settings["target_host"]), settings.get("tls")
    return await _try_address(address, has_tls=bool(tls)) or _read_closed(text, tls) or _cut(text)


async def _try_address(address: str, *, has_tls: bool) -> str | None:
    """Find out why nobody answers at an address; None where that is not known."""
    host, _, port = address.rpartition(":")
    if not port.isdecimal() or int(port) > _MAX_PORT or "/" in host:
        return "it is no address: host:port is needed"
    try:
        is_tls = await _speaks_tls(host.strip("[]"), int(port))
    except TimeoutError:
        return f"no answer within {_PROBE_SECONDS:.0f} s"
    except OSError as error:
        # asyncio words a failure of its own where the system has a better one.
        is_lookup = error.errno is None or error.errno <= 0
        return str(error.strerror or error) if is_lookup else os.strerror(error.errno or 0)
    if is_tls and not has_tls:
        return "it expects TLS: set TEMPORAL_TLS=true"
    if has_tls and not is_tls:
        return (
            "it speaks plain text, and not TLS: unset TEMPORAL_TLS and TEMPORAL_TLS_…, or set "
            "TEMPORAL_TLS=false where an API key turns it on"
        )
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


def _read_closed(text: str, tls: object) -> str | None:
    """What a server means that takes a TLS connection and closes it without a word."""
    if not tls or not any(mark in text for mark in _CLOSED):
        return None
    if getattr(tls, "client_cert", None):
        return "it does not take the client certificate (TEMPORAL_TLS_CLIENT_CERT_…)"
    return "it closes the connection: it wants a client certificate (TEMPORAL_TLS_CLIENT_CERT_PATH)"


def _cut(text: str) -> str:
    """The innermost message of the SDK's text, or its first line."""
    messages = re.findall(r'message: "([^"]+)"', text)
    return str(messages[-1] if messages else text.partition("\n")[0])[:_MAX_CHARACTERS]
