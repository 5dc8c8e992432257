"""The settings of a connection to Temporal, read as its own command line reads them.

What is set and would have no effect is refused: a connection must not be less safe than it looks.
"""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path
from typing import Any, Final, cast

from temporalio.envconfig import ClientConfig

DEFAULT_ADDRESS: Final = "localhost:7233"

CODEC_KEYS_SETTING: Final = "RELEASES_CODEC_KEYS"
"""The keys that payloads are encrypted with."""

CODEC_SETTING: Final = "RELEASES_CODEC"
"""A codec of the user's own, in place of ours."""

NO_CODEC: Final = "none"
"""The value of it for a client that means to send plain text."""

PRIVATE_SETTING: Final = "RELEASES_PRIVATE"
"""Whether names and reasons of people are kept out of what no codec encrypts."""

CODEC_SETTINGS: Final = frozenset({CODEC_KEYS_SETTING, CODEC_SETTING, PRIVATE_SETTING})

_CHECKED_PREFIXES: Final = ("TEMPORAL_TLS", "TEMPORAL_API_KEY", "TEMPORAL_CODEC")
_KNOWN: Final = (
    "TEMPORAL_API_KEY",
    "TEMPORAL_TLS",
    "TEMPORAL_TLS_CLIENT_CERT_DATA",
    "TEMPORAL_TLS_CLIENT_CERT_PATH",
    "TEMPORAL_TLS_CLIENT_KEY_DATA",
    "TEMPORAL_TLS_CLIENT_KEY_PATH",
    "TEMPORAL_TLS_SERVER_CA_CERT_DATA",
    "TEMPORAL_TLS_SERVER_CA_CERT_PATH",
    "TEMPORAL_TLS_SERVER_NAME",
)
_OFF: Final = {"", "0", "false"}
_BOOLEANS: Final = {"true", "1", "false", "0"}
_VERIFICATION: Final = "TEMPORAL_TLS_DISABLE_HOST_VERIFICATION"
_CODEC_PROBLEM: Final = (
    "a remote codec is not applied here, and payloads would not be encrypted: set "
    f"{CODEC_KEYS_SETTING} (or {CODEC_SETTING}), or unset it"
)
_VERIFICATION_PROBLEM: Final = (
    "certificates of servers are always verified: unset it, and name the authority by "
    "TEMPORAL_TLS_SERVER_CA_CERT_PATH"
)


class ConnectionSettingError(Exception):
    """A setting of the connection that means nothing or cannot be read; one line."""


def read_connection_settings() -> dict[str, Any]:
    """Read what ``Client.connect`` needs, by environment and ``temporal.toml``.

    Raises :class:`ConnectionSettingError`.
    """
    _refuse_variables()
    try:
        settings = ClientConfig.load_client_connect_config(config_file_strict=True)
    except OSError as error:
        raise ConnectionSettingError(
            f"{error.filename} cannot be read: {error.strerror} (TEMPORAL_TLS_…)"
        ) from error
    except (RuntimeError, ValueError) as error:
        raise ConnectionSettingError(
            f"the settings of Temporal cannot be read: {_summarize_toml_error(str(error))} "
            f"(TEMPORAL_PROFILE, {find_config_file()})"
        ) from error
    _refuse_profile_keys(find_config_file())
    return {"target_host": DEFAULT_ADDRESS, **settings}


def find_config_file() -> Path:
    """Return where Temporal's own configuration is; it need not exist."""
    if named := os.environ.get("TEMPORAL_CONFIG_FILE"):
        return Path(named)
    directory = os.environ.get("XDG_CONFIG_HOME")
    return (Path(directory) if directory else Path.home() / ".config") / "temporalio/temporal.toml"


def _refuse_variables() -> None:
    for name, value in sorted(os.environ.items()):
        if name.startswith(_CHECKED_PREFIXES) and (problem := _find_problem(name, value)):
            raise ConnectionSettingError(f"{name}: {problem}")
    if (named := os.environ.get("TEMPORAL_CONFIG_FILE")) and not Path(named).exists():
        raise ConnectionSettingError(f"TEMPORAL_CONFIG_FILE: there is no file {named[:200]}")


def _find_problem(name: str, value: str) -> str | None:
    if name == "TEMPORAL_TLS":
        # The SDK takes any other value, an empty one too, for true.
        return None if value.lower() in _BOOLEANS else f"{value[:50]!r} is neither true nor false"
    if name in _KNOWN:
        return None
    if name == _VERIFICATION:
        return None if value.lower() in _OFF else _VERIFICATION_PROBLEM
    if name.startswith("TEMPORAL_CODEC"):
        return _CODEC_PROBLEM if value and not _has_codec() else None
    return f"there is no such setting, but {', '.join(_KNOWN)}"


def is_private() -> bool:
    """Whether ``RELEASES_PRIVATE`` is on. Raises :class:`ConnectionSettingError`."""
    value = os.environ.get(PRIVATE_SETTING, "false").lower()
    if value not in _BOOLEANS:
        raise ConnectionSettingError(f"{PRIVATE_SETTING}: {value[:50]!r} is neither true nor false")
    return value not in _OFF


def _has_codec() -> bool:
    """Whether a codec of ours encrypts, and the remote one is for Temporal's command line only."""
    codec = os.environ.get(CODEC_SETTING, NO_CODEC)
    return CODEC_KEYS_SETTING in os.environ or codec != NO_CODEC


def _refuse_profile_keys(file: Path) -> None:
    """Refuse what Temporal's command line knows and its SDK for Python leaves out."""
    if not file.is_file():
        return
    name = os.environ.get("TEMPORAL_PROFILE") or "default"
    profiles = tomllib.loads(file.read_text(encoding="utf-8")).get("profile", {})
    profile = cast("dict[str, Any]", profiles.get(name, {}))
    if profile.get("codec") and not _has_codec():
        raise ConnectionSettingError(f"{file}: profile.{name}.codec: {_CODEC_PROBLEM}")
    if cast("dict[str, Any]", profile.get("tls", {})).get("disable_host_verification"):
        raise ConnectionSettingError(
            f"{file}: profile.{name}.tls.disable_host_verification: {_VERIFICATION_PROBLEM}"
        )


def _summarize_toml_error(text: str) -> str:
    """The place and the problem of an error, without the line itself: it may hold a key."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        return "no reason given"
    summary = lines[0] if len(lines) == 1 else f"{lines[0]}: {lines[-1]}"
    return re.sub(r'"[^"]*"', "…", summary)
