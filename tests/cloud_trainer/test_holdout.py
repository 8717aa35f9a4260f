"""The exam of a trained network: what INT8 costs decides whether it is fine-tuned and shipped."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from cloud_trainer import holdout
from cloud_trainer.datasets import PhotoStore
from cloud_trainer.holdout import Exam, Eye, examine, judge, write_int8
from cloud_trainer.quantise import For
from cloud_trainer.scenes import Split, split_by_scene
from cloud_trainer.train import WORKING_SIDE_SHARE, Int8Plan
from models.catalogue import load_catalogue
from models.decision import ErrorBudget
from models.embedder import Embedder
from models.preprocess import Preprocessing
from tests.cloud_trainer.networks import small_network
from tests.simulators.photos import make_catalogue

SIZE_PX = 32


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> tuple[Embedder, Split, Eye]:
    catalogue = load_catalogue(make_catalogue(tmp_path_factory.mktemp("photos"), photos=10))
    preprocessing = Preprocessing(input_size_px=SIZE_PX)
    store = PhotoStore(round(SIZE_PX * WORKING_SIDE_SHARE))
    store.load(catalogue.photos)
    scenes = np.arange(len(catalogue.photos), dtype=np.int32)
    (split,) = split_by_scene(catalogue, scenes, 0.3, seed=0)
    eye = Eye([product.sku for product in catalogue.products], store, preprocessing)
    return small_network(eye.crops(split.train)), split, eye


def test_int8_that_costs_nothing_is_left_as_it_is(
    parts: tuple[Embedder, Split, Eye], tmp_path: Path
) -> None:
    exam = examine(*parts, tmp_path, Int8Plan(costs_at_most=1.0))
    assert not exam.int8_tuned
    assert exam.typed_int8_right is None
    assert exam.photos == len(parts[1].holdout)
    assert 0 < exam.int8_right <= exam.photos
    assert list(tmp_path.iterdir()) == []


def test_int8_that_costs_too_much_is_tuned_and_kept_only_where_that_helped(
    parts: tuple[Embedder, Split, Eye], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    as_it_is = examine(*parts, tmp_path, Int8Plan(costs_at_most=1.0))
    # Of so few photos INT8 costs none: whatever it costs is too much here.
    monkeypatch.setattr(holdout, "_BY_CHANCE", -100)
    plan = Int8Plan(costs_at_most=-1.0, tuning_steps=3, for_tensorrt=True)
    tuned = examine(*parts, tmp_path, plan)
    assert tuned.right == as_it_is.right
    assert tuned.int8_right >= as_it_is.int8_right
    assert tuned.int8_tuned == (tuned.int8_right > as_it_is.int8_right)
    assert tuned.typed_int8_right is not None
    assert 0 < tuned.typed_int8_right <= tuned.photos


def test_a_judgement_tunes_where_any_exam_had_to(
    parts: tuple[Embedder, Split, Eye], tmp_path: Path
) -> None:
    exam = examine(*parts, tmp_path, Int8Plan(for_tensorrt=True))
    other = replace(exam, int8_tuned=True, int8_right=exam.photos, typed_int8_right=0)

    def judged(*exams: Exam) -> tuple[bool, float | None]:
        judgement = judge(exams, ErrorBudget())
        return judgement.int8_tuned, judgement.typed_int8_accuracy

    assert exam.typed_int8_right is not None
    assert judged(exam, other) == (True, exam.typed_int8_right / (2 * exam.photos))
    assert judged(replace(exam, typed_int8_right=None))[1] is None


@pytest.mark.parametrize("runtime", ["onnxruntime", "tensorrt"])
def test_only_tensorrts_file_leaves_biases_alone(
    parts: tuple[Embedder, Split, Eye], tmp_path: Path, runtime: For
) -> None:
    network, split, eye = parts
    target = tmp_path / "int8.onnx"
    write_int8(network, split, eye, target, None, runtime)
    types = {tensor.data_type for tensor in onnx.load(str(target)).graph.initializer}
    assert onnx.TensorProto.INT8 in types
    assert (onnx.TensorProto.INT32 in types) == (runtime == "onnxruntime")
