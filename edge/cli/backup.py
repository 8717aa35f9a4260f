"""``walkout-edge backup``, ``restore`` and ``backup-key``: a shop's state, kept elsewhere."""

from __future__ import annotations

import time
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path
from typing import Annotated, Final

import typer

from edge.cli.errors import fail, plain_errors
from edge.config_file import load_config
from edge.keeping.restoring import restore
from edge.keeping.saving import Manifest, save
from edge.keeping.sealing import new_key
from edge.rehearsal import rehearsed

_ENDING: Final = ".walkout-backup"

_Store = Annotated[Path, typer.Argument(metavar="STORE.YAML", help="The shop, or its folder.")]
_State = Annotated[
    Path | None,
    typer.Option("--state", metavar="DIR", help="Folder of the ledger instead of the file's."),
]


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    app.command("backup")(backup_command)
    app.command("restore")(restore_command)
    app.command("backup-key")(key_command)


@plain_errors
def backup_command(
    store: _Store,
    out: Annotated[
        Path, typer.Option("--out", metavar="PATH", help="File, or a folder that has one a time.")
    ],
    recipient: Annotated[
        str | None,
        typer.Option(
            "--to",
            metavar="AGE1...",
            envvar="WALKOUT_BACKUP_TO",
            help="Who can read it, as backup-key prints it.",
        ),
    ] = None,
    is_open: Annotated[
        bool, typer.Option("--open", help="Readable by everybody who has the file.")
    ] = False,
    keep: Annotated[
        int, typer.Option(min=1, help="In a folder: so many of this shop's stay, the newest.")
    ] = 48,
    state: _State = None,
) -> None:
    """Write everything that the shop needs to go on elsewhere into one file; it may be selling."""
    if is_open == (recipient is not None):
        fail("say who can read it by --to, or --open for everybody")
    file = _file(store)
    config = load_config(file)
    began_s = time.time()
    target, in_folder = out, out.is_dir()
    if in_folder:
        moment = datetime.fromtimestamp(began_s, timezone.utc)
        target = out / f"{config.store.id}-{moment:%Y%m%dT%H%M%SZ}{_ENDING}"
    kept = save(
        config,
        file.parent,
        state or file.parent / config.state,
        target,
        recipient=recipient,
        wall_time_s=began_s,
        walkout_version=metadata.version("walkout"),
    )
    typer.echo(f"{target}: {_words(kept)}, {target.stat().st_size / 1e6:.1f} MB")
    if in_folder:
        for old in sorted(out.glob(f"{config.store.id}-*Z{_ENDING}"))[:-keep]:
            old.unlink()


@plain_errors
def restore_command(
    backup: Annotated[Path, typer.Argument(metavar="FILE", help="The backup.")],
    to: Annotated[
        Path, typer.Option("--to", metavar="DIR", help="The shop's folder; empty or not there.")
    ],
    key: Annotated[
        Path | None,
        typer.Option("--key", metavar="FILE", help="What opens it, as backup-key wrote it."),
    ] = None,
    state: _State = None,
) -> None:
    """Bring a shop back from a backup, and open everything once to see that it is whole."""
    manifest = restore(backup, to, state or to / "state", key)
    typer.echo(f"{to}: {_words(manifest)}")
    typer.echo(rehearsed(to / "store.yaml", state or to / "state"))


@plain_errors
def key_command(
    out: Annotated[Path, typer.Argument(metavar="FILE", help="Where the key is written.")],
) -> None:
    """Make a key that opens backups, and print the recipient that they are sealed to.

    Make it where restored shops are prepared, not on the device.
    """
    typer.echo(new_key(out))


def _file(store: Path) -> Path:
    return store / "store.yaml" if store.is_dir() else store


def _words(manifest: Manifest) -> str:
    made = manifest.made_at.strftime("%Y-%m-%d %H:%M:%S")
    return (
        f"{manifest.store_id} as of {made} UTC, {len(manifest.files)} files, Walkout "
        f"{manifest.walkout_version}"
    )
