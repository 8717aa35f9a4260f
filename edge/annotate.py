"""Pictures with what was recognised in them, readable at the size of a telephone.

Owns colours, sizes and places of the words; the words come from the recognition. Text is drawn
with OpenCV's own outline font, which knows the letters of European product names.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.errors import SourceError
from edge.events import Recognition
from edge.recognise import Result
from models.photos import read_photo

Image = NDArray[np.uint8]

COLOUR_BGR: Final = {"accept": (60, 150, 40), "review": (0, 130, 230), "reject": (60, 60, 200)}
WORDS: Final = {"accept": "accepted", "review": "for review", "reject": "not a known product"}
_SHOWN_SIDE_PX: Final = 1280
_TEXT_SHARE: Final = 1 / 18
_SMALLEST_TEXT_PX: Final = 14
_WEIGHT: Final = 550
_CANDIDATES: Final = 3
_WHITE: Final = (255, 255, 255)
_DARK: Final = (32, 32, 32)


def lines_of(recognition: Recognition, names: dict[str, str]) -> tuple[str, tuple[str, ...]]:
    """The words on a picture: a headline, and the nearest candidates with their distances.

    Args:
        recognition: What was recognised.
        names: Names of products by SKU.
    """
    decision = recognition.decision
    headline = WORDS[decision.outcome]
    if decision.sku is not None:
        headline = f"{recognition.product_name or decision.sku}: {headline}"
    return headline, tuple(
        f"{candidate.distance:.3f}  {names.get(candidate.sku, candidate.sku)}"
        for candidate in decision.candidates[:_CANDIDATES]
    )


def annotate(picture: Image, recognition: Recognition, names: dict[str, str]) -> Image:
    """A copy of a picture with the decision drawn in.

    Args:
        picture: uint8 ``(H, W, 3)`` BGR; large ones come back smaller, small ones larger.
        recognition: What was recognised in it.
        names: Names of products by SKU.

    Returns:
        uint8 BGR, its longer side 1280 pixels.
    """
    scale = _SHOWN_SIDE_PX / max(picture.shape[:2])
    size = (max(2, round(picture.shape[1] * scale)), max(2, round(picture.shape[0] * scale)))
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    canvas: Image = np.asarray(cv2.resize(picture, size, interpolation=way), np.uint8)
    colour = COLOUR_BGR[recognition.decision.outcome]
    headline, candidates = lines_of(recognition, names)
    text_px = max(_SMALLEST_TEXT_PX, round(min(canvas.shape[:2]) * _TEXT_SHARE))
    cv2.rectangle(canvas, (0, 0), (size[0] - 1, size[1] - 1), colour, max(4, text_px // 4))
    _write(canvas, [headline], 0, text_px, colour)
    small_px = max(_SMALLEST_TEXT_PX, round(text_px * 0.7))
    top = size[1] - _line_px(small_px) * len(candidates)
    _write(canvas, candidates, top, small_px, _DARK)
    return canvas


def annotate_result(result: Result, out: Path, names: dict[str, str]) -> tuple[Path, ...]:
    """Write the pictures of a photo result, annotated, below the folder ``out``.

    Args:
        result: A result from photos.
        out: Folder; made when it does not exist.
        names: Names of products by SKU.

    Returns:
        The files written, ``<name>.annotated.jpg`` each.

    Raises:
        SourceError: A picture cannot be written.
    """
    written = []
    for file, shown_as in zip(result.files, result.shown_as, strict=True):
        target = out / shown_as.with_name(f"{shown_as.name}.annotated.jpg")
        target.parent.mkdir(parents=True, exist_ok=True)
        picture = annotate(read_photo(file), result.recognition, names)
        target.write_bytes(cv2.imencode(".jpg", picture)[1].tobytes())
        written.append(target)
    return tuple(written)


def annotate_video(results: Sequence[Result], out: Path, names: dict[str, str]) -> Path:
    """Write a video with the decision drawn into every frame.

    A frame shows the window that ends at it or was the last to end before; frames ahead of the
    first window show the first.

    Args:
        results: All results of one video, in order; at least one.
        out: Folder; made when it does not exist.
        names: Names of products by SKU.

    Returns:
        The file written, ``<name>.annotated.mp4``.

    Raises:
        SourceError: The video cannot be read again, or not be written.
    """
    source = results[0].files[0]
    target = out / results[0].shown_as[0].with_name(f"{source.name}.annotated.mp4")
    target.parent.mkdir(parents=True, exist_ok=True)
    capture = cv2.VideoCapture(str(source))
    fps = capture.get(cv2.CAP_PROP_FPS)
    writer: cv2.VideoWriter | None = None
    number = shown = 0
    try:
        while True:
            decoded, frame = capture.read()
            if not decoded:
                break
            while shown + 1 < len(results) and _ends_at(results[shown + 1]) <= number:
                shown += 1
            drawn = annotate(np.asarray(frame, np.uint8), results[shown].recognition, names)
            # Encoders want even sides.
            drawn = drawn[: drawn.shape[0] // 2 * 2, : drawn.shape[1] // 2 * 2]
            if writer is None:
                writer = _writer(target, fps, drawn)
            writer.write(drawn)
            number += 1
    finally:
        capture.release()
        if writer is not None:
            writer.release()
    if writer is None:
        raise SourceError(f"{source} could not be read a second time to annotate it")
    return target


def _writer(target: Path, fps: float, frame: Image) -> cv2.VideoWriter:
    rate = fps if 1 <= fps <= 1000 else 25.0
    size = (frame.shape[1], frame.shape[0])
    writer = cv2.VideoWriter(str(target), cv2.VideoWriter.fourcc(*"mp4v"), rate, size)
    if not writer.isOpened():
        raise SourceError(f"{target} cannot be written as a video; is the folder writable?")
    return writer


def _ends_at(result: Result) -> int:
    return result.frames[1] if result.frames else 0


def _line_px(text_px: int) -> int:
    return round(text_px * 1.5)


def _write(
    canvas: Image, lines: Sequence[str], top: int, text_px: int, background: tuple[int, int, int]
) -> None:
    """Write lines, each on a bar of ``background``, from ``top`` downwards."""
    font = cv2.FontFace("sans")
    pad = text_px // 3
    width = canvas.shape[1]
    for row, line in enumerate(lines):
        shown = _fitted(line, font, text_px, width - 2 * pad)
        box = cv2.getTextSize((0, 0), shown, (0, 0), font, text_px, _WEIGHT)
        bar_top = top + row * _line_px(text_px)
        right = min(width, box[2] + 2 * pad)
        cv2.rectangle(canvas, (0, bar_top), (right, bar_top + _line_px(text_px)), background, -1)
        baseline = bar_top + round(text_px * 1.1)
        cv2.putText(canvas, shown, (pad, baseline), _WHITE, font, text_px, _WEIGHT)


def _fitted(line: str, font: cv2.FontFace, text_px: int, width_px: int) -> str:
    """The line, cut with an ellipsis where it is wider than the picture."""
    shown = line
    while len(shown) > 1 and cv2.getTextSize((0, 0), shown, (0, 0), font, text_px)[2] > width_px:
        shown = f"{shown[:-2].rstrip('….')}…"
    return shown
