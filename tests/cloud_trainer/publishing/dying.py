"""A store whose writer dies at a put, before it or after it."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from cloud_trainer.store import FolderStore, Sent


class Died(BaseException):
    """What stands for the death of a publisher in the test's own process."""


class DyingStore(FolderStore):
    """A folder; all puts are counted, and one of them is the last thing that its writer does.

    Args:
        root: The folder.
        at: Number of the put to die at, from 1.
        after: Whether that put is still done.
        kill: Whether the whole process is killed.
    """

    def __init__(self, root: Path, at: int, *, after: bool = False, kill: bool = False) -> None:
        super().__init__(root)
        self.puts: list[str] = []
        self._at, self._after, self._kill = at, after, kill

    def put(
        self, key: str, content: bytes, *, if_absent: bool = False, if_match: str | None = None
    ) -> str:
        self.puts.append(key)
        self._die(before=True)
        etag = super().put(key, content, if_absent=if_absent, if_match=if_match)
        self._die(before=False)
        return etag

    def put_file(self, key: str, path: Path, sha256: str, sent: Sent | None = None) -> None:
        self.puts.append(key)
        self._die(before=True)
        super().put_file(key, path, sha256, sent)
        self._die(before=False)

    def _die(self, *, before: bool) -> None:
        if len(self.puts) != self._at or before == self._after:
            return
        if self._kill:
            os.kill(os.getpid(), signal.SIGKILL)
        raise Died
