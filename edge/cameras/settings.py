"""What a camera is told by the shop's configuration, and the camera made of it.

Owns the closed models behind ``cameras:`` of ``store.yaml``, one for each ``kind``. A password
belongs into the environment or into ``password``; one inside a URL is moved out of it at once, and
none is shown by ``repr``, in an error or in a dump.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from edge.cameras.address import without_login
from edge.cameras.base import CameraSource
from edge.cameras.clock import Clock, RecordingStart
from edge.cameras.file import FileCamera, Pace
from edge.cameras.gstreamer import GstreamerCamera
from edge.cameras.newest import Watch
from edge.cameras.pipelines import (
    Codec,
    Decoder,
    Pipeline,
    csi_pipeline,
    custom_pipeline,
    file_pipeline,
    rtsp_pipeline,
)
from edge.cameras.rtsp import Patience, RtspCamera
from edge.cameras.usb import UsbCamera

Seconds = Annotated[float, Field(gt=0)]
SizePx = Annotated[int, Field(ge=16, le=16384)]
Rate = Annotated[float, Field(gt=0, le=240)]


class _Watched(BaseModel):
    """What every kind of camera has.

    Attributes:
        stall_after_s: Without a frame for longer, it is stalled.
        frozen_after_s: Without any change in its picture for longer, it is frozen; ``null`` never
            looks.
        idle_fps: Pictures a second while nothing moves.
        reconnect_first_s: Longest wait before the first new attempt.
        reconnect_longest_s: Longest wait before any.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, hide_input_in_errors=True
    )

    stall_after_s: Seconds = 3.0
    frozen_after_s: Seconds | None = 60.0
    idle_fps: Rate = 5.0
    reconnect_first_s: Seconds = 0.5
    reconnect_longest_s: Seconds = 30.0

    @property
    def watch(self) -> Watch:
        """When the camera counts as sick."""
        return Watch(
            stall_after_s=self.stall_after_s,
            frozen_after_s=self.frozen_after_s,
            idle_frames_per_s=self.idle_fps,
            first_wait_s=self.reconnect_first_s,
            longest_wait_s=self.reconnect_longest_s,
        )


class _WithLogin(_Watched):
    """A camera that may ask who comes.

    Attributes:
        username: ``null`` for a camera that asks for none.
        password: ``null`` for none.
    """

    username: str | None = None
    password: SecretStr | None = None

    @property
    def secret(self) -> str | None:
        """The password, to be used and not shown."""
        return self.password.get_secret_value() if self.password else None


class FileSettings(_Watched):
    """A video file.

    Attributes:
        path: The video, relative to the shop's folder.
        pace: ``real_time``, or ``as_fast_as_possible`` for a replay.
        loop: Begin again at the end.
        decoder_threads: Threads that decode.
        frozen_after_s: A recording does not freeze; not looked for unless asked.
    """

    kind: Literal["file"] = "file"
    path: Path
    pace: Pace = "real_time"
    loop: bool = False
    decoder_threads: Annotated[int, Field(ge=1, le=16)] = 1
    frozen_after_s: Seconds | None = None


class RtspSettings(_WithLogin):
    """A network camera.

    Attributes:
        url: ``rtsp://`` or ``rtsps://``.
        open_timeout_s: Until it answers.
        read_timeout_s: Between two frames.
        key_frame_timeout_s: Until the first frame that can be decoded.
    """

    kind: Literal["rtsp"] = "rtsp"
    url: str = Field(pattern=r"^rtsps?://[^@/\s]+(/\S*)?$")
    open_timeout_s: Seconds = 5.0
    read_timeout_s: Seconds = 3.0
    key_frame_timeout_s: Seconds = 20.0

    @model_validator(mode="before")
    @classmethod
    def _login_out_of_url(cls, values: Any) -> Any:  # noqa: ANN401 -- whatever was written
        return _move_login(values, "url")


class UsbSettings(_Watched):
    """A Video4Linux device.

    Attributes:
        device: Its number or its ``/dev`` path.
        width_px: Wanted width.
        height_px: Wanted height.
        fps: Wanted rate.
        pixel_format: Four characters, as ``v4l2-ctl --list-formats`` shows them.
    """

    kind: Literal["usb"] = "usb"
    device: Annotated[int, Field(ge=0)] | Annotated[str, Field(pattern=r"^/dev/\S+$")]
    width_px: SizePx = 1280
    height_px: SizePx = 720
    fps: Rate = 15.0
    pixel_format: str = Field("MJPG", pattern=r"^[\x20-\x7e]{4}$")


class GstreamerSettings(_WithLogin):
    """A GStreamer pipeline.

    Attributes:
        template: ``rtsp`` (needs ``url``), ``file`` (``path``), ``csi`` (``sensor``) or ``custom``
            (``pipeline``).
        decoder: ``software``, or ``jetson`` for ``nvv4l2decoder``.
        codec: What the camera sends or the file has.
        url: ``rtsp://`` without a login.
        path: MP4, MOV or Matroska, relative to the shop's folder.
        sensor: Number of a Jetson's ribbon camera.
        width_px: Wanted width of a ribbon camera.
        height_px: Wanted height of a ribbon camera.
        fps: Wanted rate of a ribbon camera.
        pipeline: As ``gst-launch-1.0`` takes it, ending in raw video, without a sink.
        live: Whether a custom pipeline is a camera, not a recording.
        pace: Of a recording.
        open_timeout_s: Until the first frame.
        read_timeout_s: Between two frames.
    """

    kind: Literal["gstreamer"] = "gstreamer"
    template: Literal["rtsp", "file", "csi", "custom"]
    decoder: Decoder = "software"
    codec: Codec = "h264"
    url: str | None = Field(None, pattern=r"^rtsps?://[^@/\s]+(/\S*)?$")
    path: Path | None = None
    sensor: Annotated[int, Field(ge=0)] | None = None
    width_px: SizePx = 1280
    height_px: SizePx = 720
    fps: Rate = 15.0
    pipeline: str | None = None
    live: bool = True
    pace: Pace = "real_time"
    open_timeout_s: Seconds = 20.0
    read_timeout_s: Seconds = 3.0

    @model_validator(mode="before")
    @classmethod
    def _login_out_of_url(cls, values: Any) -> Any:  # noqa: ANN401 -- whatever was written
        return _move_login(values, "url")

    @model_validator(mode="after")
    def _has_what_its_template_needs(self) -> GstreamerSettings:
        needs = {"rtsp": "url", "file": "path", "csi": "sensor", "custom": "pipeline"}
        for template, field in needs.items():
            given = getattr(self, field) is not None
            if given != (template == self.template):
                verb = "needs" if template == self.template else "takes no"
                raise ValueError(f"template {self.template} {verb} {field}")
        return self

    def make_pipeline(self, folder: Path) -> Pipeline:
        """The pipeline these settings describe.

        Args:
            folder: What ``path`` is relative to.

        Raises:
            CameraSetupError: It cannot be made.
        """
        if self.url is not None:
            return rtsp_pipeline(
                self.url,
                user=self.username,
                password=self.secret,
                codec=self.codec,
                decoder=self.decoder,
            )
        if self.path is not None:
            return file_pipeline(folder / self.path, codec=self.codec, decoder=self.decoder)
        if self.sensor is not None:
            return csi_pipeline(self.sensor, self.width_px, self.height_px, self.fps)
        return custom_pipeline(self.pipeline or "", self.live)


CameraSettings = Annotated[
    FileSettings | RtspSettings | UsbSettings | GstreamerSettings, Field(discriminator="kind")
]


def open_camera(
    name: str,
    settings: CameraSettings,
    clock: Clock,
    *,
    folder: Path = Path(),
    start: RecordingStart | None = None,
) -> CameraSource:
    """The camera that settings describe, not connected yet: ``CameraSource.open`` does that.

    Args:
        name: Name of the camera.
        settings: What it is.
        clock: What frames are stamped and paced with.
        folder: What paths in the settings are relative to.
        start: When the recording's second 0 is played, the same for all cameras of a shop; now,
            when left out.

    Raises:
        CameraSetupError: The settings describe no camera that can be.
    """
    start = start or RecordingStart(clock.monotonic_s(), clock.wall_time_s())
    if isinstance(settings, FileSettings):
        return FileCamera(
            name,
            folder / settings.path,
            clock,
            start,
            pace=settings.pace,
            loop=settings.loop,
            decoder_threads=settings.decoder_threads,
        )
    if isinstance(settings, RtspSettings):
        patience = Patience(
            settings.open_timeout_s, settings.read_timeout_s, settings.key_frame_timeout_s
        )
        return RtspCamera(
            name,
            settings.url,
            clock,
            user=settings.username,
            password=settings.secret,
            patience=patience,
        )
    if isinstance(settings, UsbSettings):
        device = settings.device if isinstance(settings.device, int) else Path(settings.device)
        return UsbCamera(
            name,
            device,
            clock,
            width_px=settings.width_px,
            height_px=settings.height_px,
            frames_per_s=settings.fps,
            pixel_format=settings.pixel_format,
        )
    return GstreamerCamera(
        name,
        settings.make_pipeline(folder),
        clock,
        start,
        open_timeout_s=settings.open_timeout_s,
        read_timeout_s=settings.read_timeout_s,
        real_time=settings.pace == "real_time",
    )


def _move_login(values: Any, field: str) -> Any:  # noqa: ANN401 -- whatever was written
    """Take a login out of a URL, so that the URL can be shown."""
    url = values.get(field) if isinstance(values, dict) else None
    if not isinstance(url, str):
        return values
    bare, user, password = without_login(url)
    moved = {**values, field: bare}
    if user is not None:
        moved["username"] = user
    if password is not None:
        moved["password"] = password
    return moved
