"""The codec of this process, as ``RELEASES_CODEC_KEYS`` or ``RELEASES_CODEC`` has it.

Worker, command line and ``ReleaseClient`` read the same settings.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Sequence
from typing import Any, Final

from temporalio.api.common.v1 import Payload
from temporalio.converter import DataConverter, PayloadCodec

from workflows.temporal.codec_keys import CodecKey, find_key_file, make_key, read_keys
from workflows.temporal.connection_settings import (
    CODEC_KEYS_SETTING,
    CODEC_SETTING,
    NO_CODEC,
    ConnectionSettingError,
)

_CONTEXT_KEY: Final = "lambda-releases"
"""The key of KMS's encryption context. Its value is the key's id: a data key has that one name."""


async def read_data_converter() -> DataConverter:
    """Return the converter for ``Client.connect``: with the codec of the environment, or plain.

    Raises :class:`ConnectionSettingError`, in one line that holds no key.
    """
    codec = await _read_codec()
    return DataConverter(payload_codec=codec) if codec else DataConverter.default


async def _read_codec() -> PayloadCodec | None:
    setting, factory = os.environ.get(CODEC_KEYS_SETTING), os.environ.get(CODEC_SETTING)
    if setting is not None and factory is not None:
        raise ConnectionSettingError(
            f"{CODEC_KEYS_SETTING} and {CODEC_SETTING} are both set: unset one of them"
        )
    if factory is not None:
        return PlainCodec() if factory == NO_CODEC else _make_codec(factory)
    return await open_codec(setting) if setting is not None else None


class PlainCodec(PayloadCodec):
    """The codec of a client that means to send plain text."""

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Return what is given."""
        return list(payloads)

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Return what is given."""
        return list(payloads)


async def open_codec(setting: str) -> PayloadCodec:
    """Return our own codec with the keys of ``RELEASES_CODEC_KEYS``.

    Keys in a file are read again when the file changes. Raises :class:`ConnectionSettingError`.
    """
    # Imported here because it takes a while to load: only encryption pays for it.
    from workflows.temporal.codec import AesCodec  # noqa: PLC0415 - see above

    source = _KeySource(setting)
    keys = await source.read() or ()
    return AesCodec(keys, source.read if find_key_file(setting) else None)


class _KeySource:
    """Where the keys come from."""

    def __init__(self, setting: str) -> None:
        self._setting = setting
        self._given: Sequence[CodecKey] = ()

    async def read(self) -> Sequence[CodecKey] | None:
        """Read the keys; None where they are what they were."""
        given = read_keys(self._setting)
        if given == self._given:
            return None
        keys = await _unwrap(given)
        self._given = given
        return keys


async def _unwrap(keys: Sequence[CodecKey]) -> Sequence[CodecKey]:
    """Have AWS KMS decrypt the keys that it has encrypted."""
    if not any(key.is_wrapped for key in keys):
        return keys
    # Imported here because botocore takes long to load: only such keys pay for it.
    from activities.aws import AwsConfigurationError, connect  # noqa: PLC0415 - see above
    from activities.errors import AwsError  # noqa: PLC0415 - with it

    plain: list[CodecKey] = []
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    try:
        async with connect(region) as aws:
            for key in keys:
                plain.append(await _decrypt(aws, key) if key.is_wrapped else key)  # noqa: PERF401 - it awaits
    except AwsConfigurationError as error:
        raise ConnectionSettingError(f"{CODEC_KEYS_SETTING}: {error}") from None
    except AwsError as error:
        raise ConnectionSettingError(
            f"{CODEC_KEYS_SETTING}: AWS KMS does not decrypt key "
            f"{keys[len(plain)].id}: {error} (kms:Decrypt on its key, and the encryption context "
            f"{_CONTEXT_KEY}={keys[len(plain)].id})"
        ) from None
    return tuple(plain)


async def _decrypt(aws: Any, key: CodecKey) -> CodecKey:
    answer = await aws.call(
        "kms",
        "decrypt",
        {"CiphertextBlob": key.secret, "EncryptionContext": {_CONTEXT_KEY: key.id}},
    )
    return make_key(key.id, answer["Plaintext"], f"{CODEC_KEYS_SETTING}: AWS KMS")


def _make_codec(factory: str) -> PayloadCodec:
    """Call the factory of the user's own codec, ``module:function``."""
    module, _, name = factory.partition(":")
    if not module or not name:
        raise ConnectionSettingError(
            f"{CODEC_SETTING}: {factory[:80]!r} does not name a factory: module:function is needed"
        )
    try:
        codec = getattr(importlib.import_module(module), name)()
    except (ImportError, AttributeError) as error:
        raise ConnectionSettingError(
            f"{CODEC_SETTING}: {factory[:80]}: {error}: install its package beside this program, "
            "or name its folder in PYTHONPATH"
        ) from error
    except Exception as error:
        raise ConnectionSettingError(
            f"{CODEC_SETTING}: {factory[:80]} raises {type(error).__name__}"
        ) from error
    if not isinstance(codec, PayloadCodec):
        raise ConnectionSettingError(
            f"{CODEC_SETTING}: {factory[:80]} returns no temporalio.converter.PayloadCodec"
        )
    return codec
