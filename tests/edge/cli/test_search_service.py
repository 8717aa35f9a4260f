"""Visual search without a shop, as a process: pictures in, products out, by token alone."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from edge.dashboard.access import WORDS
from models.bundle import Bundle
from tests.edge.bundles import photo_file
from web.accounts_file import ACCOUNTS_NAME, AccountsFile
from web.tokens import Tokens

ROOT = Path(__file__).parents[3]


@pytest.fixture
def service(tmp_path: Path, bundle: Bundle) -> Iterator[str]:
    """Its address, once it listens."""
    folder = tmp_path / "catalogue"
    folder.mkdir()
    with (folder / "products.csv").open("w", newline="") as out:
        table = csv.writer(out)
        table.writerow(["sku", "name", "price", "currency"])
        for row, each in enumerate(bundle.manifest.products):
            table.writerow([each.sku, f"Carton {each.sku}", "1.20", "EUR"])
            photo_file(folder / bundle.manifest.category / each.sku / "000.png", row)
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "edge", "search-service", str(bundle.path)),
            *("--catalogue", str(folder), "--state", str(tmp_path / "state"), "--port", "0"),
        ],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    lines: list[str] = []
    assert process.stdout is not None
    reader = threading.Thread(target=lines.extend, args=(process.stdout,))
    reader.start()
    try:
        until_s = time.monotonic() + 60.0
        while not (found := re.search(r"dashboard: (http://\S+)", "".join(lines))):
            assert process.poll() is None, lines
            assert time.monotonic() < until_s, lines
            time.sleep(0.05)
        yield found[1]
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
        reader.join()
        process.stdout.close()


def _asked(address: str, picture: bytes, token: str | None) -> tuple[int, bytes]:
    boundary = "walkout"
    body = (
        (
            f'--{boundary}\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n'
            "Content-Type: image/png\r\n\r\n"
        ).encode()
        + picture
        + f"\r\n--{boundary}--\r\n".encode()
    )
    headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    request = urllib.request.Request(f"{address}api/v1/search", body, headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as err:
        with err:
            return err.code, err.read()


def test_an_app_finds_the_product_in_its_picture(
    service: str, tmp_path: Path, bundle: Bundle
) -> None:
    with closing(AccountsFile(tmp_path / "state" / ACCOUNTS_NAME)) as accounts:
        _, token = Tokens(accounts, WORDS, time.time).create("an app", ["search"], None)
    picture = photo_file(tmp_path / "photo.png", 2).read_bytes()
    assert _asked(service, picture, None)[0] == 401
    status, answer = _asked(service, picture, token)
    assert status == 200, answer
    (found,) = json.loads(answer)["responses"]
    (best, *_) = found["productSearchResults"]["results"]
    assert best["product"]["name"].endswith(bundle.manifest.products[2].sku)
