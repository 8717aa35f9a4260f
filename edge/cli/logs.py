"""How the device's log looks: lines for people, or one JSON object a line."""

from __future__ import annotations

import json
import logging
import sys
from datetime import datetime, timezone


class JsonLines(logging.Formatter):
    """A log record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """The record with its time in UTC, its trace and its traceback where there is one."""
        at = datetime.fromtimestamp(record.created, timezone.utc)
        line = {
            "at": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "worker": record.threadName,
            "message": record.getMessage(),
        }
        trace = getattr(record, "trace", None)
        if trace is not None:
            line["trace"] = trace
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def log_to_stderr(as_json: bool) -> None:
    """Send the device's log to stderr, everything from ``info`` on.

    Args:
        as_json: One JSON object a line.
    """
    handler = logging.StreamHandler(sys.stderr)
    people = logging.Formatter("%(asctime)s %(levelname)s %(threadName)s: %(message)s")
    handler.setFormatter(JsonLines() if as_json else people)
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
