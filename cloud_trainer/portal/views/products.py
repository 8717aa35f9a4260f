"""Products and their photos, as people and applications see them.

Moments are seconds since 1970, money is text with its currency beside it, distances are cosine
distances between embeddings (0 for the same look, 2 at most).
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from models.catalogue import Product
from web.shape import Shape

Stage = Literal["collecting", "waiting", "refused", "approved", "live", "withdrawing", "withdrawn"]
"""How a product stands, for people:

``collecting``   its provider has not handed it in yet, or too few photos are good
``waiting``      handed in: an operator should look
``refused``      an operator said why not; the provider changes it and hands it in again
``approved``     the pipeline has it, no published release knows it yet
``live``         a published release recognises it
``withdrawing``  withdrawn, and still in a published release
``withdrawn``    nothing recognises it any more
"""

PhotoFault = Literal[
    "unreadable",
    "tiny",
    "dark",
    "blurred",
    "duplicate",
    "two_skus",
    "looks_like_another",
    "unlike_the_others",
]
SKU_PATTERN = r"^[0-9A-Za-z][0-9A-Za-z._-]{0,63}$"
Sku = Annotated[str, Field(pattern=SKU_PATTERN)]
CATEGORY_PATTERN = r"^[0-9A-Za-z][0-9A-Za-z._-]{0,62}$"


class ProductFields(Shape):
    """What a provider says of a product.

    Attributes:
        name: What people call it.
        price: Of one piece, as text; ``None`` where the shop sets it.
        currency: ISO 4217; goes with a price.
        gtin: The number under the bar code.
        category: Which it should be in; an operator arranges it.
        view_group: Products that cannot be told apart by sight share one.
    """

    name: Annotated[str, Field(min_length=1, max_length=200)]
    price: Annotated[str, Field(pattern=r"^[0-9]{1,10}(\.[0-9]{1,4})?$")] | None = None
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] | None = None
    gtin: Annotated[str, Field(max_length=14)] | None = None
    category: Annotated[str, Field(pattern=CATEGORY_PATTERN)] | None = None
    view_group: Annotated[str, Field(min_length=1, max_length=200)] | None = None

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"name": "Oat milk 1 l", "price": "1.99", "currency": "EUR", "category": "drinks"}
            ]
        }
    )

    def product(self, sku: str, category: str) -> Product:
        """The product as a catalogue has it.

        Raises:
            pydantic.ValidationError: The catalogue would not take it.
        """
        values = self.model_dump() | {"sku": sku, "category": category}
        return Product.model_validate(values)


class Fault(Shape):
    """What is wrong with a photo.

    Attributes:
        kind: What kind of fault.
        reason: In words, with what to do.
        sku: The other product that it has to do with.
        photo_url: That product's photo, or the photo that it repeats; to be shown beside it.
    """

    kind: PhotoFault
    reason: str
    sku: str | None = None
    photo_url: str | None = None


class Likeness(Shape):
    """Another product that looks alike.

    Attributes:
        sku: The other product.
        name: Its name.
        photo_url: Its photo that is nearest.
        distance: Between the two.
        is_confusing: Whether decisions between the two will suffer.
    """

    sku: str
    name: str
    photo_url: str | None
    distance: float
    is_confusing: bool


class ShownPhoto(Shape):
    """A photo and what was found of it at once.

    Attributes:
        photo_id: Its content's hash: the same picture has the same.
        name: As its file was called.
        url: The photo, at most 640 pixels wide: ``?width=`` asks for another size.
        width_px: Of the photo; 0 where it cannot be read.
        height_px: Of the photo.
        is_good: Whether it is used.
        is_kept_by_hand: Whether an operator uses it in spite of its faults.
        faults: The gravest first.
        nearest: Other products that look alike, the nearest first.
        added_at: When it was handed in.
        added_by: By whom.
        is_approved: Whether it belongs to what was approved.
    """

    photo_id: str
    name: str
    url: str
    width_px: int
    height_px: int
    is_good: bool
    is_kept_by_hand: bool = False
    faults: tuple[Fault, ...] = ()
    nearest: tuple[Likeness, ...] = ()
    added_at: float
    added_by: str
    is_approved: bool = False


class ProductBrief(Shape):
    """A product in a list.

    Attributes:
        sku: The product.
        name: Its name.
        category: Where it is arranged.
        organisation: Whose product it is.
        price: As text.
        currency: ISO 4217.
        stage: How it stands.
        reason: Why, in words, where there is something to say.
        good_photos: Photos that are used.
        photos: All of them.
        photo_url: One of its photos.
        most_alike: The product that looks most alike, where decisions would suffer.
        changed_at: When something of it was changed last.
        revision: Counts its changes.
    """

    sku: str
    name: str
    category: str
    organisation: str
    price: str | None
    currency: str | None
    stage: Stage
    reason: str
    good_photos: int
    photos: int
    photo_url: str | None
    most_alike: Likeness | None = None
    changed_at: float
    revision: int

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "sku": "oat-milk",
                    "name": "Oat milk 1 l",
                    "category": "drinks",
                    "organisation": "dairy",
                    "price": "1.99",
                    "currency": "EUR",
                    "stage": "waiting",
                    "reason": "handed in",
                    "good_photos": 5,
                    "photos": 6,
                    "photo_url": "/api/v1/products/oat-milk/photos/9f8e/picture.jpg",
                    "most_alike": None,
                    "changed_at": 1795423000.5,
                    "revision": 2,
                }
            ]
        }
    )


class LiveIn(Shape):
    """Where a product is recognised.

    Attributes:
        device: The device.
        category: Its category there.
        release: What the device serves.
        has_product: Whether that knows the product's newest approved revision.
        is_online: Whether the device is heard.
    """

    device: str
    category: str
    release: int | None
    has_product: bool
    is_online: bool


class Happening(Shape):
    """A line of a product's history.

    Attributes:
        at: When.
        who: Who did it; ``pipeline`` for what happened by itself.
        what: One word: ``added``, ``changed``, ``photo``, ``handed_in``, ``approved``,
            ``refused``, ``withdrawn``, ``served``, ``gone``, ``arranged``.
        about: In words.
    """

    at: float
    who: str
    what: str
    about: str


class ShownProduct(ProductBrief):
    """A product with all there is to say of it.

    Attributes:
        gtin: The number under its bar code.
        view_group: Products that cannot be told apart share one.
        all_photos: In the order in which they were handed in.
        live_in: Devices of its category.
        history: Newest first.
        can: What whoever asks may do now: ``change``, ``hand_in``, ``approve``, ``refuse``,
            ``withdraw``, ``arrange``.
        needs_photos: Good photos that are missing before it can be handed in.
    """

    gtin: str | None
    view_group: str | None
    all_photos: tuple[ShownPhoto, ...]
    live_in: tuple[LiveIn, ...]
    history: tuple[Happening, ...]
    can: tuple[str, ...]
    needs_photos: int


class ConfusionCost(Shape):
    """What it costs to tell two products apart, counted on one's own photos, each left out once.

    Attributes:
        photos: Photos that were decided.
        accepted_alone: Accepted rightly without the other product.
        accepted: Accepted rightly with it.
        review: Sent to a person with it.
        wrong: Accepted as the other.
    """

    photos: int
    accepted_alone: int
    accepted: int
    review: int
    wrong: int


class Alike(Shape):
    """A near-duplicate, to be shown side by side.

    Attributes:
        likeness: The other product.
        photo_urls: Its photos, the nearest first.
        own_photo_urls: The product's own, each beside the one it resembles most.
        cost: Of telling the product from the other; ``None`` where nothing serves yet.
        other_cost: Of telling the other from the product.
        advice: What to do, in words.
    """

    likeness: Likeness
    photo_urls: tuple[str, ...]
    own_photo_urls: tuple[str, ...]
    cost: ConfusionCost | None
    other_cost: ConfusionCost | None
    advice: str


class Import(Shape):
    """An import of many products at once.

    Attributes:
        import_id: By which it is asked for.
        name: Of the file.
        by: Who began it.
        began_at: When.
        status: ``running`` until every line and every file that lines speak of is there.
        lines: Products in the file.
        lines_done: Of them, those that were taken in.
        lines_failed: Of them, those that could not be.
        files: Photos that came.
        files_good: Of them, those that can be used.
        handed_in: Products that have enough photos and wait for an operator.
        problems: The first of them, with line or file.
    """

    import_id: str
    name: str
    by: str
    began_at: float
    status: Literal["running", "done", "stopped"]
    lines: int
    lines_done: int
    lines_failed: int
    files: int
    files_good: int
    handed_in: int
    problems: tuple[str, ...]
