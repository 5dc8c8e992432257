"""The settings of a connection to Temporal, and why one fails."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme
from temporalio.client import Client
from temporalio.service import TLSConfig
from temporalio.testing import WorkflowEnvironment

from tests.tls_proxy import TlsProxy
from workflows.temporal.connection_fault import find_connection_fault
from workflows.temporal.connection_settings import (
    ConnectionSettingError,
    read_connection_settings,
)


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"TEMPORAL_TLS": "maybe"}, "TEMPORAL_TLS: 'maybe' is neither true nor false"),
        ({"TEMPORAL_TLS": ""}, "TEMPORAL_TLS: '' is neither true nor false"),
        ({"TEMPORAL_TLS_CERT": "/a.pem"}, "TEMPORAL_TLS_CERT: there is no such setting, but"),
        ({"TEMPORAL_API_KEY_FILE": "/key"}, "TEMPORAL_API_KEY_FILE: there is no such setting"),
        ({"TEMPORAL_TLS_DISABLE_HOST_VERIFICATION": "true"}, "certificates of servers are always"),
        ({"TEMPORAL_CODEC_ENDPOINT": "http://c"}, "TEMPORAL_CODEC_ENDPOINT: a remote codec is not"),
        ({"TEMPORAL_CODEC_AUTH": "token"}, "TEMPORAL_CODEC_AUTH: a remote codec is not applied"),
        ({"TEMPORAL_CONFIG_FILE": "/nowhere.toml"}, "there is no file /nowhere.toml"),
        ({"TEMPORAL_TLS_SERVER_CA_CERT_PATH": "/nowhere.pem"}, "/nowhere.pem cannot be read"),
    ],
)
def test_variable_without_effect_is_refused(
    monkeypatch: pytest.MonkeyPatch, settings: dict[str, str], problem: str
) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConnectionSettingError, match=problem):
        read_connection_settings()


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ('codec = { endpoint = "http://codec" }', "profile.default.codec: a remote codec is not"),
        ("tls = { disable_host_verification = true }", "are always verified"),
        ('adress = "secret"', "unknown field `adress`, expected one of"),
        ('tls = "secret"', "TOML parse error at line 2, column 7"),
        ('address = "secret', "TOML parse error at line 2"),
    ],
)
def test_key_of_the_profile_without_effect_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, lines: str, problem: str
) -> None:
    file = tmp_path / "temporal.toml"
    file.write_text(f"[profile.default]\n{lines}\n")
    monkeypatch.setenv("TEMPORAL_CONFIG_FILE", str(file))
    with pytest.raises(ConnectionSettingError, match=problem) as refusal:
        read_connection_settings()
    assert str(file) in str(refusal.value)
    assert "secret" not in str(refusal.value)


def test_codec_of_another_profile_does_not_matter(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "temporal.toml"
    file.write_text("""
        [profile.default.codec]
        endpoint = "http://codec"
        [profile.plain]
        address = "temporal.example:7233"
    """)
    monkeypatch.setenv("TEMPORAL_CONFIG_FILE", str(file))
    monkeypatch.setenv("TEMPORAL_PROFILE", "plain")
    assert read_connection_settings()["target_host"] == "temporal.example:7233"


@dataclass
class Pair:
    """A certificate and its key, as PEM."""

    certificate: bytes
    key: bytes

    @classmethod
    def issue(cls, authority: trustme.CA) -> Pair:
        """Issue one of a client."""
        issued = authority.issue_cert("client")
        chain = b"".join(blob.bytes() for blob in issued.cert_chain_pems)
        return cls(chain, issued.private_key_pem.bytes())


@dataclass
class Server:
    """A Temporal server behind TLS, which wants a certificate of ``clients``."""

    proxy: TlsProxy
    authority: trustme.CA
    clients: trustme.CA

    async def find_fault(self, tls: bool | TLSConfig) -> str:
        """Connect, which fails, and find out why."""
        settings = {"target_host": f"localhost:{self.proxy.port}", "tls": tls}
        with pytest.raises((RuntimeError, ValueError), match=r".") as failure:
            await Client.connect(f"localhost:{self.proxy.port}", tls=tls)
        return await find_connection_fault(settings, failure.value)

    def trust(self, certificate: bytes, key: bytes) -> TLSConfig:
        """Settings that trust the server, with a certificate of ours."""
        return TLSConfig(
            server_root_ca_cert=self.authority.cert_pem.bytes(),
            client_cert=certificate,
            client_private_key=key,
        )


@pytest.fixture
async def server(temporal: WorkflowEnvironment) -> AsyncIterator[Server]:
    authority, clients = trustme.CA(), trustme.CA()
    proxy = TlsProxy(temporal.client.service_client.config.target_host, authority)
    await proxy.start(clients)
    yield Server(proxy, authority, clients)
    await proxy.stop()


async def test_plain_text_where_tls_is_expected_is_named(server: Server) -> None:
    fault = await server.find_fault(tls=False)
    assert fault == "it expects TLS: set TEMPORAL_TLS=true"


async def test_tls_where_plain_text_is_expected_is_named(temporal: WorkflowEnvironment) -> None:
    address = temporal.client.service_client.config.target_host
    with pytest.raises(RuntimeError, match="Failed client connect") as failure:
        await Client.connect(address, tls=True)
    settings = {"target_host": address, "tls": True}
    fault = await find_connection_fault(settings, failure.value)
    assert fault.startswith("it speaks plain text, and not TLS: unset TEMPORAL_TLS")


async def test_authority_that_is_not_trusted_is_named(server: Server) -> None:
    fault = await server.find_fault(tls=True)
    assert "of an authority that is not trusted here (TEMPORAL_TLS_SERVER_CA_CERT_PATH)" in fault


async def test_missing_or_foreign_client_certificate_is_named(server: Server) -> None:
    root = server.authority.cert_pem.bytes()
    fault = await server.find_fault(TLSConfig(server_root_ca_cert=root))
    assert "it wants a client certificate (TEMPORAL_TLS_CLIENT_CERT_PATH)" in fault
    foreign = Pair.issue(trustme.CA())
    fault = await server.find_fault(server.trust(foreign.certificate, foreign.key))
    assert fault == "it does not take the client certificate (TEMPORAL_TLS_CLIENT_CERT_…)"


async def test_certificate_that_cannot_be_read_is_named(server: Server) -> None:
    ours, other = Pair.issue(server.clients), Pair.issue(server.clients)
    fault = await server.find_fault(server.trust(b"no certificate", ours.key))
    assert "the client certificate cannot be read" in fault
    fault = await server.find_fault(server.trust(ours.certificate, b"no key"))
    assert "the key of the client certificate cannot be read" in fault
    fault = await server.find_fault(server.trust(ours.certificate, other.key))
    assert "the client certificate and its key do not belong together" in fault


@pytest.mark.parametrize(
    ("address", "fault"),
    [
        ("127.0.0.1:9", "Connection refused"),
        ("http://127.0.0.1:9", "it is no address: host:port is needed"),
        ("temporal", "it is no address: host:port is needed"),
        ("temporal:99999", "it is no address: host:port is needed"),
    ],
)
async def test_address_where_nobody_answers_is_named(address: str, fault: str) -> None:
    settings = {"target_host": address}
    assert await find_connection_fault(settings, RuntimeError("no")) == fault
