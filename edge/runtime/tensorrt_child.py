"""An engine built in a process of its own, while whatever serves goes on serving.

Building takes minutes on a Jetson, uses much memory and can end the process it runs in. So it is a
child, nice, with an end, and its progress is told as it comes. What is built goes to the cache of
engines; the parent reads it from there and believes nothing else.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading

from edge.errors import EmbedderError
from edge.runtime.tensorrt_build import BuildRequest, Tell


def build_in_child(request: BuildRequest, tell: Tell, timeout_s: float) -> str:
    """Build an engine into the cache.

    Args:
        request: What to build.
        tell: Told the phase and how far along it is, in percent.
        timeout_s: Given up after so long.

    Returns:
        How it went, in words.

    Raises:
        EmbedderError: It failed, was killed, or took too long; the message says why.
    """
    command = [sys.executable, "-m", "edge.runtime.tensorrt_build", request.model_dump_json()]
    late = threading.Event()
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:

        def give_up() -> None:
            late.set()
            child.kill()

        timer = threading.Timer(timeout_s, give_up)
        timer.daemon = True
        timer.start()
        try:
            ending = _ending(child, tell)
        finally:
            timer.cancel()
            child.kill()
            code = child.wait()
    if late.is_set():
        raise EmbedderError(
            f"building the engine took longer than {timeout_s:g} s and was given up; allow more "
            "with runtime.build_timeout_s, or build for fewer batches"
        )
    if ending is None:
        raise EmbedderError(
            f"building the engine ended without a word (status {code}): there was not enough "
            "memory, or TensorRT crashed; lower runtime.workspace_mib or add swap"
        )
    if "failed" in ending:
        raise EmbedderError(str(ending["failed"]))
    return f"built {ending['built_bytes'] / 2**20:.1f} MiB in {ending['took_s']} s"


def _ending(child: subprocess.Popen[bytes], tell: Tell) -> dict[str, float] | None:
    for line in child.stdout or ():
        try:
            said = json.loads(line)
        except ValueError:
            continue  # TensorRT itself talks on standard output
        if not isinstance(said, dict):
            continue
        if "phase" in said:
            tell(said["phase"], said["percent"])
        elif "failed" in said or "built_bytes" in said:
            return said
    return None
