"""What strangers hand in: files that are no photos, tables that are no tables, names that climb."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib

import pytest

from tests.cloud_trainer.portal.site import FIELDS, Site, photo
from tests.web.client import Client

JPEG = {"Content-Type": "image/jpeg"}
CSV = {"Content-Type": "text/csv"}


@pytest.fixture
def provider(site: Site) -> Client:
    client = site.client("provider")
    assert client.put("/api/v1/products/hostile", json=FIELDS).is_success
    return client


def png_that_claims(width: int, height: int) -> bytes:
    """A PNG of a few bytes whose head speaks of billions of pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + check

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(b"\x00" * 1000))
    return b"\x89PNG\r\n\x1a\n" + head + pixels + chunk(b"IEND", b"")


def zipped() -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.txt", b"0" * 10_000_000)
    return content.getvalue()


NO_PHOTOS = {
    "nothing": b"",
    "bomb": png_that_claims(60_000, 60_000),
    "wide": png_that_claims(2**31 - 1, 2),
    "zip": zipped(),
    "page": b"<!doctype html><script>alert(1)</script>",
    "picture with script": b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>',
    "program": b"MZ" + bytes(100),
    "beginning of a photo": photo(70, 10)[:200],
    "gif": b"GIF89a" + bytes(50),
    "jpeg without a picture": b"\xff\xd8\xff\xe0" + bytes(20),
}


@pytest.mark.parametrize("name", NO_PHOTOS)
def test_a_file_that_is_no_photo_is_refused_and_kept_nowhere(
    provider: Client, site: Site, name: str
) -> None:
    before = site.portal._ground.shelf._store.list()
    answer = provider.post("/api/v1/products/hostile/photos", content=NO_PHOTOS[name], headers=JPEG)
    assert answer.status_code == 422, answer.text
    assert answer.json()["error"]
    assert site.portal._ground.shelf._store.list() == before
    assert provider.get("/api/v1/products/hostile").json()["photos"] == 0


@pytest.mark.parametrize(
    "name",
    [
        "../../../../etc/passwd",
        "..\\..\\windows\\system32\\x.jpg",
        "/etc/passwd",
        "a\x00b.jpg",
        "x\r\nSet-Cookie: y.jpg",
        "<script>alert(1)</script>.jpg",
        "\u202egpj.exe",
        "n" * 300,
    ],
)
def test_a_files_name_names_nothing_but_itself(site: Site, name: str) -> None:
    client = site.client("provider")
    assert client.put("/api/v1/products/named", json=FIELDS).is_success
    answer = client.post(
        "/api/v1/products/named/photos",
        params={"name": name},
        content=photo(71, 10),
        headers=JPEG,
    )
    assert answer.status_code == 201, answer.text
    shown = answer.json()["name"]
    assert "/" not in shown
    assert "\\" not in shown
    assert shown.isprintable()
    assert len(shown) <= 120
    assert "Set-Cookie" not in answer.headers
    photo_id = answer.json()["photo_id"]
    original = client.get(f"/api/v1/products/named/photos/{photo_id}/original")
    assert original.headers["content-type"] == "application/octet-stream"
    assert original.headers["content-disposition"].startswith("attachment")
    assert original.headers["x-content-type-options"] == "nosniff"
    assert client.delete(f"/api/v1/products/named/photos/{photo_id}").status_code == 204


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("text/html", 415),
        ("application/zip", 415),
        ("application/x-www-form-urlencoded", 415),
        ("", 415),
        ("image/svg+xml", 422),
    ],
)
def test_bodies_of_other_kinds_are_refused(provider: Client, kind: str, status: int) -> None:
    answer = provider.post(
        "/api/v1/products/hostile/photos",
        content=b"<svg/>",
        headers={"Content-Type": kind},
    )
    assert answer.status_code == status


def test_a_photo_that_is_too_long_is_refused_before_it_is_read(provider: Client) -> None:
    answer = provider.post(
        "/api/v1/products/hostile/photos",
        content=b"\xff\xd8\xff" + bytes(16 * 1024 * 1024),
        headers=JPEG,
    )
    assert answer.status_code == 413


@pytest.mark.parametrize(
    ("table", "complaint"),
    [
        (b"", "column 'sku' is missing"),
        (b"\xff\xfe\x00\x01", "not UTF-8"),
        (b"sku,colour\noat,red\n", "unknown column 'colour'"),
        (b"sku,name\n", "no lines"),
        (b"sku,name\noat,a,b,c\n", "cells under"),
        (b"sku\n" + b"".join(b"s%d\n" % n for n in range(50_001)), "more than 50000 lines"),
        (zipped(), "UTF-8"),
        (b'sku\n"' + b"x" * 200_000, "larger than field limit"),
    ],
)
def test_a_table_that_is_none_is_refused_with_its_place(
    provider: Client, table: bytes, complaint: str
) -> None:
    answer = provider.post("/api/v1/imports", content=table, headers=CSV)
    assert answer.status_code == 422, answer.text
    assert complaint in answer.json()["error"]
    assert "/tmp" not in answer.json()["error"]


def test_cells_that_a_spreadsheet_would_run_are_refused_line_by_line(provider: Client) -> None:
    cells = ("=HYPERLINK(1)", "+1", "@SUM(1)", "-cmd", "\tx")
    lines = "".join(f"good-{n},{cell}\n" for n, cell in enumerate(cells))
    table = f"sku,name\n{lines}=1+1,name\n../up,name\nfine-one,Minus -1 is fine\n"
    begun = provider.post("/api/v1/imports", content=table.encode(), headers=CSV).json()
    # Tables come with their cells stripped: a tab before a name is gone.
    assert begun["lines_failed"] == 6
    assert sum("formula" in each for each in begun["problems"]) == 5
    assert "cannot be a SKU" in begun["problems"][-1]


@pytest.mark.parametrize(
    "path", ["../oat/1.png", "oat/../../1.png", "/etc/passwd", "", "..", "a\x00/b.png", "x" * 250]
)
def test_a_photo_of_an_import_stays_in_its_folder(provider: Client, path: str) -> None:
    begun = provider.post("/api/v1/imports", content=b"sku\noat-in-folder\n", headers=CSV).json()
    answer = provider.post(
        f"/api/v1/imports/{begun['import_id']}/photos",
        params={"path": path},
        content=photo(72, 10),
        headers=JPEG,
    )
    assert answer.status_code == 422
    assert provider.get(f"/api/v1/imports/{begun['import_id']}").json()["files"] == 0


def test_an_import_of_another_organisation_is_not_there(provider: Client, site: Site) -> None:
    begun = provider.post("/api/v1/imports", content=b"sku\nours\n", headers=CSV).json()
    rival = site.client("rival")
    for method, rest in (("GET", ""), ("GET", "/photos"), ("POST", "/end")):
        path = f"/api/v1/imports/{begun['import_id']}{rest}"
        assert rival.request(method, path).status_code == 404
    assert begun["import_id"] not in rival.get("/api/v1/imports").text
    answer = rival.post(
        f"/api/v1/imports/{begun['import_id']}/photos",
        params={"path": "ours/1.png"},
        content=photo(73, 10),
        headers=JPEG,
    )
    assert answer.status_code == 404
