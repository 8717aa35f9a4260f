"""``walkout-trainer people``: who may use the portal, from the machine that has its database.

Whoever has this terminal has the database, so nobody is asked who they are. The portal may run
meanwhile: it sees every change at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from cloud_trainer.cli.errors import plain_errors

if TYPE_CHECKING:
    from cloud_trainer.portal.assembly import OpenedBooks

PortalOption = Annotated[
    Path | None,
    typer.Option(
        "--portal",
        envvar="WALKOUT_PORTAL",
        metavar="PORTAL.YAML",
        help="The portal, or its folder; ./portal by default.",
    ),
]
OrganisationOption = Annotated[
    str, typer.Option("--organisation", help="For whom they act; empty for the house.")
]
_Name = Annotated[str, typer.Argument(metavar="NAME", help="Of the person.")]
_ROLES = "provider, operator, developer, admin"
_FromStdin = Annotated[
    bool,
    typer.Option("--password-stdin", help="Read the password from stdin instead of drawing one."),
]
_app = typer.Typer(help="People who may sign in to the portal.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the commands to ``walkout-trainer``."""
    app.add_typer(_app, name="people")


@contextmanager
def opened_books(portal: Path | None) -> Iterator[OpenedBooks]:
    """People, tokens and the audit log of a portal."""
    from cloud_trainer.portal.assembly import OpenedBooks  # brings the database
    from cloud_trainer.portal.config import read_portal

    with closing(OpenedBooks(read_portal(portal))) as books:
        yield books


def tell(books: OpenedBooks, action: str, about: str) -> None:
    """Write into the audit log what was done at the terminal."""
    from web.terminal import TERMINAL

    books.audit.add(TERMINAL, action, about=about, address=TERMINAL)


@_app.command("add")
@plain_errors
def add_person(
    name: _Name,
    role: Annotated[str, typer.Option("--role", metavar="ROLE", help=_ROLES)],
    organisation: OrganisationOption = "",
    from_stdin: _FromStdin = False,
    portal: PortalOption = None,
) -> None:
    """Let somebody sign in; the password is printed once."""
    from web.terminal import password_line, read_password

    password = read_password() if from_stdin else None
    with opened_books(portal) as books:
        drawn = books.accounts.add(name, role, password, organisation)
        of = f" of {organisation}" if organisation else ""
        tell(books, "added a person", f"{name} as {role}{of}")
    typer.echo(password_line(name, drawn, is_known=from_stdin))


@_app.command("list")
@plain_errors
def list_people(portal: PortalOption = None) -> None:
    """Show who may sign in."""
    from web.terminal import people_table

    with opened_books(portal) as books:
        Console().print(people_table(books.accounts.people(), with_organisations=True))


@_app.command("password")
@plain_errors
def set_password(name: _Name, from_stdin: _FromStdin = False, portal: PortalOption = None) -> None:
    """Give somebody another password; wherever they are signed in, that ends."""
    from web.terminal import password_line, read_password

    password = read_password() if from_stdin else None
    with opened_books(portal) as books:
        drawn = books.accounts.set_password(name, password)
        tell(books, "set a password", name)
    typer.echo(password_line(name, drawn, is_known=from_stdin))


@_app.command("role")
@plain_errors
def set_role(
    name: _Name,
    role: Annotated[str, typer.Argument(metavar="ROLE", help=_ROLES)],
    portal: PortalOption = None,
) -> None:
    """Let somebody do something else; wherever they are signed in, that ends."""
    with opened_books(portal) as books:
        books.accounts.set_role(name, role)
        tell(books, "changed a role", f"{name} to {role}")
    typer.echo(f"{name} is {role} now")


@_app.command("remove")
@plain_errors
def remove_person(name: _Name, portal: PortalOption = None) -> None:
    """Do not let somebody sign in any more."""
    with opened_books(portal) as books:
        books.accounts.remove(name)
        tell(books, "removed a person", name)
    typer.echo(f"{name} cannot sign in any more")


@_app.command("link")
@plain_errors
def make_link(name: _Name, portal: PortalOption = None) -> None:
    """Print an address by which somebody signs in once, within 15 minutes."""
    with opened_books(portal) as books:
        secret = books.accounts.make_link(name)
        tell(books, "made a link", name)
    typer.echo(f"/enter/{secret}")
