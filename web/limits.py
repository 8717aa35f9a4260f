"""How often something may be tried: a bucket for each name, filled again as time passes.

Owns the counting; pure but for its own memory, time comes from outside. Memory is bounded: of more
names than it keeps, those that were tried longest ago are forgotten, and their buckets were full or
nearly so.
"""

from __future__ import annotations

import ipaddress
import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

_NAMES_KEPT: Final = 4096


@dataclass(frozen=True)
class Allowance:
    """How often one name may try.

    Attributes:
        tries: In a row.
        every_s: After them, one more in so many seconds.
    """

    tries: int
    every_s: float


class Attempts:
    """Counts attempts by name; from any thread.

    Args:
        allowance: For each name.
    """

    def __init__(self, allowance: Allowance) -> None:
        self._allowance = allowance
        self._lock = threading.Lock()
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait_s(self, name: str, now_s: float) -> float:
        """How long a name has to wait before it may try; 0 when it may now."""
        with self._lock:
            lacking = 1.0 - self._left(name, now_s)
        return max(0.0, lacking * self._allowance.every_s)

    def take(self, name: str, now_s: float) -> None:
        """Count one attempt."""
        with self._lock:
            self._buckets[name] = (self._left(name, now_s) - 1.0, now_s)
            self._buckets.move_to_end(name)
            if len(self._buckets) > _NAMES_KEPT:
                self._buckets.popitem(last=False)

    def give_back(self, name: str, now_s: float) -> None:
        """Do not count one attempt after all: it was right."""
        with self._lock:
            left = min(float(self._allowance.tries), self._left(name, now_s) + 1.0)
            self._buckets[name] = (left, now_s)

    def _left(self, name: str, now_s: float) -> float:
        tries = float(self._allowance.tries)
        left, at_s = self._buckets.get(name, (tries, now_s))
        return min(tries, left + max(0.0, now_s - at_s) / self._allowance.every_s)


def address_group(address: str) -> str:
    """What counts as one address: an IPv4 address, or an IPv6 network, which one house has whole.

    Args:
        address: As the socket names it.
    """
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address):
        mapped = parsed.ipv4_mapped
        if mapped is not None:
            return str(mapped)
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)
