"""The portal's pages: which there are, what each begins with, and who may see it.

Owns addresses of HTML pages. What stands in them is asked of the API by their scripts; so a page is
the same for everybody of a role, and what one may not see is refused there.
"""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from cloud_trainer.portal.access import ADMINS, DEVELOPERS, EVERYBODY, OPERATORS, PROVIDERS
from web.access import Rule, rules
from web.rendering import Rendering

RULES: Final[tuple[Rule, ...]] = (
    *rules("GET", "/", EVERYBODY),
    *rules("GET", "/products", EVERYBODY),
    *rules("GET", "/products/{sku}", EVERYBODY),
    *rules("GET", "/import", PROVIDERS),
    *rules("GET", "/approve", OPERATORS),
    *rules("GET", "/categories", OPERATORS),
    *rules("GET", "/rollouts", OPERATORS),
    *rules("GET", "/fleet", OPERATORS),
    *rules("GET", "/runs", DEVELOPERS),
    *rules("GET", "/runs/{run_id}", DEVELOPERS),
    *rules("GET", "/bundles", DEVELOPERS),
    *rules("GET", "/compare", DEVELOPERS),
    *rules("GET", "/pipeline", DEVELOPERS),
    *rules("GET", "/cost", DEVELOPERS),
    *rules("GET", "/api", EVERYBODY),
    *rules("GET", "/people", ADMINS),
    *rules("GET", "/keys", ADMINS),
    *rules("GET", "/audit", ADMINS),
)


def can(role: str | None) -> dict[str, bool]:
    """What somebody may do, in words that templates and scripts ask for."""
    return {
        "products": role in EVERYBODY,
        "hand_in": role in PROVIDERS,
        "approve": role in OPERATORS,
        "arrange": role in OPERATORS,
        "operate": role in OPERATORS,
        "develop": role in DEVELOPERS,
        "pipeline": role in DEVELOPERS,
        "cost": role in DEVELOPERS,
        "admin": role in ADMINS,
    }


def router(rendering: Rendering) -> APIRouter:
    """The pages of a portal."""
    routes = APIRouter(default_response_class=HTMLResponse, include_in_schema=False)

    def add(address: str, name: str, *sections: str) -> None:
        """A page whose script has its name; ``sections`` are of words beside its own."""

        def shown(request: Request) -> HTMLResponse:
            return rendering.page(
                request, "one.html", sections=("portal", name, *sections), name=name, title=None
            )

        routes.add_api_route(address, shown, name=name)

    def add_shared(name: str) -> None:
        """A page that all applications have."""

        def shown(request: Request) -> HTMLResponse:
            return rendering.page(request, f"{name}.html", sections=("portal", name))

        routes.add_api_route(f"/{name}", shown, name=name)

    @routes.get("/products/{sku}")
    def product(request: Request, sku: str) -> HTMLResponse:
        return rendering.page(
            request,
            "one.html",
            sections=("portal", "product"),
            page={"sku": sku},
            name="product",
            title=sku,
        )

    @routes.get("/runs/{run_id}")
    def run(request: Request, run_id: str) -> HTMLResponse:
        return rendering.page(
            request,
            "one.html",
            sections=("portal", "run", "runs"),
            page={"run": run_id},
            name="run",
            title=run_id,
        )

    add("/", "home", "products", "progress")
    add("/products", "products", "product")
    add("/import", "import")
    add("/approve", "approve", "product")
    add("/categories", "categories")
    add("/rollouts", "rollouts")
    add("/fleet", "fleet")
    add("/runs", "runs")
    add("/bundles", "bundles", "categories")
    add("/compare", "compare", "bundles", "categories")
    add("/pipeline", "pipeline", "progress")
    add("/cost", "cost", "figures", "units")
    add("/keys", "keys")
    for name in ("api", "people", "audit"):
        add_shared(name)
    return routes
