"""Releases that are signed and yet no good, tried in this process and in a child."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import cv2
import pytest

from edge.errors import ReleaseRefusedError, UpdateError, UpdateHeldError
from edge.updates.settings import TrialSettings
from edge.updates.shadow import Verdicts, compare, read_verified
from edge.updates.trial import ChildTrial, TrialRequest, run_trial
from models.bundle import Bundle
from tests.edge.bundles import look_at
from tests.edge.updates.bad_bundles import BAD
from tests.edge.updates.conftest import CATEGORY, Sodas
from tests.simulators.bundles import make_bundle
from tests.simulators.photos import sku_of


def request(
    candidate: Path, *serving: Bundle, verified: Path = Path("none"), **settings: object
) -> TrialRequest:
    return TrialRequest(
        category=CATEGORY,
        candidate=candidate,
        serving=tuple(each.path for each in serving),
        compare=True,
        verified=verified,
        threads=1,
        settings=TrialSettings.model_validate(settings),
    )


def verify_events(folder: Path, bundle: Bundle, names: list[tuple[int, str | None]]) -> Path:
    """Verified events: which product was looked at, and what a person said it was."""
    folder.mkdir(exist_ok=True)
    lines = []
    for number, (product, sku) in enumerate(names):
        crops = []
        for photo in range(2):
            name = f"e{number}-{photo}.png"
            cv2.imwrite(str(folder / name), look_at(bundle, product, photo))
            crops.append(name)
        lines.append({"event_id": f"e{number}", "kind": "take", "sku": sku, "crops": crops})
    (folder / "events.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def test_a_good_release_passes_and_says_how_it_did(sodas: Sodas) -> None:
    told: list[str] = []
    found = run_trial(
        request(sodas.retrained.path, sodas.more, slower_at_most=50),
        lambda state, reason: told.append(state),
    )
    assert told == ["verifying", "building", "self_testing", "shadowing"]
    assert "100% nearest to their own product" in found
    assert "times the serving bundle's" in found
    assert "no verified events" in found


@pytest.mark.parametrize("what", BAD)
def test_signed_but_bad_releases_are_refused(what: str, sodas: Sodas, tmp_path: Path) -> None:
    make, kind, words = BAD[what]
    bad = make(sodas.more, tmp_path / "bad")
    with pytest.raises(ReleaseRefusedError, match=words) as refused:
        run_trial(request(bad, sodas.more), lambda state, reason: None)
    assert refused.value.kind == kind


def test_a_bundle_of_another_category_is_refused(sodas: Sodas) -> None:
    with pytest.raises(ReleaseRefusedError, match="of category snack, not soda"):
        run_trial(request(sodas.snack.path, sodas.first), lambda state, reason: None)


def test_without_a_rival_the_time_of_a_crop_has_a_limit_of_its_own(sodas: Sodas) -> None:
    with pytest.raises(ReleaseRefusedError, match="at most 1e-06 ms"):
        run_trial(request(sodas.first.path, embed_ms_at_most=1e-6), lambda state, reason: None)


def test_a_release_that_forgot_a_product_does_worse_on_what_people_verified(
    sodas: Sodas, tmp_path: Path
) -> None:
    names = [(product, sku_of(product)) for product in range(6)]
    verified = verify_events(tmp_path / "verified", sodas.first, list(names))
    less = make_bundle(tmp_path / "less", products=3, category=CATEGORY)
    # Products that are not sold any more are not missed, whatever they were taken for.
    told = run_trial(request(less.path, sodas.first, verified=verified), lambda *_: None)
    assert "of the last verified events the new one accepts" in told


def test_what_people_verified_decides(sodas: Sodas, tmp_path: Path) -> None:
    verified = verify_events(tmp_path / "v", sodas.first, [(p, sku_of(p)) for p in range(6)])
    events = read_verified(verified, 200)
    assert [event.sku for event in events] == [sku_of(p) for p in range(6)]
    with pytest.raises(ReleaseRefusedError, match="accepts 5 rightly and 1 wrongly"):
        compare(Verdicts(5, 0, 1), Verdicts(5, 1, 0))
    with pytest.raises(ReleaseRefusedError, match="accepts 4 rightly"):
        compare(Verdicts(5, 0, 1), Verdicts(4, 0, 2))
    assert compare(Verdicts(5, 1, 0), Verdicts(6, 0, 0))


def test_verified_events_that_cannot_be_read_are_left_out(sodas: Sodas, tmp_path: Path) -> None:
    verified = verify_events(tmp_path / "v", sodas.first, [(0, sku_of(0)), (1, None), (2, "x")])
    path = verified / "events.jsonl"
    (verified / "e2-0.png").unlink()
    again = json.dumps({"event_id": "e0", "kind": "take", "sku": "y", "crops": ["e0-0.png"]})
    outside = json.dumps({"event_id": "e9", "kind": "take", "sku": "y", "crops": ["../x.png"]})
    path.write_text(path.read_text() + f"not json\n{outside}\n{again}\n")
    assert [(e.event_id, e.sku) for e in read_verified(verified, 10)] == [("e1", None), ("e0", "y")]
    assert len(read_verified(verified, 1)) == 1
    assert read_verified(verified, 0) == read_verified(tmp_path / "none", 10) == ()


def test_a_child_tries_a_release_and_says_the_same(sodas: Sodas, tmp_path: Path) -> None:
    told: list[str] = []
    found = ChildTrial()(
        request(sodas.more.path, sodas.first),
        lambda state, reason: told.append(state),
        lambda: None,
    )
    assert "100% nearest" in found
    assert told == ["verifying", "building", "self_testing", "shadowing"]
    bad = BAD["NaN in the weights"][0](sodas.more, tmp_path / "bad")
    with pytest.raises(ReleaseRefusedError, match="not finite") as refused:
        ChildTrial()(request(bad, sodas.first), lambda *_: None, lambda: None)
    assert refused.value.kind == "self_test"


def test_a_child_that_is_killed_or_late_is_no_verdict(sodas: Sodas) -> None:
    def kill_it(state: str, reason: str) -> None:
        for child in _children():
            os.kill(child, signal.SIGKILL)

    with pytest.raises(UpdateError, match="without a word"):
        ChildTrial()(request(sodas.more.path, sodas.first), kill_it, lambda: None)
    with pytest.raises(UpdateError, match=r"did not end within 0\.01 s"):
        ChildTrial()(
            request(sodas.more.path, sodas.first, timeout_s=0.01), lambda *_: None, lambda: None
        )
    assert _children() == []


def test_a_trial_ends_at_once_when_the_device_does(sodas: Sodas) -> None:
    def end() -> None:
        raise UpdateHeldError("the device ends")

    with pytest.raises(UpdateHeldError):
        ChildTrial()(request(sodas.more.path, sodas.first), lambda *_: None, end)
    assert _children() == []


def _children() -> list[int]:
    """Child processes of this one that try releases."""
    own = str(os.getpid())
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
            command = (status.parent / "cmdline").read_bytes()
        except OSError:
            continue
        if fields[1] == own and b"edge.updates.trial" in command:
            found.append(int(status.parent.name))
    return found
