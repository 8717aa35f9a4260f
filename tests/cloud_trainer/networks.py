"""A small network that nobody trained: ImageNet's trunk, a fresh head, whitened over some crops."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from models.embedder import Embedder, NetworkShape


def small_network(crops: NDArray[np.uint8]) -> Embedder:
    """A network of 16 learned and 8 whitened dimensions, the same one each time.

    Args:
        crops: What it is whitened over, shape ``(N, S, S, 3)``, uint8 BGR; it takes such crops.
    """
    torch.manual_seed(0)
    side = crops.shape[1]
    shape = NetworkShape("efficientnet-lite0", learned_dim=16, general_dim=8, input_size_px=side)
    network = Embedder(shape).eval().requires_grad_(False)
    network.fit_whitening(network.features(torch.from_numpy(crops)), torch.ones(len(crops)))
    return network
