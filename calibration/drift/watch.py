"""One camera watching itself: green, amber, red, with the reason in plain words.

Owns when a displacement becomes an alarm and when an alarm ends. Pure: pictures and times come in
from outside. Does not know what a red camera's decisions become: that is the device's business.

A look every few seconds is enough, and all that the watch can afford: ``due`` says when the next
one is wanted, so that a worker need not convert a frame for nothing. A state changes only when the
median of the last looks says so; a look that cannot tell (somebody stands in front, it is dark)
counts for nothing, but a camera that cannot tell for long is reported as well.

Example::

    watch = DriftWatch("shelf-1", calibration, planogram, reference=grey_when_calibrated)
    if watch.due(frame.captured_at_s):
        state = watch.feed(grey, frame.captured_at_s)
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from statistics import median
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from calibration.drift.effect import Effect, Outlook
from calibration.drift.registration import Reference, Registration
from calibration.format import Calibration, Matrix3
from calibration.lens import lens_of, matrix3
from calibration.planogram import Planogram

Light = Literal["green", "amber", "red"]

_FEWEST_UNSURE: Final = 5
_DARK_SHARE: Final = 0.4
"""Of the reference's mean level, below which a picture is too dark to accuse the camera."""
_UNTURNED: Final[Matrix3] = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
_NO_EFFECT: Final = Effect(None, None, None, None)


@dataclass(frozen=True)
class DriftSettings:
    """When a camera counts as moved.

    Attributes:
        look_every_s: Between two looks.
        red_floor_m: Displacement of the floor, or of a front without facings, that is red. A tenth
            below the 3 cm that must not go unnoticed: a look is not exact.
        red_facing_share: Displacement of a facing, as a share of its width, that is red; a tenth
            below a quarter.
        amber_at: Share of a red displacement that is amber.
        clear_below: Share of a red displacement below which amber and red end.
        looks: How many looks the median is taken of that red depends on.
        amber_looks: How many looks the median is taken of that amber depends on: what is no danger
            yet can be looked at for a minute, and one crowd or shadow must not call anybody.
        clear_looks: How many looks in a row must be clear before a red ends.
        sure_share: Share of the tiles that must agree for a look to count. It may be small: tiles
            that were changed point anywhere, and a fifth of them does not agree by chance.
        unsure_amber_s: So long without a look that counts is amber.
        unsure_red_s: So long with a picture that shows something, but not what was calibrated, is
            red: the camera was turned far away, or swapped.
    """

    look_every_s: float = 4.0
    red_floor_m: float = 0.027
    red_facing_share: float = 0.225
    amber_at: float = 0.5
    clear_below: float = 0.4
    looks: int = 5
    amber_looks: int = 15
    clear_looks: int = 8
    sure_share: float = 0.2
    unsure_amber_s: float = 120.0
    unsure_red_s: float = 900.0


@dataclass(frozen=True)
class DriftState:
    """What is known of one camera at a moment.

    Attributes:
        light: ``green``: in its place. ``amber``: look after it soon. ``red``: its decisions must
            abstain.
        since_s: When this light came on.
        at_s: When it was last looked at.
        reason: In plain words for the staff, with what to do.
        sure: Whether the last look could tell.
        displaced: Whether the last look that could tell was off by what is red; red itself comes
            on when the median of several is.
        effect: Of the last look that could tell.
        turn_deg: How far the camera had turned then.
        shift_px: How far the middle of its picture had moved then.
        rotation: How the camera had turned then, as in a ``Registration``.
    """

    light: Light
    since_s: float
    at_s: float
    reason: str
    sure: bool
    displaced: bool
    effect: Effect
    turn_deg: float
    shift_px: tuple[float, float]
    rotation: Matrix3


@dataclass(frozen=True)
class Glance:
    """What one picture says.

    Attributes:
        displaced: Whether the camera is off by what is red.
        rotation: How it has turned, as in a ``Registration``.
    """

    displaced: bool
    rotation: Matrix3


class DriftWatch:
    """Watches one camera.

    Args:
        name: Of the camera.
        calibration: Of the shop, with this camera.
        planogram: Of the shop, or None.
        reference: uint8 ``(H, W)``, taken when the camera was calibrated.
        settings: When it counts as moved.
        red_before: Why it was red when it was last watched, which goes on until clear looks end
            it; empty where it was not.

    Raises:
        CalibrationError: The reference does not fit the camera or shows nothing to hold on to.
    """

    def __init__(
        self,
        name: str,
        calibration: Calibration,
        planogram: Planogram | None,
        reference: NDArray[np.uint8],
        settings: DriftSettings | None = None,
        red_before: str = "",
    ) -> None:
        self._name = name
        self._begins: tuple[Light, str] = ("red" if red_before else "green", red_before)
        self._settings = settings or DriftSettings()
        self._reference = Reference(reference, lens_of(calibration.cameras[name]))
        self._outlook = Outlook(name, calibration, planogram)
        self._ratios: deque[float] = deque(
            maxlen=max(self._settings.looks, self._settings.amber_looks)
        )
        self._clear = 0
        self._last_sure_s: float | None = None
        self._unsure_looks = 0
        self._level = float(reference.mean())
        self._state: DriftState | None = None

    @property
    def state(self) -> DriftState | None:
        """After the last look; None before the first."""
        return self._state

    @property
    def size_px(self) -> tuple[int, int]:
        """Width and height of the pictures it looks at."""
        return self._reference.size_px

    @property
    def red_before(self) -> str:
        """As given."""
        return self._begins[1]

    def due(self, at_s: float) -> bool:
        """Whether it is time for another look."""
        return self._state is None or at_s - self._state.at_s >= self._settings.look_every_s - 1e-6

    def feed(self, grey: NDArray[np.uint8], at_s: float) -> DriftState:
        """Look at a picture; one that comes before it is due is not looked at.

        Args:
            grey: uint8 ``(H, W)`` of the reference's size.
            at_s: Its time, on any clock that does not jump.

        Raises:
            CalibrationError: The picture has another size.
        """
        if self._state is not None and not self.due(at_s):
            return self._state
        seen = self._reference.register(grey)
        self._state = (
            self._sure(seen, at_s) if self._can_tell(seen) else self._unsure(seen, grey, at_s)
        )
        return self._state

    def glance(self, grey: NDArray[np.uint8]) -> Glance | None:
        """What one picture says by itself; changes no light.

        For the moment in which something depends on the camera: the light needs several looks.

        Args:
            grey: uint8 ``(H, W)`` of the reference's size.

        Returns:
            None where the picture cannot tell.

        Raises:
            CalibrationError: The picture has another size.
        """
        seen = self._reference.register(grey)
        if not self._can_tell(seen):
            return None
        displaced = self._ratio(self._outlook.effect(seen.rotation), seen) >= 1.0
        return Glance(displaced, matrix3(seen.rotation))

    def _can_tell(self, seen: Registration) -> bool:
        return seen.found and seen.share >= self._settings.sure_share

    def _sure(self, seen: Registration, at_s: float) -> DriftState:
        effect = self._outlook.effect(seen.rotation)
        ratio = self._ratio(effect, seen)
        self._last_sure_s = at_s
        self._unsure_looks = 0
        self._ratios.append(ratio)
        self._clear = self._clear + 1 if ratio < self._settings.clear_below else 0
        light = self._light()
        reason = _words(self._name, light, effect, seen)
        if light == "red" and ratio < self._settings.clear_below:
            reason = f"{self._name} seems to be back in its place; it is watched for a while yet"
        return self._next(light, at_s, reason, (True, ratio >= 1.0), effect, seen)

    def _light(self) -> Light:
        """The light after a look that counted, with hysteresis."""
        before = self._state.light if self._state else self._begins[0]
        ratios = list(self._ratios)
        if len(ratios) < self._settings.looks:
            return before
        if median(ratios[-self._settings.looks :]) >= 1.0:
            return "red"
        if before == "red":
            return "red" if self._clear < self._settings.clear_looks else "green"
        middle = median(ratios[-self._settings.amber_looks :])
        if middle >= self._settings.amber_at and len(ratios) >= self._settings.amber_looks:
            return "amber"
        if before == "amber" and middle >= self._settings.clear_below:
            return "amber"
        return "green"

    def _unsure(self, seen: Registration, grey: NDArray[np.uint8], at_s: float) -> DriftState:
        before = self._state
        if self._last_sure_s is None:
            self._last_sure_s = at_s
        self._unsure_looks += 1
        # Looks may be far apart on a busy device: a single one proves nothing.
        lately = self._unsure_looks >= _FEWEST_UNSURE
        alone_s = at_s - self._last_sure_s if lately else 0.0
        light: Light = before.light if before else self._begins[0]
        first = self._begins[1] or f"{self._name}: not yet seen clearly"
        reason = before.reason if before else first
        lit = float(grey.mean()) >= _DARK_SHARE * self._level
        sighted = lit and seen.asked >= self._reference.tiles / 2
        if sighted and alone_s >= self._settings.unsure_red_s:
            light = "red"
            reason = (
                f"{self._name} does not show what it was calibrated on since {alone_s / 60:.0f} "
                "minutes: it was turned away, swapped or covered. Look at its picture, put it "
                "right, then calibrate it again"
            )
        elif light != "red" and alone_s >= self._settings.unsure_amber_s:
            light = "amber"
            why = "something stands in front of it" if sighted else "it is dark or covered"
            reason = (
                f"{self._name} cannot tell whether it was moved since {alone_s / 60:.0f} minutes: "
                f"{why}. Look at its picture"
            )
        effect = before.effect if before else _NO_EFFECT
        displaced = before.displaced if before else light == "red"
        return self._next(light, at_s, reason, (False, displaced), effect, None)

    def _next(
        self,
        light: Light,
        at_s: float,
        reason: str,
        told: tuple[bool, bool],
        effect: Effect,
        seen: Registration | None,
    ) -> DriftState:
        before = self._state
        same = before is not None and before.light == light
        return DriftState(
            light=light,
            since_s=before.since_s if before is not None and same else at_s,
            at_s=at_s,
            reason=reason,
            sure=told[0],
            displaced=told[1],
            effect=effect,
            turn_deg=seen.turn_deg if seen else before.turn_deg if before else 0.0,
            shift_px=seen.shift_px if seen else before.shift_px if before else (0.0, 0.0),
            rotation=matrix3(seen.rotation) if seen else before.rotation if before else _UNTURNED,
        )

    def _ratio(self, effect: Effect, seen: Registration) -> float:
        """The displacement as a share of what is red."""
        shares = []
        if effect.floor_m is not None:
            shares.append(effect.floor_m / self._settings.red_floor_m)
        if effect.facing_share is not None:
            shares.append(effect.facing_share / self._settings.red_facing_share)
        elif effect.front_m is not None:
            shares.append(effect.front_m / self._settings.red_floor_m)
        # A camera that sees neither floor nor fronts: one degree is a lot anywhere.
        return max(shares) if shares else seen.turn_deg


def _words(name: str, light: Light, effect: Effect, seen: Registration) -> str:
    """What happened, for people who know the shop and not geometry."""
    if light == "green":
        return f"{name} is where it was calibrated"
    parts = []
    if effect.floor_m is not None:
        parts.append(f"positions on the floor are {effect.floor_m * 100:.0f} cm off")
    if effect.facing_share is not None:
        parts.append(
            f"facing {effect.facing} is off by {effect.facing_share * 100:.0f} % of its width"
        )
    elif effect.front_m is not None:
        parts.append(f"its fixtures are {effect.front_m * 100:.0f} cm off")
    what = " and ".join(parts) or f"it turned by {seen.turn_deg:.1f} degrees"
    todo = (
        "Its decisions wait for a person until it is turned back or calibrated again"
        if light == "red"
        else "Turn it back or calibrate it again soon"
    )
    return f"{name} has moved: {what}. {todo}"
