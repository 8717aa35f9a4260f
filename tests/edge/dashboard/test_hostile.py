"""Everything at once against a shop at work: it refuses, and no receipt notices."""

from __future__ import annotations

import asyncio
import http.client
import json
import re
import shutil
import struct
import threading
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Final

import pytest

from edge.checkout.ledger import Ledger
from edge.checkout.shop import fold
from edge.dashboard.access import WORDS
from edge.shop.replay import LEDGER_NAME
from tests.edge.shop.running import running
from tests.web.client import Client
from web.accounts_file import ACCOUNTS_NAME, AccountsFile
from web.audit import AuditLog
from web.tokens import Tokens

WRONG_SIGN_INS: Final = 10_000
GUESSING_CLIENTS: Final = 80
SLOW_CLIENTS: Final = 30
_RESTS_S: Final = 0.2
JSON: Final = {"Content-Type": "application/json"}


def bomb(side_px: int) -> bytes:
    """A PNG of a few kilobytes that claims to be, and decompresses to, a huge picture."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        checksum = zlib.crc32(kind + content)
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)

    header = struct.pack(">IIBBBBB", side_px, side_px, 8, 2, 0, 0, 0)
    rows = zlib.compress(b"\0" * 2**20, 9) * 4
    return b"".join(
        (
            b"\x89PNG\r\n\x1a\n",
            chunk(b"IHDR", header),
            chunk(b"IDAT", rows),
            chunk(b"IEND", b""),
        )
    )


class Attack:
    """Whoever means no good, each on a thread of their own, until the shop is closed."""

    def __init__(self, port: int, search_token: str) -> None:
        self.answers: dict[str, Counter[int]] = {}
        self._port = port
        self._token = search_token
        self._is_over = threading.Event()

    def begin(self) -> list[threading.Thread]:
        kinds: list[tuple[str, Callable[[http.client.HTTPConnection], int]]] = [
            ("elsewhere", self._from_elsewhere),
            ("rebinding", self._by_another_name),
            ("bomb", self._bomb),
            ("deep", self._deep),
            ("long", self._long),
        ]
        threads = [
            threading.Thread(target=self._go_on, args=kind, name=kind[0], daemon=True)
            for kind in kinds
        ]
        threads.append(threading.Thread(target=self._trickle, daemon=True))
        threads.append(threading.Thread(target=asyncio.run, args=(self._guess(),), daemon=True))
        for each in threads:
            each.start()
        return threads

    def count(self, kind: str) -> int:
        return self.answers.get(kind, Counter()).total()

    def end(self) -> None:
        self._is_over.set()

    def _go_on(self, kind: str, once: Callable[[http.client.HTTPConnection], int]) -> None:
        got = self.answers.setdefault(kind, Counter())
        connection = self._connect()
        while not self._is_over.is_set():
            try:
                got[once(connection)] += 1
            except OSError:
                connection.close()
                connection = self._connect()
                time.sleep(0.05)
            except http.client.HTTPException:
                connection.close()
                connection = self._connect()
            time.sleep(_RESTS_S)
        connection.close()

    def _connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self._port, timeout=20)

    def _post(
        self,
        connection: http.client.HTTPConnection,
        path: str,
        body: bytes,
        **headers: str,
    ) -> int:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request("POST", path, body, JSON | named)
        answer = connection.getresponse()
        answer.read()
        return answer.status

    async def _guess(self) -> None:
        """Passwords, one after the other, over as many connections as one address may have."""
        got = self.answers.setdefault("sign-in", Counter())
        await asyncio.gather(*(self._guess_on(got) for _ in range(GUESSING_CLIENTS)))

    async def _guess_on(self, got: Counter[int]) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        while got.total() < WRONG_SIGN_INS and not self._is_over.is_set():
            asked = json.dumps({"name": "admin", "password": f"guess {got.total():08}"})
            writer.write(
                b"POST /api/v1/session HTTP/1.1\r\nHost: localhost\r\n"
                b"Content-Type: application/json\r\n"
                b"Content-Length: %d\r\n\r\n%b" % (len(asked), asked.encode())
            )
            head = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"content-length: (\d+)", head)
            assert length
            await reader.readexactly(int(length[1]))
            got[int(head[9:12])] += 1
        writer.close()
        await writer.wait_closed()

    def _from_elsewhere(self, connection: http.client.HTTPConnection) -> int:
        asked = b'{"token": "evil", "checkin_id": "evil"}'
        origin = "https://evil.example"
        status = self._post(connection, "/api/v1/session", asked, Origin=origin)
        return max(status, self._post(connection, "/api/v1/checkins", asked, Origin=origin))

    def _by_another_name(self, connection: http.client.HTTPConnection) -> int:
        return self._post(connection, "/api/v1/checkins", b"{}", Host="evil.example")

    def _bomb(self, connection: http.client.HTTPConnection) -> int:
        shown = {"Content_Type": "image/png", "Authorization": f"Bearer {self._token}"}
        boundary = b'--b\r\nContent-Disposition: form-data; name="image"; filename="x.png"\r\n'
        body = boundary + b"Content-Type: image/png\r\n\r\n" + bomb(60_000) + b"\r\n--b--\r\n"
        shown["Content_Type"] = "multipart/form-data; boundary=b"
        return self._post(connection, "/api/v1/search", body, **shown)

    def _deep(self, connection: http.client.HTTPConnection) -> int:
        return self._post(connection, "/api/v1/session", b"[" * 60_000)

    def _long(self, connection: http.client.HTTPConnection) -> int:
        return self._post(connection, "/api/v1/session", b"x" * 200_000)

    def _trickle(self) -> None:
        """Bodies of which a byte comes now and then."""
        with ExitStack() as opened:
            slow = []
            for _ in range(SLOW_CLIENTS):
                connection = opened.enter_context(closing(self._connect()))
                connection.putrequest("POST", "/api/v1/session")
                connection.putheader("Content-Type", "application/json")
                connection.putheader("Content-Length", "60000")
                connection.endheaders()
                slow.append(connection)
            got = self.answers.setdefault("trickle", Counter())
            while slow and not self._is_over.is_set():
                for connection in list(slow):
                    try:
                        connection.send(b"x")
                    except OSError:
                        slow.remove(connection)
                        got[408] += 1
                time.sleep(0.5)


@pytest.fixture
def shop(recorded_shop: Path, tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "shop"
    shutil.copytree(recorded_shop, folder)
    yield folder


def test_an_attack_on_the_dashboard_changes_no_receipt(
    shop: Path, played_state: Path, tmp_path: Path
) -> None:
    with Ledger(played_state / LEDGER_NAME, "shop-3") as ledger:
        expected = {
            name: [each.quantities() for each in versions]
            for name, versions in fold(ledger.entries()).receipts.items()
        }
    state = tmp_path / "state"
    with running(str(shop), "--port", "0", "--state", str(state), "--stay") as device:
        address = device.said(r"dashboard: (http://\S+)")[1]
        with closing(AccountsFile(state / ACCOUNTS_NAME)) as file:
            secret = Tokens(file, WORDS, time.time).create("search", ["search"])[1]
        attack = Attack(int(address.rstrip("/").rpartition(":")[2]), secret)
        threads = attack.begin()
        answered_s = []
        with Client(address) as client:
            while not (
                device.has_told("recording is over") and attack.count("sign-in") >= WRONG_SIGN_INS
            ):
                assert device.process.poll() is None
                began_s = time.monotonic()
                assert client.get("/healthz").json() == {"ok": True}
                answered_s.append(time.monotonic() - began_s)
                time.sleep(0.5)
        attack.end()
        for each in threads:
            each.join(30)
            assert not each.is_alive()
        device.process.terminate()
        assert device.ended() == 0
    assert "Traceback" not in "".join(device.lines)
    with Ledger(state / LEDGER_NAME, "shop-3") as ledger:
        told = fold(ledger.entries())
    assert {
        name: [each.quantities() for each in versions] for name, versions in told.receipts.items()
    } == expected
    print(attack.answers, f"healthz at most {max(answered_s):.2f} s")  # for who measures with -s
    assert attack.answers["sign-in"].keys() == {401, 429}
    assert attack.count("sign-in") >= WRONG_SIGN_INS
    assert attack.answers["sign-in"][401] < 40
    assert attack.answers["elsewhere"].keys() == {403}
    assert attack.answers["rebinding"].keys() == {421}
    assert attack.answers["bomb"].keys() == {422}
    assert attack.answers["deep"].keys() <= {400, 422}
    assert attack.answers["long"].keys() <= {413}
    assert attack.answers["trickle"][408] == SLOW_CLIENTS
    with closing(AccountsFile(state / ACCOUNTS_NAME)) as file:
        audit = AuditLog(file, time.time).newest(1000)
    assert len(audit) < 60, "a flood of guesses must not fill the disk"
