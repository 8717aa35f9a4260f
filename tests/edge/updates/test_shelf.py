"""Releases on the disk: shared files once, whole or not there, within a budget."""

from __future__ import annotations

import shutil
import sqlite3
from datetime import datetime, timezone
from pathlib import Path

import pytest

from edge.errors import DiskRoomError, JournalError, UpdateError
from edge.updates.disk import DiskRoom
from edge.updates.journal import Journal
from edge.updates.progress import Progress
from edge.updates.shelf import BundleShelf
from models.bundle import MANIFEST_NAME, Bundle, open_bundle
from models.bundle.folder import record_of
from models.delivery import Release, release_of
from tests.edge.updates.conftest import CATEGORY, Sodas


def release(bundle: Bundle, number: int) -> Release:
    manifest = record_of(bundle.path, MANIFEST_NAME)
    return release_of(
        bundle.manifest,
        (manifest.size_bytes, manifest.sha256),
        release=number,
        not_before=datetime(2026, 1, 1, tzinfo=timezone.utc),
    )


def bring(shelf: BundleShelf, bundle: Bundle, number: int) -> Release:
    wanted = release(bundle, number)
    for file in shelf.lacking(wanted):
        shutil.copyfile(bundle.path / file.name, shelf.blob_path(file.sha256))
    shelf.keep_document(wanted)
    shelf.assemble(wanted)
    return wanted


def test_a_release_is_put_together_of_links_and_opens(sodas: Sodas, tmp_path: Path) -> None:
    shelf = BundleShelf(tmp_path)
    first = bring(shelf, sodas.first, 1)
    assert open_bundle(shelf.bundle_path(CATEGORY, 1)).manifest == sodas.first.manifest
    assert shelf.document(CATEGORY, 1) == first
    second = release(sodas.more, 2)
    lacking = {file.name for file in shelf.lacking(second)}
    assert "embedder.onnx" not in lacking and "vectors.safetensors" in lacking
    bring(shelf, sodas.more, 2)
    networks = {(shelf.bundle_path(CATEGORY, n) / "embedder.onnx").stat().st_ino for n in (1, 2)}
    assert len(networks) == 1
    assert shelf.releases(CATEGORY) == (1, 2)
    assert shelf.used_bytes() < first.size_bytes + second.size_bytes


def test_a_release_that_goes_leaves_what_others_need(sodas: Sodas, tmp_path: Path) -> None:
    shelf = BundleShelf(tmp_path)
    bring(shelf, sodas.first, 1)
    bring(shelf, sodas.more, 2)
    shelf.discard(CATEGORY, 1)
    shelf.discard(CATEGORY, 1)
    assert shelf.sweep(()) > 0
    assert open_bundle(shelf.bundle_path(CATEGORY, 2))
    assert shelf.document(CATEGORY, 1) is None
    shelf.discard(CATEGORY, 2)
    shelf.sweep(())
    assert list((tmp_path / "blobs").iterdir()) == []


def test_what_is_being_fetched_is_not_swept(sodas: Sodas, tmp_path: Path) -> None:
    shelf = BundleShelf(tmp_path)
    wanted = release(sodas.first, 1)
    network = next(file for file in wanted.files if file.name == "embedder.onnx")
    shelf.part_path(network.sha256).write_bytes(b"the first bytes")
    assert shelf.sweep((wanted,)) == 0
    assert shelf.bytes_lacking(wanted) == wanted.size_bytes - 15
    assert shelf.sweep(()) == 15


def test_files_that_rotted_are_found_and_thrown_away(sodas: Sodas, tmp_path: Path) -> None:
    shelf = BundleShelf(tmp_path)
    wanted = bring(shelf, sodas.first, 1)
    assert shelf.discard_damaged(wanted) == ()
    network = next(file for file in wanted.files if file.name == "embedder.onnx")
    path = shelf.blob_path(network.sha256)
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    assert shelf.discard_damaged(wanted) == ("embedder.onnx",)
    assert [file.name for file in shelf.lacking(wanted)] == ["embedder.onnx"]


def test_a_file_that_is_gone_stops_putting_together_and_leaves_nothing(
    sodas: Sodas, tmp_path: Path
) -> None:
    shelf = BundleShelf(tmp_path)
    with pytest.raises(UpdateError, match="not on the disk any more"):
        shelf.assemble(release(sodas.first, 1))
    assert not shelf.has(CATEGORY, 1)
    assert shelf.releases(CATEGORY) == ()


def test_old_releases_make_way_and_kept_ones_do_not(sodas: Sodas, tmp_path: Path) -> None:
    shelf = BundleShelf(tmp_path)
    bring(shelf, sodas.first, 1)
    bring(shelf, sodas.more, 2)
    third = release(sodas.retrained, 3)
    one_byte_short = shelf.used_bytes() + shelf.bytes_lacking(third) - 1
    room = DiskRoom(shelf, budget_bytes=one_byte_short, ballast_bytes=0, spare_bytes=0)
    room.make_for(third, {CATEGORY: (2,)}, (third,))
    assert shelf.releases(CATEGORY) == (2,)
    tight = DiskRoom(shelf, budget_bytes=100_000, ballast_bytes=0, spare_bytes=0)
    with pytest.raises(DiskRoomError, match=r"needs .* MB more than there is.*raise disk_budget"):
        tight.make_for(third, {CATEGORY: (2,)}, (third,))
    assert shelf.releases(CATEGORY) == (2,)
    full = DiskRoom(shelf, budget_bytes=2**40, ballast_bytes=0, spare_bytes=2**60)
    with pytest.raises(DiskRoomError, match="are free on the disk"):
        full.make_for(third, {CATEGORY: (2,)}, (third,))


def test_the_ballast_takes_real_room_and_gives_it_back(tmp_path: Path) -> None:
    room = DiskRoom(BundleShelf(tmp_path), 2**40, ballast_bytes=3_000_000, spare_bytes=0)
    assert not room.give_up_ballast()
    room.lay_ballast()
    status = (tmp_path / "ballast").stat()
    assert status.st_size == 3_000_000 and status.st_blocks * 512 >= 3_000_000
    room.lay_ballast()
    assert room.give_up_ballast()
    assert not (tmp_path / "ballast").exists()
    DiskRoom(BundleShelf(tmp_path), 2**40, 3_000_000, spare_bytes=2**60).lay_ballast()
    assert not (tmp_path / "ballast").exists()


def test_a_full_journal_is_as_it_was_before(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.sqlite")
    journal.keep_progress("soda", Progress(state="fetching", target=1))
    journal._connection.execute("PRAGMA max_page_count = 1")
    with pytest.raises(JournalError, match="disk is full"):
        journal.keep_progress("soda", Progress(state="done", target=1, reason="x" * 100_000))
    assert journal.progress("soda").state == "fetching"
    journal.close()


def test_a_damaged_journal_is_moved_aside_and_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    path.write_bytes(b"this is no database" * 1000)
    journal = Journal(path)
    assert journal.progress("soda") == Progress()
    journal.close()
    assert (tmp_path / "journal.sqlite.damaged").exists()


def test_numbers_only_grow_and_what_cannot_be_read_is_forgotten(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    journal = Journal(path)
    assert [journal.raise_number("floor", least) for least in (3, 1, 4)] == [3, 3, 4]
    journal.keep_progress("soda", Progress(state="done", target=1))
    journal.close()
    with sqlite3.connect(path) as connection:
        connection.execute('UPDATE progress SET body = \'{"state": "flying"}\'')
    connection.close()
    journal = Journal(path)
    assert journal.progress("soda") == Progress()
    assert journal.number("floor") == 4
    journal.close()
