"""A PostgreSQL of one's own: a cluster in a temporary folder, reached by a socket in it alone.

PostgreSQL refuses to run as root, so root starts it as another user.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

_PATIENCE_S: Final = 60.0


def programs() -> Path | None:
    """Folder of the server's programs; ``None`` where it is not installed."""
    found = shutil.which("initdb")
    if found:
        return Path(found).resolve().parent
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return installed[-1].parent if installed else None


@contextmanager
def postgres_server() -> Iterator[str]:
    """A server that runs until the block ends: the URL of its databases but for their name."""
    where = programs()
    assert where is not None, "PostgreSQL is not installed: apt-get install postgresql"
    with tempfile.TemporaryDirectory(prefix="wpg-") as name:
        folder, user = Path(name), _user()
        own: dict[str, Any] = {"cwd": name, "env": {**os.environ, "LC_ALL": "C.UTF-8"}}
        if user is not None:
            os.chown(name, user.pw_uid, user.pw_gid)
            own |= {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        subprocess.run(
            [where / "initdb", "-D", folder / "data", "-U", "portal", "-A", "trust", "--no-sync"],
            check=True,
            capture_output=True,
            **own,
        )
        with (folder / "log").open("wb") as log:
            server = subprocess.Popen(
                [
                    where / "postgres",
                    *("-D", folder / "data", "-k", name, "-F"),
                    *("-c", "listen_addresses=", "-c", "max_connections=60"),
                ],
                stdout=log,
                stderr=log,
                **own,
            )
            try:
                _wait(where, name, server, own)
                yield f"postgresql://portal@/{{}}?host={name}"
            finally:
                server.terminate()
                server.wait(30)


def _wait(where: Path, host: str, server: subprocess.Popen[bytes], own: dict[str, Any]) -> None:
    until_s = time.monotonic() + _PATIENCE_S
    asking: list[str | Path] = [where / "pg_isready", "-h", host, "-q"]
    while subprocess.run(asking, check=False, **own).returncode:
        log = Path(host, "log").read_text("utf-8", "replace")
        assert server.poll() is None and time.monotonic() < until_s, log
        time.sleep(0.05)


def _user() -> pwd.struct_passwd | None:
    """Whoever runs it in root's place."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise AssertionError("there is neither a user postgres nor nobody")
