"""The ports of the local stack."""

from __future__ import annotations

import re
import socket

import pytest

from deploy.local.ports import Ports
from deploy.local.processes import ProcessError


def test_port_in_use_is_reported_with_the_option_to_set() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        before = re.escape(f"port {port} for Temporal's Web UI cannot be used ")
        after = re.escape("set RELEASES_LOCAL_UI_PORT or --ui-port")
        with pytest.raises(ProcessError, match=f"{before}.*: {after}"):
            Ports(temporal=Ports.any_free().temporal, ui=port).check_free()


def test_ports_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RELEASES_LOCAL_TEMPORAL_PORT", raising=False)
    monkeypatch.delenv("RELEASES_LOCAL_UI_PORT", raising=False)
    monkeypatch.setenv("RELEASES_LOCAL_LAMBDA_PORT", "4567")
    assert Ports.from_environment() == Ports(temporal=7233, ui=8233, awslambda=4567)
    monkeypatch.setenv("RELEASES_LOCAL_UI_PORT", "many")
    with pytest.raises(ProcessError, match="RELEASES_LOCAL_UI_PORT is 'many'"):
        Ports.from_environment()
