"""The device: version, numbers, configuration, health, metrics, models; also where others look.

``/api/version`` and the redirects beside it are where users of video recorders for homes and shops
look first; ``/healthz``, ``/readyz`` and ``/metrics`` where machines do.
"""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse, RedirectResponse
from pydantic import ConfigDict

from edge.dashboard.access import TECHNICIANS, VIEWERS
from edge.dashboard.shown import ShownShop
from edge.dashboard.shown_device import walkout_version
from edge.dashboard.views.floor import StoreCard
from edge.dashboard.views.health import ShownHealth
from edge.dashboard.views.serving import ShownModels
from edge.dashboard.views.stats import Stats
from edge.health import metrics_for
from web.access import Rule, rules
from web.asking import refusals
from web.shape import API, Shape

_REDIRECTED: Final = ("stats", "config", "events", "review")
RULES: Final[tuple[Rule, ...]] = (
    *rules("GET", "/api/version", VIEWERS, "read", "metrics", "search", "review", "checkin"),
    *rules("GET", "/api/stats", VIEWERS, "read"),
    *rules("GET", "/api/config", TECHNICIANS),
    *rules("GET", "/api/events", VIEWERS, "read"),
    *rules("GET", "/api/review", VIEWERS, "read", "review"),
    *rules("GET", "/api/v1/stats", VIEWERS, "read"),
    *rules("GET", "/api/v1/config", TECHNICIANS),
    *rules("GET", "/api/v1/health", VIEWERS, "read"),
    *rules("GET", "/api/v1/models", VIEWERS, "read"),
    *rules("GET", "/metrics", VIEWERS, "read", "metrics"),
    *rules("GET", "/healthz", anyone=True),
    *rules("GET", "/readyz", anyone=True),
)


class Version(Shape):
    """What runs here.

    Attributes:
        version: Of this software.
        api: Versions of the API that it speaks, the newest last.
        store: Which shop and device it is.
    """

    version: str
    api: tuple[str, ...]
    store: StoreCard


class Verdict(Shape):
    """Whether all is well.

    Attributes:
        ok: Whether it is.
        reasons: Why not; only for those who are known.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [{"ok": True, "reasons": []}]})

    ok: bool
    reasons: tuple[str, ...] | None = None


def router(shop: ShownShop) -> APIRouter:
    """What a device says of itself."""
    routes = APIRouter(tags=["device"])

    @routes.get("/api/version", responses=refusals())
    def version() -> Version:
        """What runs here."""
        return Version(version=walkout_version(), api=("v1",), store=shop.card)

    @routes.get("/api/v1/stats", responses=refusals())
    def stats() -> Stats:
        """The device in numbers."""
        return shop.stats()

    @routes.get("/api/v1/config", responses=refusals())
    def config() -> dict[str, Any]:
        """The configuration, without any secret."""
        return shop.config_shown()

    @routes.get("/api/v1/health", responses=refusals())
    def health() -> ShownHealth:
        """How the device is, in plain words and with what to do."""
        return shop.health_shown()

    @routes.get("/api/v1/models", responses=refusals())
    def models() -> ShownModels:
        """What recognises, how far an update is, what was rolled back and why."""
        return shop.models()

    @routes.get("/metrics", response_class=PlainTextResponse, responses=refusals())
    def metrics(request: Request) -> Response:
        """Metrics in Prometheus's text format, or as OpenMetrics for whoever accepts it."""
        content, kind = metrics_for(shop.health(), request.headers.get("accept", ""))
        return Response(content, headers={"Content-Type": kind})

    @routes.get("/healthz", response_model=Verdict, responses={503: {"model": Verdict}})
    def healthz(request: Request) -> Response:
        """Whether the process does its work; where not, start it anew."""
        return _verdict(shop.health().sick, request)

    @routes.get("/readyz", response_model=Verdict, responses={503: {"model": Verdict}})
    def readyz(request: Request) -> Response:
        """Whether everything that a right receipt needs is there."""
        return _verdict(shop.health().not_ready, request)

    for name in _REDIRECTED:
        routes.add_api_route(f"/api/{name}", _redirect_to(name), include_in_schema=False)
    return routes


def _verdict(reasons: tuple[str, ...], request: Request) -> Response:
    said: dict[str, object] = {"ok": not reasons}
    if request.state.asking is not None:
        said["reasons"] = list(reasons)
    return JSONResponse(said, 503 if reasons else 200)


def _redirect_to(name: str) -> Any:  # noqa: ANN401 -- a route
    def elsewhere(request: Request) -> RedirectResponse:
        query = f"?{request.url.query}" if request.url.query else ""
        return RedirectResponse(f"{API}/{name}{query}", 307)

    return elsewhere
