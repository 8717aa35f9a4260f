"""Rollouts, the fleet, the pipeline, what the system measured of itself, signing, retention."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Path, Request
from pydantic import ConfigDict, Field

from cloud_trainer.portal.access import ADMINS, DEVELOPERS, OPERATORS
from cloud_trainer.portal.shown import Portal, RolloutChange
from cloud_trainer.portal.views.fleet import (
    AskedRollout,
    Measured,
    ShownDevice,
    ShownProgress,
    ShownRollout,
    SigningRole,
)
from cloud_trainer.portal.views.products import CATEGORY_PATTERN
from web.access import Rule, rules
from web.asking import refusals, whoever
from web.shape import API, Shape

_ROLLOUT: Final = f"{API}/rollouts/{{category}}"
RULES: Final[tuple[Rule, ...]] = (
    *rules("GET", f"{API}/rollouts", OPERATORS, "read", "operate"),
    *rules("POST", f"{API}/rollouts", OPERATORS, "operate"),
    *rules("GET", _ROLLOUT, OPERATORS, "read", "operate"),
    *rules("POST", f"{_ROLLOUT}/{{change}}", OPERATORS, "operate"),
    *rules("GET", f"{API}/fleet", OPERATORS, "read", "operate"),
    *rules("GET", f"{API}/pipeline", DEVELOPERS, "read", "operate"),
    *rules("GET", f"{API}/measured", DEVELOPERS, "read", "operate"),
    *rules(("GET", "PUT"), f"{API}/retention", ADMINS),
    *rules("GET", f"{API}/signing", ADMINS),
)
Category = Annotated[str, Path(pattern=CATEGORY_PATTERN, description="The category.")]


class Because(Shape):
    """Why, for those who look later."""

    reason: Annotated[str, Field(max_length=300)] = ""
    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "too many reviews"}]})


class Retention(Shape):
    """For how many days what is kept.

    Attributes:
        imports: Lines and files of imports.
        refused_photos: Photos of products that were refused and never changed.
        withdrawn_photos: Photos of products that were withdrawn.
    """

    imports: Annotated[int, Field(ge=1, le=3650)]
    refused_photos: Annotated[int, Field(ge=1, le=3650)]
    withdrawn_photos: Annotated[int, Field(ge=1, le=3650)]
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"imports": 90, "refused_photos": 180, "withdrawn_photos": 365}]
        }
    )


def router(portal: Portal) -> APIRouter:
    """Rollouts, fleet and pipeline."""
    routes = APIRouter(tags=["fleet"])

    @routes.get(f"{API}/rollouts", responses=refusals())
    def rollouts() -> tuple[ShownRollout, ...]:
        """The latest rollout of every category that has had one."""
        return portal.rollouts()

    @routes.post(f"{API}/rollouts", status_code=201, responses=refusals(409, 422))
    def start(request: Request, asked: AskedRollout) -> ShownRollout:
        """Begin a rollout."""
        request.state.audited = f"release {asked.release} of {asked.category}"
        return portal.start_rollout(whoever(request), asked)

    @routes.get(_ROLLOUT, responses=refusals(404, 422))
    def rollout(category: Category) -> ShownRollout:
        """The latest rollout of a category."""
        return portal.rollout(category)

    @routes.post(f"{_ROLLOUT}/{{change}}", responses=refusals(404, 409, 422))
    def change_rollout(
        request: Request, category: Category, change: RolloutChange, because: Because
    ) -> ShownRollout:
        """Pause, resume, abort or roll back."""
        request.state.audited = because.reason
        return portal.change_rollout(whoever(request), category, change, because.reason)

    @routes.get(f"{API}/fleet", responses=refusals())
    def fleet() -> tuple[ShownDevice, ...]:
        """All devices that were heard, by name."""
        return portal.fleet()

    @routes.get(f"{API}/pipeline", responses=refusals())
    def pipeline() -> tuple[ShownProgress, ...]:
        """What the pipeline does with each category, why, and what comes next."""
        return portal.pipeline()

    @routes.get(f"{API}/measured", responses=refusals())
    def measured() -> Measured:
        """What the system measured of itself."""
        return portal.measured()

    @routes.get(f"{API}/signing", responses=refusals(503))
    def signing() -> tuple[SigningRole, ...]:
        """Which keys sign what devices believe, and when it expires; no key is told."""
        return portal.signing()

    @routes.get(f"{API}/retention", responses=refusals())
    def retention() -> Retention:
        """For how many days what is kept."""
        return Retention.model_validate(dict(portal.retention()))

    @routes.put(f"{API}/retention", responses=refusals(422))
    def set_retention(request: Request, asked: Retention) -> Retention:
        """Keep something for longer or shorter."""
        days = asked.model_dump()
        request.state.audited = ", ".join(f"{name} {value} days" for name, value in days.items())
        return Retention.model_validate(dict(portal.set_retention(whoever(request), days)))

    return routes
