"""What the shop sells, with the photos that it is known by."""

from __future__ import annotations

from urllib.parse import quote

from models.catalogue import Product
from web.shape import API, Shape, money


class ShownProduct(Shape):
    """A product.

    Attributes:
        sku: The shop's own number or name of it.
        name: What people call it.
        category: Products of one category share an embedder.
        price: Price of one piece; ``None`` where the catalogue has none.
        currency: Of the price.
        gtin: The number under its bar code.
        photos: Addresses of its photos in the catalogue.
    """

    sku: str
    name: str
    category: str
    price: str | None
    currency: str
    gtin: str | None
    photos: tuple[str, ...]


def product_shape(product: Product, currency: str, photos: int) -> ShownProduct:
    """A product as people see it.

    Args:
        product: The product.
        currency: Of the shop.
        photos: How many photos of it there are.
    """
    return ShownProduct(
        sku=product.sku,
        name=product.name,
        category=product.category,
        price=None if product.price is None else money(product.price),
        currency=currency,
        gtin=product.gtin,
        photos=photo_urls(product.sku, photos),
    )


def photo_urls(sku: str, photos: int) -> tuple[str, ...]:
    """Addresses of a product's photos."""
    return tuple(f"{API}/products/{quote(sku, safe='')}/photos/{n}.jpg" for n in range(photos))
