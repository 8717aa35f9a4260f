"""``walkout-trainer receive``: keep the receipts and baskets that shops send."""

from __future__ import annotations

import logging
import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from cloud_trainer.cli.errors import plain_errors
from cloud_trainer.cli.fleet_options import JsonOption, print_json, required, with_broker
from cloud_trainer.cli.signals import until_told
from cloud_trainer.fleet.link import BrokerAddress
from cloud_trainer.receiver import ReceivedMessages, Receiver


def register(app: typer.Typer) -> None:
    """Add the command to ``walkout-trainer``."""
    app.command("receive")(receive_command)


@plain_errors
@with_broker
def receive_command(
    records: Annotated[
        Path, typer.Option(envvar="WALKOUT_RECEIPTS", help="File that keeps them.")
    ] = Path("receipts.sqlite"),
    prefix: Annotated[str, typer.Option(help="What the shops' topics begin with.")] = "walkout/+",
    name: Annotated[str, typer.Option(help="Our name at the broker.")] = "cloud.receiver",
    count: Annotated[
        bool, typer.Option("--count", help="Say how many are kept, and receive nothing.")
    ] = False,
    as_json: JsonOption = False,
    *,
    address: BrokerAddress | None,
) -> None:
    """Receive until told to stop; each message is kept once and answered when it is on the disk."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    kept = ReceivedMessages(records)
    try:
        if not count:
            own = replace(required(address), client_id=name)
            Receiver(kept, own, prefix, time.time).run(until_told())
        counts = kept.counts()
    finally:
        kept.close()
    if as_json:
        print_json({"messages": counts.messages, "repeats": counts.repeats})
    else:
        typer.echo(f"{counts.messages} messages are kept; {counts.repeats} came again")
