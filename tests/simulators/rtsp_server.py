"""A real RTSP server with one H.264 stream, for ``tests.simulators.rtsp`` to run as a process.

Runs under the system's Python, whose ``gi`` the virtual environment does not have. Prints
``ready <port>`` when clients may come, then takes one command a line on standard input:
``pattern NAME`` changes what is shown, ``size W H`` changes the resolution under way.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import threading
from typing import Any, TypeAlias

# What GObject introspection gives has no types that a checker knows.
Untyped: TypeAlias = Any

gi: Any = importlib.import_module("gi")
gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
Gst: Any = importlib.import_module("gi.repository.Gst")
GstRtsp: Any = importlib.import_module("gi.repository.GstRtsp")
GstRtspServer: Any = importlib.import_module("gi.repository.GstRtspServer")
GLib: Any = importlib.import_module("gi.repository.GLib")


def size_caps(width: int, height: int, fps: int) -> str:
    """Caps of the raw picture, as GStreamer writes them."""
    return f"video/x-raw,width={width},height={height},framerate={fps}/1"


def start_camera(options: argparse.Namespace) -> Untyped:
    """Start what the camera sees: it runs all the time, whether anybody watches or not.

    A test picture inside the served pipeline would begin anew for every client that joins, because
    the server can seek in it; through the channel it cannot.
    """
    camera = Gst.parse_launch(
        f"videotestsrc name=source is-live=true pattern={options.pattern} "
        f"! capsfilter name=size caps={size_caps(options.width, options.height, options.fps)} "
        f"! intervideosink channel=camera sync=true"
    )
    camera.set_state(Gst.State.PLAYING)
    return camera


def mount_stream(server: Untyped, options: argparse.Namespace, media: list[Untyped]) -> None:
    """Serve the stream at ``/camera``; every pipeline made for it is appended to ``media``."""
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(
        f"( intervideosrc channel=camera timeout=3600000000000 ! videoscale ! videoconvert "
        f"! video/x-raw,format=I420 "
        f"! capsfilter name=size caps={size_caps(options.width, options.height, options.fps)} "
        f"! x264enc tune=zerolatency speed-preset=ultrafast threads=1 bitrate={options.kbit_s} "
        f"key-int-max={options.gop} ! rtph264pay name=pay0 pt=96 config-interval=-1 )"
    )
    factory.set_shared(True)
    factory.connect("media-configure", lambda _, made: media.append(made.get_element()))
    if options.password:
        require_login(server, factory, options.user, options.password)
    server.get_mount_points().add_factory("/camera", factory)


def require_login(server: Untyped, factory: Untyped, user: str, password: str) -> None:
    """Let in only who knows the password, by the digest method."""
    auth = GstRtspServer.RTSPAuth()
    auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", "viewer")
    auth.add_digest(user, password, token)
    server.set_auth(auth)
    permissions = GstRtspServer.RTSPPermissions()
    permissions.add_permission_for_role("viewer", "media.factory.access", True)
    permissions.add_permission_for_role("viewer", "media.factory.construct", True)
    factory.set_permissions(permissions)


def obey(line: str, camera: Untyped, media: list[Untyped], fps: int) -> None:
    """Do what one command line says."""
    word, *arguments = line.split()
    if word == "pattern":
        Gst.util_set_object_arg(camera.get_by_name("source"), "pattern", arguments[0])
    elif word == "size":
        caps = Gst.Caps.from_string(size_caps(int(arguments[0]), int(arguments[1]), fps))
        for pipeline in media:
            pipeline.get_by_name("size").set_property("caps", caps)
    else:
        raise SystemExit(f"unknown command {line!r}")
    print("done", flush=True)


def main() -> None:
    """Serve until standard input ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--pattern", default="ball")
    parser.add_argument("--width", type=int, default=320)
    parser.add_argument("--height", type=int, default=240)
    parser.add_argument("--fps", type=int, default=15)
    parser.add_argument("--gop", type=int, default=30)
    parser.add_argument("--kbit-s", type=int, default=800)
    parser.add_argument("--user", default="")
    parser.add_argument("--password", default="")
    options = parser.parse_args()

    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(str(options.port))
    camera = start_camera(options)
    media: list[Untyped] = []
    mount_stream(server, options, media)
    if not server.attach(None):
        raise SystemExit(f"port {options.port} is taken")
    loop = GLib.MainLoop()

    def listen() -> None:
        for line in sys.stdin:
            GLib.idle_add(obey, line, camera, media, options.fps)
        GLib.idle_add(loop.quit)

    threading.Thread(target=listen, daemon=True).start()
    print(f"ready {server.get_bound_port()}", flush=True)
    loop.run()


if __name__ == "__main__":
    main()
