"""``walkout-trainer publish`` and ``withdraw-release``: what devices can fetch, and what not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
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
    print_json,
    utc_now,
    with_broker,
)
from cloud_trainer.cli.keys import KeyFoldersOption, key_ring
from cloud_trainer.cli.progress import upload_progress
from cloud_trainer.errors import WalkoutTrainerError
from cloud_trainer.fleet.link import BrokerAddress, FleetLink
from cloud_trainer.publishing import (
    Publication,
    Repository,
    publish_bundle,
    refresh,
    withdraw_release,
)
from cloud_trainer.store import open_store
from models.delivery import Release, RolloutPlan


def register(app: typer.Typer) -> None:
    """Add the commands to ``walkout-trainer``."""
    app.command("publish")(publish_command)
    app.command("withdraw-release")(withdraw_command)


@plain_errors
@with_broker
def publish_command(
    store: StoreOption,
    keys: KeyFoldersOption,
    bundle: Annotated[Path | None, typer.Argument(help="Folder of the bundle.")] = None,
    everywhere: Annotated[
        bool, typer.Option("--everywhere", help="Every device is to run it, without a rollout.")
    ] = False,
    notes: Annotated[str, typer.Option(help="What people should know about it.")] = "",
    renew: Annotated[
        bool,
        typer.Option("--refresh", help="Publish nothing: renew signatures before they expire."),
    ] = False,
    as_json: JsonOption = False,
    *,
    address: BrokerAddress | None,
) -> None:
    """Sign a bundle as the next release of its category and put it where devices fetch it."""
    if renew == (bundle is not None):
        raise WalkoutTrainerError("give either the folder of a bundle or --refresh")
    repository = Repository(open_store(store), key_ring(keys))
    if bundle is None:
        _refresh(repository, as_json)
        return
    with _devices(address) as devices:
        with upload_progress(f"sending {bundle.name}") as progress:
            publication = publish_bundle(
                repository, bundle, utc_now(), everywhere=everywhere, notes=notes, progress=progress
            )
        _hint(devices, publication.plan)
    if as_json:
        print_json(_document(publication))
    else:
        _tell(publication)


@plain_errors
@with_broker
def withdraw_command(
    category: Annotated[str, typer.Option(help="The category.")],
    release: Annotated[int, typer.Option(min=1, help="The release that must not run.")],
    store: StoreOption,
    keys: KeyFoldersOption,
    to: Annotated[
        int | None,
        typer.Option(min=1, help="Release that devices go back to; the newest below by default."),
    ] = None,
    as_json: JsonOption = False,
    *,
    address: BrokerAddress | None,
) -> None:
    """Say that a release must not run: devices that serve it go back at once."""
    repository = Repository(open_store(store), key_ring(keys))
    with _devices(address) as devices:
        plan = withdraw_release(repository, category, release, utc_now(), to).plan
        _hint(devices, plan)
    if as_json:
        print_json(
            {
                "category": category,
                "release": release,
                "stable": plan.stable,
                "candidate": plan.candidate,
                "serial": plan.serial,
            }
        )
        return
    Console(soft_wrap=True, highlight=False).print(
        f"{escape(category)} release {release} is withdrawn; devices run release {plan.stable} "
        f"(plan {plan.serial})"
    )


@contextmanager
def _devices(address: BrokerAddress | None) -> Iterator[FleetLink | None]:
    """The broker, where one is given; connected to while files are sent."""
    if address is None:
        yield None
        return
    with FleetLink(address, utc_now) as link:
        yield link


def _hint(devices: FleetLink | None, plan: RolloutPlan | None) -> None:
    """Tell devices to look; what is published stays so where the broker does not take the hint."""
    if devices is None or plan is None:
        return
    if not devices.announce(plan.category, plan.serial):
        complain(
            f"plan {plan.serial} of {plan.category} is published, but the broker did not take the "
            "hint: devices will find it when they look by themselves"
        )


def _refresh(repository: Repository, as_json: bool) -> None:
    renewed = refresh(repository, utc_now())
    if as_json:
        print_json({"renewed": list(renewed)})
        return
    Console(soft_wrap=True, highlight=False).print(f"renewed {', '.join(map(escape, renewed))}")


def _document(publication: Publication[Release]) -> dict[str, object]:
    release = publication.release
    return {
        "category": release.category,
        "release": release.release,
        "is_new": publication.is_new,
        "bundle_version": release.bundle_version,
        "network_id": release.network_id,
        "size_bytes": release.size_bytes,
        "sent_bytes": publication.sent_bytes,
        "stored_bytes": publication.stored_bytes,
        "previous": publication.previous,
        "update_bytes": publication.update_bytes,
        "metadata_bytes": publication.metadata_bytes,
        "stable": publication.plan.stable if publication.plan else None,
        "serial": publication.plan.serial if publication.plan else None,
    }


def _tell(publication: Publication[Release]) -> None:
    release = publication.release
    console = Console(soft_wrap=True, highlight=False)
    name = f"{escape(release.category)} release {release.release}"
    if not publication.is_new:
        console.print(f"{name} has these very files already; nothing was sent")
    else:
        console.print(
            f"{name} published, version {escape(release.bundle_version)}: "
            f"{decimal(publication.sent_bytes)} sent, {decimal(publication.stored_bytes)} were "
            "there already"
        )
        has = "nothing yet" if publication.previous is None else f"release {publication.previous}"
        console.print(
            f"cost: a device that has {has} fetches {decimal(publication.update_bytes)}, and "
            f"{decimal(publication.metadata_bytes)} of signed metadata"
        )
    if publication.plan is not None:
        console.print(f"every device may run it (plan {publication.plan.serial})")
    elif publication.is_new:
        console.print("no device runs it yet: start a rollout, or publish with --everywhere")
