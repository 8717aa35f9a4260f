from __future__ import annotations

import cv2
import numpy as np
import pytest

from tests.simulators.shop.meshes import (
    Mesh,
    box,
    fitted,
    joined,
    lofted,
    recoloured,
    simplified,
    tapered_capsule,
)
from tests.simulators.shop.people import gripping_hand


def _vase() -> Mesh:
    rings = [(z / 40, 0.3 + 0.1 * np.sin(z / 6), 0.2) for z in range(60)]
    return lofted(rings, (0.8, 0.1, 0.1), np.full((8, 8, 3), (200, 30, 30), np.uint8), sides=64)


def test_fitting_gives_the_stated_size_and_stands_the_mesh_on_its_base() -> None:
    mesh = fitted(_vase(), (0.1, 0.2, 0.3))
    low, high = mesh.bounds_m
    np.testing.assert_allclose(high - low, [0.1, 0.2, 0.3], atol=1e-6)
    np.testing.assert_allclose((low + high)[:2], 0, atol=1e-6)
    assert low[2] == pytest.approx(0)


def test_simplifying_keeps_the_shape_and_drops_triangles() -> None:
    whole = fitted(_vase(), (0.2, 0.2, 0.3))
    small = simplified(whole, 1500)
    assert 300 < small.triangles <= 1500 < whole.triangles
    np.testing.assert_allclose(small.size_m, whole.size_m, atol=0.012)


def test_a_small_mesh_is_not_simplified() -> None:
    cube = box((0, 0, 0), (1, 1, 1), (1, 1, 1))
    assert simplified(cube, 100) is cube


def test_recolouring_turns_hues_and_leaves_shape_and_brightness() -> None:
    mesh = _vase()
    other = recoloured(mesh, 120, (1, 1, 1))
    before, after = mesh.parts[0].texture, other.parts[0].texture
    assert before is not None
    assert after is not None
    hue = [int(cv2.cvtColor(each, cv2.COLOR_RGB2HSV)[0, 0, 0]) for each in (before, after)]
    assert (hue[1] - hue[0]) % 180 == pytest.approx(60, abs=1)
    assert before.max() == after.max()
    assert other.parts[0].positions is mesh.parts[0].positions


def test_recolouring_tints_what_has_no_hue() -> None:
    grey = box((0, 0, 0), (1, 1, 1), (0.8, 0.8, 0.8))
    red, green, blue = recoloured(grey, 200, (0.5, 0.7, 1.0)).parts[0].colour
    assert red < green < blue


def test_parts_of_one_colour_are_joined_into_one() -> None:
    skin = (0.8, 0.6, 0.5)
    limbs = [tapered_capsule(0.1, (0.02, 0.02), (0.01, 0.01), skin) for _ in range(3)]
    whole = joined(*limbs, box((0, 0, 0), (1, 1, 1), (0, 0, 1)))
    assert len(whole.parts) == 2
    assert whole.triangles == sum(limb.triangles for limb in limbs) + 12
    for part in whole.parts:
        assert part.faces.max() == len(part.positions) - 1


def test_normals_of_a_solid_point_outwards() -> None:
    limb = tapered_capsule(0.3, (0.05, 0.05), (0.05, 0.05), (1, 1, 1)).parts[0]
    outwards = limb.positions[:, :2] / 0.05
    wide = np.linalg.norm(outwards, axis=1) > 0.99
    assert wide.sum() >= 2 * 14
    assert (outwards[wide] * limb.normals[wide][:, :2]).sum(axis=1).min() > 0.98


def test_faces_that_are_seen_from_one_side_only_turn_it_outwards() -> None:
    for solid in (
        tapered_capsule(0.3, (0.05, 0.04), (0.03, 0.02), (1, 1, 1)),
        gripping_hand((1, 1, 1)),
    ):
        for part in solid.parts:
            assert part.one_sided
            corners = part.positions[part.faces].astype(float)
            across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
            area = np.linalg.norm(across, axis=1)
            towards = (across * part.normals[part.faces].mean(axis=1)).sum(axis=1)
            assert (towards[area > 1e-9] > 0).all()
