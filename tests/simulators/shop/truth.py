"""``truth.json``: what really happened, in the words of the recorded shop. Pure."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from tests.simulators.shop.motion import Person
from tests.simulators.shop.story import Story

_PATH_HZ = 5


def truth(story: Story, seed: int, fps: int) -> dict[str, Any]:
    """The truth of a story as JSON values.

    A shopper's receipt holds what they themselves carried out; a group's is the sum over its
    members.
    """
    checkins = {each.shopper: each for each in story.checkins}
    shoppers = []
    for person in story.people:
        checkin = checkins[person.name]
        path = _path(person)
        shoppers.append(
            {
                "shopper": person.name,
                "checkin_id": checkin.checkin_id,
                "role": checkin.role,
                "group": checkin.group,
                "entered_at_s": path[0][0],
                "left_at_s": path[-1][0],
                "receipt": receipt(story, person.name),
                "path": path,
            }
        )
    return {
        "schema_version": 1,
        "seed": seed,
        "fps": fps,
        "seconds": round(story.seconds, 3),
        "shoppers": shoppers,
        "interactions": [
            {
                "at_s": round(each.at_s, 3),
                "started_at_s": round(each.started_at_s, 3),
                "ended_at_s": round(each.ended_at_s, 3),
                "kind": each.kind,
                "behaviour": each.behaviour,
                "shopper": each.shopper,
                "fixture": each.fixture,
                "facing": each.facing,
                "sku": each.sku,
                "quantity": each.quantity,
                "camera": each.camera,
            }
            for each in story.interactions
        ],
        "stock_at_end": story.stock_at_end,
        "unknown_objects": [
            {
                "object": each.thing,
                "shopper": each.shopper,
                "from_s": round(each.from_s, 3),
                "left_at": each.left_at,
            }
            for each in story.unknown_objects
        ],
    }


def receipt(story: Story, shopper: str) -> list[dict[str, Any]]:
    """What a shopper carried out, by SKU: taken less put back, wherever it was put."""
    counts: Counter[str] = Counter()
    for each in story.interactions:
        if each.shopper == shopper and each.sku is not None:
            if each.kind == "take":
                counts[each.sku] += each.quantity
            elif each.kind == "put_back":
                counts[each.sku] -= each.quantity
    return [
        {"sku": sku, "quantity": quantity} for sku, quantity in sorted(counts.items()) if quantity
    ]


def checkins(story: Story) -> dict[str, Any]:
    """``checkins.json`` as JSON values."""
    return {
        "schema_version": 1,
        "checkins": [
            {
                "checkin_id": each.checkin_id,
                "at_s": round(each.at_s, 3),
                "token": each.token,
                "shopper": each.shopper,
                "role": each.role,
                "group": each.group,
            }
            for each in story.checkins
        ],
    }


def _path(person: Person) -> list[list[float]]:
    """Time, x and y while on the floor, five times a second and when entering and leaving."""
    times = np.arange(np.ceil(person.walk.at_s[0] * 50), np.floor(person.walk.at_s[-1] * 50)) / 50
    inside = [float(each) for each in times if person.walk.where(float(each))[1] >= 0]
    first, last = inside[0], inside[-1]
    steady = np.arange(np.ceil(first * _PATH_HZ), np.floor(last * _PATH_HZ) + 1) / _PATH_HZ
    moments = sorted({round(first, 2), *(round(float(each), 2) for each in steady), round(last, 2)})
    return [[each, *(round(axis, 3) for axis in person.walk.where(each))] for each in moments]
