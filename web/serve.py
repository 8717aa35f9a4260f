"""The web server: one thread with an event loop of its own, below the process's other work.

Owns the socket, encrypted connections, and how patient the server is with whoever connects: heads
of requests that come too slowly, answers that nobody takes, more connections than one address
needs. Whatever fails in here is logged and begun again; nothing of it ever ends the process.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import ssl
import sys
import threading
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import anyio.to_thread
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

_LOGGER: Final = logging.getLogger(__name__)
_HEAD_WITHIN_S: Final = 10.0
_TAKEN_WITHIN_S: Final = 30.0
_IDLE_S: Final = 5
_CONNECTIONS: Final = 512
_CONNECTIONS_OF_ONE: Final = 160
_BEATS_EVERY_S: Final = 0.2
_ENDS_WITHIN_S: Final = 2
_BEGINS_AGAIN_AFTER_S: Final = 1.0
_LONGEST_HEAD: Final = 32 * 1024


class Pulse(Protocol):
    """Whoever runs a server: when to stop, and a way to show that it lives.

    Attributes:
        stop: Set when the server should end.
    """

    stop: threading.Event

    def beat(self) -> None:
        """Show that it lives."""
        ...


@dataclass(frozen=True)
class Pace:
    """How much of the machine a server takes.

    Attributes:
        threads: So many routes may wait at a time, for a disk or a network.
        niceness: Of its threads; they begin from here.
    """

    threads: int = 8
    niceness: int = 5


@dataclass(frozen=True)
class Encryption:
    """What connections are encrypted with.

    Attributes:
        certificate: PEM file, with those that signed it.
        key: PEM file.
    """

    certificate: Path
    key: Path


class WebServer:
    """Serves an application until it is told to stop.

    Args:
        make: Makes the application; asked again whenever the server begins again.
        host: Address to listen at.
        port: 0 takes any that is free.
        encryption: ``None`` for none.
        pace: How much of the machine it takes.

    Raises:
        OSError: The address is taken or not this machine's.
        ssl.SSLError: Certificate or key cannot be used.
    """

    def __init__(
        self,
        make: Callable[[Callable[[], bool]], ASGIApp],
        host: str,
        port: int,
        encryption: Encryption | None = None,
        pace: Pace | None = None,
    ) -> None:
        self._make = make
        self._pace = pace or Pace()
        self._encryption = encryption
        if encryption is not None:
            # Said at once, and not by a worker that begins again and again.
            ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(
                encryption.certificate, encryption.key
            )
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.create_server((host, port), family=family, backlog=128) as listening:
            self._socket = BoundedSocket(family, socket.SOCK_STREAM, fileno=listening.detach())

    @property
    def port(self) -> int:
        """Where it listens."""
        port: int = self._socket.getsockname()[1]
        return port

    @property
    def address(self) -> str:
        """Where it listens, as a browser takes it, ending with a slash."""
        host = str(self._socket.getsockname()[0])
        scheme = "http" if self._encryption is None else "https"
        shown = {"0.0.0.0": socket.gethostname(), "::": socket.gethostname()}.get(host, host)
        return f"{scheme}://{f'[{shown}]' if ':' in shown else shown}:{self.port}/"

    @property
    def is_open_to_others(self) -> bool:
        """Whether other machines reach it."""
        host = str(self._socket.getsockname()[0])
        return not (host.startswith("127.") or host == "::1")

    def close(self) -> None:
        """Stop listening; after ``run`` has returned."""
        self._socket.close()

    def run(self, pulse: Pulse) -> None:
        """Serve until told to stop; the body of a worker, which no failure ends."""
        _be_nice(self._pace.niceness)
        while not pulse.stop.is_set():
            try:
                asyncio.run(self._serve(pulse))
            except Exception:
                _LOGGER.exception("the web server failed; it begins again soon")
                pulse.stop.wait(_BEGINS_AGAIN_AFTER_S)

    async def _serve(self, pulse: Pulse) -> None:
        asyncio.get_running_loop().set_exception_handler(_say_quietly)
        anyio.to_thread.current_default_thread_limiter().total_tokens = self._pace.threads
        server = uvicorn.Server(self._config(self._make(pulse.stop.is_set)))
        serving = asyncio.ensure_future(server.serve(sockets=[self._socket.dup()]))
        try:
            while not pulse.stop.is_set() and not serving.done():
                pulse.beat()
                await asyncio.wait({serving}, timeout=_BEATS_EVERY_S)
        finally:
            server.should_exit = True
            await serving

    def _config(self, app: ASGIApp) -> uvicorn.Config:
        logging.getLogger("uvicorn").setLevel(logging.ERROR)
        encryption = self._encryption
        return uvicorn.Config(
            app,
            http=PatientProtocol,
            ws="none",
            loop="asyncio",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=_IDLE_S,
            timeout_graceful_shutdown=_ENDS_WITHIN_S,
            h11_max_incomplete_event_size=_LONGEST_HEAD,
            ssl_certfile=None if encryption is None else encryption.certificate,
            ssl_keyfile=None if encryption is None else encryption.key,
        )


class BoundedSocket(socket.socket):
    """A listening socket that takes so many connections and no more, encrypted or not.

    They are counted when they are accepted: a handshake that never ends holds a file descriptor
    too, and those are the shop's.
    """

    _taken: weakref.WeakKeyDictionary[socket.socket, str]

    def accept(self) -> tuple[socket.socket, Any]:
        """The next connection.

        Raises:
            ConnectionAbortedError: There are too many, so it was closed again.
        """
        taken = self.__dict__.setdefault("_taken", weakref.WeakKeyDictionary())
        connection, address = super().accept()
        open_ones = [peer for each, peer in list(taken.items()) if each.fileno() >= 0]
        if len(open_ones) >= _CONNECTIONS or open_ones.count(address[0]) >= _CONNECTIONS_OF_ONE:
            connection.close()
            raise ConnectionAbortedError("there are too many connections")
        taken[connection] = address[0]
        return connection, address


class PatientProtocol(H11Protocol):
    """HTTP/1.1 with an end to patience: heads that come slowly, and answers that nobody takes."""

    _head_ends: asyncio.TimerHandle | None = None
    _taking_ends: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection, and await its first request."""
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget a connection."""
        self._stop(self._head_ends)
        self._stop(self._taking_ends)
        super().connection_lost(exc)

    def handle_events(self) -> None:
        """Go on once something has come, or after an answer."""
        before = self.cycle
        super().handle_events()
        if self.cycle is not before:
            self._stop(self._head_ends)
            self._head_ends = None
        elif self.cycle is None or self.cycle.response_complete:
            self._await_head()

    def pause_writing(self) -> None:
        """Nobody takes what is sent; that may last a while."""
        self._taking_ends = self.loop.call_later(_TAKEN_WITHIN_S, self.transport.abort)
        super().pause_writing()

    def resume_writing(self) -> None:
        """It is taken again."""
        self._stop(self._taking_ends)
        super().resume_writing()

    def _await_head(self) -> None:
        """The next request's head has to come soon, once it has begun."""
        if self._head_ends is None:
            self._head_ends = self.loop.call_later(_HEAD_WITHIN_S, self.transport.abort)

    @staticmethod
    def _stop(timer: asyncio.TimerHandle | None) -> None:
        if timer is not None:
            timer.cancel()


def _be_nice(niceness: int) -> None:
    """Let the process's other threads go first; threads begun from here are as modest."""
    if sys.platform == "linux":
        thread = threading.get_native_id()
        before = os.getpriority(os.PRIO_PROCESS, thread)
        os.setpriority(os.PRIO_PROCESS, thread, max(before, niceness))


def _say_quietly(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Connections that break are no news; everything else is."""
    err = context.get("exception")
    if isinstance(err, OSError):  # broken connections and TLS handshakes that fail
        _LOGGER.debug("a connection broke: %s", err)
    else:
        loop.default_exception_handler(context)
