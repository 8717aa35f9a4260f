from __future__ import annotations

import sqlite3
import stat
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.web.door import WORDS
from web.access import Asking, Vocabulary
from web.accounts import Accounts, SessionLimits
from web.accounts_file import AccountsFile, RowRefusedError
from web.audit import AuditLog
from web.errors import AccountError, AccountMissingError, AccountsFileError, BusyError
from web.limits import Allowance, Attempts, address_group
from web.passwords import Hashing, new_password
from web.tokens import Tokens

PASSWORD = "long enough, this one"


class Now:
    """A clock that stands still until it is set."""

    def __init__(self) -> None:
        self.at_s = 1_000_000.0

    def __call__(self) -> float:
        return self.at_s


@pytest.fixture
def now() -> Now:
    return Now()


@pytest.fixture
def file(tmp_path: Path) -> Iterator[AccountsFile]:
    with closing(AccountsFile(tmp_path / "state" / "accounts.sqlite")) as file:
        yield file


@pytest.fixture
def accounts(file: AccountsFile, now: Now) -> Accounts:
    return Accounts(file, WORDS, now, SessionLimits(idle_s=100, longest_s=1000))


def test_the_first_run_makes_one_admin_with_a_password_of_its_own(accounts: Accounts) -> None:
    first = accounts.first_run()
    assert first is not None
    name, password = first
    assert [(each.name, each.role) for each in accounts.people()] == [("admin", "admin")]
    assert accounts.is_right(name, password)
    assert not accounts.is_right(name, password + "x")
    assert accounts.first_run() is None
    assert new_password() != new_password()


def test_where_people_are_but_no_admin_one_is_made_under_a_free_name(accounts: Accounts) -> None:
    accounts.add("admin", "viewer", PASSWORD)
    first = accounts.first_run()
    assert first is not None
    assert first[0] == "admin-2"
    assert accounts.person("admin-2").role == "admin"


def test_nothing_in_the_file_lets_anybody_in(
    accounts: Accounts, file: AccountsFile, now: Now, tmp_path: Path
) -> None:
    accounts.add("kim", "staff", PASSWORD)
    secrets = [PASSWORD, accounts.begin_session("kim"), accounts.make_link("kim")]
    secrets.append(Tokens(file, WORDS, now).create("door", ["checkin"])[1])
    paths = sorted((tmp_path / "state").iterdir())
    kept = b"".join(path.read_bytes() for path in paths)
    assert b"kim" in kept
    for secret in secrets:
        assert secret.encode() not in kept
    for path in paths:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_session_ends_when_idle_and_at_the_longest(accounts: Accounts, now: Now) -> None:
    accounts.add("kim", "staff", PASSWORD)
    busy, idle = accounts.begin_session("kim"), accounts.begin_session("kim")
    for _ in range(11):
        assert accounts.asking(busy) == Asking("kim", "staff")
        now.at_s += 90
    assert accounts.asking(idle) is None
    assert accounts.asking(busy) == Asking("kim", "staff")
    now.at_s += 11
    assert accounts.asking(busy) is None


def test_a_page_left_open_keeps_no_session_alive(accounts: Accounts, now: Now) -> None:
    accounts.add("kim", "staff", PASSWORD)
    secret = accounts.begin_session("kim")
    now.at_s += 90
    assert accounts.asking(secret, is_person=False) is not None
    now.at_s += 11
    assert accounts.asking(secret) is None


@pytest.mark.parametrize("change", ["password", "role", "removal", "sign-out"])
def test_a_change_of_who_somebody_is_ends_their_sessions_and_links(
    accounts: Accounts, change: str
) -> None:
    accounts.add("kim", "staff", PASSWORD)
    accounts.add("ann", "admin", PASSWORD)
    secret, link, other = (
        accounts.begin_session("kim"),
        accounts.make_link("kim"),
        accounts.begin_session("ann"),
    )
    if change == "password":
        accounts.set_password("kim")
        assert not accounts.is_right("kim", PASSWORD)
    elif change == "role":
        accounts.set_role("kim", "viewer")
    elif change == "removal":
        accounts.remove("kim")
    else:
        accounts.end_session(secret)
    assert accounts.asking(secret) is None
    assert accounts.asking(other) is not None
    assert (accounts.use_link(link) is None) == (change != "sign-out")


def test_a_link_works_once_and_not_for_long(accounts: Accounts, now: Now) -> None:
    accounts.add("kim", "staff", PASSWORD)
    link = accounts.make_link("kim")
    assert accounts.use_link(link) == "kim"
    assert accounts.use_link(link) is None
    old = accounts.make_link("kim")
    now.at_s += 901
    assert accounts.use_link(old) is None
    assert accounts.use_link("made-up") is None


def test_somebody_who_may_change_people_is_always_left(accounts: Accounts) -> None:
    accounts.add("ann", "admin", PASSWORD)
    with pytest.raises(AccountError, match="nobody would be left"):
        accounts.remove("ann")
    with pytest.raises(AccountError, match="nobody would be left"):
        accounts.set_role("ann", "staff")
    assert accounts.person("ann").role == "admin"
    accounts.add("bob", "admin", PASSWORD)
    accounts.remove("ann")
    assert [each.name for each in accounts.people()] == ["bob"]


@pytest.mark.parametrize("name", ["", "Kim", "kim smith", "../kim", "k" * 65, "kim\n", "token x"])
def test_odd_names_are_refused(accounts: Accounts, name: str) -> None:
    with pytest.raises(AccountError, match="cannot be a name"):
        accounts.add(name, "staff", PASSWORD)


def test_short_passwords_names_taken_and_people_who_are_not_there_are_refused(
    accounts: Accounts,
) -> None:
    with pytest.raises(AccountError, match="12 to 256"):
        accounts.add("kim", "staff", "short")
    accounts.add("kim", "staff", PASSWORD)
    with pytest.raises(AccountError, match="already"):
        accounts.add("kim", "viewer", PASSWORD)
    for change in (accounts.remove, accounts.set_password, accounts.person, accounts.make_link):
        with pytest.raises(AccountMissingError, match="nobody called bob"):
            change("bob")


def test_another_process_changes_people_while_the_shop_is_served(
    accounts: Accounts, now: Now, tmp_path: Path
) -> None:
    accounts.add("kim", "staff", PASSWORD)
    secret = accounts.begin_session("kim")
    with closing(AccountsFile(tmp_path / "state" / "accounts.sqlite")) as other:
        Accounts(other, WORDS, now).remove("kim")
    assert accounts.asking(secret) is None


def test_a_damaged_file_and_one_of_a_newer_version_are_refused_with_what_to_do(
    tmp_path: Path,
) -> None:
    damaged = tmp_path / "damaged.sqlite"
    damaged.write_bytes(b"no database at all, but long enough to be read as one" * 30)
    with pytest.raises(AccountsFileError, match="move it away"):
        AccountsFile(damaged)
    newer = tmp_path / "newer.sqlite"
    with closing(sqlite3.connect(newer)) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(AccountsFileError, match="newer version"):
        AccountsFile(newer)


def test_a_token_does_what_it_was_made_for_until_it_is_revoked_or_too_old(
    file: AccountsFile, now: Now
) -> None:
    tokens = Tokens(file, WORDS, now)
    token, secret = tokens.create("door reader", ["checkin", "read"])
    brief = tokens.create("visitor", ["read"], lasts_s=60)[1]
    assert tokens.asking(secret) == Asking(
        "token door reader", None, frozenset({"checkin", "read"})
    )
    assert tokens.asking(brief) is not None
    now.at_s += 61
    assert tokens.asking(brief) is None
    assert [each.last_used_at for each in tokens.all()] == [1_000_000.0, 1_000_000.0]
    tokens.revoke(token.token_id)
    assert tokens.asking(secret) is None
    assert tokens.asking(secret.removeprefix("walkout_")) is None
    with pytest.raises(AccountMissingError):
        tokens.revoke(token.token_id)
    with pytest.raises(AccountError, match="no scope"):
        tokens.create("nothing", [])
    with pytest.raises(AccountError, match="already"):
        tokens.create("visitor", ["read"])


def test_what_the_audit_log_says_stays(file: AccountsFile, now: Now) -> None:
    log = AuditLog(file, now)
    for number in range(5):
        log.add("kim", f"act {number}", about="a\nb\x1b[2J", address="127.0.0.1")
    first = log.newest(2)
    assert [each.action for each in first] == ["act 4", "act 3"]
    assert [each.action for each in log.newest(9, first[-1].sequence)] == [
        "act 2",
        "act 1",
        "act 0",
    ]
    assert first[0].about == "a\ufffdb\ufffd[2J"
    for statement in ("DELETE FROM audit", "UPDATE audit SET who = 'nobody'"):
        with (
            pytest.raises(RowRefusedError, match="append-only"),
            file.transaction() as connection,
        ):
            connection.execute(statement)
    assert len(log.newest(9)) == 5


def test_hashing_takes_one_turn_at_a_time_and_sends_a_crowd_away() -> None:
    hashing = Hashing(waiting_at_most=1)
    hashed = hashing.hashed(PASSWORD)
    assert hashed.startswith("$argon2id$")
    outcomes: list[object] = []
    begin = threading.Barrier(12)

    def sign_in() -> None:
        begin.wait(20)
        try:
            outcomes.append(hashing.is_right(PASSWORD, hashed))
        except BusyError as err:
            outcomes.append(type(err))

    crowd = [threading.Thread(target=sign_in) for _ in range(12)]
    for each in crowd:
        each.start()
    for each in crowd:
        each.join(20)
    assert len(outcomes) == 12
    assert True in outcomes
    assert BusyError in outcomes
    assert not hashing.is_right(PASSWORD, None)


def test_attempts_are_counted_and_come_back_with_time() -> None:
    attempts = Attempts(Allowance(tries=3, every_s=10))
    for _ in range(3):
        assert attempts.wait_s("a", 0.0) == 0
        attempts.take("a", 0.0)
    assert attempts.wait_s("a", 0.0) == pytest.approx(10)
    assert attempts.wait_s("b", 0.0) == 0
    assert attempts.wait_s("a", 4.0) == pytest.approx(6)
    attempts.give_back("a", 4.0)
    assert attempts.wait_s("a", 4.0) == 0
    # A clock that jumped back gives nothing away.
    assert attempts.wait_s("a", -1e9) >= 0


def test_what_is_remembered_of_attempts_is_bounded() -> None:
    attempts = Attempts(Allowance(tries=1, every_s=10))
    for number in range(10_000):
        attempts.take(str(number), 0.0)
    waiting = [name for name in range(10_000) if attempts.wait_s(str(name), 0.0) > 0]
    assert waiting == list(range(10_000 - 4096, 10_000))


@pytest.mark.parametrize(
    ("address", "group"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("testing", "testing"),
    ],
)
def test_an_ipv6_network_counts_as_one_address(address: str, group: str) -> None:
    assert address_group(address) == group


def test_a_file_of_an_earlier_version_is_taken_along(tmp_path: Path, now: Now) -> None:
    path = tmp_path / "accounts.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(
            """
            CREATE TABLE people (name TEXT PRIMARY KEY, role TEXT NOT NULL,
                password_hash TEXT NOT NULL, created_at REAL NOT NULL, last_seen_at REAL);
            CREATE TABLE tokens (token_id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE,
                scopes TEXT NOT NULL, secret_hash TEXT NOT NULL UNIQUE, created_at REAL NOT NULL,
                last_used_at REAL, expires_at REAL);
            INSERT INTO people VALUES ('kim', 'staff', 'x', 1.0, NULL);
            PRAGMA user_version = 1;
            """
        )
    with closing(AccountsFile(path)) as file:
        (kim,) = Accounts(file, WORDS, now).people()
        assert (kim.name, kim.role, kim.organisation) == ("kim", "staff", "")
        assert Tokens(file, WORDS, now).create("till", ["read"])[0].organisation == ""
    with closing(AccountsFile(path)) as file:
        assert len(Tokens(file, WORDS, now).all()) == 1


def test_people_and_tokens_belong_to_organisations_where_the_application_knows_them(
    file: AccountsFile, accounts: Accounts, now: Now
) -> None:
    words = Vocabulary(("provider", "admin"), ("provide",), has_organisations=True)
    known = Accounts(file, words, now)
    known.add("mo", "provider", PASSWORD, "dairy")
    assert known.asking(known.begin_session("mo")) == Asking("mo", "provider", organisation="dairy")
    secret = Tokens(file, words, now).create("till", ["provide"], organisation="dairy")[1]
    asking = Tokens(file, words, now).asking(secret)
    assert asking is not None
    assert asking.organisation == "dairy"
    with pytest.raises(AccountError, match="cannot be an organisation"):
        known.add("bo", "provider", PASSWORD, "../dairy")
    with pytest.raises(AccountError, match="nobody here belongs"):
        accounts.add("bo", "staff", PASSWORD, "dairy")
