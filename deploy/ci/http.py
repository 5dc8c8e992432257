"""One request to the API of a forge."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any, Final

_TIMEOUT_SECONDS: Final = 30
_SCHEMES: Final = ("https://", "http://")


class ForgeError(Exception):
    """The forge refused a request, or cannot be reached; the message is one line."""


def request_json(method: str, url: str, headers: Mapping[str, str], document: object = None) -> Any:
    """Send a request with a JSON body, if any, and return the JSON of the response.

    Raises :class:`ForgeError`, which names the request and never its headers.
    """
    if not url.startswith(_SCHEMES):
        raise ForgeError(f"{url[:100]!r} is no address of a forge")
    request = urllib.request.Request(  # noqa: S310 - only http and https, above
        url,
        data=None if document is None else json.dumps(document).encode(),
        headers={"Content-Type": "application/json", "User-Agent": "lambda-releases", **headers},
        method=method,
    )
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS) as response:  # noqa: S310
            return json.load(response)
    except urllib.error.HTTPError as error:
        with error:
            raise ForgeError(f"{method} {url}: {error.code} {error.reason}") from error
    except (OSError, ValueError) as error:
        raise ForgeError(f"{method} {url}: {error}") from error
