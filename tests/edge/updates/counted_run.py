"""``walkout-edge run`` that also writes down, many times a second, what became of its frames.

``python -m tests.edge.updates.counted_run COUNTS.JSONL run STORE.YAML ...``: everything after the
first argument is the device's own command line. Nothing in the product knows of this: whatever
reads a camera is remembered when it is made, and asked by a thread of its own::

    {"at_s": 1793000000.1, "cameras": {"shelf-1": {"grabbed": 7, "taken": 6, "lost": 0}}}

``lost`` are frames that a newer one replaced before anybody looked, that never came, or that had no
picture in them.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from edge.__main__ import main
from edge.cameras.newest import CameraCounters, NewestFrame

_EVERY_S: Final = 0.05


def _counted(counters: CameraCounters) -> dict[str, int]:
    lost = counters.frames_dropped + counters.frames_missed + counters.decode_errors
    return {"grabbed": counters.frames_grabbed, "taken": counters.frames_taken, "lost": lost}


def _write(path: Path, cameras: Sequence[NewestFrame]) -> None:
    with path.open("w", encoding="utf-8", buffering=1) as out:
        while True:
            counts = {each.name: _counted(each.state.counters) for each in cameras}
            out.write(json.dumps({"at_s": time.time(), "cameras": counts}) + "\n")
            time.sleep(_EVERY_S)


if __name__ == "__main__":
    made: list[NewestFrame] = []
    begin = NewestFrame.__init__

    def remember(camera: NewestFrame, *args: object, **kwargs: object) -> None:
        begin(camera, *args, **kwargs)  # type: ignore[arg-type]
        made.append(camera)

    NewestFrame.__init__ = remember  # type: ignore[method-assign,assignment]
    counts = Path(sys.argv.pop(1))
    threading.Thread(target=_write, args=(counts, made), daemon=True).start()
    main()
