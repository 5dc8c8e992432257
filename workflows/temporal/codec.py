"""The codec: payloads are encrypted with AES-256-GCM before they leave the process."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

import structlog
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from temporalio.api.common.v1 import Payload
from temporalio.converter import PayloadCodec

from workflows.temporal.codec_keys import (
    ENCODING,
    KEY_ID,
    CodecKey,
    UnreadablePayload,
    is_encrypted,
    make_unknown_key_error,
    read_key_id,
)
from workflows.temporal.connection_settings import CODEC_KEYS_SETTING, ConnectionSettingError

_CIPHER: Final = b"AES-256-GCM"
_CIPHER_FIELD: Final = "encryption-cipher"
_NONCE_BYTES: Final = 12
_RELOAD_SECONDS: Final = 10.0
"""Between two looks at where the keys come from."""

ReadKeys = Callable[[], Awaitable[Sequence[CodecKey] | None]]
"""Reads the keys again; None where they are what they were."""

log: structlog.stdlib.BoundLogger = structlog.get_logger("codec")


class AesCodec(PayloadCodec):
    """Encrypts with the first key, and decrypts with whichever key a payload names.

    A payload that is not encrypted is returned as it is: starts by ``temporal`` and by HTTP, and
    what was written before there was a key. Raises :class:`UnreadablePayload`.
    """

    def __init__(self, keys: Sequence[CodecKey], reload: ReadKeys | None = None) -> None:
        """``reload`` is called now and then, and before a key counts as unknown."""
        self._use(keys)
        self._reload: Final = reload
        self._next_look = 0.0

    def _use(self, keys: Sequence[CodecKey]) -> None:
        self._first = keys[0].id
        self._ciphers: Mapping[str, AESGCM] = {key.id: AESGCM(key.secret) for key in keys}

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Encrypt, each with a nonce of its own, bound to the id of the key and the cipher."""
        await self._look_for_keys()
        return [self._encrypt(payload) for payload in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Decrypt what is encrypted."""
        await self._look_for_keys()
        if any(is_encrypted(each) and read_key_id(each) not in self._ciphers for each in payloads):
            self._next_look = 0.0
            await self._look_for_keys()
        return [self._decrypt(each) if is_encrypted(each) else each for each in payloads]

    def _encrypt(self, payload: Payload) -> Payload:
        nonce, plain = os.urandom(_NONCE_BYTES), payload.SerializeToString()
        sealed = self._ciphers[self._first].encrypt(nonce, plain, _bind(self._first))
        metadata = {"encoding": ENCODING, KEY_ID: self._first.encode(), _CIPHER_FIELD: _CIPHER}
        return Payload(metadata=metadata, data=nonce + sealed)

    def _decrypt(self, payload: Payload) -> Payload:
        key_id = read_key_id(payload)
        if (cipher := self._ciphers.get(key_id)) is None:
            raise make_unknown_key_error(payload)
        nonce, sealed = payload.data[:_NONCE_BYTES], payload.data[_NONCE_BYTES:]
        try:
            return Payload.FromString(cipher.decrypt(nonce, sealed, _bind(key_id)))
        except (InvalidTag, ValueError):
            raise UnreadablePayload(
                f"encrypted with another key {key_id} than that of {CODEC_KEYS_SETTING}, or altered"
            ) from None

    async def _look_for_keys(self) -> None:
        """Take renewed keys; those of before stay where the new ones cannot be read."""
        now = asyncio.get_running_loop().time()
        if self._reload is None or now < self._next_look:
            return
        self._next_look = now + _RELOAD_SECONDS
        try:
            keys = await self._reload()
        except ConnectionSettingError as error:
            log.warning("renewed keys are of no use yet", reason=str(error))
            return
        if keys is not None:
            self._use(keys)
            log.info("keys are renewed", first=keys[0].id, ids=[key.id for key in keys])


def _bind(key_id: str) -> bytes:
    """What is authenticated beside the payload, so that it cannot be renamed."""
    return b"\0".join((ENCODING, _CIPHER, key_id.encode()))
