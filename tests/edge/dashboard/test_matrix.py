"""Who may use what, written down a second time and walked: every address, every role and scope."""

from __future__ import annotations

import re
from typing import Final

import pytest

from edge.dashboard.access import ROLES, SCOPES, Role, Scope
from tests.edge.dashboard.serving import Site
from tests.web.client import Client
from tests.web.matrix import nothing_is_added, written
from web.access import Rule

# v, s, t, a: viewer, staff, technician, admin; a star: anybody.
MATRIX: Final = """
POST   /api/v1/session                          *
DELETE /api/v1/session                          vsta
GET    /api/v1/me                               vsta checkin labelled metrics read review search
POST   /api/v1/me/password                      vsta
GET    /enter/{link}                            *
GET    /api/v1/people                           a
POST   /api/v1/people                           a
PATCH  /api/v1/people/{name}                    a
DELETE /api/v1/people/{name}                    a
GET    /api/v1/tokens                           a
POST   /api/v1/tokens                           a
DELETE /api/v1/tokens/{token_id}                a
GET    /api/v1/audit                            a
GET    /api/version                             vsta checkin metrics read review search
GET    /api/stats                               vsta read
GET    /api/config                              ta
GET    /api/events                              vsta read
GET    /api/review                              vsta read review
GET    /api/v1/stats                            vsta read
GET    /api/v1/config                           ta
GET    /api/v1/health                           vsta read
GET    /api/v1/models                           vsta read
GET    /metrics                                 vsta metrics read
GET    /healthz                                 *
GET    /readyz                                  *
GET    /api/v1/plan                             vsta read
GET    /api/v1/state                            vsta read
GET    /api/v1/live                             vsta read
GET    /api/v1/events                           vsta read
GET    /api/v1/crops/{name:path}                vsta read
GET    /api/v1/review                           vsta read review
GET    /api/v1/review/{review_id}               vsta read review
POST   /api/v1/review/{review_id}/verdict       sa review
POST   /api/v1/review/{review_id}/pass          sa review
GET    /api/v1/receipts                         vsta read
GET    /api/v1/receipts/{session_id}            vsta read
GET    /api/v1/receipts/{session_id}/page.html  vsta read
GET    /api/v1/receipts/{session_id}/page.html  vsta read
POST   /api/v1/receipts/{session_id}/refunds    sa
GET    /api/v1/disputes                         vsta read
POST   /api/v1/disputes                         sa
POST   /api/v1/disputes/{dispute_id}/verdict    sa
POST   /api/v1/checkins                         sa checkin
GET    /api/v1/sessions/{session_id}/basket     vsta read
POST   /api/v1/sessions/{session_id}/close      sa
GET    /api/v1/cameras                          vsta read
GET    /api/v1/cameras/{name}/picture.jpg       vsta read
GET    /api/v1/cameras/{name}/overlay           vsta read
GET    /api/v1/products                         vsta read review search
GET    /api/v1/products/{sku}/photos/{number}.jpg  vsta read review search
GET    /api/v1/stock                            vsta read
GET    /api/v1/labelled                         a labelled
GET    /api/v1/labelled/crops/{name}            a labelled
POST   /api/v1/search                           vsta search
POST   /api/v1/images:annotate                  vsta search
GET    /api/v1/product-sets                     vsta read search
GET    /api/v1/product-sets/{name}              vsta read search
PUT    /api/v1/product-sets/{name}              sta search
DELETE /api/v1/product-sets/{name}              sta search
GET    /                                        vsta
GET    /review                                  vsta
GET    /receipts                                vsta
GET    /receipts/{session_id}                   vsta
GET    /stock                                   vsta
GET    /cameras                                 vsta
GET    /cameras/{name}                          vsta
GET    /health                                  vsta
GET    /models                                  vsta
GET    /api                                     vsta
GET    /people                                  a
GET    /audit                                   a
GET    /sign-in                                 *
GET    /see                                     vsta
GET    /s/{link}                                *
GET    /s/{link}/basket                         *
POST   /s/{link}/disputes                       *
GET    /s/{link}/photos/{sku}.jpg               *
GET    /s/{link}/crops/{name:path}              *
GET    /static/{version}/{path:path}            *
GET    /api/v1/openapi.json                     vsta read
"""
# Only technicians and admins get as far as calibration, whatever they do there.
WORKSHOP: Final = ("/calibration", "/api/v1/calibration")
LETTERS: Final = dict(zip("vsta", ROLES, strict=True))


def is_workshop(path: str) -> bool:
    return path.startswith(WORKSHOP)


def test_the_rules_are_those_that_are_written_here(site: Site) -> None:
    every = site.dashboard.site().rules
    rules = {(e.method, e.path): (e.anyone, e.roles, e.scopes) for e in every}
    in_workshop = {address for address in rules if is_workshop(address[1])}
    assert {address: rules[address] for address in rules.keys() - in_workshop} == written(
        MATRIX, LETTERS, SCOPES
    )
    for address in in_workshop:
        assert rules[address] == (False, frozenset({"technician", "admin"}), frozenset()), address


def filled(rule: Rule) -> str:
    """An address of this rule at which there is nothing."""
    return re.sub(r"\{number\}", "0", re.sub(r"\{(?!number)[^}]+\}", "nothing-here", rule.path))


def status(client: Client, rule: Rule) -> int:
    """What somebody gets there; of a stream only the beginning."""
    body: dict[str, object] | None = None if rule.method in ("GET", "DELETE") else {}
    with client.stream(rule.method, filled(rule), json=body) as answer:
        return answer.status_code


def test_nobody_gets_further_than_the_matrix_says(site: Site) -> None:
    nobody = site.client()
    for rule in site.dashboard.site().rules:
        assert (status(nobody, rule) not in (401, 403)) == (
            # A wrong name and password is 401 too, but here there is none.
            rule.anyone
        ), rule


@pytest.mark.parametrize("role", ROLES)
def test_a_role_gets_as_far_as_the_matrix_says_and_no_further(site: Site, role: Role) -> None:
    client = site.client(role)
    ends = [rule for rule in site.dashboard.site().rules if rule.path == "/api/v1/session"]
    for rule in (*(each for each in site.dashboard.site().rules if each not in ends), *ends):
        got = status(client, rule)
        assert (got not in (401, 403)) == (rule.anyone or role in rule.roles), (rule, got)
        assert got < 500, rule


@pytest.mark.parametrize("scope", SCOPES)
def test_a_scope_gets_as_far_as_the_matrix_says_and_no_further(site: Site, scope: Scope) -> None:
    app = site.app(scope)
    for rule in site.dashboard.site().rules:
        got = status(app, rule)
        assert (got not in (401, 403)) == (rule.anyone or scope in rule.scopes), (rule, got)
        assert got < 500, rule


def test_addresses_that_frameworks_like_to_add_are_not_there(site: Site) -> None:
    nothing_is_added(site.client("admin"), site.client())
