"""What serves right now: a recogniser whose bundles are exchanged while it works, and counted.

Owns the swap within the process: the new network and index are built and warmed beside the old
ones by whoever calls ``serve`` (the update agent's worker), then one assignment changes what the
next batch is decided with. No recognition waits, fails or sees halves; the old network goes when
the last batch that began with it has ended.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edge.errors import MatchingError, WalkoutEdgeError
from edge.events import Recognition
from edge.matching.embedding import CropEmbedder
from edge.matching.recogniser import Recogniser
from edge.matching.serving import ServingSet
from edge.matching.shared import Sharing
from edge.runtime.base import Embedder
from edge.runtime.golden import check_golden
from edge.updates.progress import Counts
from models.bundle import NETWORK_FILES, Bundle

Image = NDArray[np.uint8]


class ServingLine(Protocol):
    """Whatever decides with bundles, as the update agent sees it."""

    def serve(self, bundle: Bundle) -> None:
        """Let a bundle serve in place of its category's present one.

        Raises:
            WalkoutEdgeError: It cannot; the present one goes on.
            BundleError: Likewise.
        """
        ...

    def drop(self, category: str) -> None:
        """Let nothing serve for a category any more."""
        ...

    def counts(self, category: str) -> Counts:
        """Recognitions by the bundle that serves for a category, since it does."""
        ...

    def paths(self) -> Mapping[str, Path]:
        """Folder of the bundle that serves, by category."""
        ...


class LiveRecogniser:
    """A recogniser that is swapped and counted; safe to use from several threads.

    Args:
        recogniser: Recognises; ``None`` until the first bundle comes.
        open_embedder: Opens a bundle's network as this device runs it.
        sharing: How threads share a network, for the recogniser that comes with the first bundle.
    """

    def __init__(
        self,
        recogniser: Recogniser | None,
        open_embedder: Callable[[Bundle], Embedder],
        sharing: Sharing | None = None,
    ) -> None:
        self._recogniser = recogniser
        self._sharing = sharing
        self._open_embedder = open_embedder
        self._counting = threading.Lock()
        self._counts: dict[tuple[str, str, str], Counts] = {}

    @property
    def recogniser(self) -> Recogniser | None:
        """What decides, for questions that say nothing about how well a bundle serves.

        ``None`` while no bundle serves; after that the same one through all swaps.
        """
        return self._recogniser

    def recognise(self, crops: Sequence[Image]) -> Recognition | None:
        """Recognise one object by all its crops; see ``Recogniser.recognise``.

        Returns:
            What it is; ``None`` while no bundle serves.
        """
        recogniser = self._recogniser
        return None if recogniser is None else self._counted(recogniser, [crops])[0]

    def recognise_many(self, items: Sequence[Sequence[Image]]) -> tuple[Recognition, ...]:
        """Recognise items; see ``Recogniser.recognise_many``.

        Raises:
            MatchingError: Likewise, or no bundle serves.
        """
        recogniser = self._recogniser
        if recogniser is None:
            raise MatchingError("no bundle serves yet, so nothing can be recognised; publish one")
        return self._counted(recogniser, items)

    def _counted(
        self, recogniser: Recogniser, items: Sequence[Sequence[Image]]
    ) -> tuple[Recognition, ...]:
        try:
            recognitions = recogniser.recognise_many(items)
        except WalkoutEdgeError:
            with self._counting:
                for served in recogniser.serving.sets:
                    self._count(_key(served.bundle), Counts(errors=len(items)))
            raise
        with self._counting:
            for each in recognitions:
                key = (each.category, each.bundle_version, each.space_id)
                outcome = each.decision.outcome
                self._count(
                    key,
                    Counts(
                        accepts=outcome == "accept",
                        reviews=outcome == "review",
                        rejects=outcome == "reject",
                    ),
                )
        return recognitions

    def serve(self, bundle: Bundle) -> None:
        """Let a bundle serve; see ``ServingLine``."""
        network = self._network_in_use(bundle)
        if network is None:
            opened = self._open_embedder(bundle)
            check_golden(bundle, opened)  # also what the first batch would otherwise pay for
            network = opened
        with self._counting:
            self._counts.pop(_key(bundle), None)
        if self._recogniser is None:
            self._recogniser = Recogniser([bundle], [network], sharing=self._sharing)
        else:
            self._recogniser.swap(bundle, network)

    def drop(self, category: str) -> None:
        """Let nothing serve for a category; see ``ServingLine``."""
        if [served.category for served in self._sets()] == [category]:
            self._recogniser = None
        elif self._recogniser is not None:
            self._recogniser.drop(category)

    def counts(self, category: str) -> Counts:
        """Recognitions by what serves for a category; see ``ServingLine``."""
        for served in self._sets():
            if served.category == category:
                with self._counting:
                    return self._counts.get(_key(served.bundle), Counts())
        return Counts()

    def paths(self) -> Mapping[str, Path]:
        """Folder of the bundle that serves, by category."""
        return {each.category: each.bundle.path for each in self._sets()}

    def _sets(self) -> tuple[ServingSet, ...]:
        recogniser = self._recogniser
        return () if recogniser is None else recogniser.serving.sets

    def _count(self, key: tuple[str, str, str], more: Counts) -> None:
        self._counts[key] = self._counts.get(key, Counts()).plus(more)

    def _network_in_use(self, bundle: Bundle) -> CropEmbedder | None:
        """An open network that was made of the very same files."""
        if self._recogniser is None:
            return None
        serving = self._recogniser.serving
        for served in serving.sets:
            if _network_of(served.bundle) == _network_of(bundle):
                return serving.embedders[served.space_id]
        return None


class PointerOnly:
    """Where nothing decides in this process: what serves is what ``serving.json`` says."""

    def __init__(self) -> None:
        self._paths: dict[str, Path] = {}

    def serve(self, bundle: Bundle) -> None:
        """Remember where the bundle is."""
        self._paths[bundle.manifest.category] = bundle.path

    def drop(self, category: str) -> None:
        """Forget where the bundle is."""
        self._paths.pop(category, None)

    def counts(self, category: str) -> Counts:
        """Nothing is decided here."""
        return Counts()

    def paths(self) -> Mapping[str, Path]:
        """Folder of the bundle that serves, by category."""
        return dict(self._paths)


def _key(bundle: Bundle) -> tuple[str, str, str]:
    manifest = bundle.manifest
    return manifest.category, manifest.version, manifest.space_id


def _network_of(bundle: Bundle) -> dict[str, str]:
    files = bundle.manifest.files
    return {name: files[name].sha256 for name in NETWORK_FILES & files.keys()}
