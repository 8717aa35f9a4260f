"""``walkout-trainer software``: the devices' own software, signed and rolled out like bundles."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.filesize import decimal
from rich.markup import escape

from cloud_trainer.cli.errors import complain, plain_errors
from cloud_trainer.cli.fleet_options import (
    JsonOption,
    StoreOption,
    connected,
    print_json,
    utc_now,
    with_broker,
)
from cloud_trainer.cli.keys import KeyFoldersOption, key_ring
from cloud_trainer.cli.progress import upload_progress
from cloud_trainer.fleet.link import BrokerAddress
from cloud_trainer.publishing import Publication, Repository, publish_software
from cloud_trainer.store import open_store
from models.delivery import SoftwareRelease

_app = typer.Typer(no_args_is_help=True, help="The devices' own software.")


def register(app: typer.Typer) -> None:
    """Add the commands to ``walkout-trainer``."""
    app.add_typer(_app, name="software")


@_app.command("publish")
@plain_errors
@with_broker
def publish_command(
    wheels: Annotated[
        Path,
        typer.Argument(
            exists=True, file_okay=False, help="Folder of wheels: Walkout and all it needs."
        ),
    ],
    store: StoreOption,
    keys: KeyFoldersOption,
    everywhere: Annotated[
        bool, typer.Option("--everywhere", help="Every device is to run it, without a rollout.")
    ] = False,
    notes: Annotated[str, typer.Option(help="What people should know about it.")] = "",
    as_json: JsonOption = False,
    *,
    address: BrokerAddress | None,
) -> None:
    """Sign wheels as the next release of the software; 'rollout --category software' lets it run.

    The first release of a store runs everywhere at once.
    """
    repository = Repository(open_store(store), key_ring(keys))
    with connected(address) as devices:
        with upload_progress(f"sending {wheels.name}") as progress:
            publication = publish_software(
                repository, wheels, utc_now(), everywhere=everywhere, notes=notes, progress=progress
            )
        plan = publication.plan
        if (
            devices is not None
            and plan is not None
            and not devices.announce(plan.category, plan.serial)
        ):
            complain("published, but the broker did not take the hint: devices look by themselves")
    if as_json:
        print_json(_document(publication))
    else:
        _tell(publication)


def _document(publication: Publication[SoftwareRelease]) -> dict[str, object]:
    release = publication.release
    return {
        "category": release.category,
        "release": release.release,
        "is_new": publication.is_new,
        "version": release.title,
        "wheels": len(release.files),
        "size_bytes": release.size_bytes,
        "sent_bytes": publication.sent_bytes,
        "stored_bytes": publication.stored_bytes,
        "update_bytes": publication.update_bytes,
        "stable": publication.plan.stable if publication.plan else None,
        "serial": publication.plan.serial if publication.plan else None,
    }


def _tell(publication: Publication[SoftwareRelease]) -> None:
    release = publication.release
    console = Console(soft_wrap=True, highlight=False)
    name = f"software release {release.release}, Walkout {escape(release.title)}"
    if not publication.is_new:
        console.print(f"{name} has these very wheels already; nothing was sent")
    else:
        console.print(
            f"{name} published: {len(release.files)} wheels, {decimal(publication.sent_bytes)} "
            f"sent, {decimal(publication.stored_bytes)} were there already"
        )
    if publication.plan is not None:
        console.print(f"every device may run it (plan {publication.plan.serial})")
    elif publication.is_new:
        console.print(
            "no device runs it yet: walkout-trainer rollout start --category software "
            f"--release {release.release}"
        )
