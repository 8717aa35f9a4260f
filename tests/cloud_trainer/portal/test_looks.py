from __future__ import annotations

import numpy as np

from cloud_trainer.portal.looks import LookIndex, Seen, read_vector


def unit(*values: float) -> np.ndarray:
    vector = np.array(values, np.float32)
    return vector / np.linalg.norm(vector)


def test_the_nearest_looks_come_first_and_the_product_itself_not_at_all() -> None:
    index = LookIndex([("a", unit(1, 0)), ("b", unit(1, 1)), ("c", unit(0, 1))], 2)
    assert [sku for sku, _ in index.nearest(unit(1, 0.1), "a", 5)] == ["b", "c"]
    assert [sku for sku, _ in index.nearest(unit(1, 0.1), "x", 1)] == ["a"]
    index.put("a", None)
    index.put("d", unit(1, 0.05))
    assert [sku for sku, _ in index.nearest(unit(1, 0.1), "x", 5)] == ["d", "b", "c"]
    index.put("a", unit(-1, 0))
    found = index.nearest(unit(-1, 0), "x", 1)
    assert found[0][0] == "a"
    assert abs(found[0][1]) < 1e-6


def test_the_index_grows_with_its_products() -> None:
    index = LookIndex([], 2)
    assert index.nearest(unit(1, 0), "x", 3) == []
    for number in range(300):
        index.put(f"sku-{number:03d}", unit(1, number))
    assert index.nearest(unit(1, 299), "x", 1)[0][0] == "sku-299"


def test_a_look_is_kept_in_half_precision_and_read_with_unit_length() -> None:
    vector = unit(*np.random.default_rng(1).normal(size=256))
    read = read_vector(Seen("s", vector).kept())
    assert abs(float(np.linalg.norm(read)) - 1.0) < 1e-6
    assert float(1.0 - read @ vector) < 1e-5
