"""A till: a real HTTP server that remembers what it was told, and fails when asked to."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

DROP = 0


@dataclass
class Till:
    """What a till has heard.

    Attributes:
        url: Where it listens.
        heard: Path, headers and body of every request, answered or not.
        answer: Status and body for a request; ``DROP`` hangs up without an answer.
    """

    url: str = ""
    heard: list[tuple[str, dict[str, str], dict[str, Any]]] = field(default_factory=list)
    answer: Callable[[str, dict[str, Any]], tuple[int, bytes]] = lambda path, body: (
        201,
        b'{"purchaseId": "p-1"}',
    )
    headers: dict[str, str] = field(default_factory=dict)

    def by_request(self) -> dict[str, list[dict[str, Any]]]:
        """Bodies by the id that makes requests idempotent."""
        bodies: dict[str, list[dict[str, Any]]] = {}
        for _, _, body in self.heard:
            name = body.get("requestId") or body["refundRequestId"]
            bodies.setdefault(name, []).append(body)
        return bodies


@contextmanager
def open_till(tls: ssl.SSLContext | None = None) -> Iterator[Till]:
    """A till on a free port of the loopback, encrypted where asked."""
    till, listening = Till(), threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with listening:
                till.heard.append((self.path, dict(self.headers), body))
                status, answer = till.answer(self.path, body)
            if status == DROP:
                self.close_connection = True
                return
            self.send_response(status)
            for name, value in till.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, request: object, client_address: object) -> None:
            pass  # clients that hang up, or do not trust the certificate, are part of the tests

    with Server(("127.0.0.1", 0), Handler) as server:
        if tls is not None:
            # Handshakes belong to the threads that answer, not to the one that accepts.
            server.socket = tls.wrap_socket(
                server.socket, server_side=True, do_handshake_on_connect=False
            )
        till.url = f"{'https' if tls else 'http'}://127.0.0.1:{server.server_address[1]}"
        serving = threading.Thread(target=server.serve_forever, args=(0.02,))
        serving.start()
        try:
            yield till
        finally:
            server.shutdown()
            serving.join()
