"""GStreamer pipelines by template. Pure: words in, words out.

A pipeline here ends in raw I420, the layout that both ``avdec_*`` and Jetson's ``nvvidconv`` give
without a conversion; ``edge.cameras.gstreamer`` appends what carries the frames over. Jetson's
decoder is reached by ``nvv4l2decoder`` and its memory left by ``nvvidconv``.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from edge.errors import CameraSetupError

Codec = Literal["h264", "h265"]
Decoder = Literal["software", "jetson"]

_RAW: Final = ("!", "video/x-raw,format=I420")
# A frame that waits is an old frame: a live pipeline keeps the newest and drops the rest.
_NEWEST: Final = (
    *("!", "queue", "leaky=downstream", "max-size-buffers=2"),
    *("max-size-bytes=0", "max-size-time=0"),
)
_DEMUXERS: Final = {
    ".mp4": "qtdemux",
    ".m4v": "qtdemux",
    ".mov": "qtdemux",
    ".mkv": "matroskademux",
}
_GOOD, _BAD, _BASE = (f"gstreamer1.0-plugins-{kind}" for kind in ("good", "bad", "base"))
_L4T: Final = "nvidia-l4t-gstreamer (a Jetson's own)"
PACKAGE_OF_ELEMENT: Final = {
    "avdec_h264": "gstreamer1.0-libav",
    "avdec_h265": "gstreamer1.0-libav",
    "gdppay": _BAD,
    "h264parse": _BAD,
    "h265parse": _BAD,
    "matroskademux": _GOOD,
    "nvarguscamerasrc": _L4T,
    "nvv4l2decoder": _L4T,
    "nvvidconv": _L4T,
    "qtdemux": _GOOD,
    "rtph264depay": _GOOD,
    "rtph265depay": _GOOD,
    "rtspsrc": _GOOD,
    "v4l2src": _GOOD,
    "videoconvert": _BASE,
    "videotestsrc": _BASE,
}


@dataclass(frozen=True)
class Pipeline:
    """A pipeline in the words of ``gst-launch-1.0``.

    Attributes:
        words: Its words, up to raw I420.
        is_live: ``False`` for a recording, whose end is no fault.
        secrets: Words that must not be shown to anybody.
    """

    words: tuple[str, ...]
    is_live: bool
    secrets: tuple[str, ...] = ()

    def masked(self, text: str) -> str:
        """A text with the secrets in it made unreadable."""
        for secret in self.secrets:
            text = text.replace(secret, "***")
        return text


def rtsp_pipeline(
    url: str,
    *,
    user: str | None = None,
    password: str | None = None,
    codec: Codec = "h264",
    decoder: Decoder = "software",
) -> Pipeline:
    """A network camera over TCP.

    The login is on the child process's command line, where other users of the device can see it:
    use ``kind: rtsp`` on a device that others log in to.

    Args:
        url: Without a login.
        user: ``None`` for a camera that asks for none.
        password: ``None`` for none.
        codec: What the camera sends.
        decoder: Who decodes it.
    """
    login = [f"user-id={user}", f"user-pw={password or ''}"] if user is not None else []
    source = ["rtspsrc", f"location={url}", "protocols=tcp", "latency=200", *login]
    words = [*source, "!", f"rtp{codec}depay", *_decode(codec, decoder), *_NEWEST]
    return Pipeline(tuple(words), is_live=True, secrets=(password,) if password else ())


def file_pipeline(path: Path, *, codec: Codec = "h264", decoder: Decoder = "software") -> Pipeline:
    """A recording with a constant frame rate.

    Args:
        path: MP4, MOV or Matroska.
        codec: What is in it.
        decoder: Who decodes it.

    Raises:
        CameraSetupError: Another container.
    """
    demuxer = _DEMUXERS.get(path.suffix.lower())
    if demuxer is None:
        raise CameraSetupError(
            f"{path}: a GStreamer file is one of {' '.join(_DEMUXERS)}; use kind: file for others"
        )
    words = ["filesrc", f"location={path}", "!", demuxer, *_decode(codec, decoder)]
    return Pipeline(tuple(words), is_live=False)


def csi_pipeline(sensor: int, width_px: int, height_px: int, frames_per_s: float) -> Pipeline:
    """A camera on a Jetson's ribbon connector.

    Args:
        sensor: Its number.
        width_px: Wanted width.
        height_px: Wanted height.
        frames_per_s: Wanted rate, in whole frames.
    """
    caps = (
        f"video/x-raw(memory:NVMM),width={width_px},height={height_px},"
        f"framerate={round(frames_per_s)}/1"
    )
    source = ["nvarguscamerasrc", f"sensor-id={sensor}", "!", caps]
    return Pipeline((*source, "!", "nvvidconv", *_RAW, *_NEWEST), is_live=True)


def custom_pipeline(text: str, is_live: bool) -> Pipeline:
    """A pipeline that a technician wrote, ending in raw video of any format.

    Args:
        text: As ``gst-launch-1.0`` takes it, up to and without a sink.
        is_live: ``False`` for a recording.

    Raises:
        CameraSetupError: Its quotes do not match.
    """
    try:
        words = shlex.split(text)
    except ValueError as err:
        raise CameraSetupError(f"the pipeline {text!r} cannot be read: {err}") from err
    newest = _NEWEST if is_live else ()
    return Pipeline((*words, "!", "videoconvert", *_RAW, *newest), is_live=is_live)


def _decode(codec: Codec, decoder: Decoder) -> list[str]:
    if decoder == "jetson":
        steps = [f"{codec}parse", "nvv4l2decoder", "nvvidconv"]
    else:
        # One thread: each further one would hold back a frame.
        steps = [f"{codec}parse", f"avdec_{codec} max-threads=1", "videoconvert"]
    return [word for step in steps for word in ("!", *step.split())] + list(_RAW)
