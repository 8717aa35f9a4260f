"""Draws meshes with OpenGL, without a window on a screen.

Owns the OpenGL context, the shaders, and what was uploaded to it. Which camera looks is ``view``'s
business.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import moderngl
import numpy as np
from numpy.typing import NDArray

from tests.simulators.shop.errors import RenderingUnavailableError
from tests.simulators.shop.meshes import Mesh, Part

Matrix = NDArray[np.float64]

_VERTEX = """
#version 330
uniform mat4 view_projection;
uniform mat4 placed;
in vec3 position;
in vec3 normal;
in vec2 uv;
out vec3 at;
out vec3 facing;
out vec2 texel;
void main() {
    vec4 world = placed * vec4(position, 1.0);
    at = world.xyz;
    facing = mat3(placed) * normal;
    texel = uv;
    gl_Position = view_projection * world;
}
"""
_FRAGMENT = """
#version 330
uniform sampler2D skin;
uniform vec3 colour;
uniform float shininess;
uniform float shade;
uniform float alpha;
uniform vec3 eye;
uniform vec3 lamp_from;
uniform vec3 lamp_colour;
uniform vec3 sky_colour;
uniform vec3 ground_colour;
in vec3 at;
in vec3 facing;
in vec2 texel;
out vec4 seen;
void main() {
    vec3 base = texture(skin, texel).rgb * colour;
    vec3 look = normalize(eye - at);
    vec3 n = normalize(facing);
    if (dot(n, look) < 0.0) n = -n;
    float lamp = max(dot(n, lamp_from), 0.0);
    vec3 ambient = mix(ground_colour, sky_colour, 0.5 + 0.5 * n.z);
    float mirror = max(dot(n, normalize(lamp_from + look)), 0.0);
    mirror *= mirror; mirror *= mirror; mirror *= mirror; mirror *= mirror; mirror *= mirror;
    float glint = mirror * shininess;
    vec3 light = ambient + lamp_colour * lamp;
    seen = vec4(min(base * light * shade + vec3(glint * shade), 1.0), alpha);
}
"""
_BLOB_FRAGMENT = """
#version 330
uniform float alpha;
in vec3 at;
in vec3 facing;
in vec2 texel;
out vec4 seen;
void main() {
    vec2 off = texel * 2.0 - 1.0;
    float soft = clamp(1.0 - dot(off, off), 0.0, 1.0);
    seen = vec4(0.0, 0.0, 0.0, alpha * soft);
}
"""


@dataclass(frozen=True)
class Light:
    """The light of a scene.

    Attributes:
        lamp_from: Direction towards the lamp, unit length.
        lamp: Its colour and strength.
        sky: Light from above.
        ground: Light from below.
    """

    lamp_from: tuple[float, float, float] = (-0.12, -0.35, 0.929)
    lamp: tuple[float, float, float] = (0.46, 0.45, 0.43)
    sky: tuple[float, float, float] = (0.60, 0.61, 0.63)
    ground: tuple[float, float, float] = (0.46, 0.45, 0.43)


@dataclass(frozen=True, eq=False)
class Thing:
    """A mesh at a place.

    Attributes:
        mesh: What.
        placed: float64 ``(4, 4)``, the mesh's frame to the shop's; rigid.
        shade: How much light reaches it, 0 to 1.
        blob: Drawn as a soft dark spot of strength ``shade``: a contact shadow.
    """

    mesh: Mesh
    placed: Matrix
    shade: float = 1.0
    blob: bool = False

    @property
    def corners_m(self) -> NDArray[np.float64]:
        """Corners of the box around it in the shop, shape ``(8, 3)``."""
        return np.asarray(self.mesh.corners_m @ self.placed[:3, :3].T + self.placed[:3, 3])


def _context() -> moderngl.Context:
    try:
        # moderngl's annotations take what goes to the backend for one dict.
        return moderngl.create_context(standalone=True, backend="egl")  # type: ignore[arg-type]
    except Exception as err:  # moderngl passes on whatever the system's library raised
        raise RenderingUnavailableError(
            f"there is no OpenGL to draw with ({err}): "
            "apt-get install libegl1 libgl1-mesa-dri libgles2"
        ) from err


def _uniform(program: moderngl.Program, name: str) -> moderngl.Uniform:
    uniform = program[name]
    assert isinstance(uniform, moderngl.Uniform)
    return uniform


def _set(program: moderngl.Program, name: str, value: float | tuple[float, ...]) -> None:
    _uniform(program, name).value = value


def _write(program: moderngl.Program, name: str, matrix: bytes) -> None:
    _uniform(program, name).write(matrix)


class Studio:
    """An OpenGL context with the meshes that were uploaded to it. Close it when done."""

    def __init__(self) -> None:
        self.gl = _context()
        self.gl.enable(moderngl.DEPTH_TEST)
        self.solid = self.gl.program(vertex_shader=_VERTEX, fragment_shader=_FRAGMENT)
        self.blob = self.gl.program(vertex_shader=_VERTEX, fragment_shader=_BLOB_FRAGMENT)
        self._white = self._texture(np.full((1, 1, 3), 255, np.uint8))
        self._solids: dict[int, tuple[Part, moderngl.VertexArray, moderngl.Texture]] = {}
        self._blobs: dict[int, tuple[Part, moderngl.VertexArray]] = {}
        self._textures: dict[int, tuple[NDArray[np.uint8], moderngl.Texture]] = {}

    def close(self) -> None:
        """Give the context back."""
        self.gl.release()

    def light(self, light: Light, eye_m: NDArray[np.float64], view_projection: Matrix) -> None:
        """Set what all following things are lit and seen by."""
        matrix = view_projection.T.astype("f4").tobytes()
        _write(self.solid, "view_projection", matrix)
        _write(self.blob, "view_projection", matrix)
        _set(self.solid, "eye", tuple(float(each) for each in eye_m))
        _set(self.solid, "lamp_from", light.lamp_from)
        _set(self.solid, "lamp_colour", light.lamp)
        _set(self.solid, "sky_colour", light.sky)
        _set(self.solid, "ground_colour", light.ground)
        _set(self.solid, "alpha", 1.0)

    def draw(self, things: Iterable[Thing]) -> None:
        """Draw things into the current framebuffer; spots of shadow after what they lie on."""
        spots = []
        for thing in things:
            if thing.blob:
                spots.append(thing)
                continue
            _write(self.solid, "placed", thing.placed.T.astype("f4").tobytes())
            _set(self.solid, "shade", thing.shade)
            for part in thing.mesh.parts:
                vertices, skin = self._uploaded(part)
                skin.use(0)
                _set(self.solid, "colour", part.colour)
                _set(self.solid, "shininess", part.shininess)
                vertices.render()
        if not spots:
            return
        self.gl.enable(moderngl.BLEND)
        self.gl.blend_func = moderngl.SRC_ALPHA, moderngl.ONE_MINUS_SRC_ALPHA
        self.gl.fbo.depth_mask = False
        for spot in spots:
            _write(self.blob, "placed", spot.placed.T.astype("f4").tobytes())
            _set(self.blob, "alpha", spot.shade)
            for part in spot.mesh.parts:
                self._uploaded_blob(part).render()
        self.gl.fbo.depth_mask = True
        self.gl.disable(moderngl.BLEND)

    def _uploaded(self, part: Part) -> tuple[moderngl.VertexArray, moderngl.Texture]:
        if id(part) not in self._solids:
            skin = self._white
            if part.texture is not None:
                if id(part.texture) not in self._textures:
                    self._textures[id(part.texture)] = part.texture, self._texture(part.texture)
                skin = self._textures[id(part.texture)][1]
            rows = np.concatenate([part.positions, part.normals, part.uv], axis=1)
            vertices = self.gl.vertex_array(
                self.solid,
                [
                    (
                        self.gl.buffer(rows.astype("f4").tobytes()),
                        "3f 3f 2f",
                        "position",
                        "normal",
                        "uv",
                    )
                ],
                self.gl.buffer(part.faces.astype("i4").tobytes()),
            )
            # The part is kept beside its buffers, so that its id stays its own.
            self._solids[id(part)] = part, vertices, skin
        _, vertices, skin = self._solids[id(part)]
        return vertices, skin

    def _uploaded_blob(self, part: Part) -> moderngl.VertexArray:
        if id(part) not in self._blobs:
            rows = np.concatenate([part.positions, part.uv], axis=1).astype("f4")
            vertices = self.gl.vertex_array(
                self.blob,
                [(self.gl.buffer(rows.tobytes()), "3f 2f", "position", "uv")],
                self.gl.buffer(part.faces.astype("i4").tobytes()),
            )
            self._blobs[id(part)] = part, vertices
        return self._blobs[id(part)][1]

    def _texture(self, rgb: NDArray[np.uint8]) -> moderngl.Texture:
        height, width = rgb.shape[:2]
        flipped = np.ascontiguousarray(rgb[::-1])
        texture = self.gl.texture((width, height), 3, flipped.tobytes(), alignment=1)
        texture.build_mipmaps()
        texture.filter = moderngl.LINEAR_MIPMAP_NEAREST, moderngl.LINEAR
        return texture
