"""Rings, steps and gates as an operator types them."""

from __future__ import annotations

from cloud_trainer.errors import WalkoutTrainerError
from cloud_trainer.rollout.course import FailureGate


def rings(texts: list[str]) -> list[tuple[str, tuple[str, ...]]]:
    """Names and devices of rings such as ``canary=dev-1,dev-2``.

    Raises:
        WalkoutTrainerError: One is none.
    """
    found = []
    for text in texts:
        name, separator, devices = text.partition("=")
        names = tuple(part.strip() for part in devices.split(",") if part.strip())
        if not separator or not name.strip() or not names:
            raise WalkoutTrainerError(f"--ring: {text!r} is no ring; write canary=dev-1,dev-2")
        found.append((name.strip(), names))
    return found


def percents(text: str) -> list[float]:
    """Shares such as ``1,10,50,100``.

    Raises:
        WalkoutTrainerError: They are none.
    """
    try:
        return [float(part) for part in text.split(",") if part.strip()]
    except ValueError as err:
        raise WalkoutTrainerError(f"--steps: {text!r} are no shares; write 1,10,50,100") from err


def gate(text: str) -> FailureGate:
    """A gate such as ``start:1:2:abort``.

    Raises:
        WalkoutTrainerError: It does not have those parts.
        ValidationError: A part is not what it should be.
    """
    parts = text.split(":")
    if len(parts) != 4:
        raise WalkoutTrainerError(f"--gate: {text!r} is no gate; write start:1:2:abort")
    kind, percent, count, action = parts
    return FailureGate.model_validate(
        {"kind": kind, "max_percent": percent, "min_failed": count, "action": action}
    )
