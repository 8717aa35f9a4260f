"""Receipts under fire: device, broker and receiver are killed again and again, and nothing is lost.

Three kinds of real processes: shops with a ledger, an outbox and a courier; mosquitto; the cloud's
receiver. Each is ended by SIGKILL at random moments and started again. For the full figure::

    python -m tests.cloud_trainer.under_fire --messages 10000
"""

from __future__ import annotations

import argparse
import json
import logging
import math
import multiprocessing
import random
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path

from cloud_trainer.fleet.link import BrokerAddress
from cloud_trainer.receiver import ReceivedMessages, Receiver
from edge.checkout.delivering import Backoff, Delivery
from edge.checkout.entries import canonical_json
from edge.checkout.message import OutgoingMessage
from edge.checkout.mqtt import MqttCourier
from edge.checkout.outbox import Outbox, enqueue
from edge.link.connection import Broker
from tests.edge.checkout.brokers import Mosquitto
from tests.edge.checkout.shopping import open_ledger

_BATCH = 50
_SESSIONS = 40
_PRICE = Decimal("2.49")
_PATIENCE_S = 900.0


def prefix_of(shop: int) -> str:
    """What the topics of a shop begin with."""
    return f"walkout/shop-{shop}"


def message(shop: int, number: int) -> OutgoingMessage:
    """A shop's ``number``-th receipt."""
    session = f"session-{number % _SESSIONS}"
    name = f"receipt.{shop}-{number}"
    receipt = {"receipt_id": f"{shop}-{number}", "total": str(_PRICE * (number % 7))}
    envelope = {"schema_version": 1, "message_id": name, "type": "receipt", "receipt": receipt}
    return OutgoingMessage(name, "mqtt", session, f"receipts/{session}", canonical_json(envelope))


def sell(folder: Path, shop: int, count: int, port: int) -> None:
    """A shop's process: writes its receipts into the outbox and delivers them, all to the end."""
    logging.disable(logging.WARNING)  # every attempt that fails is one, and they are meant to
    with open_ledger(folder) as ledger:
        outbox = Outbox(ledger.file)
        stop = threading.Event()
        broker = Broker(
            "127.0.0.1",
            port,
            client_id=f"shop-{shop}",
            prefix=prefix_of(shop),
            acknowledged_within_s=1.0,
        )
        with MqttCourier(broker) as courier:
            delivery = Delivery(
                outbox,
                "mqtt",
                courier,
                monotonic_s=time.monotonic,
                wall_time_s=time.time,
                jitter=random.random,
                backoff=Backoff(0.05, 0.5),
            )
            thread = threading.Thread(target=delivery.run, args=(stop,))
            thread.start()
            while (counts := outbox.counts("mqtt")).acknowledged < count:
                written = counts.waiting + counts.acknowledged + counts.parked
                if written < count and counts.waiting < 5 * _BATCH:
                    more = range(written, min(count, written + _BATCH))
                    with ledger.file.transaction() as connection:
                        enqueue(connection, [message(shop, number) for number in more])
                else:
                    time.sleep(0.01)
            stop.set()
            thread.join()


def receive(path: Path, port: int) -> None:
    """The receiver's process: until it is killed."""
    logging.disable(logging.WARNING)
    address = BrokerAddress("127.0.0.1", port, "cloud.receiver")
    Receiver(ReceivedMessages(path), address, "walkout/+", time.time).run(threading.Event())


@dataclass
class Fire:
    """What was done and what came of it.

    Attributes:
        kills: How often each was killed.
        seconds: How long it took.
        written: Messages that the shops wrote.
        sent: Messages that the shops' outboxes hold as acknowledged.
        kept: Messages that the receiver holds.
        repeats: How often one came again and was known.
        lost: Messages acknowledged or written, and not kept.
        wrong: Messages kept that say something else than was sent, or that nobody sent.
        total: Sum of all receipts kept.
        expected: Sum of all receipts written.
    """

    kills: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    written: int = 0
    sent: int = 0
    kept: int = 0
    repeats: int = 0
    lost: int = 0
    wrong: int = 0
    total: Decimal = Decimal(0)
    expected: Decimal = Decimal(0)


def context() -> ForkServerContext:
    """A context whose processes have everything imported when they begin."""
    found = multiprocessing.get_context("forkserver")
    found.set_forkserver_preload(
        ["cloud_trainer.receiver", "edge.checkout.mqtt", "tests.edge.checkout.shopping"]
    )
    return found


def under_fire(
    folder: Path, messages: int, *, shops: int = 2, seed: int = 0, every_s: float = 0.8
) -> Fire:
    """Send messages while everything is killed now and then.

    Args:
        folder: An empty folder.
        messages: How many at least, of all shops together; each shop sends as many.
        shops: How many shops send.
        seed: Of the moments and victims.
        every_s: Mean time between two kills.
    """
    dice, fire, began_s = random.Random(seed), Fire(), time.monotonic()
    count = math.ceil(messages / shops)
    fire.written = count * shops
    mosquitto = Mosquitto(folder)
    mosquitto.start()
    starts: dict[str, Callable[[], ForkServerProcess]] = {
        f"shop {shop}": lambda shop=shop: _process(  # type: ignore[misc]
            sell, folder / f"shop-{shop}", shop, count, mosquitto.port
        )
        for shop in range(shops)
    }
    starts["receiver"] = lambda: _process(receive, folder / "receipts.sqlite", mosquitto.port)
    processes = {name: start() for name, start in starts.items()}
    try:
        until_s = began_s + _PATIENCE_S
        while selling := [
            name for name, p in processes.items() if name != "receiver" and p.exitcode != 0
        ]:
            assert time.monotonic() < until_s, "the shops did not come to an end"
            time.sleep(dice.expovariate(1.0 / every_s))
            victim = dice.choice([*selling, "receiver", "broker"])
            if victim == "broker":
                mosquitto.kill()
                time.sleep(dice.random() * 0.2)
                mosquitto.start()
            elif processes[victim].exitcode is None:
                _kill(processes[victim])
                if processes[victim].exitcode != 0:
                    processes[victim] = starts[victim]()
            kind = victim.split()[0]
            fire.kills[kind] = fire.kills.get(kind, 0) + 1
    finally:
        for process in processes.values():
            _kill(process)
        mosquitto.kill()
    fire.seconds = time.monotonic() - began_s
    _judge(fire, folder, shops, count)
    return fire


def _process(target: Callable[..., None], *arguments: object) -> ForkServerProcess:
    process = context().Process(target=target, args=arguments)
    process.start()
    return process


def _kill(process: ForkServerProcess) -> None:
    process.kill()
    process.join()


def _judge(fire: Fire, folder: Path, shops: int, count: int) -> None:
    kept = ReceivedMessages(folder / "receipts.sqlite")
    for shop in range(shops):
        with open_ledger(folder / f"shop-{shop}") as ledger:
            fire.sent += Outbox(ledger.file).counts("mqtt").acknowledged
        expected = {m.message_id: m.body for m in (message(shop, n) for n in range(count))}
        bodies = kept.bodies(prefix_of(shop), "receipt")
        fire.lost += len(expected.keys() - bodies.keys())
        fire.wrong += sum(expected.get(name) != body for name, body in bodies.items())
        fire.total += _sum(bodies.values())
        fire.expected += _sum(expected.values())
    counts = kept.counts()
    fire.kept, fire.repeats = counts.messages, counts.repeats
    kept.close()


def _sum(bodies: Iterable[str]) -> Decimal:
    return sum((Decimal(json.loads(body)["receipt"]["total"]) for body in bodies), Decimal(0))


def main() -> int:
    """Print the figures; 1 where anything was lost or counted twice."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--messages", type=int, default=10_000)
    parser.add_argument("--shops", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--every", type=float, default=0.8, help="mean seconds between kills")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        fire = under_fire(
            Path(folder),
            arguments.messages,
            shops=arguments.shops,
            seed=arguments.seed,
            every_s=arguments.every,
        )
    print(
        f"{fire.kept} of {fire.written} messages kept in {fire.seconds:.0f} s; killed "
        + ", ".join(f"{name} {times}x" for name, times in sorted(fire.kills.items()))
        + f"; {fire.lost} lost, {fire.wrong} wrong, {fire.repeats} came again and were known; "
        f"sum {fire.total} of {fire.expected}"
    )
    exact = fire.kept == fire.sent == fire.written >= arguments.messages
    return int(not exact or bool(fire.lost or fire.wrong) or fire.total != fire.expected)


if __name__ == "__main__":
    sys.exit(main())
