"""Crops of items in, recognitions out, while bundles may be swapped underneath.

Owns which bundles serve. Everything that a decision depends on sits in one frozen ``Serving``;
a recognition reads it once, a swap replaces it by a single assignment. So no recognition is ever
lost or made of halves of two bundles, and none waits for a swap.

Example::

    recogniser = Recogniser([bundle], [open_embedder(bundle)])
    recognition = recogniser.recognise([crop_before, crop_during])
    recognition.decision.outcome  # "accept"
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from edge.errors import MatchingError
from edge.events import Recognition
from edge.matching.embedding import CropEmbedder
from edge.matching.judge import judge, locate
from edge.matching.packtext import settle_by_text, sharpness
from edge.matching.router import route
from edge.matching.serving import Serving, ServingSet, serve
from edge.matching.shared import SharedNetwork, Sharing
from models.bundle import Bundle, BundleSpaceError
from models.consensus import consensus
from models.decision import Decision
from models.preprocess import Preprocessing, prepare

Image = NDArray[np.uint8]


@dataclass(frozen=True)
class Embedded:
    """Crops after the networks have seen them, with the serving set they were embedded for.

    Attributes:
        serving: What they can be decided with.
        by_space: Embeddings ``(B, D)`` of all crops in each embedding space.
        crops: The crops themselves, kept only where somebody may read the words on them.
    """

    serving: Serving
    by_space: Mapping[str, NDArray[np.float32]]
    crops: tuple[Image, ...] = ()


def join(parts: Sequence[Embedded]) -> Embedded:
    """Crops that were embedded in several batches, as one.

    Args:
        parts: At least one, in the order of the crops.

    Raises:
        MatchingError: A swap came between them; embed the crops again.
    """
    serving = parts[0].serving
    if any(part.serving is not serving for part in parts):
        raise MatchingError("a bundle was swapped while crops were embedded; embed them again")
    return Embedded(
        serving,
        {
            space_id: np.concatenate([part.by_space[space_id] for part in parts])
            for space_id in parts[0].by_space
        },
        tuple(crop for part in parts for crop in part.crops),
    )


class Recogniser:
    """Recognises items with one or more bundles; safe to use from several threads.

    Args:
        bundles: Verified bundles, each of another category.
        embedders: One network for each embedding space among them.
        read_words: Reads the words on a crop, for reviews that words on the packs could settle;
            it is asked only where a bundle has such words.
        sharing: How the threads that ask share each network.

    Raises:
        MatchingError: There is no bundle, or two are of one category.
        BundleSpaceError: A bundle's embedding space has no network here.
    """

    def __init__(
        self,
        bundles: Iterable[Bundle],
        embedders: Iterable[CropEmbedder],
        read_words: Callable[[Image], Sequence[str]] | None = None,
        sharing: Sharing | None = None,
    ) -> None:
        networks = {embedder.space_id: embedder for embedder in embedders}
        serving = Serving((), {})
        for bundle in bundles:
            if any(served.category == bundle.manifest.category for served in serving.sets):
                raise MatchingError(
                    f"two bundles are of category {bundle.manifest.category!r}; give one of them"
                )
            embedder = _network_of(bundle, networks)
            serving = serving.with_set(serve(bundle, embedder), embedder)
        if not serving.sets:
            raise MatchingError("nothing can be recognised without a bundle; give at least one")
        self._serving = serving
        self._read_words = read_words
        self._sharing = sharing or Sharing()
        self._shared: dict[str, SharedNetwork] = {}
        self._swapping = threading.Lock()

    @property
    def serving(self) -> Serving:
        """What serves at this moment; it never changes, a swap puts another in its place."""
        return self._serving

    def swap(self, bundle: Bundle, embedder: CropEmbedder | None = None) -> None:
        """Let a bundle serve in place of its category's present one, or beside the others.

        The index is built before anything changes; recognitions under way finish with what they
        began with.

        Args:
            bundle: A verified bundle.
            embedder: Its network; may be left out where its embedding space already serves.

        Raises:
            BundleSpaceError: The bundle is of an embedding space that has no network here.
        """
        with self._swapping:
            network = embedder or _network_of(bundle, self._serving.embedders)
            self._serving = self._serving.with_set(serve(bundle, network), network)
            self._forget_replaced()

    def drop(self, category: str) -> None:
        """Let a category's bundle serve no more; recognitions under way finish with it.

        Raises:
            MatchingError: Nothing would be left.
        """
        with self._swapping:
            left = self._serving.without(category)
            if not left.sets:
                raise MatchingError(
                    f"without {category} nothing could be recognised; swap in another bundle first"
                )
            self._serving = left
            self._forget_replaced()

    def recognise(self, crops: Sequence[Image]) -> Recognition:
        """Recognise one item by all its crops; see ``recognise_many``."""
        return self.recognise_many([crops])[0]

    def recognise_many(self, items: Sequence[Sequence[Image]]) -> tuple[Recognition, ...]:
        """Recognise items, embedding all crops of all of them in one batch.

        Args:
            items: For each item its crops, at least one: uint8 ``(H, W, 3)`` BGR of any size.

        Raises:
            MatchingError: An item has no crops.
            EmbedderError: The network failed.
        """
        ends = list(accumulate(len(crops) for crops in items))
        spans = [range(end - len(crops), end) for crops, end in zip(items, ends, strict=True)]
        embedded = self.embed([crop for crops in items for crop in crops])
        return self.decide(embedded, spans)

    def embed(self, crops: Sequence[Image]) -> Embedded:
        """Embed crops in every embedding space that serves.

        Args:
            crops: uint8 ``(H, W, 3)`` BGR of any size; those that already have the size of the
                network input are taken as they are.
        """
        serving = self._serving
        batches: dict[Preprocessing, NDArray[np.uint8]] = {}
        by_space: dict[str, NDArray[np.float32]] = {}
        for served in serving.sets:
            preprocessing = served.bundle.manifest.preprocessing
            if served.space_id in by_space:
                continue
            if preprocessing not in batches:
                batches[preprocessing] = _prepared(crops, preprocessing)
            network = self._shared_network(serving.embedders[served.space_id])
            by_space[served.space_id] = network.embed(batches[preprocessing])
        return Embedded(serving, by_space, tuple(crops) if self._read_words else ())

    def _shared_network(self, embedder: CropEmbedder) -> SharedNetwork:
        shared = self._shared.get(embedder.space_id)
        if shared is None or shared.network is not embedder:
            # Two threads may both make one: the later stays, both compute the same.
            shared = self._shared[embedder.space_id] = SharedNetwork(embedder, self._sharing)
        return shared

    def _forget_replaced(self) -> None:
        in_use = self._serving.embedders
        self._shared = {
            space: shared
            for space, shared in self._shared.items()
            if shared.network is in_use.get(space)
        }

    def decide(self, embedded: Embedded, items: Sequence[Sequence[int]]) -> tuple[Recognition, ...]:
        """Decide about items whose crops are already embedded; they may share crops.

        Args:
            embedded: From ``embed``.
            items: For each item the rows of its crops, at least one.

        Raises:
            MatchingError: An item has no crops.
        """
        if not all(len(rows) for rows in items):
            raise MatchingError("an item without crops cannot be recognised; leave it out")
        if not items:
            return ()
        by_space = [
            self._verdicts_in_space(embedded, space_id, items) for space_id in embedded.by_space
        ]
        return tuple(
            _recognition(embedded.serving, verdicts, crops_given=len(rows))
            for rows, *verdicts in zip(items, *by_space, strict=True)
        )

    def _verdicts_in_space(
        self, embedded: Embedded, space_id: str, items: Sequence[Sequence[int]]
    ) -> list[_Verdict]:
        """What one embedding space says about each item."""
        embeddings = embedded.by_space[space_id]
        agreed = [consensus(embeddings[list(rows)]) for rows in items]
        sets = tuple(served for served in embedded.serving.sets if served.space_id == space_id)
        located = locate(np.stack([each.embedding for each in agreed]), sets)
        verdicts = []
        for rows, each, candidates in zip(items, agreed, located, strict=True):
            decision = judge(each.embedding, candidates, each.looks)
            if decision.outcome == "review" and self._read_words is not None:
                crops = [embedded.crops[row] for row in np.asarray(rows)[each.kept]]
                decision = settle_by_text(
                    decision, each.embedding, candidates, partial(self._words_on, crops)
                )
            verdicts.append(_Verdict(decision, candidates[0].served, int(each.kept.sum())))
        return verdicts

    def _words_on(self, crops: Sequence[Image]) -> Sequence[str]:
        """Words on the sharpest of several crops."""
        return self._read_words(max(crops, key=sharpness)) if self._read_words else ()


@dataclass(frozen=True)
class _Verdict:
    """What one embedding space says about one item, and how many crops agreed there."""

    decision: Decision
    served: ServingSet
    crops_agreed: int


def _prepared(crops: Sequence[Image], preprocessing: Preprocessing) -> NDArray[np.uint8]:
    side = preprocessing.input_size_px
    batch = np.empty((len(crops), side, side, 3), np.uint8)
    for crop, out in zip(crops, batch, strict=True):
        prepare(crop, out, preprocessing.pad_value)
    return batch


def _network_of(bundle: Bundle, networks: Mapping[str, CropEmbedder]) -> CropEmbedder:
    manifest = bundle.manifest
    if manifest.space_id not in networks:
        raise BundleSpaceError(
            f"bundle {manifest.category} {manifest.version} is of embedding space "
            f"{manifest.space_id[:12]}, which no open network serves; open its own network too"
        )
    return networks[manifest.space_id]


def _recognition(serving: Serving, verdicts: Sequence[_Verdict], crops_given: int) -> Recognition:
    chosen = route(
        [verdict.decision for verdict in verdicts],
        [verdict.served.category for verdict in verdicts],
    )
    verdict, decision = verdicts[chosen.chosen], chosen.decision
    manifest = verdict.served.bundle.manifest
    names = (served.names.get(decision.sku or "") for served in serving.sets)
    return Recognition(
        decision=decision,
        category=manifest.category,
        bundle_version=manifest.version,
        space_id=manifest.space_id,
        precision=serving.embedders[manifest.space_id].describe().precision,
        product_name=verdict.served.names.get(decision.sku or "")
        or next(filter(None, names), None),
        crops_given=crops_given,
        crops_agreed=verdict.crops_agreed,
        routing=chosen.reason,
    )
