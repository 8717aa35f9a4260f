"""A shop's state kept elsewhere and brought back: while it sells, sealed, whole or not at all."""

from __future__ import annotations

import io
import multiprocessing
import shutil
import sqlite3
import tarfile
import time
from pathlib import Path

import pytest

from edge.checkout.entries import Entry, SessionOpened
from edge.checkout.ledger import Ledger
from edge.config import StoreConfig
from edge.config_file import load_config
from edge.errors import KeepingError
from edge.keeping.restoring import restore
from edge.keeping.saving import MANIFEST_NAME, Manifest, save
from edge.keeping.sealing import new_key
from edge.keeping.snapshot import copy_database

STORE = """
schema_version: 1
store: {id: corner, name: Corner, currency: EUR, locale: en, tax_percent: 7.0}
calibration: calibration.json
planogram: planogram.json
catalogue: catalogue
cameras:
  shelf-1: {kind: file, path: shelf-1.mp4}
mqtt:
  {host: broker, tls: true, ca: identity/ca.crt, certificate: identity/own.crt,
   key: identity/own.key}
"""


def entry(number: int) -> Entry:
    return SessionOpened(
        entry_id=f"opened-{number}",
        captured_at_s=float(number),
        wall_time_s=1_793_000_000.0 + number,
        session_id=f"session-{number}",
        checkin_id=f"session-{number}",
        token_hash=f"{number:064x}",
        role="shopper",
        shopper=f"shopper-{number}",
    )


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    folder = tmp_path / "shop"
    (folder / "catalogue" / "dairy").mkdir(parents=True)
    (folder / "catalogue" / "products.csv").write_text("sku\n")
    (folder / "catalogue" / "dairy" / "000.jpg").write_bytes(b"a photo")
    (folder / "store.yaml").write_text(STORE)
    (folder / "calibration.json").write_text("{}")
    (folder / "shelf-1.mp4").write_bytes(b"a recording" * 1000)
    (folder / "identity").mkdir()
    (folder / "identity" / "own.key").write_text("SECRET KEY OF THIS DEVICE")
    (folder / "identity" / "own.crt").write_text("its certificate")
    (folder / "identity" / "device.key").write_text("THE KEY OF ITS OTHER IDENTITY")
    (folder / "state" / "evidence").mkdir(parents=True)
    (folder / "state" / "evidence" / "crop.png").write_bytes(bytes(range(256)))
    (folder / "state" / "basket-links.key").write_bytes(b"of links on receipts")
    (folder / "state" / "engines").mkdir()
    (folder / "state" / "engines" / "built.plan").write_bytes(b"of this GPU alone")
    with Ledger(folder / "state" / "ledger.sqlite", "corner") as ledger:
        ledger.append([entry(number) for number in range(20)])
    return folder


def config_of(shop: Path) -> StoreConfig:
    return load_config(shop, {})


def saved(shop: Path, target: Path, recipient: str | None) -> Manifest:
    return save(
        config_of(shop),
        shop,
        shop / "state",
        target,
        recipient=recipient,
        wall_time_s=1_793_000_000.0,
        walkout_version="0.1.0",
    )


def test_what_comes_back_is_the_shop_without_its_identity_and_what_is_built_anew(
    shop: Path, tmp_path: Path
) -> None:
    recipient = new_key(tmp_path / "key")
    saved(shop, tmp_path / "backup", recipient)
    manifest = restore(
        tmp_path / "backup", tmp_path / "new", tmp_path / "new" / "state", tmp_path / "key"
    )
    found = {
        path.relative_to(tmp_path / "new").as_posix()
        for path in (tmp_path / "new").rglob("*")
        if path.is_file()
    }
    assert found == {
        "store.yaml", "calibration.json", "catalogue/products.csv", "catalogue/dairy/000.jpg",
        "identity/own.crt", "state/evidence/crop.png", "state/basket-links.key",
        "state/ledger.sqlite",
    }  # fmt: skip
    assert len(manifest.files) == len(found)
    with (
        Ledger(shop / "state" / "ledger.sqlite", "corner") as old,
        Ledger(tmp_path / "new" / "state" / "ledger.sqlite", "corner") as new,
    ):
        assert new.digest() == old.digest()
    assert (tmp_path / "new/state/evidence/crop.png").read_bytes() == bytes(range(256))


def test_nobody_reads_it_without_the_key(shop: Path, tmp_path: Path) -> None:
    saved(shop, tmp_path / "backup", new_key(tmp_path / "key"))
    content = (tmp_path / "backup").read_bytes()
    for secret in (b"a photo", b"of links", b"shopper-3", b"session-3"):
        assert secret not in content
    assert (tmp_path / "backup").stat().st_mode & 0o077 == 0
    new_key(tmp_path / "other")
    for key, complaint in ((None, "give the key"), (tmp_path / "other", "another key's")):
        with pytest.raises(KeepingError, match=complaint):
            restore(tmp_path / "backup", tmp_path / "new", tmp_path / "new/state", key)
    assert not (tmp_path / "new").exists()


def _sell(ledger: Path, first: int) -> None:
    with Ledger(ledger, "corner") as opened:
        for number in range(first, first + 100_000):
            opened.append([entry(number)])


def test_made_while_the_shop_sells_it_holds_a_ledger_of_one_moment(
    shop: Path, tmp_path: Path
) -> None:
    ledger = shop / "state" / "ledger.sqlite"
    selling = multiprocessing.get_context("spawn").Process(target=_sell, args=(ledger, 1000))
    selling.start()
    try:
        _wait_until_rows(ledger, 30)
        rows = []
        for number in range(3):
            saved(shop, tmp_path / f"backup-{number}", None)
            new = tmp_path / f"new-{number}"
            restore(tmp_path / f"backup-{number}", new, new / "state", None)
            with Ledger(new / "state" / "ledger.sqlite", "corner") as brought:  # checks the chain
                rows.append(sum(1 for _ in brought.entries()))
        assert selling.is_alive()
    finally:
        selling.kill()
        selling.join()
    assert 30 <= rows[0] <= rows[1] <= rows[2]
    with Ledger(ledger, "corner") as still:
        assert sum(1 for _ in still.entries()) >= rows[2]


def _wait_until_rows(ledger: Path, least: int) -> None:
    until_s = time.monotonic() + 60.0
    while time.monotonic() < until_s:
        with sqlite3.connect(f"file:{ledger}?mode=ro", uri=True) as reader:
            (rows,) = reader.execute("SELECT COUNT(*) FROM ledger").fetchone()
        reader.close()
        if rows >= least:
            return
        time.sleep(0.02)
    raise AssertionError("nothing was sold")


@pytest.mark.parametrize("sealed", [True, False])
@pytest.mark.parametrize("damage", ["cut", "flipped"])
def test_one_that_broke_off_or_was_changed_brings_nothing_back(
    shop: Path, tmp_path: Path, damage: str, sealed: bool
) -> None:
    recipient = new_key(tmp_path / "key") if sealed else None
    saved(shop, tmp_path / "backup", recipient)
    content = bytearray((tmp_path / "backup").read_bytes())
    if damage == "cut":
        del content[len(content) * 2 // 3 :]
    else:
        content[content.index(b"a photo") if not sealed else len(content) // 2] ^= 1
    (tmp_path / "backup").write_bytes(content)
    with pytest.raises(KeepingError):
        restore(tmp_path / "backup", tmp_path / "new", tmp_path / "new/state", tmp_path / "key")
    assert not (tmp_path / "new").exists()
    assert [each.name for each in tmp_path.iterdir() if "restored" in each.name] == []


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("store/../../escaped", tarfile.REGTYPE),
        ("/etc/escaped", tarfile.REGTYPE),
        ("elsewhere/escaped", tarfile.REGTYPE),
        ("store/link", tarfile.SYMTYPE),
        ("store/hard", tarfile.LNKTYPE),
        ("store/pipe", tarfile.FIFOTYPE),
    ],
)
def test_nothing_in_it_leads_elsewhere(tmp_path: Path, name: str, kind: bytes) -> None:
    with tarfile.open(tmp_path / "backup", "w") as archive:
        member = tarfile.TarInfo(name)
        member.type, member.linkname, member.size = kind, "/etc/passwd", 0
        archive.addfile(member, io.BytesIO())
    with pytest.raises(KeepingError, match=r"leads elsewhere|is no file"):
        restore(tmp_path / "backup", tmp_path / "new", tmp_path / "new/state", None)
    assert not list(tmp_path.parent.rglob("escaped"))


def test_what_its_manifest_does_not_name_is_refused(shop: Path, tmp_path: Path) -> None:
    saved(shop, tmp_path / "backup", None)
    with tarfile.open(tmp_path / "backup") as archive, tarfile.open(tmp_path / "more", "w") as more:
        added = tarfile.TarInfo("store/added.yaml")
        more.addfile(added, io.BytesIO())
        for member in archive:
            more.addfile(member, archive.extractfile(member))
            if member.name == MANIFEST_NAME:
                break
    with pytest.raises(KeepingError, match="added.yaml"):
        restore(tmp_path / "more", tmp_path / "new", tmp_path / "new/state", None)


def test_a_shop_is_not_written_over(shop: Path, tmp_path: Path) -> None:
    saved(shop, tmp_path / "backup", None)
    with pytest.raises(KeepingError, match="not empty"):
        restore(tmp_path / "backup", shop, shop / "state", None)
    assert (shop / "store.yaml").read_text() == STORE


def test_a_damaged_database_is_not_called_a_backup(shop: Path, tmp_path: Path) -> None:
    ledger = shop / "state" / "ledger.sqlite"
    shutil.copy(ledger, tmp_path / "copy.sqlite")
    with (tmp_path / "copy.sqlite").open("r+b") as stream:
        stream.seek(4096)
        stream.write(b"\xff" * 4096)
    with pytest.raises(KeepingError):
        copy_database(tmp_path / "copy.sqlite", tmp_path / "target.sqlite")


def test_a_failed_backup_leaves_the_one_before(shop: Path, tmp_path: Path) -> None:
    saved(shop, tmp_path / "backup", None)
    before = (tmp_path / "backup").read_bytes()
    with pytest.raises(KeepingError, match="no recipient"):
        saved(shop, tmp_path / "backup", "age1nobody")
    assert (tmp_path / "backup").read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["backup", "shop"]
