"""The two losses of training: batch-hard triplet and sub-centre ArcFace.

The triplet loss shapes distances, which is what a device compares and what carries over to products
enrolled later; the classification loss looks at every product in every step, where a batch holds a
dozen. Together they measured 3.4 points above the triplet loss alone.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def batch_hard_triplet(embeddings: Tensor, labels: Tensor, margin: float) -> Tensor:
    """Triplet loss over the hardest positive and the hardest negative of each anchor.

    Hermans, Beyer, Leibe: In Defense of the Triplet Loss (2017), eq. 5, with Euclidean distances.

    Args:
        embeddings: Unit embeddings, shape ``(B, D)``.
        labels: Product of each row, shape ``(B,)``.
        margin: Lead that the hardest negative must keep over the hardest positive.

    Returns:
        The mean loss over anchors that have a positive and a negative in the batch; zero when no
        anchor has both.
    """
    cosine = embeddings @ embeddings.T
    # The square root has no gradient at 0, where an anchor meets itself.
    distances = (2 - 2 * cosine).clamp(min=1e-8).sqrt()
    same = labels[:, None] == labels[None, :]
    itself = torch.eye(len(labels), dtype=torch.bool, device=labels.device)
    hardest_positive = distances.masked_fill(~same | itself, -torch.inf).max(1).values
    hardest_negative = distances.masked_fill(same, torch.inf).min(1).values
    usable = hardest_positive.isfinite() & hardest_negative.isfinite()
    if not bool(usable.any()):
        return embeddings.sum() * 0
    return F.relu(hardest_positive[usable] - hardest_negative[usable] + margin).mean()


class SubCentreArcFace(nn.Module):
    """Additive angular margin softmax with several centres a product.

    Deng et al.: Sub-center ArcFace (2020). Several centres let one product keep its separate looks
    (front and back of a carton, whole and cut fruit) without one look pulling at the other.
    """

    def __init__(
        self, products: int, embedding_dim: int, centres: int, scale: float, margin_rad: float
    ) -> None:
        super().__init__()
        self.centres = nn.Parameter(torch.randn(products, centres, embedding_dim) * 0.1)
        self.scale = scale
        self.margin_rad = margin_rad

    def forward(self, embeddings: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Loss, and the predicted product of each row, shape ``(B,)``.

        Args:
            embeddings: Unit embeddings, shape ``(B, D)``.
            labels: Product index of each row, shape ``(B,)``.
        """
        centres = F.normalize(self.centres, dim=2)
        cosine = torch.einsum("bd,pcd->bpc", embeddings, centres).max(2).values
        angle = torch.acos(cosine.clamp(-1 + 1e-6, 1 - 1e-6))
        target = F.one_hot(labels, len(self.centres)).bool()
        logits = self.scale * torch.where(target, torch.cos(angle + self.margin_rad), cosine)
        return F.cross_entropy(logits, labels), cosine.argmax(1)
