from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from tests.simulators.shop.obj import read_obj

QUAD = """
mtllib quad.mtl
v 0 0 0
v 1 0 0
v 1 1 0
v 0 1 0
vt 0 0
vt 1 0
vt 1 1
vt 0 1
usemtl red
f 1/1 2/2 3/3 4/4
usemtl print
f -4/-4 -3/-3 -2/-2
"""
MATERIALS = "newmtl red\nKd 1 0 0\nnewmtl print\nKd 0 0 0\nmap_Kd -s 1 1 1 dots.png\n"


def _files(**more: bytes) -> dict[str, bytes]:
    picture = io.BytesIO()
    Image.new("RGB", (4, 4), (10, 200, 30)).save(picture, "PNG")
    return {
        "quad.obj": QUAD.encode(),
        "quad.mtl": MATERIALS.encode(),
        "dots.png": picture.getvalue(),
        **more,
    }


def _read(files: dict[str, bytes], name: str) -> bytes:
    if name not in files:
        raise FileNotFoundError(name)
    return files[name]


def test_a_quad_becomes_two_triangles_of_its_material() -> None:
    mesh = read_obj(lambda name: _read(_files(), name), "quad.obj")
    assert mesh is not None
    red, printed = mesh.parts
    assert len(red.faces) == 2
    assert red.colour == (1.0, 0.0, 0.0)
    assert red.texture is None
    assert len(printed.faces) == 1


def test_negative_indices_count_back_from_the_last_vertex() -> None:
    mesh = read_obj(lambda name: _read(_files(), name), "quad.obj")
    assert mesh is not None
    corners = mesh.parts[1].positions[mesh.parts[1].faces[0]]
    np.testing.assert_allclose(corners, [[0, 0, 0], [1, 0, 0], [1, 1, 0]])


def test_a_picture_named_after_options_is_found_and_not_tinted() -> None:
    mesh = read_obj(lambda name: _read(_files(), name), "quad.obj")
    assert mesh is not None
    printed = mesh.parts[1]
    assert printed.texture is not None
    assert tuple(printed.texture[0, 0]) == (10, 200, 30)
    assert printed.colour == (1.0, 1.0, 1.0)


@pytest.mark.parametrize("missing", ["quad.mtl", "dots.png"])
def test_a_model_without_its_materials_is_still_drawn(missing: str) -> None:
    files = _files()
    del files[missing]
    mesh = read_obj(lambda name: _read(files, name), "quad.obj")
    assert mesh is not None
    assert mesh.triangles == 3


def test_a_file_without_triangles_is_no_mesh() -> None:
    files = {"empty.obj": b"v 0 0 0\nv 1 0 0\n"}
    assert read_obj(lambda name: _read(files, name), "empty.obj") is None
