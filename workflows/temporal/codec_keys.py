"""The keys that payloads are encrypted with, as an operator writes them down.

A list of ``id:key``, separated by commas or white space. The first key encrypts, all of them
decrypt. A key is 32 bytes in base64, or ``kms:`` and a data key that AWS KMS has encrypted. No
message holds any of it: what is no id could be a key.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from temporalio.api.common.v1 import Payload

from workflows.temporal.connection_settings import CODEC_KEYS_SETTING, ConnectionSettingError

ENCODING: Final = b"binary/encrypted"
"""The encoding of an encrypted payload, as in Temporal's own samples."""

KEY_ID: Final = "encryption-key-id"
"""The metadata of an encrypted payload that names its key."""

KEY_BYTES: Final = 32

_FILE_PREFIX: Final = "file:"
_KMS_PREFIX: Final = "kms:"
_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,32}")
_ID_SHOWN: Final = 50
_COMMENT: Final = re.compile(r"(?m)^\s*#.*$")
_MAKE_KEY: Final = "openssl rand -base64 32"


class UnreadablePayload(Exception):
    """A payload that cannot be decrypted here; the message names its key and what to set."""


@dataclass(frozen=True)
class CodecKey:
    """A key with its id; ``is_wrapped``: only AWS KMS can decrypt ``secret`` to the key."""

    id: str
    secret: bytes = field(repr=False)
    is_wrapped: bool = False


def find_key_file(setting: str) -> Path | None:
    """The file that holds the keys; None where the setting holds them itself."""
    path = setting.strip().removeprefix(_FILE_PREFIX)
    return Path(path) if path != setting.strip() else None


def read_keys(setting: str) -> Sequence[CodecKey]:
    """Read the keys of ``RELEASES_CODEC_KEYS``, from the file that it names if it does.

    Raises :class:`ConnectionSettingError`, in one line that holds no key.
    """
    file = find_key_file(setting)
    if file is None:
        return _parse(setting, CODEC_KEYS_SETTING)
    source = f"{CODEC_KEYS_SETTING}: {file}"
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise ConnectionSettingError(f"{source} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConnectionSettingError(f"{source} is no text") from None
    return _parse(_COMMENT.sub("", text), source)


def is_encrypted(payload: Payload) -> bool:
    """Whether it is encrypted by our codec, or one that names encoding and key alike.

    What names no key is no payload of ours, but a malformed one.
    """
    return payload.metadata.get("encoding") == ENCODING and KEY_ID in payload.metadata


def read_key_id(payload: Payload) -> str:
    """The id of the key that a payload is encrypted with."""
    return payload.metadata.get(KEY_ID, b"").decode(errors="replace")[:_ID_SHOWN]


def make_unknown_key_error(payload: Payload) -> UnreadablePayload:
    """Return the error for an encrypted payload whose key is not here."""
    return UnreadablePayload(
        f"encrypted with key {read_key_id(payload)!r}, which this process does not have: add it to "
        f"{CODEC_KEYS_SETTING}"
    )


def _parse(text: str, source: str) -> Sequence[CodecKey]:
    keys: dict[str, CodecKey] = {}
    for number, entry in enumerate(re.split(r"[,\s]+", text.strip(", \t\r\n")), 1):
        if not entry:
            raise ConnectionSettingError(f"{source}: there is no key in it: id:base64 is needed")
        key = _parse_entry(entry, f"{source}: entry {number}")
        if key.id in keys:
            raise ConnectionSettingError(f"{source}: entry {number}: there are two keys {key.id}")
        keys[key.id] = key
    return tuple(keys.values())


def _parse_entry(entry: str, where: str) -> CodecKey:
    key_id, colon, value = entry.partition(":")
    if not colon:
        raise ConnectionSettingError(f"{where} has no id: id:base64 is needed, such as 2026-11:…")
    if not _ID.fullmatch(key_id):
        raise ConnectionSettingError(
            f"{where}: what stands before the colon is no id: up to 32 letters, digits and . _ -"
        )
    is_wrapped = value.startswith(_KMS_PREFIX)
    try:
        secret = base64.b64decode(value.removeprefix(_KMS_PREFIX), validate=True)
    except binascii.Error:
        raise ConnectionSettingError(
            f"{where} ({key_id}): the key is no base64: make one by {_MAKE_KEY}"
        ) from None
    return CodecKey(key_id, secret, is_wrapped) if is_wrapped else make_key(key_id, secret, where)


def make_key(key_id: str, secret: bytes, where: str) -> CodecKey:
    """Return a plain key. Raises :class:`ConnectionSettingError` where it has another length."""
    if len(secret) != KEY_BYTES:
        raise ConnectionSettingError(
            f"{where} ({key_id}): the key has {len(secret)} bytes, {KEY_BYTES} are needed: make "
            f"one by {_MAKE_KEY}"
        )
    return CodecKey(key_id, secret)
