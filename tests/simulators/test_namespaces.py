from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator

import pytest

from tests.simulators.namespaces import Network, networks_are_permitted

# The whole shop in such a network is a command of its own: python -m tests.edge.apart


@pytest.fixture
def network() -> Iterator[Network]:
    if not networks_are_permitted():
        pytest.skip("network namespaces take root and iproute2: apt-get install iproute2")
    with Network(("hub", "shelf-a")) as made:
        yield made


def reaches(network: Network, device: str) -> bool:
    """Whether a device reaches the switch, where nobody listens: to be refused is to arrive."""
    python = shutil.which("python3")
    assert python is not None
    probe = f"import socket; socket.create_connection(({network.broker!r}, 9), 0.5)"
    run = subprocess.run(
        [*network.within(device), python, "-c", probe], capture_output=True, text=True, check=False
    )
    return "ConnectionRefusedError" in run.stderr


def test_a_cable_that_is_pulled_cuts_off_one_device_until_it_is_put_back(network: Network) -> None:
    assert reaches(network, "shelf-a")
    network.pull("shelf-a")
    assert (reaches(network, "shelf-a"), reaches(network, "hub")) == (False, True)
    network.plug("shelf-a")
    assert reaches(network, "shelf-a")
