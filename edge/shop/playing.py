"""Where a recording is that a shop plays in real time: it goes on while the device is down.

Owns one small file beside the ledger, with the wall time of the recording's second 0. A device that
was killed and is started again finds the recording where a real shop would be by then, and what
happened meanwhile was seen by nobody.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Final

from edge.cameras.clock import Clock, RecordingStart
from edge.errors import ConfigError

_LOGGER: Final = logging.getLogger(__name__)
_NAME: Final = "playing.json"
_KEY: Final = "second_zero_wall_time_s"


def begin(state: Path, opened_at_s: float, clock: Clock, after_s: float) -> RecordingStart:
    """Second 0 of a recording: soon, or when it was, where the recording is under way.

    Args:
        state: The device's folder.
        opened_at_s: What the shop's clock showed at second 0.
        clock: The device's time.
        after_s: How soon.

    Raises:
        ConfigError: The file is damaged.
    """
    file = state / _NAME
    if file.exists():
        try:
            ago_s = clock.wall_time_s() - float(json.loads(file.read_bytes())[_KEY])
        except (ValueError, KeyError, TypeError) as err:
            raise ConfigError(
                [f"{file} does not say when the recording began; delete it to begin anew"]
            ) from err
        _LOGGER.warning("the recording is under way for %.1f s; joining it there", ago_s)
        return RecordingStart(clock.monotonic_s() - ago_s, opened_at_s)
    state.mkdir(parents=True, exist_ok=True)
    beginning = file.with_suffix(".new")
    beginning.write_text(json.dumps({_KEY: clock.wall_time_s() + after_s}) + "\n", encoding="utf-8")
    beginning.replace(file)
    return RecordingStart(clock.monotonic_s() + after_s, opened_at_s)


def is_under_way(state: Path) -> bool:
    """Whether a recording was begun and has not come to its end."""
    return (state / _NAME).exists()


def end(state: Path) -> None:
    """The recording is over."""
    (state / _NAME).unlink(missing_ok=True)
