from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest

from edge.dashboard.live import LiveFeed
from edge.dashboard.views.live import LiveState
from tests.edge.dashboard.api.happenings import Scene


def states(answer: httpx.Response) -> Any:  # noqa: ANN401 -- an iterator of JSON
    """Live states as they come."""
    kind = ""
    for line in answer.iter_lines():
        if line.startswith("event: "):
            kind = line.removeprefix("event: ")
        elif line.startswith("data: ") and kind == "state":
            yield json.loads(line.removeprefix("data: "))


def test_the_state_comes_at_once_and_whenever_it_has_changed(scene: Scene) -> None:
    with scene.staff.stream("GET", "/api/v1/live") as answer:
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        coming = states(answer)
        first = next(coming)
        assert first.keys() == scene.get("state").keys()
        ann = scene.come_in()
        while ann not in [basket["session"] for basket in next(coming)["baskets"]]:
            pass
        name = scene.happen(ann, outcome="review")
        while name not in [event["event_id"] for event in next(coming)["events"]]:
            pass
        scene.post(f"review/{name}/verdict", {"answer": "product", "sku": scene.skus[0]})
        settled = False
        while not settled:
            (mine,) = (each for each in next(coming)["baskets"] if each["session"] == ann)
            settled = [line["sku"] for line in mine["lines"]] == [scene.skus[0]]


def state_of(open_reviews: int) -> LiveState:
    return LiveState(
        looked_at=None,
        shoppers=(),
        baskets=(),
        events=(),
        receipts=(),
        cameras=(),
        troubles=(),
        open_reviews=open_reviews,
        open_disputes=0,
        over=False,
    )


class Made:
    """A state that counts how often it was made."""

    def __init__(self) -> None:
        self.times = 0
        self.reviews = 0
        self.failing = False
        self.failed = threading.Event()
        self.threads: set[str] = set()

    def __call__(self) -> LiveState:
        self.times += 1
        self.threads.add(threading.current_thread().name)
        if self.failing:
            self.failed.set()
            raise RuntimeError("the shop cannot be looked at")
        return state_of(self.reviews)


async def seen(stream: AsyncIterator[bytes], reviews: int) -> bytes:
    """The event that shows so many reviews."""
    async for event in stream:
        if b'"open_reviews":%d,' % reviews in event:
            return event
    raise AssertionError("the stream ended")


def in_time(body: Callable[[], Any]) -> None:
    asyncio.run(asyncio.wait_for(body(), 30))


def test_however_many_look_a_state_is_made_once_and_all_get_the_same_bytes() -> None:
    made = Made()

    async def look() -> None:
        feed = LiveFeed(made, every_s=0.05)
        streams = [feed.stream() for _ in range(20)]
        firsts = await asyncio.gather(*(seen(stream, 0) for stream in streams))
        made.reviews, before = 1, made.times
        seconds = await asyncio.gather(*(seen(stream, 1) for stream in streams))
        # Not one each: one, and whatever was made while they were being handed out.
        assert made.times - before < 10
        assert all(each is firsts[0] for each in firsts)
        assert all(each is seconds[0] for each in seconds)
        assert seconds[0].startswith(b"event: state\nid: 2\ndata: {")
        for stream in streams:
            await stream.aclose()

    in_time(look)
    assert threading.main_thread().name not in made.threads


def test_while_nobody_looks_nothing_is_made() -> None:
    made = Made()

    async def look() -> None:
        feed = LiveFeed(made, every_s=0.01)
        assert made.times == 0
        stream = feed.stream()
        await seen(stream, 0)
        await stream.aclose()
        await asyncio.sleep(0.05)
        times = made.times
        await asyncio.sleep(0.1)
        assert made.times == times
        made.reviews = 3
        await seen(feed.stream(), 3)

    in_time(look)


def test_what_goes_wrong_with_a_state_is_logged_and_the_next_one_comes(
    caplog: pytest.LogCaptureFixture,
) -> None:
    made = Made()

    async def look() -> None:
        feed = LiveFeed(made, every_s=0.02)
        stream = feed.stream()
        await seen(stream, 0)
        made.failing = True
        assert await asyncio.to_thread(made.failed.wait, 20)
        made.failing, made.reviews = False, 1
        await seen(stream, 1)

    with caplog.at_level(logging.ERROR):
        in_time(look)
    assert "the live state could not be made" in caplog.text


def test_streams_end_when_the_feed_is_closed() -> None:
    async def look() -> None:
        feed = LiveFeed(Made(), every_s=0.02)
        stream = feed.stream()
        await seen(stream, 0)
        feed.close()
        assert [event async for event in stream] == []

    in_time(look)
