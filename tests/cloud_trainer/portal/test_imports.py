"""Imports: lines and photos taken in, ended by SIGKILL, and gone on with."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cloud_trainer.portal.access import WORDS
from cloud_trainer.portal.records.accounts import AccountsRecords
from cloud_trainer.portal.records.database import Database
from tests.cloud_trainer.portal.site import (
    DAIRY,
    OPERATOR,
    Site,
    make_portal,
    photo,
    until,
)
from tests.web.client import Client
from web.tokens import Tokens

CSV = {"Content-Type": "text/csv"}
PNG = {"Content-Type": "image/png"}
ROOT = Path(__file__).resolve().parents[3]
LINES = 600


def test_a_table_and_a_folder_of_photos_become_products_that_wait(own_site: Site) -> None:
    provider = own_site.client("provider")
    table = (
        "sku,name,category,price,currency,path\n"
        "oat,Oat milk,soda,1.99,EUR,\n"
        "soy,Soy milk,soda,2.49,EUR,pictures/soy-front.png\n"
        "bad,,soda,1.99,,\n"
    )
    begun = provider.post("/api/v1/imports?name=goods.csv", content=table, headers=CSV).json()
    where = f"/api/v1/imports/{begun['import_id']}"

    def send(path: str, product: int, number: int) -> int:
        answer = provider.post(
            f"{where}/photos", params={"path": path}, content=photo(product, number), headers=PNG
        )
        return answer.status_code

    for number in range(3):
        assert send(f"goods/oat/{number}.png", 80, 10 + 2 * number) == 201
    assert send("goods/pictures/soy-front.png", 82, 10) == 201
    assert send("goods/rye/1.png", 83, 10) == 422
    assert provider.get(f"{where}/photos").json() == [
        "goods/oat/0.png",
        "goods/oat/1.png",
        "goods/oat/2.png",
        "pictures/soy-front.png",
    ]
    assert provider.post(f"{where}/end").status_code == 200
    until(lambda: provider.get(where).json()["status"] == "done")
    ended = provider.get(where).json()
    assert (ended["lines"], ended["lines_done"], ended["lines_failed"]) == (3, 2, 1)
    assert (ended["files"], ended["files_good"], ended["handed_in"]) == (4, 4, 1)
    assert "price and currency go together" in ended["problems"][0]
    stages = {each.sku: each.stage for each in own_site.portal.products(DAIRY).items}
    assert stages == {"oat": "waiting", "soy": "collecting"}
    assert send("goods/oat/9.png", 80, 40) == 409
    (waiting,) = own_site.portal.products(OPERATOR, stage="waiting").items
    assert (waiting.sku, waiting.organisation) == ("oat", "dairy")


@contextmanager
def process_of(folder: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """``walkout-trainer serve`` as a process, and where it is."""
    process = subprocess.Popen(
        [sys.executable, "-m", "cloud_trainer", "serve", str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("portal: "), line
        yield process, line.split()[1]
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait(30)
        if process.stdout is not None:
            process.stdout.close()


def test_an_import_that_is_killed_goes_on_where_it_was(tmp_path: Path) -> None:
    # On PostgreSQL: ``python -m tests.cloud_trainer.portal.large --postgres``.
    places = make_portal(tmp_path / "portal", None)
    with Database(places.database) as database:
        tokens = Tokens(AccountsRecords(database), WORDS, time.time)
        secret = tokens.create("importer", ["provide"], organisation="dairy")[1]
    table = "sku,name\n" + "".join(f"good-{n},Good {n}\n" for n in range(LINES))
    with process_of(tmp_path / "portal") as (process, url), Client(url, secret) as app:
        begun = app.post("/api/v1/imports", content=table, headers=CSV).json()
        assert begun["lines"] == LINES
        where = f"/api/v1/imports/{begun['import_id']}"
        until(lambda: app.get(where).json()["lines_done"] >= 100, 240)
        process.send_signal(signal.SIGKILL)
        process.wait(30)
    with Database(places.database) as database, database.reading() as connection:
        done = connection.exec_driver_sql(
            "SELECT count(*) FROM import_lines WHERE status = 'done'"
        ).scalar_one()
        made = connection.exec_driver_sql("SELECT count(*) FROM products").scalar_one()
    # What is told as done is there, and nothing is there that is not told.
    assert done == made
    assert done >= 100
    with process_of(tmp_path / "portal") as (_, url), Client(url, secret) as app:
        app.post(f"{where}/end")
        until(lambda: app.get(where).json()["status"] == "done", 240)
        ended = app.get(where).json()
    assert (ended["lines_done"], ended["lines_failed"]) == (LINES, 0)
    with Database(places.database) as database, database.reading() as connection:
        made = connection.exec_driver_sql("SELECT count(*) FROM products").scalar_one()
        added = connection.exec_driver_sql(
            "SELECT count(*) FROM happenings WHERE what = 'added'"
        ).scalar_one()
    assert (made, added) == (LINES, LINES)
