"""Files that a command will write: whether it can is found out before the work, not after."""

from __future__ import annotations

from pathlib import Path

from cloud_trainer.errors import WalkoutTrainerError


def require_writable(path: Path) -> None:
    """Make the folder of a file to come, and try whether the file can be written.

    Raises:
        WalkoutTrainerError: It cannot.
    """
    if path.is_dir():
        raise WalkoutTrainerError(f"{path} is a folder: name a file in it to write to")
    is_new = not path.exists()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab"):
            pass
        if is_new:
            path.unlink()
    except OSError as err:
        raise WalkoutTrainerError(
            f"cannot write {path} ({err.strerror or err}): choose another place"
        ) from err
