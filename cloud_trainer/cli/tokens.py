"""``walkout-trainer tokens``: applications that may use the portal's API."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

from cloud_trainer.cli.errors import plain_errors
from cloud_trainer.cli.people import OrganisationOption, PortalOption, opened_books, tell

_DAY_S = 86_400.0
_app = typer.Typer(help="Tokens of applications that use the portal.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the commands to ``walkout-trainer``."""
    app.add_typer(_app, name="tokens")


@_app.command("create")
@plain_errors
def create_token(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What it is for.")],
    scopes: Annotated[
        list[str], typer.Option("--scope", help="Repeatable: metrics, operate, provide, read.")
    ],
    organisation: OrganisationOption = "",
    days: Annotated[
        float | None, typer.Option("--days", min=0, help="It lasts so long; for good by default.")
    ] = None,
    portal: PortalOption = None,
) -> None:
    """Make a token; it is printed once."""
    with opened_books(portal) as books:
        lasts_s = None if days is None else days * _DAY_S
        token, secret = books.tokens.create(name, scopes, lasts_s, organisation)
        tell(books, "made a token", f"{name}: {', '.join(token.scopes)}")
    typer.echo(secret)


@_app.command("list")
@plain_errors
def list_tokens(portal: PortalOption = None) -> None:
    """Show which tokens there are."""
    from web.terminal import tokens_table

    with opened_books(portal) as books:
        Console().print(tokens_table(books.tokens.all(), with_organisations=True))


@_app.command("revoke")
@plain_errors
def revoke_token(
    token_id: Annotated[str, typer.Argument(metavar="ID", help="As tokens list shows it.")],
    portal: PortalOption = None,
) -> None:
    """Make a token worthless."""
    with opened_books(portal) as books:
        books.tokens.revoke(token_id)
        tell(books, "revoked a token", token_id)
    typer.echo(f"token {token_id} is worth nothing now")
