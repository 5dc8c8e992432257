"""The files of the connection to Temporal: certificates, keys, and Temporal's own configuration.

They are renewed while a worker runs. It looks at them, and connects anew with what they hold now.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from temporalio.envconfig import ClientConfig

from workflows.temporal.connection_settings import find_config_file

_VARIABLES: Final = (
    "TEMPORAL_TLS_CLIENT_CERT_PATH",
    "TEMPORAL_TLS_CLIENT_KEY_PATH",
    "TEMPORAL_TLS_SERVER_CA_CERT_PATH",
)


def read_fingerprint() -> str:
    """Return what changes whenever one of the files does. A file that cannot be read counts too."""
    digest = hashlib.sha256()
    for path in sorted(set(_list_files())):
        digest.update(str(path).encode())
        try:
            digest.update(path.read_bytes())
        except OSError as error:
            digest.update(str(error.errno).encode())
    return digest.hexdigest()


def _list_files() -> Iterator[Path]:
    for variable in _VARIABLES:
        if value := os.environ.get(variable):
            yield Path(value)
    yield find_config_file()
    try:
        profiles = ClientConfig.load().profiles
    except (RuntimeError, ValueError, OSError):
        return
    for profile in profiles.values():
        tls = profile.tls
        if tls is None:
            continue
        for source in (tls.client_cert, tls.client_private_key, tls.server_root_ca_cert):
            if isinstance(source, Path):
                yield source
