"""What the portal's API and pages ask for, whoever keeps it.

Owns the seam ``Portal`` alone; shapes are ``cloud_trainer.portal.views``'. Who asks goes along with
every question whose answer depends on it: a provider sees the products of the own organisation and
no others, which are answered as if there were none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Protocol

from cloud_trainer.portal.views.fleet import (
    AskedRollout,
    Measured,
    ShownDevice,
    ShownProgress,
    ShownRollout,
    SigningRole,
    Waiting,
)
from cloud_trainer.portal.views.products import (
    Alike,
    Import,
    ProductBrief,
    ProductFields,
    ShownPhoto,
    ShownProduct,
    Stage,
)
from cloud_trainer.portal.views.training import (
    Comparison,
    RunBrief,
    ShownBundle,
    ShownCategory,
    ShownRun,
    Suggestion,
)
from web.access import Asking
from web.shape import Listed

RolloutChange = Literal["pause", "resume", "abort", "rollback"]


class Portal(Protocol):
    """The portal as its pages and its API see it.

    Every method may be called from any thread. All may raise, and routers let it pass:

    - ``PortalMissingError``: there is no such thing for whoever asks - 404
    - ``PortalRefusedError``: it cannot be done as things are; the text says what to do - 409
    - ``PortalUnusableError``: what was sent cannot be used, such as a file that is no photo - 422
    - other ``WalkoutTrainerError``: it cannot be read or written now, and nothing happened - 503
    """

    def waiting(self, asking: Asking) -> Waiting:
        """What waits for whoever asks."""
        ...

    # Products

    def products(
        self,
        asking: Asking,
        *,
        query: str = "",
        stage: Stage | None = None,
        category: str | None = None,
        after: str | None = None,
        limit: int = 50,
    ) -> Listed[ProductBrief]:
        """Products by SKU; those that wait for an operator in the order in which they came.

        Args:
            asking: Who asks.
            query: Begins a SKU, a GTIN or a word of the name.
            stage: Only those.
            category: Only those.
            after: ``next`` of the page before.
            limit: Longest page.
        """
        ...

    def product(self, asking: Asking, sku: str) -> ShownProduct:
        """A product with its photos, verdicts and history."""
        ...

    def put_product(self, asking: Asking, sku: str, fields: ProductFields) -> ShownProduct:
        """Add a product or change what is said of it; it is handed in by ``hand_in``."""
        ...

    def add_photo(self, asking: Asking, sku: str, name: str, content: bytes) -> ShownPhoto:
        """Add a photo; the answer says at once what is wrong with it. The same photo is one.

        Args:
            asking: Who asks.
            sku: The product.
            name: As the file is called; it names nothing in any file system.
            content: A JPEG, PNG, WebP or BMP file.
        """
        ...

    def remove_photo(self, asking: Asking, sku: str, photo_id: str) -> None:
        """Take a photo away from a product."""
        ...

    def keep_photo(self, asking: Asking, sku: str, photo_id: str, is_kept: bool) -> ShownPhoto:
        """An operator uses a photo in spite of its faults, or not any more."""
        ...

    def photo(self, asking: Asking, sku: str, photo_id: str, width_px: int | None) -> bytes:
        """A photo as JPEG, at most so wide; ``None`` gives the file as it came."""
        ...

    def hand_in(self, asking: Asking, sku: str) -> ShownProduct:
        """Its provider is done: an operator should look."""
        ...

    def approve(self, asking: Asking, sku: str, revision: int | None = None) -> ShownProduct:
        """The pipeline may take it.

        Args:
            asking: An operator.
            sku: The product.
            revision: What was looked at; refused when it was changed meanwhile.
        """
        ...

    def refuse(self, asking: Asking, sku: str, reason: str) -> ShownProduct:
        """Back to its provider, with the reason."""
        ...

    def withdraw(self, asking: Asking, sku: str, reason: str = "") -> ShownProduct:
        """It shall not be recognised any more."""
        ...

    def alike(self, asking: Asking, sku: str) -> tuple[Alike, ...]:
        """Near-duplicates, with photos side by side and what they cost in confusions."""
        ...

    # Imports

    def begin_import(self, asking: Asking, name: str, table: bytes) -> Import:
        """Take in a CSV file of products; its lines are worked off in the background."""
        ...

    def add_import_photo(
        self, asking: Asking, import_id: str, path: str, content: bytes
    ) -> ShownPhoto:
        """A photo of an import.

        Args:
            asking: Who asks.
            import_id: The import.
            path: As the browser names the file in its folder: its folder's name is the SKU, or a
                line of the table names it in its column ``path``.
            content: The photo.
        """
        ...

    def imports(self, asking: Asking) -> tuple[Import, ...]:
        """The latest imports of whoever asks, newest first."""
        ...

    def one_import(self, asking: Asking, import_id: str) -> Import:
        """How far an import is."""
        ...

    def import_has(self, asking: Asking, import_id: str) -> tuple[str, ...]:
        """Paths of photos that are here already; the others are sent again after a break."""
        ...

    def end_import(self, asking: Asking, import_id: str) -> Import:
        """No more files come: products with enough good photos are handed in."""
        ...

    # Categories

    def categories(self) -> tuple[ShownCategory, ...]:
        """All categories, by name."""
        ...

    def arrange(self, asking: Asking, places: Mapping[str, str]) -> int:
        """Put products (by SKU) into categories; gives how many moved."""
        ...

    def suggest_categories(self, asking: Asking, categories: int | None = None) -> Suggestion:
        """Begin to make a proposal, in a process of its own; ``suggestion`` has it when made."""
        ...

    def suggestion(self) -> Suggestion:
        """The latest proposal."""
        ...

    # Runs and bundles

    def runs(
        self, *, category: str | None = None, after: str | None = None, limit: int = 50
    ) -> Listed[RunBrief]:
        """Runs, newest first."""
        ...

    def run(self, run_id: str) -> ShownRun:
        """A run with its curves."""
        ...

    def run_file(self, run_id: str, name: str) -> bytes:
        """A file that a run left."""
        ...

    def bundles(self, category: str | None = None) -> tuple[ShownBundle, ...]:
        """Published bundles, newest first within their categories."""
        ...

    def bundle(self, category: str, release: int) -> ShownBundle:
        """One of them."""
        ...

    def bundle_file(self, category: str, release: int, name: str) -> bytes:
        """A file of a bundle."""
        ...

    def compare(self, first: tuple[str, int], second: tuple[str, int]) -> Comparison:
        """Two bundles, ``(category, release)`` each, on the approved photos of their products.

        It is made in the background; asking again shows how far it is.
        """
        ...

    # Rollouts, fleet, pipeline

    def rollouts(self) -> tuple[ShownRollout, ...]:
        """The latest rollout of every category that has had one."""
        ...

    def rollout(self, category: str) -> ShownRollout:
        """One of them."""
        ...

    def start_rollout(self, asking: Asking, asked: AskedRollout) -> ShownRollout:
        """Begin one."""
        ...

    def change_rollout(
        self, asking: Asking, category: str, change: RolloutChange, reason: str
    ) -> ShownRollout:
        """Pause, resume, abort or roll back; the reason is for those who look later."""
        ...

    def fleet(self) -> tuple[ShownDevice, ...]:
        """All devices that were heard, by name."""
        ...

    def pipeline(self) -> tuple[ShownProgress, ...]:
        """What the pipeline does with each category, why, and what comes next."""
        ...

    def measured(self) -> Measured:
        """What the system measured of itself; the cost model begins with it."""
        ...

    # Signing and retention

    def signing(self) -> tuple[SigningRole, ...]:
        """Who signs what devices believe, and until when; nobody before the first release."""
        ...

    def retention(self) -> Mapping[str, int]:
        """For how many days what is kept: ``withdrawn_photos``, ``refused_photos``, ``audit``."""
        ...

    def set_retention(self, asking: Asking, days: Mapping[str, int]) -> Mapping[str, int]:
        """Keep something else for so long."""
        ...
