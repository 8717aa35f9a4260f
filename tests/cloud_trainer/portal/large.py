"""A large portal measured: 10,000 products with 100,000 photo records, every page and address.

``python -m tests.cloud_trainer.portal.large [--products N] [--photos N] [--postgres]`` writes the
records, serves the portal as ``walkout-trainer serve`` does, asks for every page and every list
again and again as people of every role, and prints how long answers took (95th percentile). Then an
import of 10,000 lines is begun, the portal ended by SIGKILL in the midst of it, started again, and
the import watched to its end. Photos' files are few, as only their records are asked for.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import numpy as np
from sqlalchemy import create_engine, insert, text

from cloud_trainer.portal.access import WORDS
from cloud_trainer.portal.config import PortalPlaces
from cloud_trainer.portal.products import Standing
from cloud_trainer.portal.records.accounts import AccountsRecords
from cloud_trainer.portal.records.database import Database
from cloud_trainer.portal.records.tables import HAPPENINGS, PHOTOS, PRODUCTS
from models.bundle import open_bundle
from tests.cloud_trainer.pipeline.scene import publish_first
from tests.cloud_trainer.portal.postgres import postgres_server
from tests.cloud_trainer.portal.site import CATEGORY, PASSWORDS, make_portal, until
from tests.web.client import Client
from web.accounts import Accounts
from web.tokens import Tokens

ROOT: Final = Path(__file__).resolve().parents[3]
STATES: Final = ("waiting", "approved", "live", "live", "live", "live", "refused", "collecting")
_AT_ONCE: Final = 5000
_NOW: Final = 1_800_000_000.0


def fill(database: Database, products: int, photos: int, space: str, dimension: int) -> None:
    """Write records of products and photos that look at random."""
    rng = np.random.default_rng(7)
    each = max(1, photos // products)
    rows, pictures, happened = [], [], []
    for number in range(products):
        sku, state = f"good-{number:05d}", STATES[number % len(STATES)]
        look = rng.normal(size=dimension).astype(np.float32)
        look /= np.linalg.norm(look)
        ids = [hashlib.sha256(f"{sku}/{place}".encode()).hexdigest() for place in range(each)]
        edition = None if state in ("waiting", "collecting") else "e" * 64
        standing = Standing(
            state="approved" if state == "live" else state,  # type: ignore[arg-type]
            revision=2,
            edition=edition,
            served_edition=edition if state == "live" else None,
            served_release=1 if state == "live" else None,
            handed_in_at=_NOW + number,
            reason="written for the measurement",
        )
        rows.append(
            {
                "sku": sku,
                "organisation": "dairy" if number % 2 else "bakery",
                "name": f"Good thing number {number} of {number % 97}",
                "category": f"{CATEGORY}-{number % 40}" if number % 10 else CATEGORY,
                "price": "1.99",
                "currency": "EUR",
                "changed_at": _NOW + number,
                "stage": standing.stage,
                "good_photos": each,
                "photos": each,
                "cover": ids[0],
                "look": look.astype(np.float16).tobytes(),
                "look_space": space,
                **{name: getattr(standing, name) for name in Standing.__dataclass_fields__},
            }
        )
        for place, photo_id in enumerate(ids):
            seen = look + rng.normal(scale=0.02, size=dimension).astype(np.float32)
            bands = rng.integers(0, 2**20, 3)
            pictures.append(
                {
                    "sku": sku,
                    "photo_id": photo_id,
                    "place": place,
                    "name": f"{place}.jpg",
                    "added_at": _NOW,
                    "added_by": "provider",
                    "width_px": 1000,
                    "height_px": 1000,
                    "size_bytes": 100_000,
                    "suffix": ".jpg",
                    "faults": "[]",
                    "nearest": "[]",
                    "is_good": True,
                    "is_kept": False,
                    "is_approved": edition is not None,
                    "is_removed": False,
                    "hash_bits": "0" * 16,
                    **{f"band_{index}": int(band) for index, band in enumerate(bands)},
                    "embedding": (seen / np.linalg.norm(seen)).astype(np.float16).tobytes(),
                    "space": space,
                }
            )
        for what in ("added", "handed_in", "approved"):
            happened.append({"sku": sku, "at": _NOW, "who": "mo", "what": what, "about": ""})
    with database.writing() as connection:
        for table, written in ((PRODUCTS, rows), (PHOTOS, pictures), (HAPPENINGS, happened)):
            for first in range(0, len(written), _AT_ONCE):
                connection.execute(insert(table), written[first : first + _AT_ONCE])


@contextmanager
def running(folder: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """``walkout-trainer serve`` as a process, and where it is."""
    with (folder / "log").open("a") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "cloud_trainer", "serve", str(folder)],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        try:
            assert process.stdout is not None
            yield process, process.stdout.readline().split()[1]
        finally:
            if process.poll() is None:
                process.terminate()
            process.wait(60)
            process.stdout.close()  # type: ignore[union-attr]


def addresses(products: int) -> dict[str, list[str]]:
    """What people of each role ask for; products are others each time."""
    some = [f"good-{number:05d}" for number in range(7, products, max(1, products // 40))]
    api = "/api/v1"
    everybody = ["/", "/products", "/api", f"{api}/waiting", f"{api}/products?limit=50"]
    everybody += [f"{api}/products?stage=live&limit=50", f"{api}/products?q=good&limit=50"]
    everybody += [f"{api}/products?q=number&limit=200", f"{api}/products?after=good-05000"]
    pages = ["/approve", "/categories", "/rollouts", "/fleet", "/runs", "/bundles", "/compare"]
    lists = ["categories", "rollouts", "fleet", "runs", "bundles", "pipeline", "measured"]
    return {
        "provider": [*everybody, "/import", f"{api}/imports"],
        "operator": [
            *everybody,
            *pages,
            "/pipeline",
            f"{api}/products?stage=waiting&limit=50",
            f"{api}/products?stage=waiting&after=good-04000",
            *(f"{api}/{each}" for each in lists),
            *(f"{api}/products/{sku}" for sku in some),
            *(f"{api}/products/{sku}/alike" for sku in some[::10]),
            *(f"/products/{sku}" for sku in some[::10]),
            "/metrics",
            "/readyz",
        ],
        "developer": ["/cost", f"{api}/runs", f"{api}/bundles"],
        "admin": [
            *("/people", "/keys", "/audit"),
            *(f"{api}/{each}" for each in ("people", "audit", "retention")),
        ],
    }


def measured(url: str, products: int, rounds: int) -> dict[str, list[float]]:
    """Seconds that each address took, by address with the product left out."""
    took: dict[str, list[float]] = {}
    with ExitStack() as opened:
        for name, asked in addresses(products).items():
            client = opened.enter_context(Client(url))
            answer = client.post(
                "/api/v1/session", json={"name": name, "password": PASSWORDS[name]}
            )
            assert answer.is_success, answer.text
            for turn in range(rounds + 1):
                for address in asked:
                    began_s = time.perf_counter()
                    answer = client.get(address)
                    seconds = time.perf_counter() - began_s
                    assert answer.is_success, (address, answer.text)
                    if turn:  # the first turn fills what is kept in memory
                        took.setdefault(_kind(address), []).append(seconds)
    return took


def killed_import(folder: Path, token: str, lines: int) -> tuple[float, int, float]:
    """Seconds to the kill, lines done by then, and seconds from the restart to the end."""
    table = "sku,name,category\n" + "".join(f"new-{n},New thing {n},soda\n" for n in range(lines))
    headers = {"Content-Type": "text/csv"}
    with running(folder) as (process, url), Client(url, token) as app:
        began_s = time.perf_counter()
        begun = app.post("/api/v1/imports", content=table, headers=headers).json()
        where = f"/api/v1/imports/{begun['import_id']}"
        until(lambda: app.get(where).json()["lines_done"] >= lines // 3, 600)
        process.send_signal(signal.SIGKILL)
        process.wait(30)
        until_killed_s = time.perf_counter() - began_s
    began_s = time.perf_counter()
    with running(folder) as (_, url), Client(url, token) as app:
        there = app.get(where).json()
        app.post(f"{where}/end")
        until(lambda: app.get(where).json()["status"] == "done", 1200)
        ended = app.get(where).json()
        assert (ended["lines_done"], ended["lines_failed"]) == (lines, 0), ended
    return until_killed_s, int(there["lines_done"]), time.perf_counter() - began_s


def prepared(folder: Path, database_url: str | None, products: int, photos: int) -> PortalPlaces:
    """A portal with its records."""
    publish_first(folder / "published")
    settings: dict[str, object] = {}
    if database_url is not None:
        os.environ["PORTAL_DATABASE"] = database_url
        settings["database_env"] = "PORTAL_DATABASE"
    places = make_portal(folder / "portal", folder / "published", **settings)
    manifest = open_bundle(folder / "published" / "bundle").manifest
    with Database(places.database) as database:
        fill(database, products, photos, manifest.space_id, manifest.embedding_dim)
        accounts = Accounts(AccountsRecords(database), WORDS, time.time)
        for name, password in PASSWORDS.items():
            role = "provider" if name == "rival" else name
            accounts.add(name, role, password, "dairy" if role == "provider" else "")
    return places


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--products", type=int, default=10_000)
    parser.add_argument("--photos", type=int, default=100_000)
    parser.add_argument("--lines", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--postgres", action="store_true")
    asked = parser.parse_args()
    with ExitStack() as opened:
        folder = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="walkout-large-")))
        url: str | None = None
        if asked.postgres:
            server = opened.enter_context(postgres_server())
            engine = create_engine(
                server.format("postgres").replace("postgresql:", "postgresql+psycopg:"),
                isolation_level="AUTOCOMMIT",
            )
            with engine.connect() as connection:
                connection.execute(text("CREATE DATABASE large"))
            engine.dispose()
            url = server.format("large")
        began_s = time.perf_counter()
        places = prepared(folder, url, asked.products, asked.photos)
        print(
            f"{asked.products} products, {asked.photos} photo records on "
            f"{'PostgreSQL' if url else 'SQLite'}: written in {_since(began_s)}"
        )
        with Database(places.database) as database:
            tokens = Tokens(AccountsRecords(database), WORDS, time.time)
            token = tokens.create("importer", ["provide"], organisation="dairy")[1]
        load = os.getloadavg()[0]
        with running(folder / "portal") as (_, portal):
            report(measured(portal, asked.products, asked.rounds), load)
        first_s, done, rest_s = killed_import(folder / "portal", token, asked.lines)
        print(
            f"import of {asked.lines} lines: killed after {first_s:.1f} s with {done} done; the "
            f"rest {rest_s:.1f} s after the restart, the restart included; none lost, none doubled"
        )


def report(took: dict[str, list[float]], load: float) -> None:
    """Print how long answers took."""
    every = [each for some in took.values() for each in some]
    print(f"load {load:.1f}; {len(every)} answers, p95 of all {_p95(every) * 1000:.0f} ms")
    for address, some in sorted(took.items(), key=lambda each: -_p95(each[1])):
        middle = statistics.median(some) * 1000
        print(f"  {_p95(some) * 1000:6.0f} ms p95 {middle:6.0f} ms median  {address}")


def _p95(some: list[float]) -> float:
    return float(np.percentile(some, 95))


def _since(began_s: float) -> str:
    return f"{time.perf_counter() - began_s:.1f} s"


def _kind(address: str) -> str:
    """An address without the product that it names."""
    parts = ["{sku}" if part.startswith("good-") else part for part in address.split("/")]
    return "/".join(parts)


if __name__ == "__main__":
    main()
