"""Draws meshes with OpenGL, without a window on a screen.

Owns the OpenGL context, the shaders, and what was uploaded to it. Which camera looks is ``view``'s
business.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import moderngl
import numpy as np
from numpy.typing import NDArray

from tests.simulators.shop.errors import RenderingUnavailableError
from tests.simulators.shop.meshes import Mesh, Part

Matrix = NDArray[np.float64]

# OpenGL's own numbers for what is called past moderngl.
_SCISSOR_TEST = 0x0C11
_READ_FRAMEBUFFER, _DRAW_FRAMEBUFFER = 0x8CA8, 0x8CA9
_COLOUR_AND_DEPTH, _NEAREST = 0x4100, 0x2600

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
    seen = vec4(min(base * light * shade + vec3(glint * shade), 1.0), 1.0);
}
"""
# For what moves: lit at its vertices, which are close together there, in half the time.
_QUICK_VERTEX = """
#version 330
uniform mat4 view_projection;
uniform mat4 placed;
uniform vec3 colour;
uniform float shininess;
uniform float shade;
uniform vec3 eye;
uniform vec3 lamp_from;
uniform vec3 lamp_colour;
uniform vec3 sky_colour;
uniform vec3 ground_colour;
in vec3 position;
in vec3 normal;
in vec2 uv;
out vec3 light;
out float glint;
out vec2 texel;
void main() {
    vec4 world = placed * vec4(position, 1.0);
    vec3 look = normalize(eye - world.xyz);
    vec3 n = normalize(mat3(placed) * normal);
    if (dot(n, look) < 0.0) n = -n;
    vec3 ambient = mix(ground_colour, sky_colour, 0.5 + 0.5 * n.z);
    light = colour * shade * (ambient + lamp_colour * max(dot(n, lamp_from), 0.0));
    glint = shade * shininess * pow(max(dot(n, normalize(lamp_from + look)), 0.0), 32.0);
    texel = uv;
    gl_Position = view_projection * world;
}
"""
_QUICK_FRAGMENT = """
#version 330
uniform sampler2D skin;
in vec3 light;
in float glint;
in vec2 texel;
out vec4 seen;
void main() {
    seen = vec4(min(texture(skin, texel).rgb * light + glint, 1.0), 1.0);
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
        return np.asarray(corners_of([self])[0])


def corners_of(things: Sequence[Thing]) -> NDArray[np.float64]:
    """Corners of the boxes around things in the shop, shape ``(N, 8, 3)``."""
    if not things:
        return np.zeros((0, 8, 3))
    own = np.stack([thing.mesh.corners_m for thing in things])
    placed = np.stack([thing.placed for thing in things])
    return np.asarray(own @ placed[:, :3, :3].transpose(0, 2, 1) + placed[:, None, :3, 3])


def _context() -> moderngl.Context:
    try:
        # moderngl's annotations take what goes to the backend for one dict.
        return moderngl.create_context(standalone=True, backend="egl")  # type: ignore[arg-type]
    except Exception as err:  # moderngl passes on whatever the system's library raised
        raise RenderingUnavailableError(
            f"there is no OpenGL to draw with ({err}): "
            "apt-get install libegl1 libgl1-mesa-dri libgles2"
        ) from err


def _function(name: str, arguments: int) -> Callable[..., None]:
    """A function of OpenGL that moderngl has no word for; its arguments are whole numbers."""
    address = ctypes.CDLL("libEGL.so.1").eglGetProcAddress
    address.restype, address.argtypes = ctypes.c_void_p, [ctypes.c_char_p]
    kind = ctypes.CFUNCTYPE(None, *[ctypes.c_uint] * arguments)
    return kind(address(name.encode()))


def _uniform(program: moderngl.Program, name: str) -> moderngl.Uniform:
    uniform = program[name]
    assert isinstance(uniform, moderngl.Uniform)
    return uniform


def _set(program: moderngl.Program, name: str, value: float | tuple[float, ...]) -> None:
    _uniform(program, name).value = value


def _write(program: moderngl.Program, name: str, matrix: bytes) -> None:
    _uniform(program, name).write(matrix)


@dataclass(frozen=True)
class _Uploaded:
    solid: moderngl.VertexArray
    quick: moderngl.VertexArray
    skin: moderngl.Texture


class Studio:
    """An OpenGL context with the meshes that were uploaded to it. Close it when done."""

    def __init__(self) -> None:
        self.gl = _context()
        self._bind = _function("glBindFramebuffer", 2)
        self._blit = _function("glBlitFramebuffer", 10)
        self.gl.enable(moderngl.DEPTH_TEST)
        # A view draws its pictures upside down, which turns every face's sense round.
        self.gl.front_face = "cw"
        self.solid = self.gl.program(vertex_shader=_VERTEX, fragment_shader=_FRAGMENT)
        self.quick = self.gl.program(vertex_shader=_QUICK_VERTEX, fragment_shader=_QUICK_FRAGMENT)
        self.blob = self.gl.program(vertex_shader=_VERTEX, fragment_shader=_BLOB_FRAGMENT)
        self._white = self._texture(np.full((1, 1, 3), 255, np.uint8))
        self._solids: dict[int, tuple[Part, _Uploaded]] = {}
        self._blobs: dict[int, tuple[Part, moderngl.VertexArray]] = {}
        self._textures: dict[int, tuple[NDArray[np.uint8], moderngl.Texture]] = {}

    def close(self) -> None:
        """Give the context back."""
        self.gl.release()

    def copy(
        self,
        target: moderngl.Framebuffer,
        source: moderngl.Framebuffer,
        box_px: tuple[int, int, int, int],
    ) -> None:
        """Copy colour and depth of a box, given by left, first row, right and last row."""
        # Without a scissor OpenGL copies memory; with one it draws a picture, ten times slower.
        self.gl.disable_direct(_SCISSOR_TEST)
        self._bind(_READ_FRAMEBUFFER, source.glo)
        self._bind(_DRAW_FRAMEBUFFER, target.glo)
        self._blit(*box_px, *box_px, _COLOUR_AND_DEPTH, _NEAREST)
        target.use()

    def light(self, light: Light, eye_m: NDArray[np.float64], view_projection: Matrix) -> None:
        """Set what all following things are lit and seen by."""
        matrix = view_projection.T.astype("f4").tobytes()
        for program in (self.solid, self.quick):
            _write(program, "view_projection", matrix)
            _set(program, "eye", tuple(float(each) for each in eye_m))
            _set(program, "lamp_from", light.lamp_from)
            _set(program, "lamp_colour", light.lamp)
            _set(program, "sky_colour", light.sky)
            _set(program, "ground_colour", light.ground)
        _write(self.blob, "view_projection", matrix)

    def draw(self, things: Sequence[Thing], *, quick: bool = False) -> None:
        """Draw things into the current framebuffer; spots of shadow after what they lie on.

        Args:
            things: What to draw.
            quick: Lit at their vertices, for what moves; else at each pixel.
        """
        program = self.quick if quick else self.solid
        for thing in things:
            if thing.blob:
                continue
            _write(program, "placed", thing.placed.T.astype("f4").tobytes())
            _set(program, "shade", thing.shade)
            for part in thing.mesh.parts:
                uploaded = self._uploaded(part)
                uploaded.skin.use(0)
                _set(program, "colour", part.colour)
                _set(program, "shininess", part.shininess)
                if part.one_sided:
                    self.gl.enable(moderngl.CULL_FACE)
                (uploaded.quick if quick else uploaded.solid).render()
                self.gl.disable(moderngl.CULL_FACE)
        spots = [thing for thing in things if thing.blob]
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

    def _uploaded(self, part: Part) -> _Uploaded:
        if id(part) not in self._solids:
            rows = np.concatenate([part.positions, part.normals, part.uv], axis=1)
            vertices = self.gl.buffer(rows.astype("f4").tobytes())
            faces = self.gl.buffer(part.faces.astype("i4").tobytes())
            layout = [(vertices, "3f 3f 2f", "position", "normal", "uv")]
            # The part is kept beside its buffers, so that its id stays its own.
            self._solids[id(part)] = (
                part,
                _Uploaded(
                    self.gl.vertex_array(self.solid, layout, faces),
                    self.gl.vertex_array(self.quick, layout, faces),
                    self._skin(part.texture),
                ),
            )
        return self._solids[id(part)][1]

    def _skin(self, texture: NDArray[np.uint8] | None) -> moderngl.Texture:
        if texture is None:
            return self._white
        if id(texture) not in self._textures:
            self._textures[id(texture)] = texture, self._texture(texture)
        return self._textures[id(texture)][1]

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
        # Four bytes a texel are looked up faster than three.
        flipped = np.full((height, width, 4), 255, np.uint8)
        flipped[..., :3] = rgb[::-1]
        texture = self.gl.texture((width, height), 4, flipped.tobytes())
        texture.build_mipmaps()
        texture.filter = moderngl.LINEAR_MIPMAP_NEAREST, moderngl.LINEAR
        return texture
