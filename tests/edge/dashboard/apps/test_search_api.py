from __future__ import annotations

import base64
import json
import struct
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from cloud_trainer.evaluate import evaluate
from models.bundle import Bundle
from models.catalogue import Photo, load_catalogue
from models.photos import read_photo
from tests.edge.bundles import PHOTO_PX, photo_file
from tests.edge.dashboard.serving import Site
from tests.simulators.photos import draw_photo, sku_of

PATH = "/api/v1/search"


def encoded(product: int, number: int = 0, suffix: str = ".png") -> bytes:
    return bytes(cv2.imencode(suffix, draw_photo(product, number, 0, PHOTO_PX))[1].tobytes())


def asked(content: bytes, **params: object) -> dict[str, Any]:
    return {
        "image": {"content": base64.b64encode(content).decode()},
        "imageContext": {"productSearchParams": params},
    }


def groups(response: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = response["productSearchResults"]["productGroupedResults"]
    return found


def test_the_api_decides_every_photo_as_the_trainer_evaluates_it(
    site: Site, bundle: Bundle, tmp_path: Path
) -> None:
    """Singly and in batches, by form and by JSON, known products and unknown ones."""
    photos = [
        Photo(photo_file(tmp_path / f"{product}-{number}.jpg", product, number), sku_of(product))
        for product in range(8)
        for number in range(4)
    ]
    evaluation = evaluate(bundle, photos, precision="fp32", threads=1)
    evaluated = {query.photos[0].path: query.decision for query in evaluation.queries}
    app = site.app("search")
    bodies = [photo.path.read_bytes() for photo in photos]
    with ThreadPoolExecutor(8) as clients:
        singly = list(clients.map(lambda body: app.post(PATH, files={"image": body}), bodies))
    answers = [answer.json()["responses"][0] for answer in singly]
    batched: list[dict[str, Any]] = []
    for at in range(0, len(bodies), 16):
        batch = {"requests": [asked(body) for body in bodies[at : at + 16]]}
        batched += app.post(PATH, json=batch).json()["responses"]
    assert len(batched) == len(photos)
    for photo, *both in zip(photos, answers, batched, strict=True):
        expected = evaluated[photo.path]
        for answer in both:
            (group,) = groups(answer)
            assert group["decision"] == expected.outcome
            ranked = [result["product"]["sku"] for result in group["results"]]
            assert ranked == [candidate.sku for candidate in expected.candidates]
            assert group["results"][0]["distance"] == pytest.approx(expected.distance, abs=2e-6)
    nearest = [groups(answer)[0]["results"][0]["product"]["sku"] for answer in answers]
    right = sum(sku == photo.sku for sku, photo in zip(nearest, photos, strict=True))
    assert right == sum(query.correct for query in evaluation.queries)


def test_an_answer_says_product_price_place_score_and_decision(demo_site: Site) -> None:
    products = load_catalogue(demo_site.folder / "catalogue")
    photo = products.photos_of("medicine-box")[0].path
    answer = demo_site.app("search").post(
        "/api/v1/images:annotate",
        json={"requests": [asked(photo.read_bytes()) | {"features": [{"maxResults": 2}]}]},
    )
    assert answer.status_code == 200, answer.text
    told = answer.json()["responses"][0]["productSearchResults"]
    (group,) = told["productGroupedResults"]
    assert group["decision"] in ("accept", "review")
    assert group["thresholds"]["tl"] <= group["thresholds"]["th"]
    assert len(group["results"]) == 2
    best = told["results"][0]
    assert best["product"] == {
        "name": "products/medicine-box",
        "sku": "medicine-box",
        "displayName": "Tablets",
        "productCategory": "baby",
        "price": {"amount": "11.19", "currency": "EUR"},
    }
    assert best["score"] == pytest.approx(1 - best["distance"], abs=1e-5)
    corners = group["boundingPoly"]["vertices"]
    shares = group["boundingPoly"]["normalizedVertices"]
    height, width = read_photo(photo).shape[:2]
    for corner, share in zip(corners, shares, strict=True):
        assert (corner["x"], corner["y"]) == pytest.approx(
            (share["x"] * width, share["y"] * height)
        )
    assert demo_site.client("viewer").get(best["image"]).headers["content-type"] == "image/jpeg"


def test_products_are_found_where_they_are_in_a_picture(demo_site: Site) -> None:
    products = load_catalogue(demo_site.folder / "catalogue")
    side = 300
    picture = np.full((side, 3 * side, 3), (206, 200, 196), np.uint8)
    for place, sku in ((0, "medicine-box"), (2, "birthday-cake")):
        photo = read_photo(products.photos_of(sku)[0].path)
        inner = cv2.resize(photo, (side - 60, side - 60), interpolation=cv2.INTER_AREA)
        picture[30:-30, place * side + 30 : (place + 1) * side - 30] = inner
    content = bytes(cv2.imencode(".jpg", picture)[1].tobytes())
    answer = demo_site.app("search").post(
        PATH, files={"image": content}, data={"find": "true", "regions": "40", "maxResults": "1"}
    )
    found: dict[str, Any] = {}
    for group in groups(answer.json()["responses"][0]):
        place = group["boundingPoly"]["normalizedVertices"]
        found.setdefault(group["results"][0]["product"]["sku"], place)
    assert {"medicine-box", "birthday-cake"} <= found.keys()
    across = {sku: [corner["x"] for corner in corners] for sku, corners in found.items()}
    assert max(across["medicine-box"]) < 0.5 < min(across["birthday-cake"])


def test_sets_and_categories_narrow_what_is_searched_among(demo_site: Site) -> None:
    technician, app = demo_site.client("technician"), demo_site.app("search")
    photo = load_catalogue(demo_site.folder / "catalogue").photos_of("teddy")[0].path.read_bytes()
    made = technician.put("/api/v1/product-sets/pharmacy", json={"skus": ["medicine", "soap"]})
    assert (made.status_code, made.json()) == (
        200,
        {"name": "pharmacy", "skus": ["medicine", "soap"]},
    )
    assert technician.get("/api/v1/product-sets").json()["productSets"] == [made.json()]

    def nearest(**params: object) -> set[str]:
        answer = app.post(PATH, json={"requests": [asked(photo, **params)]})
        assert answer.status_code == 200, answer.text
        (group,) = groups(answer.json()["responses"][0])
        return {result["product"]["sku"] for result in group["results"]}

    assert "teddy" in nearest()
    assert nearest(productSet="pharmacy") == {"medicine", "soap"}
    long_name = "projects/p/locations/l/productSets/pharmacy"
    assert nearest(productSet=long_name) == {"medicine", "soap"}
    assert nearest(productCategories=["groceries"]) == {"birthday-cake", "hot-dog", "milk"}
    assert technician.delete("/api/v1/product-sets/pharmacy").status_code == 204
    gone = app.post(PATH, json={"requests": [asked(photo, productSet="pharmacy")]})
    assert gone.status_code == 404
    assert "pharmacy" in gone.json()["error"]
    assert technician.get("/api/v1/product-sets/pharmacy").status_code == 404
    unknown = technician.put("/api/v1/product-sets/odd", json={"skus": ["unheard-of"]})
    assert (unknown.status_code, "unheard-of" in unknown.json()["error"]) == (422, True)
    viewer = demo_site.client("viewer")
    assert viewer.put("/api/v1/product-sets/x", json={"skus": ["soap"]}).status_code == 403


def _png(width: int, height: int) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
        + chunk(b"IDAT", zlib.compress(bytes(10_000)))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty"),
        (b"<html>no picture</html>", "not a JPEG"),
        (encoded(0, suffix=".jpg")[:400], "damaged"),
        (_png(60_000, 60_000), "claims to be"),
        (_png(4, 4), "nothing can be recognised"),
        (b"\xff\xd8\xff\xe0" + bytes(200), "header"),
    ],
)
def test_what_is_no_picture_is_refused_in_words(site: Site, content: bytes, said: str) -> None:
    app = site.app("search")
    by_form = app.post(PATH, files={"image": ("a.jpg", content)})
    assert (by_form.status_code, said in by_form.json()["error"]) == (422, True), by_form.text
    if content:
        by_json = app.post(PATH, json={"requests": [asked(content)]})
        assert by_json.json() == by_form.json()


def test_one_broken_picture_of_several_has_its_own_error(site: Site) -> None:
    batch = {"requests": [asked(encoded(1)), asked(b"broken"), asked(encoded(2))]}
    answer = site.app("search").post(PATH, json=batch)
    assert answer.status_code == 200
    first, second, third = answer.json()["responses"]
    assert second["error"]["code"] == 422
    assert "productSearchResults" not in second
    nearest = [groups(each)[0]["results"][0]["product"]["sku"] for each in (first, third)]
    assert nearest == [sku_of(1), sku_of(2)]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, "requests"),
        ({"requests": []}, "requests"),
        ({"requests": [{"image": {}}]}, "content"),
        ({"requests": [{"image": {"source": {"imageUri": "http://10.0.0.1/"}}}]}, "source"),
        ({"requests": [asked(encoded(0), filter="colour=red")]}, "filter"),
        ({"requests": [asked(encoded(0), boundingPoly={"vertices": [{"x": 1}]})]}, "vertices"),
        ({"requests": [asked(encoded(0), productCategories=["toys"])]}, "toys"),
        ({"requests": [asked(encoded(0))] * 17}, "requests"),
    ],
)
def test_what_cannot_be_searched_is_refused_in_words(
    site: Site, body: dict[str, Any], said: str
) -> None:
    answer = site.app("search").post(PATH, json=body)
    assert (answer.status_code, said in answer.json()["error"]) == (422, True), answer.text


def test_a_form_with_nothing_or_something_unknown_in_it_is_refused(site: Site) -> None:
    app = site.app("search")
    odd = app.post(PATH, files={"image": encoded(0)}, data={"colour": "red"})
    assert (odd.status_code, "colour" in odd.json()["error"]) == (422, True)
    none = app.post(PATH, files={"picture": encoded(0)})
    assert none.status_code == 422
    text = app.post(PATH, content=b"hello", headers={"Content-Type": "text/plain"})
    assert text.status_code == 415
    too_large = app.post(PATH, files={"image": bytes(17 * 2**20)})
    assert too_large.status_code == 413


def test_a_camera_of_the_shop_can_be_asked_about(site: Site) -> None:
    app = site.app("search")
    answer = app.post(PATH, json={"requests": [{"image": {"camera": "shelf-1"}}]})
    assert answer.status_code == 200, answer.text
    assert len(groups(answer.json()["responses"][0])) == 1
    unknown = app.post(PATH, json={"requests": [{"image": {"camera": "cellar"}}]})
    assert (unknown.status_code, "cellar" in unknown.json()["error"]) == (404, True)


def test_nobody_searches_without_being_known(site: Site) -> None:
    assert site.client().post(PATH, files={"image": encoded(0)}).status_code == 401
    assert site.app("metrics").post(PATH, files={"image": encoded(0)}).status_code == 403
    assert site.client("viewer").post(PATH, files={"image": encoded(0)}).status_code == 200


def test_the_openapi_document_shows_both_ways_to_send_a_picture(site: Site) -> None:
    document = json.loads(site.client("viewer").get("/api/v1/openapi.json").text)
    content = document["paths"][PATH]["post"]["requestBody"]["content"]
    assert {"application/json", "multipart/form-data"} == content.keys()
    assert content["application/json"]["schema"]["examples"]
    schemas = document["components"]["schemas"]
    for part in json.dumps(document).split('"$ref": "')[1:]:
        reference = part.partition('"')[0]
        assert reference.removeprefix("#/components/schemas/") in schemas, reference
