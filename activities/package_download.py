"""The download of a function's package from its presigned URL."""

from __future__ import annotations

import ssl
from typing import Final

import aiohttp

from activities.errors import AwsError
from activities.response_body import read_bounded
from activities.transport import Timeouts

_DOWNLOAD_SECONDS: Final = 60
_OPERATION: Final = "download"
_FAILED: Final = "DownloadFailed"


async def download_package(
    url: str,
    *,
    limit: int,
    timeouts: Timeouts,
    ca_bundle: str | None,
    proxy: str | None,
) -> bytes:
    """Return the content of ``url``, at most ``limit`` bytes.

    Raises :class:`~activities.errors.AwsError` and nothing else. The URL is a secret, since it is
    signed: no error holds it.
    """
    timeout = aiohttp.ClientTimeout(
        total=_DOWNLOAD_SECONDS, sock_connect=timeouts.connect, sock_read=timeouts.read
    )
    tls = ssl.create_default_context(cafile=ca_bundle) if ca_bundle else True
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout, auto_decompress=False) as http,
            http.get(url, ssl=tls, proxy=proxy) as response,
        ):
            if not response.ok:
                raise AwsError(
                    _OPERATION,
                    _FAILED,
                    f"the package's URL answered HTTP {response.status}",
                    status=response.status,
                )
            return await read_bounded(_OPERATION, response.content, limit)
    except (aiohttp.ClientError, OSError, ValueError) as failure:
        raise AwsError(
            _OPERATION, _FAILED, f"the package could not be fetched: {type(failure).__name__}"
        ) from None
