from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import ValidationError

from models.catalogue import (
    Catalogue,
    CatalogueError,
    Photo,
    Product,
    load_catalogue,
    natural_key,
    with_categories,
)


def _touch(root: Path, *names: str) -> Path:
    """Files that look like photos from outside; a catalogue does not open them."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"not opened")
    return root


def _csv(folder: Path, text: str, name: str = "catalogue.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def _skus(catalogue: Catalogue) -> list[str]:
    return [product.sku for product in catalogue.products]


# --- Folders ---


def test_each_sub_folder_is_a_product_and_photos_are_in_shooting_order(tmp_path: Path) -> None:
    _touch(tmp_path, "soup/IMG_10.jpg", "soup/IMG_9.JPG", "soup/notes.txt", "oats/1.webp")
    catalogue = load_catalogue(tmp_path)

    assert _skus(catalogue) == ["oats", "soup"]
    assert [photo.path.name for photo in catalogue.photos] == ["1.webp", "IMG_9.JPG", "IMG_10.jpg"]
    assert catalogue.categories == ("all",)
    assert catalogue.product("oats") == Product(sku="oats", name="oats", category="all")


def test_taxonomy_folders_name_the_category(tmp_path: Path) -> None:
    _touch(tmp_path, "Fruit/Apple/gala/1.jpg", "Fruit/lime/1.jpg", "Dairy/milk/1.jpg")
    catalogue = load_catalogue(tmp_path)

    assert {p.sku: p.category for p in catalogue.products} == {
        "gala": "Fruit",
        "lime": "Fruit",
        "milk": "Dairy",
    }
    fruit = catalogue.of_category("Fruit")
    assert _skus(fruit) == ["gala", "lime"]
    assert {photo.sku for photo in fruit.photos} == {"gala", "lime"}


def test_negative_photos_say_what_a_product_is_not(tmp_path: Path) -> None:
    _touch(tmp_path, "milk/1.jpg", "milk/negative/2.jpg")

    assert load_catalogue(tmp_path).photos_of("milk") == (
        Photo(tmp_path / "milk/1.jpg", "milk"),
        Photo(tmp_path / "milk/negative/2.jpg", "milk", negative=True),
    )


def test_hidden_and_foreign_folders_are_passed_over(tmp_path: Path) -> None:
    _touch(tmp_path, "a/1.jpg", ".thumbs/1.jpg", "a/.hidden.jpg", "__MACOSX/a/1.jpg", "docs/x.txt")
    catalogue = load_catalogue(tmp_path)

    assert _skus(catalogue) == ["a"]
    assert len(catalogue.photos) == 1


def test_pictures_in_formats_that_are_not_read_are_listed_so_that_they_are_not_lost_in_silence(
    tmp_path: Path,
) -> None:
    _touch(tmp_path, "a/IMG_1.HEIC", "a/2.jpg")

    assert len(load_catalogue(tmp_path).photos_of("a")) == 2


def test_links_are_followed_but_not_in_circles(tmp_path: Path) -> None:
    _touch(tmp_path / "elsewhere", "milk/1.jpg")
    shop = tmp_path / "shop"
    shop.mkdir()
    (shop / "milk").symlink_to(tmp_path / "elsewhere/milk")
    (shop / "again").symlink_to(shop)

    assert _skus(load_catalogue(shop)) == ["milk"]


def test_a_products_table_adds_names_and_prices(tmp_path: Path) -> None:
    _touch(tmp_path, "milk/1.jpg", "oats/1.jpg")
    _csv(
        tmp_path,
        "\ufeffsku;name;category;price;currency;gtin\n"
        "milk;Full milk;Dairy;1.25;EUR;4006381333931\n\n",
        "products.csv",
    )
    catalogue = load_catalogue(tmp_path)

    assert catalogue.product("milk") == Product(
        sku="milk",
        name="Full milk",
        category="Dairy",
        price=Decimal("1.25"),
        currency="EUR",
        gtin="4006381333931",
    )
    assert catalogue.product("oats").name == "oats"


@pytest.mark.parametrize(
    ("files", "told"),
    [
        (["1.jpg", "milk/1.jpg"], r"1\.jpg belongs to no product: put the photos of each"),
        (["negative/1.jpg"], r"1\.jpg belongs to no product"),
        (["a/milk/1.jpg", "b/milk/1.jpg"], r"two folders are named 'milk'"),
        (["tea/1.jpg", "tea/green/1.jpg"], r"tea holds photos and, below it, the product 'green'"),
        (["milk/words.txt"], r"holds no photos .*one folder for each product"),
        (["a b /1.jpg"], r"folder .*a b .*column sku: must not begin or end with a space"),
    ],
)
def test_a_folder_that_can_be_read_in_two_ways_is_refused(
    tmp_path: Path, files: list[str], told: str
) -> None:
    with pytest.raises(CatalogueError, match=told):
        load_catalogue(_touch(tmp_path, *files))


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ("name\nMilk\n", r"products\.csv, line 1: column 'sku' is missing"),
        (
            "sku,name\nmilk,Milk\nmilkk,Milk\n",
            r"line 3, column sku: there are no photos of 'milkk'; did you mean 'milk'\?",
        ),
        ("sku\nmilk\nmilk\n", r"line 3, column sku: 'milk' is there twice"),
        ("sku,prize\nmilk,1\n", r"line 1: unknown column 'prize'; did you mean 'price'\?"),
        ("sku,sku\nmilk,milk\n", r"line 1: column 'sku' is there twice"),
        ('sku,price\nmilk,"1,20"\n', r"line 2, column price: .*valid decimal.*'1,20'"),
        ("sku,price\nmilk,-1\n", r"line 2, column price"),
        ("sku,price\nmilk,NaN\n", r"line 2, column price"),
        ("sku,currency\nmilk,Euro\n", r"line 2, column currency"),
        ("sku,gtin\nmilk,4006381333932\n", r"column gtin: the check digit .* should be 1"),
        ("sku,gtin\nmilk,12345\n", r"column gtin: a GTIN has 8, 12, 13 or 14 digits"),
        ("sku,category\nmilk,a/b\n", r"column category: must not hold a slash"),
        ("sku,category\nmilk,..\n", r"column category: must not hold a slash nor begin with a dot"),
        ("sku,name\nmilk\n", r"line 2: 1 cells under 2 columns"),
        ("sku,name\nmilk,a,b\n", r"line 2: 3 cells under 2 columns"),
        ("sku,name\n,Milk\n", r"line 2, column sku: the cell is empty"),
    ],
)
def test_a_wrong_products_table_is_refused_by_line_and_column(
    tmp_path: Path, table: str, told: str
) -> None:
    _touch(tmp_path, "milk/1.jpg")
    _csv(tmp_path, table, "products.csv")

    with pytest.raises(CatalogueError, match=told):
        load_catalogue(tmp_path)


# --- CSV ---


def test_a_csv_lists_photos_relative_to_itself(tmp_path: Path) -> None:
    _touch(tmp_path / "photos", "b.jpg", "a.jpg", "not.jpg")
    catalogue = load_catalogue(
        _csv(
            tmp_path,
            "path,sku,name,price,currency,view_group,negative\n"
            "photos/b.jpg,milk,Full milk,1.20,EUR,white cartons,\n"
            "photos/a.jpg,milk,,,,,0\n"
            "photos/a.jpg,milk,,,,,0\n"
            "photos/not.jpg,milk,,,,,1\n",
        )
    )

    assert catalogue.root == tmp_path
    assert catalogue.photos == (
        Photo(tmp_path / "photos/a.jpg", "milk"),
        Photo(tmp_path / "photos/b.jpg", "milk"),
        Photo(tmp_path / "photos/not.jpg", "milk", negative=True),
    )
    milk = catalogue.product("milk")
    assert (milk.name, milk.price, milk.view_group) == (
        "Full milk",
        Decimal("1.20"),
        "white cartons",
    )


def test_a_products_table_beside_a_csv_is_used(tmp_path: Path) -> None:
    _touch(tmp_path, "a.jpg")
    _csv(tmp_path, "sku,name\nmilk,Full milk\n", "products.csv")
    catalogue = load_catalogue(_csv(tmp_path, "path,sku\na.jpg,milk\n"))

    assert catalogue.product("milk").name == "Full milk"


def test_an_unknown_sku_in_the_products_table_of_a_csv_is_refused(tmp_path: Path) -> None:
    _touch(tmp_path, "a.jpg")
    _csv(tmp_path, "sku,name\nmilc,Full milk\n", "products.csv")

    with pytest.raises(CatalogueError, match=r"there are no photos of 'milc'; did you mean 'milk'"):
        load_catalogue(_csv(tmp_path, "path,sku\na.jpg,milk\n"))


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ("", r"line 1: column 'path' is missing"),
        ("path\na.jpg\n", r"catalogue\.csv, line 1: column 'sku' is missing; the first line must"),
        ("sku\nmilk\n", r"column 'path' is missing"),
        ("path,sku\n", r"lists no photos: add a line for each"),
        ("path,sku\na.jpg,\n", r"line 2, column sku: the cell is empty"),
        ("path,sku\nb.jpg,milk\n", r"line 2, column path: there is no file .*b\.jpg"),
        ("path,sku,negative\na.jpg,milk,maybe\n", r"line 2, column negative: write 1 or leave"),
        (
            "path,sku,negative\na.jpg,milk,\na.jpg,milk,1\n",
            r"line 3: .*a\.jpg cannot both be and not be 'milk'",
        ),
        (
            "path,sku,price\na.jpg,milk,1\nc.jpg,milk,2\n",
            r"line 3, column price: 'milk' has '2' here and '1' on line 2",
        ),
        ("path,sku,price\na.jpg,milk,cheap\n", r"line 2, column price"),
        ('path,sku\na.jpg,"mi\nlk"\n', r"column sku: must not .* line breaks"),
    ],
)
def test_a_wrong_csv_is_refused_by_line_and_column(tmp_path: Path, table: str, told: str) -> None:
    _touch(tmp_path, "a.jpg", "c.jpg")

    with pytest.raises(CatalogueError, match=told):
        load_catalogue(_csv(tmp_path, table))


@pytest.mark.parametrize("content", ["pfad,größe".encode("latin-1"), b"\x89PNG\r\n\x1a\n"])
def test_a_file_that_is_no_utf8_table_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "catalogue.csv"
    path.write_bytes(content)

    with pytest.raises(
        CatalogueError, match=r"catalogue\.csv is not UTF-8: save it as 'CSV UTF-8'"
    ):
        load_catalogue(path)


def test_a_path_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match=r"gone does not exist: give a folder of photos or a"):
        load_catalogue(tmp_path / "gone")


# --- Values ---


def test_an_unknown_sku_or_category_is_named_with_the_nearest(tmp_path: Path) -> None:
    catalogue = load_catalogue(_touch(tmp_path, "oat-milk/1.jpg"))

    with pytest.raises(CatalogueError, match=r"no SKU 'oatmilk'; did you mean 'oat-milk'\?"):
        catalogue.product("oatmilk")
    with pytest.raises(CatalogueError, match=r"no category 'Fruit'; it has all"):
        catalogue.of_category("Fruit")
    assert catalogue.photos_of("oatmilk") == ()


def test_products_move_to_other_categories_and_the_others_stay(tmp_path: Path) -> None:
    catalogue = load_catalogue(_touch(tmp_path, "F/gala/1.jpg", "F/lime/1.jpg"))
    moved = with_categories(catalogue, {"lime": "green"})

    assert {p.sku: p.category for p in moved.products} == {"gala": "F", "lime": "green"}
    assert moved.photos == catalogue.photos
    with pytest.raises(CatalogueError, match="no SKU 'limes'; did you mean 'lime'"):
        with_categories(catalogue, {"limes": "green"})
    with pytest.raises(CatalogueError, match=r"category of lime, column category: must not hold"):
        with_categories(catalogue, {"lime": "a/b"})


def test_a_product_survives_the_way_through_json() -> None:
    product = Product(sku="a", price=Decimal("1.20"), currency="SEK", gtin="96385074")

    assert product.name == "a"
    assert Product.model_validate_json(product.model_dump_json()) == product


@pytest.mark.parametrize("gtin", ["96385074", "036000291452", "4006381333931", "10012345678902"])
def test_all_lengths_of_gtin_are_checked(gtin: str) -> None:
    assert Product(sku="a", gtin=gtin).gtin == gtin
    wrong = f"{gtin[:-1]}{(int(gtin[-1]) + 1) % 10}"
    with pytest.raises(ValidationError, match=f"should be {gtin[-1]}"):
        Product(sku="a", gtin=wrong)


def test_numbers_in_names_are_sorted_as_numbers() -> None:
    names = ["b/1.jpg", "a/IMG_10.jpg", "a/IMG_9.jpg", "a/x.jpg", "a/2.jpg"]

    assert sorted(names, key=lambda name: natural_key(Path(name))) == [
        "a/2.jpg",
        "a/IMG_9.jpg",
        "a/IMG_10.jpg",
        "a/x.jpg",
        "b/1.jpg",
    ]
