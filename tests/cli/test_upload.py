"""Uploads of local packages, to an S3 on 127.0.0.1."""

from __future__ import annotations

import http.server
import itertools
import os
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.shell import Shell
from tests.harness import Harness

_numbers = itertools.count(1)


@pytest.fixture
def package_file(tmp_path: Path) -> Path:
    """A .zip file that no other test has."""
    path = tmp_path / "build.zip"
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("app.py", f"# {next(_numbers)}")
    return path


@pytest.fixture
def bucket() -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """The URL of an S3 with one bucket, and the requests to it."""
    requests: list[tuple[str, str]] = []
    stored: set[str] = set()

    class S3(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            requests.append(("HEAD", self.path))
            self.send_response(200 if self.path in stored else 404)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def do_PUT(self) -> None:
            self.rfile.read(
                int(
                    self.headers.get("x-amz-decoded-content-length")
                    or self.headers["Content-Length"]
                )
            )
            self.close_connection = True
            requests.append(("PUT", self.path))
            stored.add(self.path)
            self.send_response(200)
            self.send_header("x-amz-version-id", "v1")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), S3) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", requests
        server.shutdown()


async def test_package_is_uploaded_once_under_its_hash(
    shell: Shell, harness: Harness, package_file: Path, bucket: Any
) -> None:
    endpoint, requests = bucket
    aws = {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_REGION": "eu-central-1",
        "AWS_ACCESS_KEY_ID": "a",
        "AWS_SECRET_ACCESS_KEY": "b",
    }
    start = (
        "start",
        harness.function,
        "--zip",
        str(package_file),
        "--bucket",
        "artifacts",
        "--wait",
    )
    first = await shell(*start, **aws)
    assert first.exit_code == 1  # this S3 is not the one of the function's AWS
    [head, put] = requests
    assert head == ("HEAD", put[1])
    assert put[1].startswith(f"/artifacts/{harness.function}/")
    assert "artifacts" + put[1].removeprefix("/artifacts") in first.stdout
    assert "(v1)" in first.stdout
    await shell(*start, **aws)
    assert [method for method, _ in requests] == ["HEAD", "PUT", "HEAD"]


async def test_package_without_credentials_starts_nothing(
    shell: Shell,
    harness: Harness,
    package_file: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    for variable in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(variable)
    nowhere = {
        "AWS_REGION": "eu-central-1",
        "AWS_CONFIG_FILE": str(tmp_path / "no"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "no"),
    }
    result = await shell(
        "start", harness.function, "--zip", str(package_file), "--bucket", "artifacts", **nowhere
    )
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("releases: --zip: no AWS credentials")


async def test_file_of_another_type_is_not_uploaded(shell: Shell, harness: Harness) -> None:
    result = await shell("start", harness.function, "--zip", __file__, "--bucket", "artifacts")
    assert (result.exit_code, result.stderr) == (
        2,
        f"releases: --zip: {__file__} is not a .zip file\n",
    )
