"""Encryption, with real processes: worker, command line, codec server, Temporal's CLI, and KMS."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import secrets
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import aiohttp
import pytest
from aiobotocore.session import get_session
from google.protobuf.json_format import MessageToDict
from temporalio.api.common.v1 import Payload, Payloads

from deploy.local import sample
from deploy.local.ports import Ports
from deploy.local.processes import Process
from deploy.local.stack import Stack
from tests.harness import TEMPORAL_CLI
from workflows.temporal.codec_keys import UnreadablePayload, read_keys
from workflows.temporal.codec_settings import open_codec
from workflows.temporal.connection_settings import ConnectionSettingError

ROOT: Final = Path(__file__).parents[2]
RELEASES: Final = str(Path(sys.executable).with_name("releases"))
TOKEN: Final = "a-token-of-this-test-that-is-long-enough-0123456789"
UI: Final = "http://localhost:8233"
STRANGER: Final = "http://elsewhere.example"
KEYS: Final = f"2026-11:{base64.b64encode(secrets.token_bytes(32)).decode()}"
OTHER_KEYS: Final = f"2026-12:{base64.b64encode(secrets.token_bytes(32)).decode()}"
REASON: Final = "PR zebra"


@dataclass(frozen=True)
class Sealed:
    """A stack whose worker encrypts, a codec server with its keys, and a release."""

    stack: Stack
    url: str
    server: Process

    @property
    def environment(self) -> dict[str, str]:
        """What makes ``releases`` a client of the stack."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("AWS_", "TEMPORAL_", "RELEASES_"))
        }
        return {
            **kept,
            "TEMPORAL_ADDRESS": self.stack.address,
            "TEMPORAL_CONFIG_FILE": os.devnull,
            "COLUMNS": "200",
        }

    def run(self, *command: str, **settings: str) -> subprocess.CompletedProcess[str]:
        """Run a command, with more settings."""
        return subprocess.run(
            command,
            env={**self.environment, **settings},
            cwd=ROOT,
            text=True,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=240,
            check=False,
        )

    def show(self, *options: str) -> str:
        """The history of the release, as Temporal's own command line has it."""
        command = ("workflow", "show", "--workflow-id", "sealed-1", "--output", "json", *options)
        done = self.run(TEMPORAL_CLI, *command)
        assert done.returncode == 0, done.stderr
        return done.stdout


def read_command(beginning: str) -> str:
    """The command of the page that begins so, with the lines that it goes on in."""
    page = (ROOT / "docs/encryption.md").read_text().replace("\\\n", " ")
    [command] = [
        " ".join(line.split())
        for line in page.splitlines()
        if line.startswith("    ") and line.strip().startswith(beginning)
    ]
    return command


def find_port() -> int:
    """A free port."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@asynccontextmanager
async def start_server(
    log: Path, environment: Mapping[str, str], port: int
) -> AsyncIterator[Process]:
    """Run a codec server for the length of the block."""
    options = ["--listen", f"127.0.0.1:{port}", "--origin", UI]
    server = Process.start(
        "codec server",
        [sys.executable, "-m", "deploy.codec_server", *options],
        environment=environment,
        directory=ROOT,
        log=log,
    )

    try:
        await wait_for_server(server, port)
        yield server
    finally:
        await server.stop()


async def wait_for_server(server: Process, port: int) -> None:
    """Wait until a codec server answers."""

    async def answers() -> bool:
        try:
            async with (
                aiohttp.ClientSession() as session,
                session.get(f"http://127.0.0.1:{port}/healthz") as response,
            ):
                return response.status == 200
        except aiohttp.ClientConnectionError:
            return False

    await server.wait_until_ready(answers)


@pytest.fixture(scope="module")
async def sealed(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Sealed]:
    """The worker encrypts; one release has ended."""
    directory = tmp_path_factory.mktemp("sealed")
    (directory / "keys").write_text(f"# the first key encrypts\n{KEYS}\n")
    setting = f"file:{directory / 'keys'}"
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("RELEASES_")]:
            patch.delenv(name)
        patch.setenv("RELEASES_CODEC_KEYS", setting)  # the worker of the stack inherits them
        patch.setenv("RELEASES_PRIVATE", "true")
        async with Stack.start(Ports.any_free(), directory / "stack") as stack:
            async with sample.Clients.connect(stack.aws) as clients:
                await sample.create_sample(clients)
            port = find_port()
            environment = {
                **os.environ,
                "RELEASES_CODEC_KEYS": setting,
                "RELEASES_CODEC_TOKEN": TOKEN,
            }
            async with start_server(directory / "server.log", environment, port) as server:
                yield Sealed(stack, f"http://127.0.0.1:{port}", server)


@pytest.fixture(scope="module")
async def release(sealed: Sealed) -> str:
    """What ``releases start --watch`` has printed."""
    done = await asyncio.to_thread(
        sealed.run,
        RELEASES,
        *("start", "checkout:live", "--s3", "s3://artifacts/checkout/good.zip"),
        *("--strategy", "AllAtOnce", "--reason", REASON, "--by", "ana", "--id", "sealed-1"),
        "--watch",
        RELEASES_CODEC_KEYS=KEYS,
        RELEASES_PRIVATE="true",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def encode_body(*payloads: Payload) -> dict[str, Any]:
    """Payloads as the Web UI sends them."""
    return MessageToDict(Payloads(payloads=payloads))


async def send(
    url: str, path: str, body: object, **headers: str
) -> tuple[int, str, Mapping[str, str]]:
    """Send a request of the codec protocol; return its status, body and headers."""
    async with (
        aiohttp.ClientSession() as session,
        session.post(
            url + path, json=body, headers={key.title(): value for key, value in headers.items()}
        ) as response,
    ):
        return response.status, await response.text(), dict(response.headers)


AUTHORIZED: Final = {"authorization": f"Bearer {TOKEN}"}
PLAIN: Final = Payload(metadata={"encoding": b"json/plain"}, data=b'"zebra"')


# --- A release ----------------------------------------------------------------------------------


async def test_temporal_cli_shows_a_release_only_by_the_codec_server(
    sealed: Sealed, release: str
) -> None:
    assert "version 2" in release
    plain = await asyncio.to_thread(sealed.show)
    assert "zebra" not in plain + base64_decoded(plain)
    assert "RequestedBy" not in plain
    assert base64.b64encode(b"binary/encrypted").decode() in plain
    shown = await asyncio.to_thread(
        sealed.show,
        *("--codec-endpoint", sealed.url, "--codec-auth", f"Bearer {TOKEN}"),
    )
    assert REASON in base64_decoded(shown)
    table = await asyncio.to_thread(
        sealed.run,
        *(TEMPORAL_CLI, "workflow", "describe", "--workflow-id", "sealed-1"),
        *("--codec-endpoint", sealed.url, "--codec-auth", f"Bearer {TOKEN}"),
    )
    assert '"phase":"succeeded"' in table.stdout
    refused = await asyncio.to_thread(
        sealed.run,
        *(TEMPORAL_CLI, "workflow", "show", "--workflow-id", "sealed-1", "--output", "json"),
        *("--codec-endpoint", sealed.url, "--codec-auth", "Bearer wrong"),
    )
    assert "zebra" not in refused.stdout


def base64_decoded(text: str) -> str:
    """All values of a JSON document that are base64, decoded."""
    found: list[bytes] = []

    def collect(value: Any) -> None:
        match value:
            case dict():
                for each in value.values():
                    collect(each)
            case list():
                for each in value:
                    collect(each)
            case str():
                try:
                    found.append(base64.b64decode(value, validate=True))
                except ValueError:
                    return
            case _:
                return

    collect(json.loads(text))
    return b"\n".join(found).decode(errors="replace")


@pytest.mark.usefixtures("release")
async def test_temporal_cli_starts_a_plan_through_the_codec_server(sealed: Sealed) -> None:
    request = json.dumps(
        {"target": {"function": "checkout"}, "artifact": {"kind": "latest"}, "reason": REASON}
    )
    done = await asyncio.to_thread(
        sealed.run,
        *(TEMPORAL_CLI, "workflow", "execute", "--type", "Plan", "--task-queue", "lambda-releases"),
        *("--workflow-id", "sealed-plan", "--input", request, "--output", "json"),
        *("--codec-endpoint", sealed.url, "--codec-auth", f"Bearer {TOKEN}"),
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["status"] == "COMPLETED", done.stdout
    assert "steps" in done.stdout


@pytest.mark.usefixtures("release")
async def test_client_without_the_key_is_told_which_one_it_lacks(sealed: Sealed) -> None:
    for keys in ({}, {"RELEASES_CODEC_KEYS": OTHER_KEYS}):
        done = await asyncio.to_thread(sealed.run, RELEASES, "history", "checkout:live", **keys)
        assert done.returncode == 3, done.stdout
        assert done.stdout == ""
        assert done.stderr == (
            "releases: Temporal's answer cannot be read: encrypted with key '2026-11', which this "
            "process does not have: add it to RELEASES_CODEC_KEYS\n"
        )
    rotated = await asyncio.to_thread(
        sealed.run,
        *(RELEASES, "history", "checkout:live", "-o", "json"),
        RELEASES_CODEC_KEYS=f"{OTHER_KEYS},{KEYS}",
    )
    assert rotated.returncode == 0, rotated.stderr
    assert json.loads(rotated.stdout)[0]["reason"] == REASON


async def test_worker_with_a_malformed_key_does_not_start_and_shows_no_key(
    sealed: Sealed,
) -> None:
    key = KEYS.partition(":")[2]
    done = await asyncio.to_thread(
        sealed.run, sys.executable, "worker.py", RELEASES_CODEC_KEYS=f"2026-11:{key[:-4]}"
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(
        "worker: RELEASES_CODEC_KEYS: entry 1 (2026-11): the key "
    )
    assert key[:8] not in done.stdout + done.stderr


@pytest.mark.usefixtures("release")
async def test_commands_of_the_page_work(sealed: Sealed, tmp_path: Path) -> None:
    make = read_command("echo ")
    subprocess.run(["sh", "-c", make], cwd=tmp_path, check=True, timeout=60)
    assert [key.id for key in read_keys(f"file:{tmp_path / 'keys'}")] == ["2026-11"]
    (tmp_path / "keys").write_text(KEYS)
    (tmp_path / "token").write_text(TOKEN + "\n")
    port = find_port()
    environment = {
        **sealed.environment,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
    }
    settings, serve = (
        read_command("export RELEASES_CODEC_KEYS=file:keys RELEASES"),
        read_command("python -m deploy.codec_server"),
    )
    server = Process.start(
        "codec server",
        ["sh", "-c", f"{settings}; exec {serve.replace('8081', str(port))}"],
        environment=environment,
        directory=tmp_path,
        log=tmp_path / "server.log",
    )
    try:
        await wait_for_server(server, port)
        show = read_command("temporal workflow show").replace("vat-1", "sealed-1")
        done = await asyncio.to_thread(
            subprocess.run,
            ["sh", "-c", f"{show.replace('8081', str(port))} -o json"],
            env=environment,
            cwd=tmp_path,
            text=True,
            capture_output=True,
            timeout=120,
            check=False,
        )
    finally:
        await server.stop()
    assert done.returncode == 0, done.stderr
    assert REASON in base64_decoded(done.stdout)


@pytest.mark.usefixtures("release")
async def test_worker_that_lacks_the_key_of_a_running_release_does_not_start(
    sealed: Sealed,
) -> None:
    keys = {"RELEASES_CODEC_KEYS": KEYS}
    begun = await asyncio.to_thread(
        sealed.run,
        *(RELEASES, "start", "checkout:live", "--s3", "s3://artifacts/checkout/broken.zip"),
        *("--strategy", "Canary10Percent60Minutes", "--by", "ana"),
        **keys,
    )
    assert begun.returncode == 0, begun.stdout + begun.stderr
    try:
        done = await asyncio.to_thread(
            sealed.run,
            *(sys.executable, "worker.py"),
            **sealed.stack.aws.environment,
        )
    finally:
        ended = await asyncio.to_thread(
            sealed.run, RELEASES, "abort", "checkout:live", "--by", "ana", **keys
        )
    assert ended.returncode == 0, ended.stderr
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        "worker: lambda:000000000000:us-east-1:checkout:live is encrypted with key '2026-11', "
        "which this process does not have: add it to RELEASES_CODEC_KEYS"
    )


# --- The server ---------------------------------------------------------------------------------


async def test_payloads_go_through_the_server_and_back(sealed: Sealed) -> None:
    body = encode_body(PLAIN)
    status, encoded, _ = await send(sealed.url, "/encode", body, **AUTHORIZED)
    assert status == 200
    assert "zebra" not in base64_decoded(encoded)
    assert json.loads(encoded) != body
    status, decoded, _ = await send(sealed.url, "/decode", json.loads(encoded), **AUTHORIZED)
    assert (status, json.loads(decoded)) == (200, body)
    status, same, _ = await send(sealed.url, "/decode", body, **AUTHORIZED)
    assert (status, json.loads(same)) == (200, body)  # what is plain stays plain


@pytest.mark.parametrize("path", ["/encode", "/decode"])
@pytest.mark.parametrize(
    "authorization", ["", "Bearer", "Bearer ", "Bearer wrong", f"Basic {TOKEN}", TOKEN, "Bearer é"]
)
async def test_request_without_the_token_is_refused(
    sealed: Sealed, path: str, authorization: str
) -> None:
    headers = {"authorization": authorization} if authorization else {}
    status, text, _ = await send(sealed.url, path, encode_body(PLAIN), **headers)
    assert status == 401
    assert text.startswith("Authorization: Bearer TOKEN is needed")


async def test_unreadable_payload_is_refused_naming_its_key(sealed: Sealed) -> None:
    codec = await open_codec(OTHER_KEYS)
    body = encode_body(*await codec.encode([PLAIN]))
    status, text, _ = await send(sealed.url, "/decode", body, **AUTHORIZED)
    assert status == 400
    assert "encrypted with key '2026-12', which this process does not have" in text


@pytest.mark.parametrize("body", ["nonsense", [1], {"payloads": 1}, {"unknown": []}])
async def test_body_that_is_no_payloads_is_refused(sealed: Sealed, body: object) -> None:
    status, text, _ = await send(sealed.url, "/decode", body, **AUTHORIZED)
    assert (status, text) == (400, "the body is no temporal.api.common.v1.Payloads")


async def test_only_the_web_ui_may_ask_from_a_browser(sealed: Sealed) -> None:
    async with aiohttp.ClientSession() as session:
        for origin, is_allowed in ((UI, True), (STRANGER, False), ("null", False)):
            asked = {"Origin": origin, "Access-Control-Request-Method": "POST"}
            async with session.options(sealed.url + "/decode", headers=asked) as response:
                assert response.status == 204
                allowed = response.headers.get("Access-Control-Allow-Origin")
                assert allowed == (origin if is_allowed else None)
                names = response.headers.get("Access-Control-Allow-Headers", "")
                assert ("Authorization" in names and "X-Namespace" in names) is is_allowed
    _, _, headers = await send(sealed.url, "/decode", {}, origin=UI)
    assert headers["Access-Control-Allow-Origin"] == UI  # a refusal can be read, too


async def test_browser_that_has_signed_in_needs_no_token(sealed: Sealed) -> None:
    jar = aiohttp.CookieJar(unsafe=True)  # addresses may have cookies
    async with aiohttp.ClientSession(cookie_jar=jar) as session:
        async with session.post(sealed.url, data={"token": "wrong"}) as response:
            assert response.status == 401
            assert "Set-Cookie" not in response.headers
        async with session.post(sealed.url, data={"token": TOKEN}) as response:
            cookie = response.headers["Set-Cookie"]
            assert "HttpOnly" in cookie
            assert "SameSite=Strict" in cookie
            assert TOKEN not in cookie
        for origin, expected in ((UI, 200), (STRANGER, 401), ("", 401)):
            headers = {"Origin": origin} if origin else {}
            url = sealed.url + "/decode"
            async with session.post(url, json=encode_body(PLAIN), headers=headers) as response:
                assert response.status == expected


async def test_server_logs_no_payload_and_no_token(sealed: Sealed) -> None:
    await send(sealed.url, "/encode", encode_body(PLAIN), **AUTHORIZED)
    log = sealed.server.log.read_text()
    assert "/encode" in log
    assert "zebra" not in log
    assert TOKEN not in log


REFUSED: Final[list[tuple[dict[str, str], list[str], str]]] = [
    ({}, [], "there are no keys: set RELEASES_CODEC_KEYS as the worker has it"),
    ({"RELEASES_CODEC_KEYS": "a:b"}, [], "RELEASES_CODEC_KEYS: entry 1 (a): the key"),
    ({"RELEASES_CODEC_TOKEN": "short"}, [], "RELEASES_CODEC_TOKEN: it has 5 characters"),
    ({"RELEASES_CODEC_TOKEN": "file:/nowhere"}, [], "/nowhere cannot be read: No such file"),
    ({}, ["--listen", "8081"], "--listen: '8081' is no address: host:port is needed"),
    ({}, ["--certificate", "c.pem"], "--certificate and --key belong together"),
]


async def test_setting_of_the_server_without_meaning_is_refused(sealed: Sealed) -> None:
    command = (sys.executable, "-m", "deploy.codec_server")
    runs = [
        asyncio.to_thread(sealed.run, *command, *options, **settings)
        for settings, options, _ in REFUSED
    ]
    for done, (_, _, problem) in zip(await asyncio.gather(*runs), REFUSED, strict=True):
        assert done.returncode == 1
        assert done.stderr.startswith("codec_server: ")
        assert problem in done.stderr


# --- AWS KMS ------------------------------------------------------------------------------------


async def test_data_key_of_kms_encrypts_under_its_one_id(
    sealed: Sealed, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in sealed.stack.aws.environment.items():
        monkeypatch.setenv(name, value)
    async with get_session().create_client("kms", region_name="us-east-1") as kms:
        key_id = (await kms.create_key())["KeyMetadata"]["KeyId"]
        made = await kms.generate_data_key_without_plaintext(
            KeyId=key_id, KeySpec="AES_256", EncryptionContext={"lambda-releases": "wrapped"}
        )
    wrapped = base64.b64encode(made["CiphertextBlob"]).decode()
    codec = await open_codec(f"wrapped:kms:{wrapped},{KEYS}")
    [encrypted] = await codec.encode([PLAIN])
    assert encrypted.metadata["encryption-key-id"] == b"wrapped"
    assert await codec.decode([encrypted]) == [PLAIN]
    again = await open_codec(f"{KEYS} wrapped:kms:{wrapped}")
    assert await again.decode([encrypted]) == [PLAIN]
    with pytest.raises(UnreadablePayload, match="key 'wrapped', which this process does not have"):
        await (await open_codec(KEYS)).decode([encrypted])
    for broken in (f"other:kms:{wrapped}", f"wrapped:kms:{base64.b64encode(b'x' * 40).decode()}"):
        with pytest.raises(ConnectionSettingError, match="AWS KMS does not decrypt key") as refusal:
            await open_codec(broken)
        assert wrapped not in str(refusal.value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(ConnectionSettingError, match="AWS KMS does not decrypt key wrapped"):
        await open_codec(f"wrapped:kms:{wrapped}")
    assert [key.is_wrapped for key in read_keys(f"wrapped:kms:{wrapped},{KEYS}")] == [True, False]
