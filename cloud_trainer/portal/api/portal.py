"""The portal itself: version, health, metrics."""

from __future__ import annotations

from importlib import metadata
from typing import Final

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from pydantic import ConfigDict

from cloud_trainer.errors import WalkoutTrainerError
from cloud_trainer.portal.access import EVERYBODY
from cloud_trainer.portal.products import STAGES
from cloud_trainer.portal.shown import Portal
from web.access import Asking, Rule, rules
from web.asking import refusals
from web.shape import Shape

RULES: Final[tuple[Rule, ...]] = (
    *rules("GET", "/api/version", EVERYBODY, "metrics", "operate", "provide", "read"),
    *rules("GET", "/healthz", anyone=True),
    *rules("GET", "/readyz", anyone=True),
    *rules("GET", "/metrics", frozenset({"developer", "operator", "admin"}), "metrics", "read"),
)
_EVERYTHING: Final = Asking("metrics", "operator")


class Version(Shape):
    """What runs here.

    Attributes:
        version: Of this software.
        api: Versions of the API that it speaks, the newest last.
        name: Of the portal.
    """

    version: str
    api: tuple[str, ...]
    name: str


class Verdict(Shape):
    """Whether all is well.

    Attributes:
        ok: Whether it is.
        reasons: Why not; only for those who are known.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [{"ok": True, "reasons": []}]})

    ok: bool
    reasons: tuple[str, ...] | None = None


def router(portal: Portal, name: str) -> APIRouter:
    """What the portal says of itself."""
    routes = APIRouter(tags=["portal"])

    @routes.get("/api/version", responses=refusals())
    def version() -> Version:
        """What runs here."""
        return Version(version=metadata.version("walkout"), api=("v1",), name=name)

    @routes.get("/healthz", response_model=Verdict)
    def healthz() -> Response:
        """Whether the process answers."""
        return JSONResponse({"ok": True})

    @routes.get("/readyz", response_model=Verdict, responses={503: {"model": Verdict}})
    def readyz(request: Request) -> Response:
        """Whether database and releases can be read."""
        reasons = []
        for look in (lambda: portal.waiting(_EVERYTHING), portal.categories):
            try:
                look()
            except WalkoutTrainerError as err:
                reasons.append(str(err))
        said: dict[str, object] = {"ok": not reasons}
        if request.state.asking is not None:
            said["reasons"] = reasons
        return JSONResponse(said, 503 if reasons else 200)

    @routes.get("/metrics", response_class=PlainTextResponse, responses=refusals())
    def metrics() -> Response:
        """Metrics in Prometheus's text format."""
        return Response(_metrics(portal), headers={"Content-Type": CONTENT_TYPE_LATEST})

    return routes


def _metrics(portal: Portal) -> bytes:
    registry = CollectorRegistry()
    products = Gauge("walkout_portal_products", "Products.", ["stage"], registry=registry)
    devices = Gauge("walkout_portal_devices", "Devices heard.", ["health"], registry=registry)
    imports = Gauge("walkout_portal_imports_running", "Imports under way.", registry=registry)
    paused = Gauge("walkout_portal_rollouts_paused", "Paused rollouts.", registry=registry)
    waiting = portal.waiting(_EVERYTHING)
    for stage in STAGES:
        products.labels(stage).set(waiting.stages.get(stage, 0))
    for health in ("well", "busy", "failing", "silent"):
        devices.labels(health).set(0)
    for device in portal.fleet():
        devices.labels(device.health).inc()
    imports.set(waiting.running_imports)
    paused.set(len(waiting.paused_rollouts))
    return generate_latest(registry)
