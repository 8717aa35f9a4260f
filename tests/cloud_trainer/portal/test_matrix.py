"""Who may use what, written down a second time and walked: every address, every role and scope."""

from __future__ import annotations

import re
from typing import Final

import pytest

from cloud_trainer.portal.access import ROLES, SCOPES
from tests.cloud_trainer.portal.site import Site
from tests.web.client import Client
from tests.web.matrix import nothing_is_added, written
from web.access import Rule

# p, o, d, a: provider, operator, developer, admin; a star: anybody.
MATRIX: Final = """
POST   /api/v1/session                                  *
DELETE /api/v1/session                                  poda
GET    /api/v1/me                                       poda metrics operate provide read
POST   /api/v1/me/password                              poda
GET    /enter/{link}                                    *
GET    /api/v1/people                                   a
POST   /api/v1/people                                   a
PATCH  /api/v1/people/{name}                            a
DELETE /api/v1/people/{name}                            a
GET    /api/v1/tokens                                   a
POST   /api/v1/tokens                                   a
DELETE /api/v1/tokens/{token_id}                        a
GET    /api/v1/audit                                    a
GET    /api/version                                     poda metrics operate provide read
GET    /healthz                                         *
GET    /readyz                                          *
GET    /metrics                                         oda metrics read
GET    /api/v1/waiting                                  poda operate provide read
GET    /api/v1/products                                 poda operate provide read
GET    /api/v1/products/{sku}                           poda operate provide read
PUT    /api/v1/products/{sku}                           poa operate provide
POST   /api/v1/products/{sku}/photos                    poa operate provide
DELETE /api/v1/products/{sku}/photos/{photo_id}         poa operate provide
PUT    /api/v1/products/{sku}/photos/{photo_id}/kept    oa operate
GET    /api/v1/products/{sku}/photos/{photo_id}/picture.jpg  poda operate provide read
GET    /api/v1/products/{sku}/photos/{photo_id}/original     poda operate provide read
POST   /api/v1/products/{sku}/hand-in                   poa operate provide
POST   /api/v1/products/{sku}/withdraw                  poa operate provide
GET    /api/v1/products/{sku}/alike                     poda operate provide read
POST   /api/v1/products/{sku}/approve                   oa operate
POST   /api/v1/products/{sku}/refuse                    oa operate
GET    /api/v1/imports                                  poa operate provide
POST   /api/v1/imports                                  poa operate provide
GET    /api/v1/imports/{import_id}                      poa operate provide
GET    /api/v1/imports/{import_id}/photos               poa operate provide
POST   /api/v1/imports/{import_id}/photos               poa operate provide
POST   /api/v1/imports/{import_id}/end                  poa operate provide
GET    /api/v1/categories                               oda operate read
POST   /api/v1/categories/arrange                       oa operate
GET    /api/v1/categories/suggestion                    oa operate
POST   /api/v1/categories/suggestion                    oa operate
GET    /api/v1/runs                                     oda operate read
GET    /api/v1/runs/{run_id}                            oda operate read
GET    /api/v1/runs/{run_id}/files/{name:path}          oda operate read
GET    /api/v1/bundles                                  oda operate read
GET    /api/v1/bundles/{category}/{release}             oda operate read
GET    /api/v1/bundles/{category}/{release}/files/{name:path}  oda operate read
GET    /api/v1/compare                                  oda operate read
GET    /api/v1/rollouts                                 oa operate read
POST   /api/v1/rollouts                                 oa operate
GET    /api/v1/rollouts/{category}                      oa operate read
POST   /api/v1/rollouts/{category}/{change}             oa operate
GET    /api/v1/fleet                                    oa operate read
GET    /api/v1/pipeline                                 oda operate read
GET    /api/v1/measured                                 oda operate read
GET    /api/v1/retention                                a
PUT    /api/v1/retention                                a
GET    /api/v1/signing                                  a
POST   /api/v1/cost                                     oda read
GET    /                                                poda
GET    /products                                        poda
GET    /products/{sku}                                  poda
GET    /import                                          poa
GET    /approve                                         oa
GET    /categories                                      oa
GET    /rollouts                                        oa
GET    /fleet                                           oa
GET    /runs                                            oda
GET    /runs/{run_id}                                   oda
GET    /bundles                                         oda
GET    /compare                                         oda
GET    /pipeline                                        oda
GET    /cost                                            oda
GET    /api                                             poda
GET    /people                                          a
GET    /keys                                            a
GET    /audit                                           a
GET    /sign-in                                         *
GET    /static/{version}/{path:path}                    *
GET    /api/v1/openapi.json                             poda operate provide read
"""
LETTERS: Final = dict(zip("poda", ROLES, strict=True))


def test_the_rules_are_those_that_are_written_here(site: Site) -> None:
    every = site.server.site().rules
    assert {(e.method, e.path): (e.anyone, e.roles, e.scopes) for e in every} == written(
        MATRIX, LETTERS, SCOPES
    )


def filled(rule: Rule) -> str:
    """An address of this rule at which there is nothing."""
    path = rule.path.replace("{photo_id}", "0" * 64).replace("{release}", "9")
    path = path.replace("{change}", "pause").replace("{run_id}", "999")
    return re.sub(r"\{[^}]+\}", "nothing-here", path)


def status(client: Client, rule: Rule) -> int:
    """What somebody gets there."""
    body: dict[str, object] | None = None if rule.method in ("GET", "DELETE") else {}
    return client.request(rule.method, filled(rule), json=body).status_code


def test_nobody_gets_further_than_the_matrix_says(site: Site) -> None:
    nobody = site.client()
    for rule in site.server.site().rules:
        assert (status(nobody, rule) not in (401, 403)) == rule.anyone, rule


@pytest.mark.parametrize("role", ROLES)
def test_a_role_gets_as_far_as_the_matrix_says_and_no_further(site: Site, role: str) -> None:
    client = site.client(role)
    every = site.server.site().rules
    ends = [rule for rule in every if rule.path == "/api/v1/session"]
    for rule in (*(each for each in every if each not in ends), *ends):
        got = status(client, rule)
        assert (got not in (401, 403)) == (rule.anyone or role in rule.roles), (rule, got)
        assert got < 500, rule


@pytest.mark.parametrize("scope", SCOPES)
def test_a_scope_gets_as_far_as_the_matrix_says_and_no_further(site: Site, scope: str) -> None:
    app = site.app(scope, organisation="dairy")
    for rule in site.server.site().rules:
        got = status(app, rule)
        assert (got not in (401, 403)) == (rule.anyone or scope in rule.scopes), (rule, got)
        assert got < 500, rule


def test_a_provider_of_no_organisation_sees_nothing(site: Site) -> None:
    password = "provider-of-nothing"
    site.server.books.accounts.add("lost", "provider", password)
    lost = site.client()
    assert lost.post("/api/v1/session", json={"name": "lost", "password": password}).is_success
    for path in ("/api/v1/waiting", "/api/v1/products", "/api/v1/imports"):
        answer = lost.get(path)
        assert answer.status_code == 409
        assert "no organisation" in answer.json()["error"]


def test_addresses_that_frameworks_like_to_add_are_not_there(site: Site) -> None:
    nothing_is_added(site.client("admin"), site.client())
