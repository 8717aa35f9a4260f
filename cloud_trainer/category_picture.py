"""Draws proposed categories: the tree of looks above, one block of thumbnails a category below.

Owns the picture alone; what is in it comes from ``cloud_trainer.categories``.
"""

from __future__ import annotations

import colorsys
import textwrap
import warnings
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.cluster.hierarchy import dendrogram

from cloud_trainer.categories import Suggestion
from models.photos import read_photo

PICTURE_SUFFIXES: Final = (".png", ".pdf", ".svg")
_DPI: Final = 100
_WIDTH_PX: Final = 1600
_TREE_PX: Final = 520
_TREE_TOP_PX: Final = 40
_LEAF_NAMES_PX: Final = 200
_HEADING_PX: Final = 44
_COLUMNS: Final = 10
_CELL_PX: Final = 150
_THUMBNAIL_PX: Final = 112
_MARGIN_PX: Final = 50
_SHOWN_PER_CATEGORY: Final = 60
_NAMED_LEAVES: Final = 150
_LETTERS_PER_LINE: Final = 20
_GREY: Final = "#8a94a1"
_GOLDEN_ANGLE: Final = 0.381966  # of a turn: neighbouring categories get unlike colours


def draw_categories(path: Path, suggestion: Suggestion) -> None:
    """Write the picture of a suggestion, in the format of its suffix: PNG, PDF or SVG.

    Raises:
        OSError: The file cannot be written.
        PhotoError: A typical photo cannot be read any more.
    """
    groups = suggestion.by_category
    heights_px = [_block_height_px(len(skus)) for skus in groups.values()]
    height_px = _TREE_PX + sum(heights_px) + _MARGIN_PX
    figure = Figure(figsize=(_WIDTH_PX / _DPI, height_px / _DPI), dpi=_DPI, facecolor="white")
    FigureCanvasAgg(figure)
    _draw_tree(figure, height_px, suggestion)
    blocks = figure.add_axes((0, 0, 1, 1), frameon=False)
    blocks.set_axis_off()
    blocks.set_xlim(0, _WIDTH_PX)
    blocks.set_ylim(height_px, 0)
    top_px = float(_TREE_PX)
    for (category, skus), block_px in zip(groups.items(), heights_px, strict=True):
        _draw_block(blocks, top_px, category, skus, suggestion)
        top_px += block_px
    with warnings.catch_warnings():
        # SKUs may be in any script; letters that no font has are drawn as boxes.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.savefig(path, dpi=_DPI)


def _block_height_px(products: int) -> int:
    lines = -(-min(products, _SHOWN_PER_CATEGORY) // _COLUMNS)
    return _HEADING_PX + lines * _CELL_PX


def _draw_tree(figure: Figure, height_px: int, suggestion: Suggestion) -> None:
    clustering = suggestion.clustering
    if len(suggestion.skus) < 2:
        return
    axes = figure.add_axes(
        (
            _MARGIN_PX / _WIDTH_PX,
            1 - (_TREE_PX - _LEAF_NAMES_PX) / height_px,
            1 - 2 * _MARGIN_PX / _WIDTH_PX,
            (_TREE_PX - _LEAF_NAMES_PX - _TREE_TOP_PX) / height_px,
        )
    )
    leaves = len(suggestion.skus)
    groups_below = [{int(label)} for label in clustering.labels]
    for left, right, *_ in clustering.tree:
        groups_below.append(groups_below[int(left)] | groups_below[int(right)])

    def colour_of(node: int) -> str:
        below = groups_below[node]
        return _colour(next(iter(below))) if len(below) == 1 else _GREY

    dendrogram(
        clustering.tree,
        ax=axes,
        labels=[_short(sku) for sku in suggestion.skus],
        no_labels=leaves > _NAMED_LEAVES,
        leaf_rotation=90,
        leaf_font_size=max(4, min(9, 900 // leaves)),
        link_color_func=colour_of,
    )
    axes.set_ylabel("cosine distance of looks")
    axes.set_title(
        f"{leaves} products in {len(suggestion.by_category)} categories "
        f"(mean silhouette {clustering.silhouette:.2f})",
        loc="left",
        fontsize=13,
    )
    for side in ("top", "right", "bottom"):
        axes.spines[side].set_visible(False)


def _draw_block(
    axes: Axes, top_px: float, category: str, skus: tuple[str, ...], suggestion: Suggestion
) -> None:
    colour = _colour(int(suggestion.clustering.labels[suggestion.skus.index(skus[0])]))
    line_y = top_px + 12
    axes.plot([_MARGIN_PX, _WIDTH_PX - _MARGIN_PX], [line_y, line_y], color=colour, linewidth=3)
    hidden = len(skus) - _SHOWN_PER_CATEGORY
    note = f", {hidden} of them not shown" if hidden > 0 else ""
    heading = f"{category}: {len(skus)} products{note}"
    axes.text(_MARGIN_PX, top_px + 34, heading, fontsize=12, fontweight="bold", parse_math=False)
    for place, sku in enumerate(skus[:_SHOWN_PER_CATEGORY]):
        left = _MARGIN_PX + place % _COLUMNS * _CELL_PX
        top = top_px + _HEADING_PX + place // _COLUMNS * _CELL_PX
        axes.imshow(
            _thumbnail(suggestion.typical[sku]),
            extent=(left, left + _THUMBNAIL_PX, top + _THUMBNAIL_PX, top),
            aspect="auto",
        )
        label = "\n".join(_lines(sku))
        axes.text(left, top + _THUMBNAIL_PX + 3, label, fontsize=7, va="top", parse_math=False)
    # imshow moves the limits to its own picture
    axes.set_xlim(0, _WIDTH_PX)


def _thumbnail(path: Path) -> NDArray[np.uint8]:
    """A square RGB thumbnail, the middle of the photo."""
    photo = read_photo(path)
    height, width = photo.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = photo[top : top + side, left : left + side]
    small = cv2.resize(square, (_THUMBNAIL_PX, _THUMBNAIL_PX), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2RGB), np.uint8)


def _colour(group: int) -> str:
    red, green, blue = colorsys.hls_to_rgb(0.58 + group * _GOLDEN_ANGLE, 0.42, 0.6)
    return f"#{round(255 * red):02x}{round(255 * green):02x}{round(255 * blue):02x}"


def _short(sku: str) -> str:
    plain = sku.replace("$", r"\$")
    return plain if len(plain) <= 24 else plain[:23] + "…"


def _lines(sku: str) -> list[str]:
    lines = textwrap.wrap(sku, _LETTERS_PER_LINE)
    return lines if len(lines) <= 2 else [lines[0], lines[1][: _LETTERS_PER_LINE - 1] + "…"]
