"""Training of one category's embedder: the loop, its checkpoints and its early stop.

Owns how a network is trained, not what becomes of it (``export``) nor where it runs
(``executors``). The same code runs on a CPU and on CUDA. A run is a function of its catalogue, its
plan and its seed; a checkpoint holds everything else, so a killed run goes on where it stood.

The recipe, each part measured in docs/recognition.md: PK batches over many scenes; the batch-hard
triplet loss beside sub-centre ArcFace; folded batch normalisation; early blocks and depthwise
filters frozen; AdamW with warm-up and cosine decay; an exponential moving average of the weights is
what is kept.
"""

from __future__ import annotations

import copy
import json
import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from cloud_trainer.augment import Augmentation, random_view
from cloud_trainer.datasets import PhotoStore
from cloud_trainer.errors import WalkoutTrainerError
from cloud_trainer.losses import SubCentreArcFace, batch_hard_triplet
from cloud_trainer.sampling import PKSampler
from cloud_trainer.scenes import Split
from models.catalogue import Photo
from models.embedder import Embedder, NetworkShape
from models.preprocess import Preprocessing

logger = logging.getLogger(__name__)

_CPU_INFO: Final = Path("/proc/cpuinfo")

# A photo is looked at through views of a third of its area and more; 1.4 times the network's input
# keeps the closest view about as sharp as the input.
WORKING_SIDE_SHARE = 1.4


@dataclass(frozen=True)
class Int8Plan:
    """When INT8 is good enough to ship, and what is done where it is not.

    Attributes:
        costs_at_most: Share of held-out photos by which it may be worse than fp32.
        tuning_steps: Where it costs more, steps of quantisation-aware fine-tuning.
        for_tensorrt: Whether the network for TensorRT is INT8 as well, instead of fp16.
    """

    costs_at_most: float = 0.01
    tuning_steps: int = 150
    for_tensorrt: bool = False


@dataclass(frozen=True)
class TrainingPlan:
    """Everything that decides a training run besides its photos.

    Attributes:
        network: Trunk, embedding length, crop size.
        steps: Optimiser steps.
        batch_products: P, products in a batch.
        batch_photos: K, photos of each product in a batch.
        learning_rate: Of the trunk; head and ArcFace centres run 4 and 40 times faster.
        weight_decay: Of AdamW.
        warm_up_steps: Steps of linear warm-up before the cosine.
        triplet_weight: Weight of the triplet loss.
        triplet_margin: Its margin in Euclidean distance.
        arcface_weight: Weight of the sub-centre ArcFace loss.
        arcface_centres: Centres a product.
        arcface_scale: Scale of its logits.
        arcface_margin_rad: Angular margin.
        frozen_blocks: Trunk blocks that keep their ImageNet weights.
        average_decay: Decay of the moving average of weights.
        augmentation: Range of random views.
        holdout_share: Share of photos, whole scenes, kept from training.
        folds: Trainings that each hold other scenes out and are judged on them.
        refit: Whether one more training over all photos makes the network that is shipped; those
            before it lend it their thresholds. Without it there is one fold, which is shipped.
        evaluate_every: Steps between two looks at the held-out photos.
        patience: Looks without a better result after which training stops.
        checkpoint_every: Steps between two checkpoints; a quarter of a short training's.
        seed: Seed of everything random.
        int8: When INT8 ships.
    """

    network: NetworkShape = field(default_factory=NetworkShape)
    steps: int = 500
    batch_products: int = 12
    batch_photos: int = 4
    learning_rate: float = 5e-4
    weight_decay: float = 1e-2
    warm_up_steps: int = 40
    triplet_weight: float = 2.0
    triplet_margin: float = 0.2
    arcface_weight: float = 1.0
    arcface_centres: int = 3
    arcface_scale: float = 24.0
    arcface_margin_rad: float = 0.3
    frozen_blocks: int = 6
    average_decay: float = 0.995
    augmentation: Augmentation = field(default_factory=Augmentation)
    holdout_share: float = 0.2
    folds: int = 2
    refit: bool = True
    evaluate_every: int = 250
    patience: int = 3
    checkpoint_every: int = 50
    seed: int = 0
    int8: Int8Plan = field(default_factory=Int8Plan)

    @staticmethod
    def from_json(values: Mapping[str, object]) -> TrainingPlan:
        """Rebuild a plan from ``dataclasses.asdict``."""
        plain = dict(values)
        network = NetworkShape(**dict(plain.pop("network")))  # type: ignore[call-overload]
        augmentation = Augmentation(**dict(plain.pop("augmentation")))  # type: ignore[call-overload]
        int8 = Int8Plan(**dict(plain.pop("int8")))  # type: ignore[call-overload]
        return TrainingPlan(network=network, augmentation=augmentation, int8=int8, **plain)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Trained:
    """A trained network and how it came about.

    Attributes:
        network: In evaluation mode, fp32, on the CPU.
        steps: Steps actually taken.
        best_step: Step whose averaged weights are kept.
        holdout_accuracy: Nearest-centroid accuracy of the held-out photos, 0 to 1; ``None``
            without held-out photos.
        seconds: Wall time of training, over all resumes.
    """

    network: Embedder
    steps: int
    best_step: int
    holdout_accuracy: float | None
    seconds: float


Report = Callable[[Mapping[str, object]], None]


def compute_dtype(device: torch.device, cpu_info: str) -> torch.dtype:
    """What matrix products are computed in: bf16 where the hardware has units for it, or fp32.

    GPUs since Ampere and CPUs with bf16 tiles gain two to four times; CPUs that emulate bf16 lose.
    Read rather than timed: on a busy machine a timing may go either way, and what is trained with
    the same seed would not be the same.

    Args:
        device: What is trained on.
        cpu_info: The system's ``/proc/cpuinfo``, or nothing where it has none.
    """
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
    return torch.bfloat16 if "amx_bf16" in cpu_info.split() else torch.float32


class TrainingRun:
    """One category's training: networks, optimiser and step counter, saved and restored as one."""

    def __init__(
        self,
        split: Split,
        plan: TrainingPlan,
        folder: Path,
        store: PhotoStore,
        preprocessing: Preprocessing,
    ) -> None:
        """Build the networks, and restore the checkpoint in ``folder`` if there is one.

        Raises:
            WalkoutTrainerError: Fewer than two products have photos, or the checkpoint in
                ``folder`` belongs to another plan or catalogue.
        """
        self.split, self.plan, self.store = split, plan, store
        self.preprocessing = preprocessing
        self.skus = sorted({photo.sku for photo in split.train})
        if len(self.skus) < 2:
            raise WalkoutTrainerError(
                f"a category needs at least two products to train, this one has {len(self.skus)}: "
                "join it with another category, or enrol its product into an existing bundle"
            )
        self._index = {sku: row for row, sku in enumerate(self.skus)}
        self._checkpoint = folder / "checkpoint.pt"
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        cpu_info = _CPU_INFO.read_text() if _CPU_INFO.exists() else ""
        self._dtype = compute_dtype(self._device, cpu_info)
        torch.manual_seed(plan.seed)
        self._network = Embedder(plan.network, self._dtype).to(self._device)
        self._network.freeze_early_blocks(plan.frozen_blocks)
        self._arcface = SubCentreArcFace(
            len(self.skus),
            plan.network.learned_dim,
            plan.arcface_centres,
            plan.arcface_scale,
            plan.arcface_margin_rad,
        ).to(self._device)
        self._average = copy.deepcopy(self._network)
        trunk = [p for p in self._network.trunk.parameters() if p.requires_grad]
        groups: list[dict[str, object]] = [
            {"params": trunk},
            {"params": list(self._network.head.parameters()), "speed": 4.0},
            {"params": list(self._arcface.parameters()), "speed": 40.0},
        ]
        self._optimiser = torch.optim.AdamW(
            groups,
            lr=plan.learning_rate,
            weight_decay=plan.weight_decay,
        )
        self._sampler = PKSampler(
            [self._index[photo.sku] for photo in split.train],
            split.train_scenes,
            plan.batch_products,
            plan.batch_photos,
            plan.seed,
        )
        self.step = 0
        self._seconds = 0.0
        self._best: tuple[float, int, dict[str, Tensor]] | None = None
        self._looks_without_gain = 0
        if self._checkpoint.exists():
            self._restore()

    def _identity(self) -> str:
        photos = [[p.sku, p.path.name, p.path.stat().st_size] for p in self.split.train]
        return json.dumps([asdict(self.plan), photos])

    def _save(self) -> None:
        fresh = self._checkpoint.with_suffix(".new")
        torch.save(
            {
                "identity": self._identity(),
                "network": self._trained(self._network),
                "average": self._trained(self._average),
                "arcface": self._arcface.state_dict(),
                "optimiser": self._optimiser.state_dict(),
                "step": self.step,
                "seconds": self._seconds,
                "best": self._best,
                "looks_without_gain": self._looks_without_gain,
                "dtype": str(self._dtype),
            },
            fresh,
        )
        fresh.replace(self._checkpoint)

    def _restore(self) -> None:
        saved = torch.load(self._checkpoint, map_location=self._device, weights_only=True)
        if saved["identity"] != self._identity():
            raise WalkoutTrainerError(
                f"{self._checkpoint} belongs to another plan or other photos: "
                "choose another --out, or remove it to start anew"
            )
        self._network.load_state_dict(saved["network"], strict=False)
        self._average.load_state_dict(saved["average"], strict=False)
        self._arcface.load_state_dict(saved["arcface"])
        self._optimiser.load_state_dict(saved["optimiser"])
        self.step, self._seconds = saved["step"], saved["seconds"]
        self._best, self._looks_without_gain = saved["best"], saved["looks_without_gain"]
        if saved["dtype"] != str(self._dtype):  # begun on another machine: stay with that
            self._dtype = torch.bfloat16 if "bfloat16" in saved["dtype"] else torch.float32
            self._network.compute_dtype = self._average.compute_dtype = self._dtype

    @staticmethod
    def _trained(network: nn.Module) -> dict[str, Tensor]:
        """The parameters that training changes; the others come from ImageNet again."""
        return {
            name: parameter.detach().clone()
            for name, parameter in network.named_parameters()
            if parameter.requires_grad
        }

    def _batch(self, step: int) -> tuple[NDArray[np.uint8], list[int]]:
        rows, rng = self._sampler.batch(step)
        size_px = self.plan.network.input_size_px
        photos = [self.split.train[row] for row in rows]
        views = [
            random_view(self.store.pixels(photo.path), size_px, rng, self.plan.augmentation)
            for photo in photos
        ]
        return np.stack(views), [self._index[photo.sku] for photo in photos]

    def _batches(self) -> Iterator[tuple[NDArray[np.uint8], list[int]]]:
        """Batches from the current step on, each prepared while the one before is learnt."""
        with ThreadPoolExecutor(1) as ahead:
            following = ahead.submit(self._batch, self.step)
            for step in range(self.step, self.plan.steps):
                batch = following.result()
                following = ahead.submit(self._batch, step + 1)
                yield batch

    def _rate(self) -> float:
        """Learning-rate factor at the current step: linear warm-up times half a cosine."""
        warm = min(1.0, (self.step + 1) / max(self.plan.warm_up_steps, 1))
        return warm * 0.5 * (1 + math.cos(math.pi * self.step / self.plan.steps))

    def _learn(self, crops: NDArray[np.uint8], labels: Sequence[int]) -> dict[str, float]:
        """One optimiser step; returns the losses and the share of the batch put right."""
        plan = self.plan
        for group in self._optimiser.param_groups:
            group["lr"] = plan.learning_rate * group.get("speed", 1.0) * self._rate()
        target = torch.tensor(labels, device=self._device)
        embeddings = self._network.learned(torch.from_numpy(crops).to(self._device))
        triplet = batch_hard_triplet(embeddings, target, plan.triplet_margin)
        arcface, predicted = self._arcface(embeddings, target)
        loss = plan.triplet_weight * triplet + plan.arcface_weight * arcface
        if not bool(torch.isfinite(loss)):
            raise WalkoutTrainerError(
                f"the loss is no longer a number at step {self.step}: lower the learning rate"
            )
        self._optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(
            [p for group in self._optimiser.param_groups for p in group["params"]], 10.0
        )
        self._optimiser.step()
        decay = min(plan.average_decay, (self.step + 1) / (self.step + 20))
        with torch.no_grad():
            for kept, new in zip(
                self._average.parameters(), self._network.parameters(), strict=True
            ):
                if new.requires_grad:
                    kept.lerp_(new, 1 - decay)
        return {
            "triplet": triplet.item(),
            "arcface": arcface.item(),
            "batch_accuracy": float((predicted == target).float().mean()),
        }

    def _features(self, network: Embedder, photos: Sequence[Photo]) -> Tensor:
        """Pooled features of photos as a device would look at them, shape ``(N, 1280)``."""
        parts: list[Tensor] = []
        with torch.no_grad():
            for start in range(0, len(photos), 48):
                crops = self.store.crops(photos[start : start + 48], self.preprocessing)
                parts.append(network.features(torch.from_numpy(crops).to(self._device)).cpu())
        return torch.cat(parts)

    def _embed(self, photos: Sequence[Photo]) -> NDArray[np.float32]:
        """Learned parts by the averaged weights, shape ``(N, learned_dim)``."""
        features = self._features(self._average, photos).to(self._device)
        with torch.no_grad():
            learned = nn.functional.normalize(self._average.head(features), dim=1)
        return np.asarray(learned.cpu().numpy(), dtype=np.float32)

    def _look(self, gallery_photos: int = 10) -> float:
        """Nearest-centroid accuracy of the held-out photos with the averaged weights."""
        gallery: list[Photo] = []
        for sku in self.skus:
            own = [photo for photo in self.split.train if photo.sku == sku]
            places = np.linspace(0, len(own) - 1, min(len(own), gallery_photos)).astype(int)
            gallery += [own[place] for place in places]
        labels = np.array([self._index[photo.sku] for photo in gallery])
        embeddings = self._embed(gallery)
        centroids = np.stack([embeddings[labels == row].mean(0) for row in range(len(self.skus))])
        centroids /= np.linalg.norm(centroids, axis=1, keepdims=True)
        truth = np.array([self._index[photo.sku] for photo in self.split.holdout])
        nearest = (self._embed(self.split.holdout) @ centroids.T).argmax(1)
        return float((nearest == truth).mean())

    def run(self, report: Report) -> Trained:
        """Train to the plan's end or until held-out accuracy stops rising.

        Args:
            report: Called after every step with the live figures.
        """
        plan = self.plan
        checkpoint_every = min(plan.checkpoint_every, max(1, plan.steps // 4))
        running: dict[str, float] = {}
        for crops, labels in self._batches():
            if self._looks_without_gain >= plan.patience:
                logger.info("early stop at step %d", self.step)
                break
            started = time.perf_counter()
            figures = self._learn(crops, labels)
            self.step += 1
            for name, value in figures.items():
                running[name] = 0.95 * running.get(name, value) + 0.05 * value
            at_end = self.step == plan.steps
            if self.split.holdout and (self.step % plan.evaluate_every == 0 or at_end):
                accuracy = self._look()
                if self._best is None or accuracy > self._best[0]:
                    self._best = (accuracy, self.step, self._trained(self._average))
                    self._looks_without_gain = 0
                else:
                    self._looks_without_gain += 1
            self._seconds += time.perf_counter() - started
            if self.step % checkpoint_every == 0 or at_end:
                self._save()
            report(
                {
                    "step": self.step,
                    "steps": plan.steps,
                    "photos_per_s": self.step * self._sampler.batch_size / self._seconds,
                    "holdout_accuracy": None if self._best is None else self._best[0],
                    **running,
                }
            )
        return self._result()

    def _result(self) -> Trained:
        network = copy.deepcopy(self._average)
        best_step, accuracy = self.step, None
        if self._best is not None:
            accuracy, best_step, weights = self._best
            network.load_state_dict(weights, strict=False)
        _, scene, photos = np.unique(
            self.split.train_scenes, return_inverse=True, return_counts=True
        )
        share = torch.from_numpy(1 / photos[scene])
        features = self._features(network, self.split.train)
        network.fit_whitening(features, share)
        network = network.cpu().eval().requires_grad_(False)
        network.compute_dtype = torch.float32
        return Trained(network, self.step, best_step, accuracy, self._seconds)
