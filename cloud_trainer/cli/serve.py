"""``walkout-trainer serve``: the cloud portal."""

from __future__ import annotations

import logging
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from cloud_trainer.cli.errors import plain_errors
from cloud_trainer.cli.signals import until_told

PortalArgument = Annotated[
    Path | None,
    typer.Argument(
        metavar="[PORTAL.YAML]", help="The portal, or its folder; ./portal with defaults."
    ),
]


def register(app: typer.Typer) -> None:
    """Add the command to ``walkout-trainer``."""
    app.command("serve")(serve_command)


@plain_errors
def serve_command(
    portal: PortalArgument = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Port instead of the file's.")
    ] = None,
) -> None:
    """Serve the portal: products in, releases out, the fleet watched."""
    from cloud_trainer.portal.assembly import PortalServer  # brings the web server
    from cloud_trainer.portal.config import DEFAULT_FOLDER, read_portal
    from cloud_trainer.portal.serve import serve

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    stop = until_told()
    with closing(PortalServer(read_portal(portal), port)) as server:
        serve(server, portal or DEFAULT_FOLDER, stop, typer.echo)
