"""What a shop sells: products with their photos, read from a folder or a CSV file.

Owns the words a catalogue is written in (column names, folder layout) and refuses what it does not
understand, naming file, line and column. Does not open photos: whether they are readable and good
enough is ``cloud_trainer.quality``'s business.

A folder has one sub-folder a SKU; taxonomy folders above it are allowed, the topmost is then the
category. Photos of what the product is *not* lie in ``<sku>/negative/``. A ``products.csv`` beside
the folders adds names and prices::

    photos/products.csv                sku,name,price,currency
    photos/oat-milk/001.jpg            category "all"
    photos/Fruit/Apple/gala/001.jpg    category "Fruit", SKU "gala"
    photos/Fruit/Apple/gala/negative/  "not this"
"""

from __future__ import annotations

import csv
import difflib
import os
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from models.photos import PHOTO_SUFFIXES, UNSUPPORTED_PHOTO_SUFFIXES

DEFAULT_CATEGORY: Final = "all"
NEGATIVE_FOLDER: Final = "negative"
PRODUCTS_FILE: Final = "products.csv"
_PRODUCT_COLUMNS: Final = ("name", "category", "price", "currency", "gtin", "view_group")
_NEGATIVE_WORDS: Final = {"": False, "0": False, "no": False, "false": False} | {
    "1": True,
    "yes": True,
    "true": True,
}
_GTIN_LENGTHS: Final = (8, 12, 13, 14)
_GTIN: Final = re.compile(r"[0-9]+")


class CatalogueError(Exception):
    """A catalogue cannot be used; the message says where, why and what to do."""


def _plain_text(text: str) -> str:
    if text != text.strip() or not text.isprintable():
        raise ValueError("must not begin or end with a space, nor hold tabs or line breaks")
    return text


def _folder_name(text: str) -> str:
    if "/" in text or "\\" in text or text.startswith("."):
        raise ValueError("must not hold a slash nor begin with a dot: folders are named after it")
    return text


def _checked_gtin(gtin: str) -> str:
    if not _GTIN.fullmatch(gtin) or len(gtin) not in _GTIN_LENGTHS:
        raise ValueError(
            f"a GTIN has 8, 12, 13 or 14 digits, not {gtin!r}; "
            "spreadsheets drop leading zeros: keep the column as text"
        )
    weighted = sum(
        int(digit) * (3 if place % 2 == 0 else 1) for place, digit in enumerate(gtin[-2::-1])
    )
    expected = -weighted % 10
    if int(gtin[-1]) != expected:
        raise ValueError(f"the check digit of {gtin} should be {expected}: a digit is mistyped")
    return gtin


_Text = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_plain_text)]
_FolderName = Annotated[_Text, AfterValidator(_folder_name)]


class Product(BaseModel):
    """A product.

    Attributes:
        sku: The shop's own number or name of it.
        name: What people call it; the SKU when nothing else is known.
        category: Products of one category share an embedder.
        price: Price of one piece.
        currency: ISO 4217 code of the price, such as ``EUR``.
        gtin: The number under the bar code: 8, 12, 13 or 14 digits, the last one a check digit.
        view_group: Products that cannot be told apart by sight share one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    sku: _Text
    name: _Text = ""  # never stays empty: see below
    category: _FolderName = DEFAULT_CATEGORY
    price: Annotated[Decimal, Field(ge=0, max_digits=14, decimal_places=4)] | None = None
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] | None = None
    gtin: Annotated[str, AfterValidator(_checked_gtin)] | None = None
    view_group: _Text | None = None

    @model_validator(mode="before")
    @classmethod
    def _named_after_its_sku(cls, values: object) -> object:
        if isinstance(values, Mapping) and not values.get("name") and "sku" in values:
            return {**values, "name": values["sku"]}
        return values


@dataclass(frozen=True)
class Photo:
    """A photo file and what it shows.

    Attributes:
        path: The file.
        sku: The product.
        negative: Whether it shows what the product is *not*.
    """

    path: Path
    sku: str
    negative: bool = False


@dataclass(frozen=True)
class Catalogue:
    """Products and their photos.

    Attributes:
        root: The folder, or the folder of the CSV file.
        products: By SKU, ascending.
        photos: By SKU, then in shooting order (natural order of paths).
    """

    root: Path
    products: tuple[Product, ...]
    photos: tuple[Photo, ...]
    _by_sku: dict[str, Product] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_by_sku", {product.sku: product for product in self.products})

    @property
    def categories(self) -> tuple[str, ...]:
        """Names of the categories, ascending."""
        return tuple(sorted({product.category for product in self.products}))

    def product(self, sku: str) -> Product:
        """The product of a SKU.

        Raises:
            CatalogueError: There is none.
        """
        try:
            return self._by_sku[sku]
        except KeyError:
            raise CatalogueError(
                f"the catalogue in {self.root} has no SKU {sku!r}{_nearest(sku, self._by_sku)}"
            ) from None

    def photos_of(self, sku: str) -> tuple[Photo, ...]:
        """Photos of a SKU in shooting order, negative ones among them; may be empty."""
        first = bisect_left(self.photos, sku, key=lambda photo: photo.sku)
        last = bisect_right(self.photos, sku, key=lambda photo: photo.sku)
        return self.photos[first:last]

    def of_category(self, category: str) -> Catalogue:
        """The part of the catalogue that belongs to one category.

        Raises:
            CatalogueError: There is no such category.
        """
        if category not in self.categories:
            raise CatalogueError(
                f"the catalogue in {self.root} has no category {category!r}; "
                f"it has {', '.join(self.categories)}"
            )
        products = tuple(p for p in self.products if p.category == category)
        skus = {product.sku for product in products}
        return Catalogue(self.root, products, tuple(p for p in self.photos if p.sku in skus))


def load_catalogue(path: Path) -> Catalogue:
    """Read a catalogue from a folder or a CSV file.

    Args:
        path: A folder laid out as the module says, or a CSV file with the columns ``path`` and
            ``sku`` and optionally ``name``, ``category``, ``price``, ``currency``, ``gtin``,
            ``view_group`` and ``negative``. Paths are relative to the CSV file.

    Raises:
        CatalogueError: It cannot be read or understood.
    """
    if path.is_dir():
        return _load_folder(path)
    if path.is_file():
        return _load_csv(path)
    raise CatalogueError(f"{path} does not exist: give a folder of photos or a CSV file")


def with_categories(catalogue: Catalogue, mapping: Mapping[str, str]) -> Catalogue:
    """The same catalogue in other categories.

    Args:
        catalogue: The catalogue.
        mapping: Category of each SKU; SKUs that are not in it keep theirs.

    Raises:
        CatalogueError: A SKU is unknown or a category has an impossible name.
    """
    for sku in mapping:
        catalogue.product(sku)
    products = []
    for product in catalogue.products:
        fields = product.model_dump() | {"category": mapping.get(product.sku, product.category)}
        products.append(_validated(f"category of {product.sku}", fields))
    return replace(catalogue, products=tuple(products))


def natural_key(path: Path) -> tuple[tuple[tuple[int, int, str], ...], ...]:
    """Sort key by which ``IMG_9.jpg`` comes before ``IMG_10.jpg``."""
    return tuple(
        tuple(
            (0, int(piece), piece) if piece.isdecimal() else (1, 0, piece)
            for piece in re.split(r"([0-9]+)", part)
        )
        for part in path.parts
    )


def _nearest(word: str, known: Mapping[str, object] | Sequence[str]) -> str:
    close = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else "."


def _assembled(
    root: Path, products: Mapping[str, Product], photos: Mapping[Photo, None]
) -> Catalogue:
    ordered = sorted(photos, key=lambda photo: (photo.sku, natural_key(photo.path)))
    return Catalogue(root, tuple(products[sku] for sku in sorted(products)), tuple(ordered))


def _validated(where: str, values: Mapping[str, object]) -> Product:
    try:
        return Product.model_validate(values)
    except ValidationError as err:
        first = err.errors()[0]
        column = f", column {first['loc'][0]}" if first["loc"] else ""
        told = first["msg"].removeprefix("Value error, ")
        raise CatalogueError(
            f"{where}{column}: {told} (found {first['input']!r}); correct it"
        ) from err


# --- Folders ---


def _load_folder(root: Path) -> Catalogue:
    folders: dict[str, Path] = {}
    categories: dict[str, str] = {}
    photos: dict[Photo, None] = {}
    for folder, files in _folders_with_photos(root, set()):
        negative = folder.name == NEGATIVE_FOLDER
        home = folder.parent if negative else folder
        if home == root:
            raise CatalogueError(
                f"{files[0]} belongs to no product: put the photos of each product "
                f"into a folder of its own, named after its SKU, below {root}"
            )
        sku, below = home.name, home.relative_to(root).parts
        if folders.setdefault(sku, home) != home:
            raise CatalogueError(
                f"two folders are named {sku!r}: {folders[sku]} and {home}; "
                "a folder with photos is named after its SKU, and every SKU is there once"
            )
        categories[sku] = below[0] if len(below) > 1 else DEFAULT_CATEGORY
        photos |= dict.fromkeys(Photo(file, sku, negative) for file in files)
    for sku, home in folders.items():
        for above in home.parents:
            if folders.get(above.name) == above and above != root:
                raise CatalogueError(
                    f"{above} holds photos and, below it, the product {sku!r}: "
                    "move its own photos into a folder of their own, named after their SKU"
                )
    if not folders:
        raise CatalogueError(
            f"{root} holds no photos ({' '.join(sorted(PHOTO_SUFFIXES))}): it should have one "
            "folder for each product, named after its SKU, with the product's photos in it"
        )
    table = root / PRODUCTS_FILE
    fields = _products_table(table, categories) if table.is_file() else {}
    products = {
        sku: _validated(
            f"{table}, product {sku!r}" if sku in fields else f"folder {folders[sku]}",
            {"sku": sku, "category": categories[sku]} | fields.get(sku, {}),
        )
        for sku in folders
    }
    return _assembled(root, products, photos)


def _folders_with_photos(folder: Path, visited: set[Path]) -> Iterator[tuple[Path, list[Path]]]:
    """Folders that hold photos, with them; links are followed, but no folder is entered twice."""
    real = folder.resolve()
    if real in visited:
        return
    visited.add(real)
    try:
        entries = sorted(
            (e for e in os.scandir(folder) if not e.name.startswith((".", "__"))),
            key=lambda entry: entry.name,
        )
    except OSError as err:
        raise CatalogueError(f"{folder} cannot be read: {err.strerror or err}") from err
    pictures = PHOTO_SUFFIXES | UNSUPPORTED_PHOTO_SUFFIXES
    files = [
        Path(entry.path)
        for entry in entries
        if Path(entry.name).suffix.lower() in pictures and not entry.is_dir()
    ]
    if files:
        yield folder, files
    for entry in entries:
        if entry.is_dir():
            yield from _folders_with_photos(Path(entry.path), visited)


def _products_table(table: Path, known: Mapping[str, object]) -> dict[str, dict[str, str]]:
    """Fields of each SKU in a ``products.csv``."""
    fields: dict[str, dict[str, str]] = {}
    for line, row in read_table(table, required=("sku",), optional=_PRODUCT_COLUMNS):
        sku = row.pop("sku")
        if sku not in known:
            raise CatalogueError(
                f"{table}, line {line}, column sku: there are no photos of {sku!r}"
                f"{_nearest(sku, known)} Correct the SKU, add its photos or remove the line"
            )
        if sku in fields:
            raise CatalogueError(
                f"{table}, line {line}, column sku: {sku!r} is there twice; keep one line"
            )
        fields[sku] = {column: value for column, value in row.items() if value}
        _validated(f"{table}, line {line}", {"sku": sku} | fields[sku])
    return fields


# --- CSV ---


def _load_csv(table: Path) -> Catalogue:
    root = table.parent
    fields: dict[str, dict[str, str]] = {}
    seen_on: dict[tuple[str, str], int] = {}
    photos: dict[Photo, None] = {}
    rows = read_table(table, required=("path", "sku"), optional=(*_PRODUCT_COLUMNS, "negative"))
    for line, row in rows:
        where = f"{table}, line {line}"
        negative = _NEGATIVE_WORDS.get(row.pop("negative", "").lower())
        if negative is None:
            raise CatalogueError(f"{where}, column negative: write 1 or leave it empty")
        path, sku = root / row.pop("path"), row.pop("sku")
        if not path.is_file():
            raise CatalogueError(
                f"{where}, column path: there is no file {path}; "
                f"paths are relative to the folder of {table.name}"
            )
        if Photo(path, sku, not negative) in photos:
            raise CatalogueError(f"{where}: {path} cannot both be and not be {sku!r}; keep one")
        photos[Photo(path, sku, negative)] = None
        for column, value in row.items():
            known = fields.setdefault(sku, {}).get(column, value)
            if value and known != value:
                raise CatalogueError(
                    f"{where}, column {column}: {sku!r} has {value!r} here and {known!r} on "
                    f"line {seen_on[sku, column]}; make them the same or leave one empty"
                )
            if value:
                fields[sku][column] = value
                seen_on.setdefault((sku, column), line)
        _validated(where, {"sku": sku} | fields.get(sku, {}))
    if not photos:
        raise CatalogueError(f"{table} lists no photos: add a line for each photo")
    beside = root / PRODUCTS_FILE
    skus = {photo.sku: None for photo in photos}
    named = _products_table(beside, skus) if beside.is_file() and beside != table else {}
    products = {
        sku: _validated(
            f"{table}, product {sku!r}", {"sku": sku} | named.get(sku, {}) | fields.get(sku, {})
        )
        for sku in skus
    }
    return _assembled(root, products, photos)


def read_table(
    table: Path, *, required: Sequence[str], optional: Sequence[str] = ()
) -> Iterator[tuple[int, dict[str, str]]]:
    """Rows of a CSV file as spreadsheets write it: UTF-8, separated by commas or semicolons.

    Args:
        table: The file.
        required: Columns that must be there and filled in on every line.
        optional: Columns that may be there; others are refused, so that none is misspelt unseen.

    Yields:
        Line number, counted from 1, and the stripped cells by column name.

    Raises:
        CatalogueError: The file cannot be read or a column is missing, unknown, doubled or empty.
    """
    try:
        text = table.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as err:
        raise CatalogueError(f"{table} is not UTF-8: save it as 'CSV UTF-8'") from err
    except OSError as err:
        raise CatalogueError(f"{table} cannot be read: {err.strerror or err}") from err
    lines = text.splitlines(keepends=True)
    head = lines[0] if lines else ""
    reader = csv.reader(lines, delimiter=";" if head.count(";") > head.count(",") else ",")
    try:
        columns = [column.strip().lower() for column in next(reader, [])]
        _check_columns(table, columns, required, optional)
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            where = f"{table}, line {reader.line_num}"
            if len(cells) != len(columns):
                raise CatalogueError(
                    f"{where}: {len(cells)} cells under {len(columns)} columns; a cell that "
                    "holds the separator needs quotation marks"
                )
            row = {c: cell.strip() for c, cell in zip(columns, cells, strict=True)}
            for column in required:
                if not row[column]:
                    raise CatalogueError(f"{where}, column {column}: the cell is empty; fill it in")
            yield reader.line_num, row
    except csv.Error as err:
        raise CatalogueError(f"{table}, line {reader.line_num}: {err}; save it as CSV") from err


def _check_columns(
    table: Path, columns: Sequence[str], required: Sequence[str], optional: Sequence[str]
) -> None:
    known = (*required, *optional)
    for column in columns:
        if column not in known:
            raise CatalogueError(
                f"{table}, line 1: unknown column {column!r}{_nearest(column, known)} "
                f"Remove it or name it one of {', '.join(known)}"
            )
        if columns.count(column) > 1:
            raise CatalogueError(f"{table}, line 1: column {column!r} is there twice; keep one")
    missing = [column for column in required if column not in columns]
    if missing:
        raise CatalogueError(
            f"{table}, line 1: column {missing[0]!r} is missing; the first line must name the "
            f"columns {', '.join(required)}"
            + (f" and may name {', '.join(optional)}" if optional else "")
        )
