from __future__ import annotations

from pathlib import Path

from edge.sources import find_sources, photo_groups


def _touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_folders_are_searched_to_the_bottom_in_natural_order(tmp_path: Path) -> None:
    _touch(*(tmp_path / name for name in ("b/x-10.jpg", "b/x-2.PNG", "a/clip.mp4", "c/d/e.webp")))
    _touch(tmp_path / "a/readme.txt")
    sources, aside = find_sources([tmp_path])
    assert [str(s.shown_as) for s in sources] == [
        "a/clip.mp4",
        "b/x-2.PNG",
        "b/x-10.jpg",
        "c/d/e.webp",
    ]
    assert [s.kind for s in sources] == ["video", "photo", "photo", "photo"]
    assert aside == ()


def test_names_of_numbers_and_of_letters_sort_together(tmp_path: Path) -> None:
    _touch(*(tmp_path / name for name in ("1.jpg", "a.jpg", "a1.jpg", "10.jpg", "²x.jpg")))
    assert len(find_sources([tmp_path])[0]) == 5


def test_what_cannot_be_looked_at_is_set_aside_with_its_reason(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    _touch(tmp_path / "notes.txt")
    paths = [tmp_path / "empty", tmp_path / "notes.txt", tmp_path / "gone.jpg", tmp_path / "gone"]
    sources, aside = find_sources(paths)
    assert sources == ()
    reasons = [each.reason for each in aside]
    assert "holds no photo" in reasons[0]
    assert "neither a photo" in reasons[1]
    assert reasons[2] == "there is no such file"
    assert reasons[3] == "there is no such file or folder"


def test_groups_stay_inside_a_folder(tmp_path: Path) -> None:
    _touch(*(tmp_path / folder / f"{n}.jpg" for folder in "ab" for n in range(3)))
    groups = list(photo_groups(find_sources([tmp_path])[0], pool=2))
    assert [[str(s.shown_as) for s in group] for group in groups] == [
        ["a/0.jpg", "a/1.jpg"],
        ["a/2.jpg"],
        ["b/0.jpg", "b/1.jpg"],
        ["b/2.jpg"],
    ]
