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


def test_normals_of_a_solid_point_outwards_or_at_least_along_its_surface() -> None:
    limb = tapered_capsule(0.3, (0.05, 0.05), (0.05, 0.05), (1, 1, 1)).parts[0]
    middle = (limb.positions[:, 2] > 0.1) & (limb.positions[:, 2] < 0.2)
    outwards = limb.positions[middle][:, :2] / 0.05
    along = (outwards * limb.normals[middle][:, :2]).sum(axis=1)
    assert np.abs(along).min() > 0.99
