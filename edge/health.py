"""How the device is: health, readiness, and metrics in Prometheus's text format.

Owns what counts as healthy (the process does its work; a supervisor that sees otherwise should
start it anew) and as ready (everything that a right receipt needs is there), and the names of the
metrics, each with its unit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.exposition import choose_encoder, generate_latest
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector, CollectorRegistry

from edge.cameras.newest import CameraState
from edge.checkout.message import Receiver
from edge.checkout.outbox import OutboxCounts
from edge.link.hub import DeviceState
from edge.queues import QueueState
from edge.stages import Stage
from edge.workers import WorkerState

_WELL = ("running", "ended")


@dataclass(frozen=True)
class UpdatesHealth:
    """How the update agent is.

    Attributes:
        trouble: Why releases cannot be looked for; ``None`` when they can.
        serving: Number of the release that serves, by category; ``None`` for the bundle of the
            configuration.
        quarantined: Releases that failed here, by category.
    """

    trouble: str | None
    serving: dict[str, int | None]
    quarantined: dict[str, int]


@dataclass(frozen=True)
class Health:
    """Everything that says how the device is, at one moment.

    Attributes:
        cameras: How the cameras are.
        workers: How the workers are.
        queues: How the channels to the desk are.
        outbox: Messages by receiver.
        stages_s: Processor seconds by stage.
        ledger_trouble: Why the ledger cannot be written; ``None`` when it can.
        open_baskets: Sessions that go on.
        open_reviews: Reviews that wait for a person.
        interactions: Recorded so far.
        receipts: Issued so far, corrected ones too.
        peak_memory_bytes: Of the process.
        devices: How the shop's shelf devices are, where this is their hub.
        link_trouble: Why the hub does not get what this shelf device sees; ``None`` when it does.
        oldest_review_s: How long the oldest open review has waited; ``None`` without one.
        disk_bytes: Size and free room of the disk that state is on; ``None`` where nobody asked.
        wall_time_s: What the device's clock shows; ``None`` where nobody asked.
        updates: How the update agent is; ``None`` without one.
        version: Of this software.
    """

    cameras: tuple[CameraState, ...]
    workers: tuple[WorkerState, ...]
    queues: tuple[QueueState, ...]
    outbox: dict[Receiver, OutboxCounts]
    stages_s: dict[Stage, float]
    ledger_trouble: str | None
    open_baskets: int
    open_reviews: int
    interactions: int
    receipts: int
    peak_memory_bytes: int
    devices: tuple[DeviceState, ...] = ()
    link_trouble: str | None = None
    oldest_review_s: float | None = None
    disk_bytes: tuple[int, int] | None = None
    wall_time_s: float | None = None
    updates: UpdatesHealth | None = None
    version: str = ""

    @property
    def sick(self) -> tuple[str, ...]:
        """Why the process should be started anew; empty when it should not."""
        return tuple(
            f"worker {each.name} is {each.status}: {each.reason}"
            for each in self.workers
            if each.status in ("stuck", "given_up")
        )

    @property
    def not_ready(self) -> tuple[str, ...]:
        """What a right receipt needs and is not there; empty when nothing."""
        cameras = (
            f"camera {each.camera} is {each.status}: {each.reason}"
            for each in self.cameras
            if each.status not in _WELL
        )
        crashed = (
            f"worker {each.name} crashed: {each.reason}"
            for each in self.workers
            if each.status == "crashed"
        )
        moved = (each.place.reason for each in self.cameras if each.place.light == "red")
        devices = (
            f"device {each.device} is {each.status}: {each.reason}"
            for each in self.devices
            if each.status != "well"
        )
        trouble = (each for each in (self.link_trouble, self.ledger_trouble) if each is not None)
        return (*self.sick, *crashed, *cameras, *moved, *devices, *trouble)

    @property
    def notices(self) -> tuple[str, ...]:
        """What wants looking after soon and stops nothing; empty when nothing does."""
        return tuple(
            each.place.reason
            for each in self.cameras
            if each.place.light in ("amber", "unwatched") and each.place.reason
        )


def metrics_text(health: Health) -> str:
    """The metrics in Prometheus's text format."""
    return generate_latest(_registry(health)).decode()


def metrics_for(health: Health, accept: str) -> tuple[bytes, str]:
    """The metrics in the format that whoever asks likes best.

    Args:
        health: How the device is.
        accept: The request's header ``Accept``; OpenMetrics is given where it is named.

    Returns:
        The metrics, and their ``Content-Type``.
    """
    encode, kind = choose_encoder(accept)
    return encode(_registry(health)), kind


def _registry(health: Health) -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(_Once(health))
    # Memory, files, processor and start of the process, under the names that all exporters use.
    ProcessCollector(registry=registry)
    return registry


class _Once(Collector):
    def __init__(self, health: Health) -> None:
        self._health = health

    def collect(self) -> Iterator[Metric]:
        """All metrics."""
        yield from _whole_metrics(self._health)
        yield from _camera_metrics(self._health.cameras)
        yield from _device_metrics(self._health)
        yield from _work_metrics(self._health)
        yield from _checkout_metrics(self._health)


def _whole_metrics(health: Health) -> Iterator[Metric]:
    yield InfoMetricFamily("walkout_build", "What runs here.", value={"version": health.version})
    yield _gauge("walkout_healthy", "1 while the process does its work.", not health.sick)
    yield _gauge(
        "walkout_ready",
        "1 while everything that a right receipt needs is there.",
        not health.not_ready,
    )
    if health.wall_time_s is not None:
        yield _gauge(
            "walkout_wall_clock_seconds", "What the device's clock shows.", health.wall_time_s
        )
    if health.disk_bytes is not None:
        size, free = health.disk_bytes
        yield _gauge("walkout_disk_size_bytes", "Of the disk that state is on.", size)
        yield _gauge("walkout_disk_free_bytes", "Room on it.", free)
    if health.updates is not None:
        yield from _update_metrics(health.updates)


def _update_metrics(updates: UpdatesHealth) -> Iterator[Metric]:
    yield _gauge(
        "walkout_update_store_up",
        "1 while releases can be looked for.",
        updates.trouble is None,
    )
    release = GaugeMetricFamily(
        "walkout_update_release", "Release that serves; 0 before the first.", labels=["category"]
    )
    quarantined = GaugeMetricFamily(
        "walkout_update_quarantined_releases", "Releases that failed here.", labels=["category"]
    )
    for category, number in updates.serving.items():
        release.add_metric([category], number or 0)
    for category, count in updates.quarantined.items():
        quarantined.add_metric([category], count)
    yield from (release, quarantined)


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    gauge = GaugeMetricFamily(name, text)
    gauge.add_metric([], float(value))
    return gauge


def _camera_metrics(cameras: tuple[CameraState, ...]) -> Iterator[Metric]:
    up = GaugeMetricFamily(
        "walkout_camera_up", "1 while a camera shows what happens.", labels=["camera", "status"]
    )
    age = GaugeMetricFamily(
        "walkout_camera_frame_age_seconds", "Since the newest frame.", labels=["camera"]
    )
    frames = CounterMetricFamily(
        "walkout_camera_frames", "Frames by what became of them.", labels=["camera", "fate"]
    )
    reconnects = CounterMetricFamily(
        "walkout_camera_reconnects", "Connections after the first.", labels=["camera"]
    )
    in_place = GaugeMetricFamily(
        "walkout_camera_in_place",
        "1 while a camera is not known to have been moved.",
        labels=["camera", "light"],
    )
    for each in cameras:
        up.add_metric([each.camera, each.status], float(each.status in _WELL))
        in_place.add_metric([each.camera, each.place.light], float(each.place.light != "red"))
        if each.frame_age_s is not None:
            age.add_metric([each.camera], each.frame_age_s)
        counters = each.counters
        for fate, count in (
            ("grabbed", counters.frames_grabbed),
            ("taken", counters.frames_taken),
            ("dropped", counters.frames_dropped),
            ("rested", counters.frames_rested),
            ("missed", counters.frames_missed),
            ("undecodable", counters.decode_errors),
        ):
            frames.add_metric([each.camera, fate], count)
        reconnects.add_metric([each.camera], counters.reconnects)
    yield from (up, in_place, age, frames, reconnects)


def _device_metrics(health: Health) -> Iterator[Metric]:
    up = GaugeMetricFamily(
        "walkout_device_up", "1 while a shelf device is well.", labels=["device", "status"]
    )
    age = GaugeMetricFamily(
        "walkout_device_answer_age_seconds", "Since its last answer.", labels=["device"]
    )
    error = GaugeMetricFamily(
        "walkout_device_clock_error_seconds", "How wrong its clock may be.", labels=["device"]
    )
    waiting = GaugeMetricFamily(
        "walkout_device_events_waiting", "Events it keeps for the hub.", labels=["device"]
    )
    for each in health.devices:
        up.add_metric([each.device, each.status], float(each.status == "well"))
        waiting.add_metric([each.device], each.events_waiting)
        if each.answer_age_s is not None:
            age.add_metric([each.device], each.answer_age_s)
        if each.clock_error_s is not None:
            error.add_metric([each.device], each.clock_error_s)
    link = _gauge(
        "walkout_link_up",
        "1 while the hub gets what a shelf device sees.",
        health.link_trouble is None,
    )
    yield from (up, age, error, waiting, link)


def _work_metrics(health: Health) -> Iterator[Metric]:
    working = GaugeMetricFamily(
        "walkout_worker_up", "1 while a worker works.", labels=["worker", "status"]
    )
    restarts = CounterMetricFamily(
        "walkout_worker_restarts", "Starts after a crash.", labels=["worker"]
    )
    for worker in health.workers:
        up = worker.status in ("starting", "working", "ended")
        working.add_metric([worker.name, worker.status], float(up))
        restarts.add_metric([worker.name], worker.restarts)
    waiting = GaugeMetricFamily("walkout_queue_waiting_items", "Items that wait.", labels=["queue"])
    sent = CounterMetricFamily("walkout_queue_items", "Items so far.", labels=["queue"])
    dropped = CounterMetricFamily("walkout_queue_dropped_items", "Dropped.", labels=["queue"])
    for queue in health.queues:
        waiting.add_metric([queue.spec.name], queue.waiting)
        sent.add_metric([queue.spec.name], queue.sent)
        dropped.add_metric([queue.spec.name], queue.dropped)
    stages = CounterMetricFamily(
        "walkout_stage_cpu_seconds", "Processor time by stage.", labels=["stage"]
    )
    for stage, spent_s in health.stages_s.items():
        stages.add_metric([stage], spent_s)
    memory = _gauge(
        "walkout_peak_memory_bytes", "The most memory so far.", health.peak_memory_bytes
    )
    yield from (working, restarts, waiting, sent, dropped, stages, memory)


def _checkout_metrics(health: Health) -> Iterator[Metric]:
    for name, text, value in (
        ("walkout_ledger_up", "1 while the ledger can be written.", health.ledger_trouble is None),
        ("walkout_open_baskets", "Sessions that go on.", health.open_baskets),
        ("walkout_open_reviews", "Reviews that wait for a person.", health.open_reviews),
    ):
        yield _gauge(name, text, value)
    yield _gauge(
        "walkout_oldest_review_age_seconds",
        "How long the oldest open review has waited; 0 without one.",
        health.oldest_review_s or 0.0,
    )
    for name, text, value in (
        ("walkout_interactions", "Interaction events recorded.", health.interactions),
        ("walkout_receipts", "Receipts issued, corrected ones too.", health.receipts),
    ):
        counter = CounterMetricFamily(name, text)
        counter.add_metric([], value)
        yield counter
    outbox = GaugeMetricFamily(
        "walkout_outbox_messages", "Messages by state.", labels=["receiver", "state"]
    )
    for receiver, counts in health.outbox.items():
        outbox.add_metric([receiver, "waiting"], counts.waiting)
        outbox.add_metric([receiver, "acknowledged"], counts.acknowledged)
        outbox.add_metric([receiver, "parked"], counts.parked)
    yield outbox
