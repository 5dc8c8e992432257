"""The settings of encryption: what is malformed is refused at once, and no key is shown."""

from __future__ import annotations

import base64
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from temporalio.api.common.v1 import Payload
from temporalio.converter import DataConverter, PayloadCodec

from workflows.client.connection import connect_temporal
from workflows.client.errors import Unreachable
from workflows.temporal import codec as codec_module
from workflows.temporal.codec import AesCodec
from workflows.temporal.codec_keys import CodecKey, UnreadablePayload, read_keys
from workflows.temporal.codec_settings import open_codec, read_data_converter
from workflows.temporal.connection_settings import (
    ConnectionSettingError,
    is_private,
    read_connection_settings,
)

KEY: Final = base64.b64encode(b"k" * 32).decode()
OTHER: Final = base64.b64encode(b"x" * 32).decode()
SHORT: Final = base64.b64encode(b"s" * 16).decode()
PLAIN: Final = Payload(metadata={"encoding": b"json/plain"}, data=b'"hello"')


def write(folder: Path, text: str | bytes) -> str:
    """A file of keys, as the setting names it."""
    file = folder / "keys"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return f"file:{file}"


@pytest.mark.parametrize(
    ("setting", "problem"),
    [
        ("", "RELEASES_CODEC_KEYS: there is no key in it: id:base64 is needed"),
        (" , ", "there is no key in it"),
        (KEY, "entry 1 has no id: id:base64 is needed"),
        (f"{KEY}:2026-11", "entry 1: what stands before the colon is no id"),
        (f"a/b:{KEY}", "what stands before the colon is no id: up to 32 letters"),
        (
            f"2026-11:{KEY[:-3]}!!=",
            r"entry 1 \(2026-11\): the key is no base64: make one by openssl",
        ),
        (f"2026-11:{SHORT}", r"\(2026-11\): the key has 16 bytes, 32 are needed: make one by"),
        ("2026-11:", r"\(2026-11\): the key has 0 bytes"),
        (f"a:{KEY},b:{SHORT}", r"entry 2 \(b\): the key has 16 bytes"),
        (f"a:{KEY}\na:{OTHER}", "entry 2: there are two keys a"),
        (f"a:kms:{KEY[:-3]}!!=", r"entry 1 \(a\): the key is no base64"),
        ("file:/nowhere/keys", "/nowhere/keys cannot be read: No such file or directory"),
    ],
)
def test_malformed_key_is_refused_and_not_shown(setting: str, problem: str) -> None:
    with pytest.raises(ConnectionSettingError, match=problem) as refusal:
        read_keys(setting)
    text = str(refusal.value)
    assert "\n" not in text
    assert KEY[:8] not in text
    assert SHORT[:8] not in text


def test_file_of_keys_has_comments_and_lines(tmp_path: Path) -> None:
    setting = write(
        tmp_path, f"# the first one encrypts\nnew:{KEY}\n\n  # since June\nold:{OTHER}\n"
    )
    assert [key.id for key in read_keys(setting)] == ["new", "old"]
    for malformed in ("", "# nothing", b"\xff\xfe"):
        with pytest.raises(ConnectionSettingError, match=f"{tmp_path}/keys"):
            read_keys(write(tmp_path, malformed))


def test_key_is_in_no_repr() -> None:
    assert "k" * 32 not in repr(CodecKey("a", b"k" * 32))


async def test_payload_is_sealed_with_its_key_and_a_nonce_of_its_own() -> None:
    codec = AesCodec(read_keys(f"a:{KEY},b:{OTHER}"))
    first, second = await codec.encode([PLAIN, PLAIN])
    assert first.metadata == {
        "encoding": b"binary/encrypted",
        "encryption-key-id": b"a",
        "encryption-cipher": b"AES-256-GCM",
    }
    assert first.data != second.data
    assert b"hello" not in first.data
    assert await codec.decode([first, PLAIN, second]) == [PLAIN, PLAIN, PLAIN]


async def test_format_is_the_one_of_the_page() -> None:
    """A codec in another language can be written by docs/encryption.md."""
    [sealed] = await AesCodec(read_keys(f"a:{KEY}")).encode([PLAIN])
    plain = AESGCM(b"k" * 32).decrypt(
        sealed.data[:12], sealed.data[12:], b"binary/encrypted\0AES-256-GCM\0a"
    )
    assert Payload.FromString(plain) == PLAIN


@pytest.mark.parametrize("place", [0, 20, -1], ids=["nonce", "content", "tag"])
async def test_altered_payload_is_not_read(place: int) -> None:
    codec = AesCodec(read_keys(f"a:{KEY}"))
    [sealed] = await codec.encode([PLAIN])
    data = bytearray(sealed.data)
    data[place] ^= 1
    sealed.data = bytes(data)
    with pytest.raises(UnreadablePayload, match="encrypted with another key a than that of"):
        await codec.decode([sealed])


@pytest.mark.parametrize("data", [b"", b"short", b"n" * 12])
async def test_truncated_payload_is_not_read(data: bytes) -> None:
    codec = AesCodec(read_keys(f"a:{KEY}"))
    [sealed] = await codec.encode([PLAIN])
    sealed.data = data
    with pytest.raises(UnreadablePayload, match="or altered"):
        await codec.decode([sealed])


async def test_key_of_another_id_does_not_open_a_payload() -> None:
    """The id is authenticated: nobody can have a payload opened under another name."""
    [sealed] = await AesCodec(read_keys(f"a:{KEY}")).encode([PLAIN])
    both = AesCodec(read_keys(f"a:{KEY},b:{KEY}"))
    sealed.metadata["encryption-key-id"] = b"b"
    with pytest.raises(UnreadablePayload, match="with another key b"):
        await both.decode([sealed])
    with pytest.raises(UnreadablePayload, match="with key 'b', which this process does not have"):
        await AesCodec(read_keys(f"a:{KEY}")).decode([sealed])


async def test_renewed_file_of_keys_is_used_without_a_restart(tmp_path: Path) -> None:
    codec = await open_codec(write(tmp_path, f"old:{OTHER}"))
    [old] = await codec.encode([PLAIN])
    write(tmp_path, f"new:{KEY}\nold:{OTHER}")
    [new] = await AesCodec(read_keys(f"new:{KEY}")).encode([PLAIN])
    assert await codec.decode([new, old]) == [PLAIN, PLAIN]  # an unknown key: it looks at once
    [renewed] = await codec.encode([PLAIN])
    assert renewed.metadata["encryption-key-id"] == b"new"


async def test_malformed_file_of_keys_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(codec_module, "_RELOAD_SECONDS", 0)
    codec = await open_codec(write(tmp_path, f"old:{OTHER}"))
    for malformed in ("", "new:short", b"\xff"):
        write(tmp_path, malformed)
        [sealed] = await codec.encode([PLAIN])
        assert sealed.metadata["encryption-key-id"] == b"old"
    write(tmp_path, f"new:{KEY}")
    assert (await codec.encode([PLAIN]))[0].metadata["encryption-key-id"] == b"new"


# --- Settings -----------------------------------------------------------------------------------


class Doubting(PayloadCodec):
    """A codec of a user's own."""

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return [Payload(metadata=each.metadata, data=each.data + b"?") for each in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return [Payload(metadata=each.metadata, data=each.data[:-1]) for each in payloads]


def make_nothing() -> object:
    return object()


def fail() -> PayloadCodec:
    raise ValueError(KEY)


def set_environment(monkeypatch: pytest.MonkeyPatch, settings: dict[str, str]) -> None:
    for name in [name for name in os.environ if name.startswith(("RELEASES_", "TEMPORAL_"))]:
        monkeypatch.delenv(name)
    for name, value in settings.items():
        monkeypatch.setenv(name, value)


async def test_codec_is_none_without_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    set_environment(monkeypatch, {})
    assert await read_data_converter() is DataConverter.default
    assert not is_private()


async def test_codec_of_the_user_is_made_by_its_factory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mine", sys.modules[__name__])
    set_environment(monkeypatch, {"RELEASES_CODEC": "mine:Doubting"})
    assert isinstance((await read_data_converter()).payload_codec, Doubting)


async def test_plain_text_that_is_meant_is_no_codec(monkeypatch: pytest.MonkeyPatch) -> None:
    set_environment(monkeypatch, {"RELEASES_CODEC": "none"})
    codec = (await read_data_converter()).payload_codec
    assert codec is not None
    assert await codec.decode(await codec.encode([PLAIN])) == [PLAIN]
    monkeypatch.setenv("TEMPORAL_CODEC_ENDPOINT", "http://127.0.0.1:8081")
    with pytest.raises(ConnectionSettingError, match="a remote codec is not applied here"):
        read_connection_settings()


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"RELEASES_CODEC_KEYS": f"a:{KEY}", "RELEASES_CODEC": "a:b"}, "are both set: unset one"),
        ({"RELEASES_CODEC_KEYS": f"a:{SHORT}"}, "RELEASES_CODEC_KEYS: entry 1 .a.: the key has 16"),
        ({"RELEASES_CODEC": "mine"}, "RELEASES_CODEC: 'mine' does not name a factory: module:func"),
        ({"RELEASES_CODEC": "nowhere:make"}, "No module named 'nowhere': install its package"),
        ({"RELEASES_CODEC": "mine:absent"}, "has no attribute 'absent'"),
        ({"RELEASES_CODEC": "mine:make_nothing"}, "returns no temporalio.converter.PayloadCodec"),
        ({"RELEASES_CODEC": "mine:fail"}, "mine:fail raises ValueError$"),
        ({"RELEASES_PRIVATE": "yes"}, "RELEASES_PRIVATE: 'yes' is neither true nor false"),
    ],
)
async def test_setting_of_encryption_without_meaning_is_refused(
    monkeypatch: pytest.MonkeyPatch, settings: dict[str, str], problem: str
) -> None:
    monkeypatch.setitem(sys.modules, "mine", sys.modules[__name__])
    set_environment(monkeypatch, settings)
    with pytest.raises(Unreachable, match=problem) as refusal:
        await connect_temporal()
    assert KEY not in str(refusal.value)


def test_remote_codec_may_be_set_beside_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is for ``temporal``, and nothing is sent in plain text."""
    remote = {"TEMPORAL_CODEC_ENDPOINT": "http://127.0.0.1:8081"}
    set_environment(monkeypatch, {**remote, "RELEASES_CODEC_KEYS": f"a:{KEY}"})
    assert read_connection_settings()["target_host"] == "localhost:7233"
    set_environment(monkeypatch, remote)
    with pytest.raises(ConnectionSettingError, match="set RELEASES_CODEC_KEYS"):
        read_connection_settings()
