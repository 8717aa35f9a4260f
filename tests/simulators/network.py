"""A web server over a folder and a wire to it that can be cut, slowed and left hanging.

Owns faults of the network alone: what is served is what lies in the folder. Everything goes over
real sockets of the loopback.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

_CHUNK_BYTES = 4096


class _Ranged(SimpleHTTPRequestHandler):
    """A folder's files, from any byte on."""

    protocol_version = "HTTP/1.1"
    knows_ranges = True

    def do_GET(self) -> None:  # noqa: N802 -- the name that http.server looks for
        path = Path(self.translate_path(self.path))
        if not path.is_file():
            self.send_error(404)
            return
        content = path.read_bytes()
        start = 0
        asked = self.headers.get("Range")
        if asked and self.knows_ranges:
            start = int(asked.removeprefix("bytes=").partition("-")[0])
            if start >= len(content):
                self.send_error(416)
                return
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        with contextlib.suppress(OSError):  # whoever hung up has its reasons
            self.wfile.write(content[start:])

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


class _Plain(_Ranged):
    knows_ranges = False


@contextmanager
def web_server(folder: Path, *, knows_ranges: bool = True) -> Iterator[int]:
    """Serve a folder; yields the port."""
    handler = partial(_Ranged if knows_ranges else _Plain, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        serving = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        serving.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            serving.join()


class Wire:
    """Connections to a port, and what befalls them; use it as a context manager.

    Attributes:
        port: Connect here.
        up: Whether connections are taken at all.
        cut_every: Cut a connection after so many bytes have come back over all; ``None`` never.
        bytes_per_s: Most that comes back in a second; ``None`` for no limit.
        hang_after: Let nothing come back any more, and say nothing, after so many bytes of all
            connections; ``None`` never. Set it to ``None`` to let later connections through.
        down_after: Be down, once and until ``up`` is set again, after so many bytes have come back
            over all connections; ``None`` never.
        carried: Bytes that came back over all connections.
        connections: Connections so far.
    """

    def __init__(self, to_port: int) -> None:
        self.up = True
        self.cut_every: int | None = None
        self.bytes_per_s: int | None = None
        self.hang_after: int | None = None
        self.down_after: int | None = None
        self.carried = 0
        self.connections = 0
        self._to_port = to_port
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> Wire:
        self._run(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for each in self._open:
            _hang_up(each)
        for thread in self._threads:
            thread.join()
        for each in self._open:
            each.close()

    def cut(self) -> None:
        """Cut all connections that are open."""
        for each in tuple(self._open):
            _hang_up(each)

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            if not self.up:
                near.close()
                continue
            self.connections += 1
            try:
                far = socket.create_connection(("127.0.0.1", self._to_port))
            except OSError:  # nobody listens there now
                near.close()
                continue
            self._open = [each for each in self._open if each.fileno() >= 0] + [near, far]
            self._threads = [each for each in self._threads if each.is_alive()]
            self._run(self._forth, near, far)
            self._run(self._back, far, near)

    def _run(self, work: object, *args: socket.socket) -> None:
        thread = threading.Thread(target=work, args=args, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _forth(self, near: socket.socket, far: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while content := near.recv(_CHUNK_BYTES):
                far.sendall(content)
        _hang_up(far)

    def _back(self, far: socket.socket, near: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while content := far.recv(self._room()):
                if self.hang_after is not None and self.carried >= self.hang_after:
                    return  # both ends stay open and nobody says a word
                near.sendall(content)
                self.carried += len(content)
                if self.bytes_per_s is not None:
                    time.sleep(len(content) / self.bytes_per_s)
                if self.down_after is not None and self.carried >= self.down_after:
                    self.up, self.down_after = False, None
                    break
                if self.cut_every is not None and self.carried % self.cut_every == 0:
                    break
        _hang_up(near)
        _hang_up(far)

    def _room(self) -> int:
        """Bytes to carry next: up to the next cut."""
        chunk = _CHUNK_BYTES if self.bytes_per_s is None else min(_CHUNK_BYTES, self.bytes_per_s)
        if self.cut_every is None:
            return chunk
        return min(chunk, self.cut_every - self.carried % self.cut_every)


def _hang_up(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
