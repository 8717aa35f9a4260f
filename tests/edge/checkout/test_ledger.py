from __future__ import annotations

import json
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from edge.checkout.entries import Entry, SessionOpened, entry_from_content, token_hash
from edge.checkout.ledger import Ledger
from edge.checkout.message import OutgoingMessage
from edge.checkout.outbox import Outbox
from edge.errors import LedgerConflictError, LedgerDamagedError, LedgerError
from tests.edge.checkout.shopping import STORE, open_ledger


def opened(name: str, *, shopper: str = "a shopper", wall_time_s: float = 100.25) -> SessionOpened:
    return SessionOpened(
        entry_id=name,
        captured_at_s=0.1,
        wall_time_s=wall_time_s,
        session_id=name,
        checkin_id=name,
        token_hash="hash",
        shopper=shopper,
        role="shopper",
    )


def message(name: str) -> OutgoingMessage:
    return OutgoingMessage(name, "till", "stream", "/path", "{}")


def test_what_was_appended_is_read_back_as_it_was(tmp_path: Path) -> None:
    entries: list[Entry] = [opened(f"s-{n}", shopper=f"shöpper {n}") for n in range(20)]
    with open_ledger(tmp_path) as ledger:
        assert ledger.append(entries[:5]) == tuple(entries[:5])
        ledger.append(entries[5:])
        digest = ledger.digest()
    with open_ledger(tmp_path) as ledger:
        assert list(ledger.entries()) == entries
        assert ledger.digest() == digest


def test_an_entry_that_is_there_is_passed_over_with_its_messages(ledger: Ledger) -> None:
    ledger.append([opened("a")], [message("m-1")])
    assert ledger.append([opened("a", wall_time_s=999.0)], [message("m-2")]) == ()
    assert Outbox(ledger.file).counts("till").waiting == 1
    assert ledger.append([opened("a"), opened("b")]) == (opened("b"),)


def test_an_id_with_other_content_is_refused_and_nothing_of_the_batch_is_written(
    ledger: Ledger,
) -> None:
    ledger.append([opened("a")])
    with pytest.raises(LedgerConflictError, match="entry a is in the ledger with other content"):
        ledger.append([opened("b"), opened("a", shopper="somebody else")], [message("m")])
    assert list(ledger.entries()) == [opened("a")]
    assert Outbox(ledger.file).counts("till").waiting == 0
    ledger.append([opened("b")])


def test_a_message_with_the_id_of_another_takes_its_entries_down_with_it(ledger: Ledger) -> None:
    ledger.append([opened("a")], [message("m")])
    with pytest.raises(LedgerConflictError, match="nothing was written"):
        ledger.append([opened("b")], [message("m")])
    assert list(ledger.entries()) == [opened("a")]


def test_the_same_entries_give_the_same_digest_and_the_same_export(tmp_path: Path) -> None:
    exports, digests = [], []
    for name in ("one", "two"):
        with open_ledger(tmp_path / name) as ledger:
            for n in range(5):
                ledger.append([opened(f"s-{n}")])
            digests.append(ledger.digest())
            ledger.export_jsonl(tmp_path / f"{name}.jsonl")
        exports.append((tmp_path / f"{name}.jsonl").read_bytes())
    assert digests[0] == digests[1]
    assert exports[0] == exports[1]
    rows = [json.loads(line) for line in exports[0].splitlines()]
    assert [row["sequence"] for row in rows] == [1, 2, 3, 4, 5]
    assert rows[-1]["hash"] == digests[0]


def test_other_entries_give_another_digest(tmp_path: Path) -> None:
    with open_ledger(tmp_path / "one") as one, open_ledger(tmp_path / "two") as two:
        one.append([opened("a"), opened("b")])
        two.append([opened("b"), opened("a")])
        assert one.digest() != two.digest()


def test_several_threads_append_without_losing_or_doubling_anything(ledger: Ledger) -> None:
    def append(thread: int) -> None:
        for n in range(25):
            # Every second entry is said by all threads.
            ledger.append([opened(f"all-{n}" if n % 2 else f"{thread}-{n}")])

    threads = [threading.Thread(target=append, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    names = [entry.entry_id for entry in ledger.entries()]
    assert len(names) == len(set(names)) == 4 * 13 + 12
    path = ledger.file.path
    ledger.close()
    Ledger(path, STORE).close()  # the chain holds


def tampered(folder: Path, *statements: str) -> None:
    """Change a closed ledger by another hand, one that takes the triggers away first."""
    with open_ledger(folder) as ledger:
        ledger.append([opened(f"s-{n}") for n in range(6)])
    with closing(sqlite3.connect(folder / "ledger.sqlite")) as connection:
        connection.execute("DROP TRIGGER ledger_rows_stay")
        connection.execute("DROP TRIGGER ledger_rows_stay_as_they_are")
        for statement in statements:
            connection.execute(statement)
        connection.commit()


@pytest.mark.parametrize(
    ("statement", "complaint"),
    [
        (
            "UPDATE ledger SET content = replace(content, 'a shopper', 'x') WHERE sequence = 3",
            r"row 3 \(s-2\) was changed",
        ),
        ("UPDATE ledger SET wall_time_s = 1 WHERE sequence = 2", "row 2 .* was changed"),
        ("DELETE FROM ledger WHERE sequence = 4", "row 4 is missing"),
        ("DELETE FROM ledger WHERE sequence = 6", "ends at row 5, but row 6 was written"),
        (
            "INSERT INTO ledger SELECT 7, 's-7', 1.0, content, hash FROM ledger WHERE sequence = 6",
            "row 7 .* was changed",
        ),
    ],
)
def test_a_row_changed_missing_or_added_by_another_hand_is_found_on_opening(
    tmp_path: Path, statement: str, complaint: str
) -> None:
    tampered(tmp_path, statement)
    with pytest.raises(LedgerDamagedError, match=complaint):
        open_ledger(tmp_path)


def test_rows_cannot_be_changed_or_deleted_by_mistake(tmp_path: Path) -> None:
    with open_ledger(tmp_path) as ledger:
        ledger.append([opened("a")])
    with closing(sqlite3.connect(tmp_path / "ledger.sqlite")) as connection:
        for statement in ("DELETE FROM ledger", "UPDATE ledger SET content = ''"):
            with pytest.raises(sqlite3.IntegrityError, match="append-only"):
                connection.execute(statement)


@pytest.mark.parametrize("content", [b"", b"not a database at all" * 300])
def test_a_file_that_is_no_ledger_is_refused_and_left_as_it_is(
    tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "ledger.sqlite"
    path.write_bytes(content)
    with pytest.raises(LedgerDamagedError, match="is no ledger"):
        open_ledger(tmp_path)
    assert path.read_bytes() == content


def test_a_ledger_with_a_torn_page_is_refused(tmp_path: Path) -> None:
    with open_ledger(tmp_path) as ledger:
        ledger.append([opened(f"s-{n}") for n in range(200)])
    path = tmp_path / "ledger.sqlite"
    content = bytearray(path.read_bytes())
    content[8192:20480] = b"\xff" * 12288
    path.write_bytes(content)
    with pytest.raises(LedgerDamagedError, match="damaged"):
        open_ledger(tmp_path)


def test_a_ledger_that_vanished_from_beside_its_journal_is_not_begun_anew(tmp_path: Path) -> None:
    (tmp_path / "ledger.sqlite-wal").write_bytes(b"rows that were not yet moved")
    with pytest.raises(LedgerDamagedError, match="is gone, but its journal"):
        open_ledger(tmp_path)
    assert not (tmp_path / "ledger.sqlite").exists()


def test_a_ledger_of_a_newer_schema_is_refused(tmp_path: Path) -> None:
    open_ledger(tmp_path).close()
    with closing(sqlite3.connect(tmp_path / "ledger.sqlite")) as connection:
        connection.execute("PRAGMA user_version = 2")
    with pytest.raises(LedgerError, match="has schema 2, .* update Walkout"):
        open_ledger(tmp_path)


def test_a_ledger_of_another_store_is_refused(tmp_path: Path) -> None:
    open_ledger(tmp_path).close()
    with pytest.raises(LedgerError, match="belongs to store demo, not other"):
        Ledger(tmp_path / "ledger.sqlite", "other")


def test_a_ledger_is_open_once_at_a_time(tmp_path: Path) -> None:
    with open_ledger(tmp_path), pytest.raises(LedgerError, match="is open in another process"):
        open_ledger(tmp_path)
    open_ledger(tmp_path).close()


def test_a_beginning_that_was_cut_short_is_begun_again(tmp_path: Path) -> None:
    (tmp_path / "ledger.sqlite.new").write_bytes(b"half a file")
    with open_ledger(tmp_path) as ledger:
        assert list(ledger.entries()) == []


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LedgerError, match="cannot be opened"):
        Ledger(tmp_path / "file" / "ledger.sqlite", STORE)


def test_an_entry_of_a_kind_from_the_future_is_refused_by_name(ledger: Ledger) -> None:
    content = opened("a").content().replace("session_opened", "session_teleported")
    with pytest.raises(ValueError, match="session_teleported"):
        entry_from_content(content, 1.0)


def test_an_entry_with_a_field_it_does_not_know_is_refused() -> None:
    content = json.dumps(json.loads(opened("a").content()) | {"colour": "red"})
    with pytest.raises(ValueError, match="colour"):
        entry_from_content(content, 1.0)


def test_a_token_is_kept_as_a_hash_that_no_other_shop_knows() -> None:
    kept = token_hash("tok-1", "shop-1")
    assert kept == token_hash("tok-1", "shop-1")
    assert "tok-1" not in kept
    assert len({kept, token_hash("tok-1", "shop-2"), token_hash("tok-2", "shop-1")}) == 3
