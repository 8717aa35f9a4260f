"""``walkout-edge people`` and ``tokens``: who may use the dashboard, from the device's terminal.

Whoever has this terminal has the device, so nobody is asked who they are. The shop may run
meanwhile: it sees every change at once.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console

from edge.cli.errors import plain_errors
from edge.config import StoreConfig
from edge.config_file import load_config
from edge.dashboard.access import ROLES, SCOPES, WORDS, Role, Scope
from web.accounts import Accounts
from web.accounts_file import ACCOUNTS_NAME, AccountsFile
from web.audit import AuditLog
from web.errors import AccountError
from web.terminal import TERMINAL, password_line, people_table, read_password, tokens_table
from web.tokens import Tokens

_DAY_S: Final = 86_400.0
_people = typer.Typer(help="People who may sign in to the dashboard.", no_args_is_help=True)
_tokens = typer.Typer(help="Tokens of applications that use the API.", no_args_is_help=True)

_Store = Annotated[Path, typer.Argument(metavar="STORE.YAML", help="The shop, or its folder.")]
_State = Annotated[
    Path | None,
    typer.Option("--state", metavar="DIR", help="Folder of the ledger instead of the file's."),
]
_Name = Annotated[str, typer.Argument(metavar="NAME", help="Of the person.")]
_Role = Annotated[str, typer.Option("--role", metavar="ROLE", help=", ".join(ROLES))]
_FromStdin = Annotated[
    bool,
    typer.Option("--password-stdin", help="Read the password from stdin instead of drawing one."),
]


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    app.add_typer(_people, name="people")
    app.add_typer(_tokens, name="tokens")


@dataclass(frozen=True)
class _Books:
    config: StoreConfig
    accounts: Accounts
    tokens: Tokens
    audit: AuditLog

    def tell(self, action: str, about: str) -> None:
        self.audit.add(TERMINAL, action, about=about, address=TERMINAL)


@contextmanager
def _opened(store: Path, state: Path | None) -> Iterator[_Books]:
    file = store / "store.yaml" if store.is_dir() else store
    config = load_config(file)
    folder = state or file.parent / config.state
    with closing(AccountsFile(folder / ACCOUNTS_NAME)) as accounts:
        yield _Books(
            config,
            Accounts(accounts, WORDS, time.time),
            Tokens(accounts, WORDS, time.time),
            AuditLog(accounts, time.time),
        )


@_people.command("add")
@plain_errors
def add_person(
    store: _Store,
    name: _Name,
    role: _Role,
    from_stdin: _FromStdin = False,
    state: _State = None,
) -> None:
    """Let somebody sign in; the password is printed once."""
    password = read_password() if from_stdin else None
    with _opened(store, state) as books:
        drawn = books.accounts.add(name, _role(role), password)
        books.tell("added a person", f"{name} as {role}")
    typer.echo(password_line(name, drawn, is_known=from_stdin))


@_people.command("list")
@plain_errors
def list_people(store: _Store, state: _State = None) -> None:
    """Show who may sign in."""
    with _opened(store, state) as books:
        Console().print(people_table(books.accounts.people()))


@_people.command("password")
@plain_errors
def set_password(
    store: _Store, name: _Name, from_stdin: _FromStdin = False, state: _State = None
) -> None:
    """Give somebody another password; wherever they are signed in, that ends."""
    password = read_password() if from_stdin else None
    with _opened(store, state) as books:
        drawn = books.accounts.set_password(name, password)
        books.tell("set a password", name)
    typer.echo(password_line(name, drawn, is_known=from_stdin))


@_people.command("role")
@plain_errors
def set_role(
    store: _Store,
    name: _Name,
    role: Annotated[str, typer.Argument(metavar="ROLE", help=", ".join(ROLES))],
    state: _State = None,
) -> None:
    """Let somebody do something else; wherever they are signed in, that ends."""
    with _opened(store, state) as books:
        books.accounts.set_role(name, _role(role))
        books.tell("changed a role", f"{name} to {role}")
    typer.echo(f"{name} is {role} now")


@_people.command("remove")
@plain_errors
def remove_person(store: _Store, name: _Name, state: _State = None) -> None:
    """Do not let somebody sign in any more."""
    with _opened(store, state) as books:
        books.accounts.remove(name)
        books.tell("removed a person", name)
    typer.echo(f"{name} cannot sign in any more")


@_people.command("link")
@plain_errors
def make_link(store: _Store, name: _Name, state: _State = None) -> None:
    """Print an address by which somebody signs in once, within 15 minutes."""
    with _opened(store, state) as books:
        page = books.config.page
        secret = books.accounts.make_link(name)
        books.tell("made a link", name)
    typer.echo(f"/enter/{secret}")
    if page is not None and page.port:
        scheme = "http" if page.certificate is None else "https"
        typer.echo(f"after the dashboard's address, here {scheme}://{page.host}:{page.port}")


@_tokens.command("create")
@plain_errors
def create_token(
    store: _Store,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What it is for.")],
    scopes: Annotated[list[str], typer.Option("--scope", help=f"Repeatable: {', '.join(SCOPES)}")],
    days: Annotated[
        float | None, typer.Option("--days", min=0, help="It lasts so long; for good by default.")
    ] = None,
    state: _State = None,
) -> None:
    """Make a token; it is printed once."""
    with _opened(store, state) as books:
        lasts_s = None if days is None else days * _DAY_S
        token, secret = books.tokens.create(name, [_scope(each) for each in scopes], lasts_s)
        books.tell("made a token", f"{name}: {', '.join(token.scopes)}")
    typer.echo(secret)


@_tokens.command("list")
@plain_errors
def list_tokens(store: _Store, state: _State = None) -> None:
    """Show which tokens there are."""
    with _opened(store, state) as books:
        Console().print(tokens_table(books.tokens.all()))


@_tokens.command("revoke")
@plain_errors
def revoke_token(
    store: _Store,
    token_id: Annotated[str, typer.Argument(metavar="ID", help="As tokens list shows it.")],
    state: _State = None,
) -> None:
    """Make a token worthless."""
    with _opened(store, state) as books:
        books.tokens.revoke(token_id)
        books.tell("revoked a token", token_id)
    typer.echo(f"token {token_id} is worth nothing now")


def _role(name: str) -> Role:
    for each in ROLES:
        if each == name:
            return each
    raise AccountError(f"{name!r} is no role; the roles are {', '.join(ROLES)}")


def _scope(name: str) -> Scope:
    for each in SCOPES:
        if each == name:
            return each
    raise AccountError(f"{name!r} is no scope; the scopes are {', '.join(SCOPES)}")
