"""What ``walkout-edge doctor --bundle`` packs for whoever is to help: one file, no secret, no face.

Owns what is in it and what never is. There is not one picture in it, no token and no password; of
the ledger it has counts and its digest, no entry. Everything in it is text, so that it can be read
before it is handed on.
"""

from __future__ import annotations

import io
import json
import re
import shutil
import sqlite3
import ssl
import subprocess
import sys
import tarfile
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from edge.config import PageSettings, StoreConfig
from edge.dashboard.access import WORDS
from edge.dashboard.config_shown import config_shown, without_secrets
from edge.errors import UpdateError
from edge.shop.replay import LEDGER_NAME
from edge.updates.status import read_status
from web.accounts_file import ACCOUNTS_NAME, AccountsFile
from web.tokens import Tokens

_ASKED: Final = {
    "health.json": "api/v1/health",
    "stats.json": "api/v1/stats",
    "metrics.txt": "metrics",
}
_TIMEOUT_S: Final = 10.0
_TOKEN_LASTS_S: Final = 60.0
_LOG_LINES: Final = 5000
_LOG_BYTES: Final = 4 * 2**20
_UNIT: Final = "walkout*"
# What a first start says on the terminal.
_SAID_ONCE: Final = re.compile(r"(?i)sign in as|by this link|password|bearer|/enter/")
_LINK: Final = re.compile(r"(/(?:s|enter)/)[\w.~-]+")
_TOKEN: Final = re.compile(r"\b[A-Za-z]{2,10}_[A-Za-z0-9_-]{20,}\b")


def write_support_bundle(
    out: Path,
    findings: Mapping[str, Any],
    shop: tuple[Path, StoreConfig, Path] | None,
    logs: Sequence[Path],
) -> tuple[str, ...]:
    """Pack everything into one file.

    Args:
        out: The file, ``.tar.gz``; replaced when it exists.
        findings: What the doctor found.
        shop: Folder, configuration and state folder of the shop; ``None`` without one.
        logs: Files of the log; the system's journal is asked as well.

    Returns:
        Names of what is in it.

    Raises:
        OSError: It cannot be written, or a log cannot be read.
    """
    texts: dict[str, str] = {
        "about.json": _json(_about()),
        "doctor.json": _json(without_secrets(dict(findings))),
        "versions.txt": _versions(),
    }
    for path in logs:
        texts[f"log-{path.name}.txt"] = without_secrets_in_log(_end_of(path))
    journal = _journal()
    if journal:
        texts["log-journal.txt"] = without_secrets_in_log(journal)
    if shop is not None:
        folder, config, state = shop
        texts["config.json"] = _json(config_shown(config))
        texts["state.json"] = _json(_files_of(state))
        texts["ledger.json"] = _json(_tried(lambda: _ledger(state / LEDGER_NAME)))
        if config.updates is not None:
            updates = folder / config.updates.folder
            texts["updates.json"] = _json(_tried(lambda: _updates(updates)))
        texts |= _asked(config.page, folder, state)
    _pack(out, texts)
    return tuple(sorted(texts))


def without_secrets_in_log(text: str) -> str:
    """The same lines without what may be a secret."""
    kept = []
    for line in text.splitlines():
        if _SAID_ONCE.search(line):
            kept.append("[left out: it may say a secret]")
            continue
        told = _TOKEN.sub("***", _LINK.sub(r"\1***", str(without_secrets(line))))
        kept.append(told)
    return "\n".join(kept) + "\n"


def _about() -> dict[str, Any]:
    uptime = Path("/proc/uptime")
    return {
        "made_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "python": sys.version,
        "machine_up_s": float(uptime.read_text("ascii").split()[0]) if uptime.exists() else None,
    }


def _versions() -> str:
    found = {str(each.metadata["Name"]): each.version for each in metadata.distributions()}
    return "".join(f"{name}=={version}\n" for name, version in sorted(found.items()))


def _files_of(state: Path) -> dict[str, Any]:
    """Names and sizes, pictures only counted."""
    files: dict[str, int] = {}
    pictures: Counter[str] = Counter()
    for path in sorted(state.rglob("*")) if state.is_dir() else []:
        if path.suffix in (".jpg", ".jpeg", ".png"):
            pictures[str(path.parent.relative_to(state))] += 1
        elif path.is_file():
            files[str(path.relative_to(state))] = path.stat().st_size
    disk = shutil.disk_usage(state) if state.is_dir() else None
    return {
        "bytes": files,
        "pictures": dict(pictures),
        "disk_bytes": None if disk is None else disk.total,
        "disk_free_bytes": None if disk is None else disk.free,
    }


def _ledger(path: Path) -> dict[str, Any]:
    """Counts, read beside the device that writes it."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        by_kind = "SELECT json_extract(content, '$.kind'), COUNT(*) FROM ledger GROUP BY 1"
        by_state = "SELECT receiver, state, COUNT(*) FROM outbox GROUP BY 1, 2"
        span = "SELECT MIN(wall_time_s), MAX(wall_time_s) FROM ledger"
        return {
            "entries": dict(connection.execute(by_kind).fetchall()),
            "outbox": [list(row) for row in connection.execute(by_state)],
            "wall_time_s": list(connection.execute(span).fetchone()),
            "head": list(connection.execute("SELECT sequence, hash FROM head").fetchone()),
            "check": connection.execute("PRAGMA quick_check(1)").fetchone()[0],
        }


def _updates(folder: Path) -> list[dict[str, Any]]:
    return [each.model_dump(mode="json") for each in read_status(folder)]


def _tried(look: Callable[[], Any]) -> Any:  # noqa: ANN401 -- JSON
    """What is seen, or why it is not."""
    try:
        return look()
    except (sqlite3.Error, OSError, UpdateError) as err:
        return {"trouble": str(err)}


def _asked(page: PageSettings | None, folder: Path, state: Path) -> dict[str, str]:
    """What the running device says of itself, asked with a token that nobody keeps."""
    if page is None or not (state / ACCOUNTS_NAME).is_file():
        return {"device.txt": "it serves no dashboard, or was never started\n"}
    said: dict[str, str] = {}
    with closing(AccountsFile(state / ACCOUNTS_NAME)) as file:
        tokens = Tokens(file, WORDS, time.time)
        token, secret = tokens.create(
            f"doctor {time.time_ns()}", ["read", "metrics"], _TOKEN_LASTS_S
        )
        try:
            for name, path in _ASKED.items():
                said[name] = _answer(page, folder, path, secret)
        except (urllib.error.URLError, OSError) as err:
            said["device.txt"] = f"the device does not answer: {err}\n"
        finally:
            tokens.revoke(token.token_id)
    return said


def _answer(page: PageSettings, folder: Path, path: str, secret: str) -> str:
    host = "127.0.0.1" if page.host in ("0.0.0.0", "::") else page.host  # noqa: S104 -- compared
    context = None
    if page.certificate is not None:
        context = ssl.create_default_context(cafile=str(folder / page.certificate))
        # It is asked by this machine's address, which no certificate names.
        context.check_hostname = False
    scheme = "http" if context is None else "https"
    request = urllib.request.Request(
        f"{scheme}://{host}:{page.port}/{path}", headers={"Authorization": f"Bearer {secret}"}
    )
    with urllib.request.urlopen(request, timeout=_TIMEOUT_S, context=context) as answer:
        text = answer.read().decode()
    return _json(without_secrets(json.loads(text))) if path != "metrics" else str(text)


def _end_of(path: Path) -> str:
    with path.open("rb") as stream:
        stream.seek(0, io.SEEK_END)
        stream.seek(max(0, stream.tell() - _LOG_BYTES))
        lines = stream.read().decode("utf-8", "replace").splitlines()
    return "\n".join(lines[-_LOG_LINES:])


def _journal() -> str:
    """What systemd has kept of the device; empty where there is none."""
    if shutil.which("journalctl") is None:
        return ""
    command = ["journalctl", "--unit", _UNIT, "--lines", str(_LOG_LINES), "--no-pager", "--quiet"]
    try:
        asked = subprocess.run(command, capture_output=True, timeout=60, check=False)
    except (OSError, subprocess.SubprocessError):
        return ""
    return asked.stdout.decode("utf-8", "replace") if asked.returncode == 0 else ""


def _pack(out: Path, texts: Mapping[str, str]) -> None:
    folder = out.name.removesuffix(".gz").removesuffix(".tar")
    beginning = out.with_name(f"{out.name}.part")
    with tarfile.open(beginning, "w:gz") as packed:
        for name, text in sorted(texts.items()):
            content = text.encode()
            member = tarfile.TarInfo(f"{folder}/{name}")
            member.size, member.mtime, member.mode = len(content), int(time.time()), 0o600
            packed.addfile(member, io.BytesIO(content))
    beginning.chmod(0o600)
    beginning.replace(out)


def _json(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False, default=str) + "\n"
