"""The device's own small web server: the live page, its events, receipts, metrics and health.

Owns addresses, who may see them, and how values become answers. What they say is ``live``'s,
``health``'s and the checkout's business.

============================  ==================================================
``GET /``                     the live page
``GET /api/state``            what it shows, as JSON
``GET /api/live``             the same as server-sent events, whenever it changes
``POST /api/checkin``         checks somebody in; JSON as ``checkin.AskedCheckIn``
``GET /receipt/<session>``    a receipt as a page
``GET /crops/<name>``         a stored crop
``GET /metrics``              Prometheus's text format
``GET /healthz, /readyz``     200 or 503, with the reasons as JSON
============================  ==================================================

Whoever is on this machine sees everything. Anybody else needs the token, as a bearer or as the
password of HTTP's basic authentication, which browsers ask for; health and readiness need none.
"""

from __future__ import annotations

import base64
import hmac
import ipaddress
import json
import logging
import sys
import threading
import time
from collections.abc import Callable
from functools import lru_cache
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, Protocol
from urllib.parse import unquote, urlsplit

from jinja2 import Environment, PackageLoader, StrictUndefined
from pydantic import ValidationError

from calibration.format import first_complaint
from edge.errors import CheckoutError, WalkoutEdgeError
from edge.health import Health, metrics_text
from edge.shop.checkin import AskedCheckIn
from edge.tracking.session import CheckIn
from edge.workers import Pulse

_LOGGER: Final = logging.getLogger(__name__)
_LONGEST_BODY: Final = 64 * 1024
_LIVE_EVERY_S: Final = 0.4
_KEEP_ALIVE_S: Final = 10.0
_OPEN_TO_ALL: Final = frozenset({"/healthz", "/readyz"})


class ShownShop(Protocol):
    """What the page asks of a shop."""

    name: str

    def plan(self) -> dict[str, Any]:
        """The floor plan; see ``live.floor_plan``."""
        ...

    def state(self) -> dict[str, Any]:
        """What changes; see ``live.live_state``."""
        ...

    def health(self) -> Health:
        """How the device is."""
        ...

    def receipt_page(self, session_id: str) -> str | None:
        """A session's newest receipt as a page; ``None`` where there is none."""
        ...

    def crop(self, name: str) -> bytes | None:
        """A stored crop; ``None`` where there is none."""
        ...

    def check_in(self, asked: AskedCheckIn) -> CheckIn:
        """Check somebody in."""
        ...


class _Listening(ThreadingHTTPServer):
    """Says no more than a line of browsers that go away in the middle of an answer."""

    daemon_threads = True
    timeout = 0.2

    def handle_error(self, request: object, client_address: object) -> None:
        if isinstance(sys.exc_info()[1], ConnectionError):
            _LOGGER.debug("%s went away", client_address)
        else:
            _LOGGER.exception("a request of %s failed", client_address)


class PageServer:
    """Serves the page of one shop.

    Args:
        shop: The shop.
        host: Address to listen at.
        port: 0 takes any that is free.
        token: What whoever is not on this machine must show; ``None`` lets nobody else in.

    Raises:
        OSError: The address is taken or not this machine's.
    """

    def __init__(self, shop: ShownShop, host: str, port: int, token: str | None) -> None:
        stopping = threading.Event()
        newest = _Newest(shop.state)

        class Bound(_Handler):
            pass

        Bound.shop, Bound.token, Bound.stopping, Bound.newest = shop, token, stopping, newest
        self._stopping = stopping
        self._server = _Listening((host, port), Bound)

    @property
    def address(self) -> str:
        """Where it listens, as a browser takes it."""
        host, port = self._server.server_address[:2]
        return f"http://{host!s}:{port}/"

    def run(self, pulse: Pulse) -> None:
        """Serve until told to stop; the body of a worker."""
        while not pulse.stop.is_set():
            pulse.beat()
            self._server.handle_request()

    def close(self) -> None:
        """Stop listening and end what is being sent."""
        self._stopping.set()
        self._server.server_close()


class _Newest:
    """The state as JSON, worked out at most a few times a second for however many look."""

    def __init__(self, state: Callable[[], dict[str, Any]]) -> None:
        self._state = state
        self._lock = threading.Lock()
        self._text = ""
        self._made_at_s = float("-inf")

    def text(self) -> str:
        with self._lock:
            if time.monotonic() - self._made_at_s >= _LIVE_EVERY_S / 2:
                self._text = json.dumps(self._state(), ensure_ascii=False)
                self._made_at_s = time.monotonic()
            return self._text


class _Handler(BaseHTTPRequestHandler):
    shop: ShownShop
    token: str | None
    stopping: threading.Event
    newest: _Newest
    server_version = "walkout"
    sys_version = ""
    timeout = 30

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        if not self._is_allowed(path):
            return
        if path == "/":
            page = _environment().get_template("live.html")
            self._send_text(
                page.render(
                    store_name=self.shop.name, plan=self.shop.plan(), state=self.shop.state()
                ),
                "text/html",
            )
        elif path == "/api/state":
            self._send_text(self.newest.text(), "application/json")
        elif path == "/api/live":
            self._send_live()
        elif path == "/metrics":
            self._send_text(metrics_text(self.shop.health()), "text/plain; version=0.0.4")
        elif path == "/healthz":
            self._send_verdict(self.shop.health().sick)
        elif path == "/readyz":
            self._send_verdict(self.shop.health().not_ready)
        elif path.startswith("/receipt/"):
            self._send_receipt(path.removeprefix("/receipt/"))
        elif path.startswith("/crops/"):
            self._send_crop(path.removeprefix("/crops/"))
        else:
            self._send_json({"error": f"there is nothing at {path}"}, HTTPStatus.NOT_FOUND)

    def do_POST(self) -> None:
        path = urlsplit(self.path).path
        if not self._is_allowed(path):
            return
        if path != "/api/checkin":
            self._send_json({"error": f"nothing is taken at {path}"}, HTTPStatus.NOT_FOUND)
            return
        # A page from elsewhere cannot send this type without asking first.
        if self.headers.get_content_type() != "application/json":
            self._send_json({"error": "send application/json"}, HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
            return
        self._check_in()

    def log_message(self, format: str, *args: object) -> None:
        """Log requests where somebody who looks for them finds them."""
        _LOGGER.debug("%s %s", self.address_string(), format % args)

    def _check_in(self) -> None:
        try:
            length = int(self.headers.get("Content-Length", "0"))
            asked = AskedCheckIn.model_validate_json(self.rfile.read(min(length, _LONGEST_BODY)))
            checkin = self.shop.check_in(asked)
        except ValidationError as err:
            self._send_json({"error": first_complaint(err)}, HTTPStatus.BAD_REQUEST)
        except ValueError as err:
            self._send_json({"error": str(err)}, HTTPStatus.BAD_REQUEST)
        except CheckoutError as err:
            self._send_json({"error": str(err)}, HTTPStatus.CONFLICT)
        except WalkoutEdgeError as err:
            self._send_json({"error": str(err)}, HTTPStatus.SERVICE_UNAVAILABLE)
        else:
            self._send_json({"checkin_id": checkin.checkin_id, "session_id": checkin.group})

    def _is_allowed(self, path: str) -> bool:
        if path in _OPEN_TO_ALL:
            return True
        if ipaddress.ip_address(self.client_address[0].partition("%")[0]).is_loopback:
            # A name that somebody else's server made point here is not one of this machine.
            if _is_local_name(self.headers.get("Host", "localhost")):
                return True
        elif self._shows_token():
            return True
        self.send_response(HTTPStatus.UNAUTHORIZED)
        self.send_header("WWW-Authenticate", 'Basic realm="walkout"')
        self.send_header("Content-Length", "0")
        self.end_headers()
        return False

    def _shows_token(self) -> bool:
        kind, _, shown = self.headers.get("Authorization", "").partition(" ")
        if self.token is None:
            return False
        if kind.lower() == "basic":
            try:
                shown = base64.b64decode(shown, validate=True).decode().partition(":")[2]
            except ValueError:
                return False
        elif kind.lower() != "bearer":
            return False
        return hmac.compare_digest(shown.encode(), self.token.encode())

    def _send_live(self) -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        sent, sent_at_s = "", time.monotonic()
        try:
            while not self.stopping.wait(_LIVE_EVERY_S):
                text = self.newest.text()
                if text != sent:
                    self.wfile.write(f"data: {text}\n\n".encode())
                elif time.monotonic() - sent_at_s > _KEEP_ALIVE_S:
                    self.wfile.write(b": nothing new\n\n")
                else:
                    continue
                sent, sent_at_s = text, time.monotonic()
        except OSError:
            _LOGGER.debug("%s does not look any more", self.address_string())

    def _send_receipt(self, session_id: str) -> None:
        page = self.shop.receipt_page(session_id)
        if page is None:
            self._send_json({"error": f"{session_id} has no receipt"}, HTTPStatus.NOT_FOUND)
        else:
            self._send_text(page, "text/html")

    def _send_crop(self, name: str) -> None:
        picture = self.shop.crop(name)
        if picture is None:
            self._send_json({"error": "there is no such crop (any more)"}, HTTPStatus.NOT_FOUND)
        else:
            self._send(picture, "image/jpeg", HTTPStatus.OK)

    def _send_verdict(self, reasons: tuple[str, ...]) -> None:
        status = HTTPStatus.SERVICE_UNAVAILABLE if reasons else HTTPStatus.OK
        self._send_json({"ok": not reasons, "reasons": list(reasons)}, status)

    def _send_json(self, value: object, status: HTTPStatus = HTTPStatus.OK) -> None:
        self._send(json.dumps(value).encode(), "application/json", status)

    def _send_text(self, text: str, kind: str) -> None:
        self._send(text.encode(), f"{kind}; charset=utf-8", HTTPStatus.OK)

    def _send(self, body: bytes, kind: str, status: HTTPStatus) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        self.wfile.write(body)


def _is_local_name(host: str) -> bool:
    name = host.rsplit(":", 1)[0].strip("[]") if not host.endswith("]") else host.strip("[]")
    if name == "localhost":
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


@lru_cache(maxsize=1)
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("edge.dashboard"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
