"""Bodies: how somebody looks as meshes, and how they stand, walk and reach at a moment.

Owns the articulated body and its inverse kinematics (two bones an arm or leg; the trunk leans and
the knees bend as far as the hand needs it). Does not know why a hand goes anywhere (``script``).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from tests.simulators.shop.meshes import (
    Mesh,
    Texture,
    box,
    joined,
    lofted,
    tapered_capsule,
    turned,
)
from tests.simulators.shop.motion import Looks, Person, Vector, hand_at
from tests.simulators.shop.studio import Matrix, Thing

_UPPER_ARM_M = 0.29
_FOREARM_M = 0.26
_PALM_M = 0.055
_THIGH_M = 0.44
_SHIN_M = 0.43
_HIP_M = 0.90
_TRUNK_M = 0.52
_STRIDE_M = 0.68
_UP = np.array([0.0, 0.0, 1.0])


@dataclass(frozen=True, eq=False)
class Posed:
    """Somebody at a moment.

    Attributes:
        things: Their body's meshes in place.
        right_hand_m: Where the right hand grips, shop metres.
    """

    things: tuple[Thing, ...]
    right_hand_m: Vector


class Body:
    """Somebody's meshes, built once."""

    def __init__(self, looks: Looks) -> None:
        self._scale = looks.height_m / 1.75
        scale, girth = self._scale, looks.girth
        cloth = _cloth(looks)
        sleeve = looks.top if looks.sleeves else looks.skin
        sleeve_cloth = cloth if looks.sleeves else None
        rings = [
            (-0.09, 0.0, 0.0),
            (-0.07, 0.13, 0.10),
            (-0.03, 0.165, 0.12),
            (0.12, 0.155, 0.115),
            (0.32, 0.18, 0.12),
            (0.46, 0.185, 0.105),
            (0.52, 0.13, 0.085),
            (0.56, 0.06, 0.06),
            (0.58, 0.0, 0.0),
        ]
        self.trunk = lofted(
            [(z * scale, a * scale * girth, b * scale * girth) for z, a, b in rings],
            (1.0, 1.0, 1.0),
            cloth,
        )
        self.head = joined(
            lofted(_ball(0.083 * scale, 0.098 * scale, 0.12 * scale, -1.0), looks.skin),
            _moved(
                tapered_capsule(0.08, (0.05, 0.05), (0.052, 0.052), looks.skin), (0, 0, -0.16), 0.0
            ),
        )
        self.hair = lofted(_ball(0.09 * scale, 0.108 * scale, 0.128 * scale, 0.05), looks.hair)
        upper = (0.047 * scale * girth, 0.047 * scale * girth)
        elbow, wrist = (0.038 * scale, 0.038 * scale), (0.027 * scale, 0.025 * scale)
        self.upper_arm = tapered_capsule(_UPPER_ARM_M * scale, upper, elbow, (1.0, 1.0, 1.0), cloth)
        sleeve_colour = (1.0, 1.0, 1.0) if sleeve_cloth is not None else sleeve
        self.forearm = tapered_capsule(
            _FOREARM_M * scale, elbow, wrist, sleeve_colour, sleeve_cloth
        )
        self.right_hand = gripping_hand(looks.skin)
        self.left_hand = gripping_hand(looks.skin, -1.0)
        self.thigh = tapered_capsule(
            _THIGH_M * scale, (0.085 * scale * girth, 0.09 * scale * girth), (0.058, 0.06),
            looks.trousers,
        )  # fmt: skip
        self.shin = tapered_capsule(_SHIN_M * scale, (0.058, 0.06), (0.045, 0.045), looks.trousers)
        self.shoe = turned(
            tapered_capsule(0.15, (0.045, 0.04), (0.042, 0.03), looks.shoes),
            np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]]),
        )
        self.bag = None
        if looks.bag is not None:
            handle = tapered_capsule(0.24, (0.008, 0.008), (0.008, 0.008), looks.bag, sides=6)
            self.bag = joined(
                box((-0.07, -0.17, -0.55), (0.07, 0.17, -0.22), looks.bag),
                _moved(handle, (0.0, 0.0, -0.24), 0.0),
            )

    def posed(self, person: Person, now_s: float) -> Posed:
        """How somebody with this body stands at a moment."""
        scale = self._scale
        floor, heading = person.walk.where(now_s), person.walk.heading_at(now_s)
        ahead = np.array([np.cos(heading), np.sin(heading), 0.0])
        right = np.array([np.sin(heading), -np.cos(heading), 0.0])
        walked = person.walk.walked_m(now_s)
        speed = (person.walk.walked_m(now_s + 0.06) - person.walk.walked_m(now_s - 0.06)) / 0.12
        stride = float(np.clip(speed / 1.1, 0, 1))
        phase = walked / _STRIDE_M * np.pi
        swing = ahead * np.sin(phase) * stride
        hands = {
            1: hand_at(person.right_hand, person.walk, now_s) - swing * 0.10,
            -1: hand_at(person.left_hand, person.walk, now_s) + swing * 0.04,
        }
        base = np.array([*floor, 0.0])
        bob = float(np.abs(np.sin(phase))) * stride
        hip, trunk_up = self._leant(base, ahead, right, hands[1], bob)
        things: list[Thing] = []
        things.append(Thing(self.trunk, _frame(hip, right, trunk_up)))
        head_up = _unit(trunk_up + _UP * 1.2)
        neck = hip + trunk_up * (_TRUNK_M + 0.03) * scale
        head = neck + head_up * 0.165 * scale + ahead * 0.015
        things.append(Thing(self.head, _frame(head, right, head_up)))
        things.append(Thing(self.hair, _frame(head - ahead * 0.012, right, head_up)))
        for side in (1, -1):
            shoulder = self._shoulder(hip, trunk_up, right, side)
            things += self._arm(shoulder, hands[side], right * side, ahead, side)
            things += self._leg(hip, base, ahead, right, side, phase, stride)
        if self.bag is not None:
            things.append(Thing(self.bag, _frame(hands[-1], right, _UP)))
        return Posed(tuple(things), hands[1])

    def _shoulder(self, hip: Vector, trunk_up: Vector, right: Vector, side: int) -> Vector:
        return np.asarray(
            hip + trunk_up * (_TRUNK_M - 0.05) * self._scale + right * side * 0.185 * self._scale
        )

    def _leant(
        self, base: Vector, ahead: Vector, right: Vector, hand: Vector, bob: float
    ) -> tuple[Vector, Vector]:
        """Hip and direction of the trunk, leant so that the hand comes into reach."""
        reach = (_UPPER_ARM_M + _FOREARM_M) * self._scale * 0.97 + _PALM_M
        pitch, drop = 0.04, 0.012 * bob
        for _ in range(14):
            trunk_up = ahead * np.sin(pitch) + _UP * np.cos(pitch)
            hip = base + _UP * (_HIP_M * self._scale - drop) - ahead * 0.16 * np.sin(pitch)
            shoulder = self._shoulder(hip, trunk_up, right, 1)
            missing = _length(hand - shoulder) - reach
            if missing <= 0:
                break
            pitch = min(pitch + 0.55 * missing, 1.0)
            if hand[2] < shoulder[2] - 0.25:
                drop = min(drop + 0.45 * missing, 0.42)
        return hip, trunk_up

    def _arm(
        self, shoulder: Vector, hand: Vector, outwards: Vector, ahead: Vector, side: int
    ) -> list[Thing]:
        scale = self._scale
        towards = _unit(hand - shoulder)
        level = _unit(towards * 0.75 + ahead * 0.25) if side == 1 else towards
        wrist = hand - level * _PALM_M
        elbow = _bent(
            shoulder, wrist, _UPPER_ARM_M * scale, _FOREARM_M * scale,
            outwards * 0.5 - _UP - ahead * 0.3,
        )  # fmt: skip
        palm = self.right_hand if side == 1 else self.left_hand
        return [
            Thing(self.upper_arm, _bone(shoulder, elbow, ahead, _UPPER_ARM_M * scale)),
            Thing(self.forearm, _bone(elbow, wrist, _UP, _FOREARM_M * scale)),
            Thing(palm, _bone(wrist, hand, _cross(_UP, level), _PALM_M)),
        ]

    def _leg(
        self, hip: Vector, base: Vector, ahead: Vector, right: Vector, side: int, phase: float,
        stride: float,
    ) -> list[Thing]:  # fmt: skip
        scale = self._scale
        joint = hip + right * side * 0.085 * scale - _UP * 0.02
        swing = phase + (0 if side == 1 else np.pi)
        forth = ahead * 0.26 * np.sin(swing) * stride
        lifted = 0.07 * max(0.0, float(np.cos(swing))) * stride
        ankle = base + right * side * 0.095 + forth + _UP * (0.07 + lifted)
        knee = _bent(joint, ankle, _THIGH_M * scale, _SHIN_M * scale, ahead)
        toes = _unit(ahead - _UP * 0.05)
        shoe = ankle - _UP * 0.035 - toes * 0.03
        return [
            Thing(self.thigh, _bone(joint, knee, right, _THIGH_M * scale)),
            Thing(self.shin, _bone(knee, ankle, right, _SHIN_M * scale)),
            Thing(self.shoe, _frame(shoe, right, _UP)),
        ]


def _cloth(looks: Looks) -> Texture:
    base, second = (np.array(each) * 255 for each in (looks.top, looks.top_print))
    rows, columns = np.mgrid[0:64, 0:64]
    weave = np.random.default_rng(5).normal(0, 5, (64, 64, 1))
    if looks.pattern == "stripes":
        other = (rows // 6) % 2 == 0
    elif looks.pattern == "checks":
        other = ((rows // 8) + (columns // 8)) % 2 == 0
    else:
        other = np.zeros((64, 64), bool)
    cloth = np.where(other[..., None], base * 0.45 + second * 0.55, base) + weave
    return np.clip(cloth, 0, 255).astype(np.uint8)


def gripping_hand(skin: tuple[float, float, float], side: float = 1.0) -> Mesh:
    """A hand gripping along z: the palm behind, fingers on one side, the thumb on the other."""
    palm = tapered_capsule(0.05, (0.034, 0.040), (0.036, 0.042), skin, sides=10)
    solids = [palm]
    for finger in range(4):
        height = (finger - 1.5) * 0.021
        limb = tapered_capsule(0.062, (0.0105, 0.0105), (0.0085, 0.0085), skin, sides=7)
        solids.append(_moved(limb, (0.036 * side, height, 0.055), 0.12 * side))
    thumb = tapered_capsule(0.05, (0.012, 0.012), (0.0095, 0.0095), skin, sides=7)
    solids.append(_moved(thumb, (-0.036 * side, 0.012, 0.045), -0.15 * side))
    return joined(*solids)


def _moved(mesh: Mesh, by_m: tuple[float, float, float], lean: float) -> Mesh:
    turn = np.array([[np.cos(lean), 0, -np.sin(lean)], [0, 1, 0], [np.sin(lean), 0, np.cos(lean)]])
    leant = turned(mesh, turn)
    return Mesh(
        tuple(
            replace(part, positions=part.positions + np.array(by_m, np.float32))
            for part in leant.parts
        )
    )


def _ball(
    half_width: float, half_depth: float, half_height: float, from_share: float
) -> list[tuple[float, float, float]]:
    """Rings of an ellipsoid from a share of its half height to its top."""
    rings = []
    for angle in np.linspace(np.arcsin(from_share), np.pi / 2, 9):
        across = float(np.cos(angle))
        rings.append((half_height * float(np.sin(angle)), half_width * across, half_depth * across))
    return rings


def _bent(start: Vector, end: Vector, first_m: float, second_m: float, pole: Vector) -> Vector:
    """The joint between two bones from start to end, towards a pole (law of cosines)."""
    away = end - start
    length = _length(away)
    along = away / max(length, 1e-6)
    reach = min(length, first_m + second_m - 1e-4)
    share = (first_m**2 - second_m**2 + reach**2) / (2 * max(reach, 1e-6))
    aside = float(np.sqrt(max(first_m**2 - share**2, 0.0)))
    sideways = pole - along * (pole @ along)
    return np.asarray(start + along * share * (length / max(reach, 1e-6)) + _unit(sideways) * aside)


def _unit(vector: Vector) -> Vector:
    return vector / max(_length(vector), 1e-9)


def _length(vector: Vector) -> float:
    x, y, z = vector.tolist()
    return math.sqrt(x * x + y * y + z * z)


def _cross(one: Vector, other: Vector) -> Vector:
    # numpy's own is made for long arrays and takes fifty times as long for one pair.
    a, b, c = one.tolist()
    x, y, z = other.tolist()
    return np.array([b * z - c * y, c * x - a * z, a * y - b * x])


def _frame(origin: Vector, right: Vector, up: Vector) -> Matrix:
    ahead = _unit(_cross(up, right))
    placed = np.eye(4)
    placed[:3, 0], placed[:3, 1], placed[:3, 2] = _unit(_cross(ahead, up)), ahead, up
    placed[:3, 3] = origin
    return placed


def _bone(start: Vector, end: Vector, hint: Vector, length_m: float) -> Matrix:
    along = end - start
    z = _unit(along)
    y = _unit(_cross(z, hint))
    placed = np.eye(4)
    placed[:3, 0], placed[:3, 1] = _cross(y, z), y
    # A limb that is a little too short is stretched rather than torn.
    placed[:3, 2] = z * max(_length(along) / length_m, 1.0)
    placed[:3, 3] = start
    return placed
