"""The words on a pack as a tie-breaker between products that look alike.

Owns how words vote. Only words that some of the candidates carry and others do not can tell them
apart; a word that OCR got wrong in one letter still counts. Who reads the words is somebody else's
matter (``models.packtext``). Pure.

Thresholds are fitted without pack text, so words settle only what TL and TH left open, only between
candidates whose words are all known, and against what the picture says only with two words.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.matching.judge import Located, heed_negatives
from models.decision import Decision
from models.packtext import normalised_words

_SHORTEST_MISREAD: Final = 5
_WORDS_AGAINST_THE_PICTURE: Final = 2


@dataclass(frozen=True)
class Vote:
    """How words decided between candidates.

    Attributes:
        winner: The SKU that the words speak for; ``None`` when they do not decide.
        words: For each candidate the discriminating words that were read.
    """

    winner: str | None
    words: Mapping[str, tuple[str, ...]]


def vote(
    read: Iterable[str], listed: Mapping[str, Iterable[str]], candidates: Sequence[str]
) -> Vote:
    """Let the words that were read decide between candidates.

    A candidate wins with more than twice as many discriminating words as any other; the first one
    needs one word, the others two.

    Args:
        read: Lines read on the crop.
        listed: Words on the pack of each product, by SKU.
        candidates: SKUs, the one that looks nearest first.

    Returns:
        The vote; without a winner when a candidate's words are not listed.
    """
    if not all(listed.get(sku) for sku in candidates):
        return Vote(None, {})
    words_of = {sku: normalised_words(listed[sku]) for sku in candidates}
    shared = frozenset.intersection(*words_of.values())
    seen = normalised_words(read)
    every = frozenset[str]().union(*words_of.values())
    spoken = every & seen
    for misread in seen - every:
        spoken |= {word for word in every if _may_read_as(word, misread)}
    votes = {sku: tuple(sorted((words & spoken) - shared)) for sku, words in words_of.items()}
    ranked = sorted(candidates, key=lambda sku: -len(votes[sku]))
    best = ranked[0]
    needed = 1 if best == candidates[0] else _WORDS_AGAINST_THE_PICTURE
    runner_up = len(votes[ranked[1]]) if len(ranked) > 1 else 0
    decided = len(votes[best]) >= needed and len(votes[best]) > 2 * runner_up
    return Vote(best if decided else None, votes)


def settle_by_text(
    decision: Decision,
    query: NDArray[np.float32],
    located: tuple[Located, ...],
    read_words: Callable[[], Sequence[str]],
) -> Decision:
    """Settle a review by the words on the pack, where they can tell the candidates apart.

    Only candidates that the thresholds have not ruled out (nearer than TH) take part.

    Args:
        decision: A review.
        query: Shape ``(D,)``, unit length: for negatives, which words do not overrule.
        located: The candidates of the decision, in its order.
        read_words: Reads the words; called only when they could decide.

    Returns:
        An acceptance, or the same review.
    """
    possible = [each for each in located if each.distance < decision.thresholds.th]
    listed = {
        each.sku: words for each in possible if (words := each.served.bundle.text.get(each.sku))
    }
    if len(possible) < 2 or len(listed) < len(possible):
        return decision
    cast = vote(read_words(), listed, [each.sku for each in possible])
    if cast.winner is None:
        return decision
    winner = next(each for each in possible if each.sku == cast.winner)
    spoken = ", ".join(cast.words[winner.sku])
    settled = replace(
        decision,
        outcome="accept",
        stage="full_check",
        sku=winner.sku,
        reason=f"the pack says {spoken}, "
        f"which speaks for {winner.sku} among {len(possible)} candidates",
    )
    return heed_negatives(settled, query, winner)


def sharpness(crop: NDArray[np.uint8]) -> float:
    """How sharp a BGR crop ``(H, W, 3)`` is: the variance of its Laplacian."""
    grey = cv2.cvtColor(crop, cv2.COLOR_BGR2GRAY)
    return float(cv2.Laplacian(grey, cv2.CV_32F).var())


def _may_read_as(word: str, read: str) -> bool:
    """Whether a listed word may be what was read; numbers tell packs apart and must be exact."""
    long_enough = len(word) >= _SHORTEST_MISREAD and word.isalpha()
    return long_enough and _one_letter_off(word, read)


def _one_letter_off(word: str, other: str) -> bool:
    """Whether one letter changed, added or left out makes one of the other."""
    if abs(len(word) - len(other)) > 1:
        return False
    shorter, longer = sorted((word, other), key=len)
    at = next((n for n, (a, b) in enumerate(zip(shorter, longer, strict=False)) if a != b), None)
    if at is None:
        return True
    rest = shorter[at + 1 :] if len(shorter) == len(longer) else shorter[at:]
    return rest == longer[at + 1 :]
