"""The ports of the local stack."""

from __future__ import annotations

import re
import socket
from dataclasses import replace

import pytest

from deploy.local.ports import Ports
from deploy.local.processes import ProcessError


def test_port_in_use_is_reported_with_the_option_to_set() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        before = re.escape(f"port {port} for Temporal's Web UI cannot be used ")
        after = re.escape("set RELEASES_LOCAL_UI_PORT or --ui-port")
        with pytest.raises(ProcessError, match=f"{before}.*: {after}"):
            replace(Ports.any_free(), ui=port).check_free()


def test_ports_must_differ_and_exist() -> None:
    free = Ports.any_free()
    with pytest.raises(ProcessError, match=f"{free.ui} for Temporal's HTTP API .* --http-port"):
        replace(free, http=free.ui).check_free()
    with pytest.raises(ProcessError, match="port 70000 for the local Lambda cannot be used"):
        replace(free, awslambda=70000).check_free()


def test_ports_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RELEASES_LOCAL_TEMPORAL_PORT", raising=False)
    monkeypatch.delenv("RELEASES_LOCAL_UI_PORT", raising=False)
    monkeypatch.setenv("RELEASES_LOCAL_LAMBDA_PORT", "4567")
    monkeypatch.setenv("RELEASES_LOCAL_HTTP_PORT", "")
    assert Ports().with_environment() == Ports(7233, 8233, 4567, 7243)
    monkeypatch.setenv("RELEASES_LOCAL_UI_PORT", "many")
    with pytest.raises(ProcessError, match="RELEASES_LOCAL_UI_PORT is 'many'"):
        Ports().with_environment()
