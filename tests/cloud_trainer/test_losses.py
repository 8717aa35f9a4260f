"""The losses against what their papers say, worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch

from cloud_trainer.losses import SubCentreArcFace, batch_hard_triplet


def _at(*angles_deg: float) -> torch.Tensor:
    angles = torch.tensor(angles_deg).deg2rad()
    return torch.stack([angles.cos(), angles.sin()], dim=1)


def _chord(angle_deg: float) -> float:
    return 2 * math.sin(math.radians(angle_deg) / 2)


def test_the_triplet_loss_takes_the_hardest_positive_and_the_hardest_negative() -> None:
    embeddings = _at(0, 10, 40, 60)
    labels = torch.tensor([0, 0, 0, 1])
    expected = [
        _chord(40) - _chord(60) + 0.5,  # anchor 0: furthest of its own at 40, the other at 60
        _chord(30) - _chord(50) + 0.5,
        _chord(40) - _chord(20) + 0.5,
    ]  # the lone product has no positive and takes no part
    loss = batch_hard_triplet(embeddings, labels, margin=0.5)
    assert float(loss) == pytest.approx(sum(expected) / 3, abs=1e-5)


def test_well_separated_products_cost_nothing() -> None:
    loss = batch_hard_triplet(_at(0, 1, 90, 91), torch.tensor([0, 0, 1, 1]), margin=0.2)
    assert float(loss) == 0


@pytest.mark.parametrize("labels", [[0, 0, 0], [0, 1, 2]])
def test_a_batch_without_triplets_costs_nothing_and_has_a_gradient(labels: list[int]) -> None:
    embeddings = _at(0, 10, 20).requires_grad_()
    loss = batch_hard_triplet(embeddings, torch.tensor(labels), margin=0.2)
    (gradient,) = torch.autograd.grad(loss, embeddings)
    assert loss.item() == 0
    assert bool(torch.isfinite(gradient).all())


def test_equal_photos_do_not_make_the_gradient_infinite() -> None:
    embeddings = _at(0, 0, 0, 50).requires_grad_()
    loss = batch_hard_triplet(embeddings, torch.tensor([0, 0, 1, 1]), margin=0.2)
    (gradient,) = torch.autograd.grad(loss, embeddings)
    assert bool(torch.isfinite(gradient).all())


def test_arcface_answers_to_the_nearest_of_a_products_centres() -> None:
    loss = SubCentreArcFace(2, 2, centres=2, scale=8, margin_rad=0.3)
    loss.centres.data = torch.stack([_at(0, 90), _at(180, 270)])
    _, predicted = loss(_at(85, 5, 190), torch.tensor([0, 0, 1]))
    assert predicted.tolist() == [0, 0, 1]


def test_arcface_adds_its_margin_to_the_right_products_angle() -> None:
    loss = SubCentreArcFace(2, 2, centres=1, scale=8, margin_rad=0.3)
    loss.centres.data = torch.stack([_at(0), _at(90)])
    value, _ = loss(_at(30), torch.tensor([0]))
    right, other = 8 * math.cos(math.radians(30) + 0.3), 8 * math.cos(math.radians(60))
    assert value.item() == pytest.approx(math.log(1 + math.exp(other - right)), abs=1e-4)
