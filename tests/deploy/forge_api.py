"""The comments of a pull request, as the APIs of GitHub and GitLab keep them."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class ForgeApi:
    """A forge on a free port of this machine."""

    def __init__(self) -> None:
        self.comments: list[dict[str, Any]] = []
        self.requests: list[tuple[str, str]] = []
        self.tokens: set[str] = set()
        self.refusal = 0
        self.url = ""

    @property
    def writes(self) -> list[str]:
        """The requests that changed something."""
        return [method for method, _ in self.requests if method != "GET"]

    def answer(self, method: str, path: str, document: Any) -> tuple[int, Any]:
        """Answer a request."""
        self.requests.append((method, path))
        if self.refusal:
            return self.refusal, {"message": "Resource not accessible by integration"}
        if method == "GET":
            query = dict(pair.split("=") for pair in path.partition("?")[2].split("&"))
            size, page = int(query["per_page"]), int(query["page"])
            return 200, self.comments[(page - 1) * size : page * size]
        if method == "POST":
            self.comments.append({"id": len(self.comments) + 1, "body": document["body"]})
            return 201, self.comments[-1]
        comment = self.comments[int(path.rpartition("/")[2]) - 1]
        comment["body"] = document["body"]
        return 200, comment

    @classmethod
    @contextmanager
    def serve(cls) -> Iterator[ForgeApi]:
        """Serve it for the length of the block."""
        api = cls()

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(length)
                token = self.headers.get("Authorization") or self.headers.get("PRIVATE-TOKEN")
                api.tokens.add(str(token))
                status, document = api.answer(
                    self.command, self.path, json.loads(body) if body else None
                )
                response = json.dumps(document).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(response)))
                self.end_headers()
                self.wfile.write(response)

            def log_message(self, *_: object) -> None:
                pass

        for method in ("GET", "POST", "PATCH", "PUT"):
            setattr(Handler, f"do_{method}", Handler.answer)
        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        api.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield api
        finally:
            server.shutdown()
            thread.join()
            server.server_close()
