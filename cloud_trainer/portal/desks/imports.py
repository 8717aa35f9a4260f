"""The desk of imports: a table of products and a folder of photos, taken in line by line.

Owns what becomes of a line and of a file. Lines are worked off in the background, some in a
transaction; a process that is killed costs the transaction at work, and the next one goes on. A
photo that comes before its line is reached takes the line along.
"""

from __future__ import annotations

import logging
import threading
from typing import Final

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from cloud_trainer.errors import WalkoutTrainerError
from cloud_trainer.portal.access import sees_only
from cloud_trainer.portal.desks.ground import Ground
from cloud_trainer.portal.desks.photos import PhotoDesk
from cloud_trainer.portal.desks.products import ProductDesk, put_in
from cloud_trainer.portal.errors import (
    PortalError,
    PortalMissingError,
    PortalRefusedError,
    PortalUnusableError,
)
from cloud_trainer.portal.photos import shown_name
from cloud_trainer.portal.records import imports as records
from cloud_trainer.portal.records.imports import ImportRow, WaitingLine
from cloud_trainer.portal.tables import folder_of, own_paths, read_lines
from cloud_trainer.portal.views.products import Import, ShownPhoto
from web.access import Asking

_LOGGER: Final = logging.getLogger(__name__)
_AT_ONCE: Final = 100
_IDLE_S: Final = 2.0


class ImportDesk(ProductDesk, PhotoDesk):
    """Answers for imports, and works them off.

    Args:
        ground: What it stands on.
    """

    def __init__(self, ground: Ground) -> None:
        super().__init__(ground)
        self._there_is_work = threading.Event()

    def begin_import(self, asking: Asking, name: str, table: bytes) -> Import:
        """See ``Portal``."""
        lines = read_lines(table, name)
        row = ImportRow(
            import_id=self._ground.new_id(),
            name=shown_name(name),
            by=asking.name,
            organisation=sees_only(asking) or "",
            began_at=self._ground.wall_time_s(),
            status="running",
            is_complete=False,
        )
        with self._ground.database.writing() as connection:
            records.add_import(connection, row, lines)
        self._there_is_work.set()
        return self.one_import(asking, row.import_id)

    def imports(self, asking: Asking) -> tuple[Import, ...]:
        """See ``Portal``."""
        with self._ground.database.reading() as connection:
            rows = records.import_rows(connection, organisation=sees_only(asking))
            return tuple(records.shown_import(connection, row) for row in rows)

    def one_import(self, asking: Asking, import_id: str) -> Import:
        """See ``Portal``."""
        with self._ground.database.reading() as connection:
            return records.shown_import(connection, _own(connection, asking, import_id))

    def import_has(self, asking: Asking, import_id: str) -> tuple[str, ...]:
        """See ``Portal``."""
        with self._ground.database.reading() as connection:
            _own(connection, asking, import_id)
            return tuple(records.files_there(connection, import_id))

    def add_import_photo(
        self, asking: Asking, import_id: str, path: str, content: bytes
    ) -> ShownPhoto:
        """See ``Portal``."""
        paths = tuple(own_paths(path))
        with self._ground.database.reading() as connection:
            row = _own(connection, asking, import_id)
            sku = records.sku_of_file(connection, import_id, paths) or folder_of(path)
            is_known = records.has_line(connection, import_id, sku)
            lines = records.waiting_lines(connection, import_id, 1, sku) if is_known else []
        if row.is_complete:
            raise PortalRefusedError("this import was ended; begin another one")
        if not is_known:
            raise PortalUnusableError(
                f"{shown_name(path)}: no line of {row.name} names it, nor the product "
                f"{sku!r} that its folder is called after"
            )
        if lines:
            self._take_in(row, lines)
        try:
            photo = self.add_photo(_as(row), sku, path, content)
        except PortalError as err:
            self._note_file(import_id, paths, sku, None, str(err))
            raise
        said = "; ".join(each.reason for each in photo.faults)
        self._note_file(import_id, paths, sku, photo, said)
        return photo

    def end_import(self, asking: Asking, import_id: str) -> Import:
        """See ``Portal``."""
        with self._ground.database.writing() as connection:
            row = _own(connection, asking, import_id)
            if row.status == "running":
                records.change_import(connection, import_id, is_complete=True)
        self._there_is_work.set()
        return self.one_import(asking, import_id)

    def work_imports_off(self, stop: threading.Event) -> None:
        """Take lines in until told to stop; the body of a thread, which no failure ends."""
        while not stop.is_set():
            try:
                if self.import_some():
                    continue
            except WalkoutTrainerError as err:
                _LOGGER.warning("imports wait: %s", err)
            except Exception:
                _LOGGER.exception("an import failed; it is tried again")
            self._there_is_work.wait(_IDLE_S)
            self._there_is_work.clear()

    def import_some(self) -> bool:
        """Take some lines in, oldest import first; whether there was anything to do."""
        with self._ground.database.reading() as connection:
            rows = records.import_rows(connection, organisation=None, status="running", limit=1000)
        for row in reversed(rows):
            with self._ground.database.reading() as connection:
                lines = records.waiting_lines(connection, row.import_id, _AT_ONCE)
            if lines:
                self._take_in(row, lines)
                return True
            if row.is_complete:
                self._hand_in_all(row)
                return True
        return False

    def _take_in(self, row: ImportRow, lines: list[WaitingLine]) -> None:
        asking, now_s = _as(row), self._ground.wall_time_s()
        with self._ground.database.writing() as connection:
            for each in lines:
                problem = ""
                try:
                    with connection.begin_nested():
                        put_in(connection, asking, each.sku, each.fields, now_s)
                except IntegrityError:
                    problem = f"the SKU {each.sku} is taken; choose another one"
                except PortalError as err:
                    problem = str(err)
                records.end_line(connection, row.import_id, each.line, problem)

    def _hand_in_all(self, row: ImportRow) -> None:
        asking = _as(row)
        with self._ground.database.reading() as connection:
            least = self._ground.places.config.least_photos
            skus = records.skus_to_hand_in(connection, row.import_id, least)
        for sku in skus:
            try:
                self.hand_in(asking, sku)
            except (PortalMissingError, PortalRefusedError):
                # Gone meanwhile, or in no need of it: its own page says so.
                continue
        with self._ground.database.writing() as connection:
            records.change_import(connection, row.import_id, status="done")

    def _note_file(
        self,
        import_id: str,
        paths: tuple[str, ...],
        sku: str,
        photo: ShownPhoto | None,
        problem: str,
    ) -> None:
        with self._ground.database.writing() as connection:
            records.put_file(
                connection,
                import_id,
                paths,
                sku,
                None if photo is None else photo.photo_id,
                "failed" if photo is None else ("good" if photo.is_good else "faulty"),
                problem,
            )


def running_imports(connection: Connection, organisation: str | None) -> int:
    """How many imports are under way."""
    rows = records.import_rows(connection, organisation=organisation, status="running", limit=1000)
    return len(rows)


def _own(connection: Connection, asking: Asking, import_id: str) -> ImportRow:
    row = records.import_row(connection, import_id)
    if row is None or sees_only(asking) not in (None, row.organisation):
        raise PortalMissingError(f"there is no import {import_id}; see the list")
    return row


def _as(row: ImportRow) -> Asking:
    """Whoever began an import, as far as what they may do is concerned."""
    role = "provider" if row.organisation else "operator"
    return Asking(row.by, role, organisation=row.organisation)
