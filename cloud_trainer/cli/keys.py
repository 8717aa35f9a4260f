"""``walkout-trainer keys``: make the keys that sign releases, replace them, see what is due."""

from __future__ import annotations

import os
import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cloud_trainer.cli.errors import plain_errors
from cloud_trainer.cli.fleet_options import JsonOption, StoreOption, print_json, utc_now
from cloud_trainer.publishing import (
    ROOT_NAME,
    KeyRing,
    KeysError,
    Repository,
    RoleOverview,
    init_keys,
    overview,
    rotate,
)
from cloud_trainer.publishing.roles import LOCKED_ROLES, ROOT_KEYS, ROOT_THRESHOLD
from cloud_trainer.store import open_store

PASSPHRASE_VARIABLE = "WALKOUT_KEYS_PASSPHRASE"

KeyFoldersOption = Annotated[
    list[Path],
    typer.Option(
        "--keys",
        envvar="WALKOUT_KEYS",
        help="Folder with keys; several where some are kept elsewhere. New ones go to the first.",
    ),
]

_app = typer.Typer(no_args_is_help=True, help="Keys that sign releases and rollouts.")


def register(app: typer.Typer) -> None:
    """Add the commands to ``walkout-trainer``."""
    app.add_typer(_app, name="keys")


def key_ring(folders: list[Path]) -> KeyRing:
    """The keys in folders; the passphrase is asked for only when a locked one has to sign.

    Raises:
        KeysError: A file there is no key.
    """
    return KeyRing(folders, _ask)


@_app.command("init")
@plain_errors
def init_command(
    out: Annotated[Path, typer.Option(help="Folder of the keys; must not hold any.")],
    category: Annotated[
        list[str] | None, typer.Option(help="Make the key of a category already.")
    ] = None,
    root_keys: Annotated[int, typer.Option(min=1, help="How many root keys.")] = ROOT_KEYS,
    threshold: Annotated[
        int, typer.Option(min=1, help="How many of them must sign a root.")
    ] = ROOT_THRESHOLD,
    unlocked: Annotated[
        bool, typer.Option("--unlocked", help="No passphrase; for trying things out.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Make all keys, and the root that devices are shipped with."""
    ring = KeyRing([out], _choose)
    init_keys(
        ring,
        utc_now(),
        tuple(category or ()),
        locked=not unlocked,
        root_keys=root_keys,
        root_threshold=threshold,
    )
    names = [key.name for key in ring.keys]
    if as_json:
        print_json({"folder": str(out), "root": str(out / ROOT_NAME), "keys": names})
        return
    console = Console(soft_wrap=True, highlight=False)
    console.print(f"made {len(names)} keys in {escape(str(out))}: {', '.join(names)}")
    console.print(f"ship {escape(str(out / ROOT_NAME))} with every device")
    apart = ", ".join(f"{name}.pem" for name in names if name.rpartition("-")[0] in LOCKED_ROLES)
    console.print(
        f"keep {apart} apart, each root key with somebody else: they are needed for a new "
        "category and for 'keys rotate' only"
    )


@_app.command("rotate")
@plain_errors
def rotate_command(
    role: Annotated[str, typer.Argument(help="Whose key: timestamp, root, category-soda ...")],
    store: StoreOption,
    keys: KeyFoldersOption,
    revoke: Annotated[
        str | None, typer.Option(help="Key to replace; needed where the role has several.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Replace a key by a new one; what the old one signs from now on is believed no more."""
    repository = Repository(open_store(store), key_ring(keys))
    new = rotate(repository, role, utc_now(), revoke)
    if as_json:
        print_json({"role": role, "key": new.name, "id": new.public.keyid})
        return
    Console(soft_wrap=True, highlight=False).print(
        f"{escape(role)} signs with {escape(new.name)} now ({escape(str(new.private_path))}); "
        "devices need nothing for it"
    )


@_app.command("list")
@plain_errors
def list_command(store: StoreOption, keys: KeyFoldersOption, as_json: JsonOption = False) -> None:
    """Show who may sign what, which keys are here, and what expires when."""
    now = utc_now()
    views = overview(Repository(open_store(store), key_ring(keys)))
    if as_json:
        print_json({"roles": [_document(view, now) for view in views]})
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("role", "version", "expires", "needs", "keys"):
        table.add_column(heading, overflow="fold")
    for view in views:
        table.add_row(
            escape(view.role),
            str(view.version),
            _expiry(view.expires, now),
            f"{view.threshold} of {len(view.keys)}, {view.at_hand} here",
            escape(", ".join(name or f"{keyid[:8]} (not here)" for keyid, name in view.keys)),
        )
    console = Console(soft_wrap=True, highlight=False)
    console.print(table)
    console.print(
        "what expires is renewed by 'walkout-trainer publish --refresh', root by 'keys rotate root'"
    )


def _document(view: RoleOverview, now: datetime) -> dict[str, object]:
    return {
        "role": view.role,
        "version": view.version,
        "expires": view.expires.isoformat(),
        "expired": view.expires <= now,
        "threshold": view.threshold,
        "at_hand": view.at_hand,
        "keys": [{"id": keyid, "name": name} for keyid, name in view.keys],
    }


def _expiry(expires: datetime, now: datetime) -> str:
    days = (expires - now).days
    text = f"{expires:%Y-%m-%d}"
    if expires <= now:
        return f"[red]{text}, expired[/]"
    return f"[yellow]{text}, in {days} days[/]" if days < 14 else f"{text}, in {days} days"


def _ask(why: str) -> str:
    return _passphrase(f"Passphrase {why}")


def _choose(why: str) -> str:
    return _passphrase(f"Passphrase {why}", confirm=True)


def _passphrase(question: str, *, confirm: bool = False) -> str:
    if given := os.environ.get(PASSPHRASE_VARIABLE):
        return given
    if not sys.stdin.isatty():
        raise KeysError(
            f"{question}: set {PASSPHRASE_VARIABLE}, run this in a terminal, or make keys that "
            "are not locked"
        )
    answer: str = typer.prompt(question, hide_input=True, confirmation_prompt=confirm, err=True)
    return answer
