"""The same records in SQLite and in PostgreSQL."""

from __future__ import annotations

import threading

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.exc import IntegrityError

from cloud_trainer.portal.access import WORDS
from cloud_trainer.portal.errors import PortalRecordsError, PortalUnusableError
from cloud_trainer.portal.products import Standing
from cloud_trainer.portal.records import imports as import_records
from cloud_trainer.portal.records import notes
from cloud_trainer.portal.records import products as records
from cloud_trainer.portal.records.accounts import AccountsRecords
from cloud_trainer.portal.records.database import Database
from cloud_trainer.portal.records.imports import ImportRow
from cloud_trainer.portal.records.products import PhotoRow
from cloud_trainer.portal.records.tables import METADATA, PRODUCTS
from cloud_trainer.portal.tables import TableLine
from cloud_trainer.portal.views.products import Fault, ProductFields
from web.access import Asking
from web.accounts import Accounts
from web.accounts_file import RowRefusedError
from web.audit import AuditLog
from web.errors import AccountError
from web.tokens import Tokens

PASSWORD = "hands-in-oat-milk"


def fields(name: str = "Oat milk", category: str = "soda") -> ProductFields:
    return ProductFields(name=name, price="1.99", currency="EUR", category=category)


def photo(sku: str, photo_id: str, bands: tuple[int, int, int] = (1, 2, 3)) -> PhotoRow:
    return PhotoRow(
        sku=sku,
        photo_id=photo_id,
        place=1,
        name="1.jpg",
        added_at=1.5,
        added_by="mo",
        width_px=10,
        height_px=20,
        size_bytes=30,
        suffix=".jpg",
        faults=(Fault(kind="dark", reason="too dark"),),
        nearest=(),
        is_good=False,
        is_kept=True,
        is_approved=False,
        is_removed=False,
        hash_bits="00" * 8,
        bands=bands,
        embedding=b"\x00\x01",
        space="s" * 64,
    )


def test_a_migrated_database_has_what_the_tables_say(database: Database) -> None:
    with database.reading() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": False}
        )
        assert compare_metadata(context, METADATA) == []


def test_opening_again_changes_nothing(database: Database, database_url: str) -> None:
    with database.writing() as connection:
        records.add_product(connection, "oat", "dairy", fields(), 1.0)
    with Database(database_url) as again, again.reading() as connection:
        assert records.product_row(connection, "oat") is not None


def test_what_is_written_of_a_product_is_read_again(database: Database) -> None:
    standing = Standing(
        "approved", False, "why", 3, "e" * 64, 7, "f" * 64, 1795411538.4814947, None
    )
    with database.writing() as connection:
        row = records.add_product(connection, "oat", "dairy", fields(), 1.25)
        records.write_product(
            connection, row, fields("Milk, \u725b\u4e73"), standing, 2.5, fields()
        )
        records.put_photo(connection, photo("oat", "a" * 64))
        records.write_summary(connection, "oat", (b"\x00\xff", "s" * 64), ("soy", 0.125))
        records.note(connection, "oat", "mo", "changed", "name", 2.5)
    with database.reading() as connection:
        read = records.product_row(connection, "oat")
        assert read is not None
        assert read.fields == fields("Milk, \u725b\u4e73")
        assert (read.standing, read.approved) == (standing, fields())
        assert (read.photos, read.good_photos, read.cover) == (1, 1, "a" * 64)
        assert read.alike == ("soy", 0.125)
        assert records.photos_of(connection, "oat") == [photo("oat", "a" * 64)]
        assert records.looks_in(connection, "s" * 64) == [("oat", b"\x00\xff")]
        assert [each["what"] for each in records.history(connection, "oat")] == ["changed"]


def test_a_transaction_is_written_whole_or_not_at_all(database: Database) -> None:
    with pytest.raises(IntegrityError), database.writing() as connection:
        records.add_product(connection, "oat", "dairy", fields(), 1.0)
        records.add_product(connection, "oat", "dairy", fields(), 1.0)
    with database.reading() as connection:
        assert records.product_row(connection, "oat") is None


def test_pages_of_products_go_on_where_they_ended_and_miss_none(database: Database) -> None:
    skus = sorted(["Zebra", "apple", "a.b", "a-b", "a_b", "B2", "b10", "milk", "milk-2"])
    with database.writing() as connection:
        for at, sku in enumerate(reversed(skus)):
            row = records.add_product(connection, sku, "dairy", fields(f"The {sku}"), 1.0)
            # Two are handed in at the same moment.
            waits = Standing(state="waiting", handed_in_at=float(at // 2))
            records.write_product(connection, row, row.fields, waits, 2.0)
    for stage in (None, "waiting"):
        seen: list[str] = []
        with database.reading() as connection:
            while page := records.listed(
                connection,
                organisation=None,
                stage=stage,
                after=seen[-1] if seen else None,
                limit=2,
            ):
                seen += [row.sku for row in page]
        assert sorted(seen) == skus
        assert stage is not None or seen == skus


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("oat", ["oat-1"]),
        ("MILK", ["oat-1"]),
        ("ilk", []),
        ("400", ["soy"]),
        ("%", []),
        ("_", []),
        ("50%", ["soy"]),
        ("\\", []),
        ("' OR 1=1 --", []),
    ],
)
def test_a_query_begins_a_sku_a_number_or_a_word_of_the_name(
    database: Database, query: str, found: list[str]
) -> None:
    soy = ProductFields(name="Soy 50% less", gtin="4006381333931", category="soda")
    with database.writing() as connection:
        records.add_product(connection, "oat-1", "dairy", fields("Good Milk"), 1.0)
        records.add_product(connection, "soy", "dairy", soy, 1.0)
    with database.reading() as connection:
        rows = records.listed(connection, organisation=None, query=query, limit=9)
    assert [row.sku for row in rows] == found


def test_an_organisation_sees_its_own(database: Database) -> None:
    with database.writing() as connection:
        records.add_product(connection, "bun", "bakery", fields(), 1.0)
        records.add_product(connection, "oat", "dairy", fields(), 1.0)
    with database.reading() as connection:
        rows = records.listed(connection, organisation="dairy", limit=9)
        assert [row.sku for row in rows] == ["oat"]
        assert records.stages(connection, "dairy") == {"collecting": 1}
        assert records.stages(connection, None) == {"collecting": 2}


def test_possible_copies_share_a_part_of_the_hash(database: Database) -> None:
    with database.writing() as connection:
        for sku, bands in (("a", (1, 9, 9)), ("b", (8, 8, 3)), ("c", (7, 7, 7))):
            records.add_product(connection, sku, "dairy", fields(), 1.0)
            records.put_photo(connection, photo(sku, "a" * 64, bands))
    with database.reading() as connection:
        found = records.possible_copies(connection, (1, 2, 3))
    assert sorted(each.sku for each in found) == ["a", "b"]


def test_two_who_change_a_product_take_turns(database: Database) -> None:
    with database.writing() as connection:
        records.add_product(connection, "oat", "dairy", fields(), 1.0)

    def count_up() -> None:
        for _ in range(10):
            with database.writing() as connection:
                row = records.product_row(connection, "oat", lock=True)
                assert row is not None
                standing = Standing(revision=row.standing.revision + 1)
                records.write_product(connection, row, row.fields, standing, 1.0)

    threads = [threading.Thread(target=count_up) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(60)
    with database.reading() as connection:
        row = records.product_row(connection, "oat")
    assert row is not None
    assert row.standing.revision == 41


def test_people_tokens_and_the_audit_log_are_kept_like_on_a_device(database: Database) -> None:
    file = AccountsRecords(database)
    accounts, tokens = Accounts(file, WORDS, lambda: 1e6), Tokens(file, WORDS, lambda: 1e6)
    first = accounts.first_run()
    assert first is not None
    assert accounts.is_right(*first)
    accounts.add("mo", "provider", PASSWORD, "dairy")
    with pytest.raises(AccountError, match="already"):
        accounts.add("mo", "provider", PASSWORD)
    secret = accounts.begin_session("mo")
    assert accounts.asking(secret) == Asking("mo", "provider", organisation="dairy")
    link = accounts.make_link("mo")
    assert (accounts.use_link(link), accounts.use_link(link)) == ("mo", None)
    accounts.remove("mo")
    assert accounts.asking(secret) is None
    with pytest.raises(AccountError, match="nobody would be left"):
        accounts.remove(first[0])
    token, shown = tokens.create("till", ["provide"], 60, "dairy")
    asking = tokens.asking(shown)
    assert asking is not None
    assert (asking.name, asking.organisation) == ("token till", "dairy")
    tokens.revoke(token.token_id)
    assert tokens.asking(shown) is None
    audit = AuditLog(file, lambda: 1e6)
    for number in range(3):
        audit.add("mo", f"act {number}", address="here")
    newest = audit.newest(2)
    assert [each.action for each in newest] == ["act 2", "act 1"]
    assert [each.action for each in audit.newest(9, newest[-1].sequence)] == ["act 0"]
    for statement in ("DELETE FROM audit", "UPDATE audit SET who = 'nobody'"):
        with (
            pytest.raises(RowRefusedError, match="append-only"),
            file.transaction() as connection,
        ):
            connection.execute(statement)
    assert len(audit.newest(9)) == 3


def test_imports_are_kept_line_by_line_and_file_by_file(database: Database) -> None:
    row = ImportRow("i-1", "goods.csv", "mo", "dairy", 1.0, "running", False)
    lines = [
        TableLine(2, "oat", fields(), "oat/1.jpg", ""),
        TableLine(3, "oat", fields(), "oat/2.jpg", ""),
        TableLine(4, "=x", None, "", "column sku: a formula"),
    ]
    with database.writing() as connection:
        import_records.add_import(connection, row, lines)
    with database.writing() as connection:
        assert import_records.import_row(connection, "i-1") == row
        waiting = import_records.waiting_lines(connection, "i-1", 9)
        assert [(each.line, each.sku) for each in waiting] == [(2, "oat"), (3, "oat")]
        import_records.end_line(connection, "i-1", 2, "")
        import_records.end_line(connection, "i-1", 3, "taken")
        paths = ("photos/oat/1.jpg", "oat/1.jpg")
        assert import_records.sku_of_file(connection, "i-1", paths) == "oat"
        import_records.put_file(connection, "i-1", paths, "oat", "a" * 64, "good", "")
        import_records.put_file(connection, "i-1", ("x/3.jpg",), "x", None, "failed", "no line")
        assert import_records.files_there(connection, "i-1") == ["oat/1.jpg", "x/3.jpg"]
        shown = import_records.shown_import(connection, row)
    assert (shown.lines, shown.lines_done, shown.lines_failed) == (3, 1, 2)
    assert (shown.files, shown.files_good) == (2, 1)
    assert shown.problems == (
        "line 3: taken",
        "line 4: column sku: a formula",
        "x/3.jpg: no line",
    )


def test_a_note_takes_the_place_of_the_one_before(database: Database) -> None:
    with database.writing() as connection:
        notes.write_note(connection, "curves/1", {"loss": [[1, 0.5]]}, 1.0)
        notes.write_note(connection, "curves/1", {"loss": [[1, 0.25]]}, 2.0)
        notes.write_note(connection, "curves_1", {}, 1.0)
        assert notes.read_note(connection, "curves/1") == {"loss": [[1, 0.25]]}
        notes.forget_notes(connection, "curves/", 3.0)
        assert notes.read_note(connection, "curves/1") is None
        assert notes.read_note(connection, "curves_1") == {}


@pytest.mark.parametrize("url", ["mysql://x/y", "sqlite://", "no url at all", ""])
def test_what_is_no_database_is_refused(url: str) -> None:
    with pytest.raises(PortalUnusableError, match="postgresql"):
        Database(url)


def test_a_server_that_is_away_is_said_without_its_password() -> None:
    with pytest.raises(PortalRecordsError) as refused:
        Database("postgresql://portal:secret-word@/none?host=/nonexistent")
    assert "secret-word" not in str(refused.value)


def test_a_broken_table_is_said_and_what_was_written_stays(database: Database) -> None:
    with pytest.raises(PortalRecordsError, match="safe"), database.writing() as connection:
        connection.exec_driver_sql("SELECT * FROM nothing_like_it")
    with database.reading() as connection:
        assert connection.execute(PRODUCTS.select()).all() == []
