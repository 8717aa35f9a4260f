from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.link.clocks import DeviceClock, Exchange

SHOP, DEVICE = "boot shop", "boot device"
AWAY_S = st.floats(0.0, 0.5)


def exchange(offset_s: float, at_s: float, there_s: float, back_s: float) -> Exchange:
    """A question asked at a shop time, of a device whose clock is behind by an offset."""
    received_at_s = at_s + there_s - offset_s
    return Exchange(at_s, received_at_s, received_at_s + 0.01, at_s + there_s + 0.01 + back_s)


@given(st.floats(-1e5, 1e5), AWAY_S, AWAY_S)
def test_the_true_offset_is_within_the_error_however_long_each_way_took(
    offset_s: float, there_s: float, back_s: float
) -> None:
    found = exchange(offset_s, 50.0, there_s, back_s)
    assert abs(found.offset_s - offset_s) <= found.error_s + 1e-6
    assert found.error_s == pytest.approx((there_s + back_s) / 2, abs=1e-6)


def test_the_exchange_that_says_most_about_a_moment_is_used() -> None:
    clock = DeviceClock(SHOP)
    clock.add(DEVICE, exchange(1000.0, 10.0, 0.2, 0.2))
    clock.add(DEVICE, exchange(1000.0, 20.0, 0.001, 0.003))
    clock.add(DEVICE, exchange(1000.0, 30.0, 0.4, 0.1))
    known = clock.shop_time(DEVICE, -979.0)
    assert known is not None
    assert known.at_s == pytest.approx(21.0, abs=0.003)
    assert known.error_s == pytest.approx(0.002, abs=0.001)


def test_what_is_known_wears_off_until_a_moment_is_not_known_well_enough() -> None:
    clock = DeviceClock(SHOP)
    clock.add(DEVICE, exchange(0.0, 0.0, 0.001, 0.001))
    errors = [clock.shop_time(DEVICE, at_s) for at_s in (1.0, 60.0, 3600.0)]
    assert [round(each.error_s, 2) for each in errors if each] == [0.0, 0.02, 1.08]


def test_a_clock_of_the_same_name_is_the_same_clock() -> None:
    known = DeviceClock(SHOP).shop_time(SHOP, 7.25)
    assert known is not None
    assert (known.at_s, known.error_s) == (7.25, 0.0)


def test_nothing_is_known_of_a_clock_before_an_exchange_or_after_the_device_was_booted() -> None:
    clock = DeviceClock(SHOP)
    assert clock.shop_time(DEVICE, 5.0) is None
    clock.add(DEVICE, exchange(3.0, 0.0, 0.01, 0.01))
    assert clock.shop_time(DEVICE, 5.0) is not None
    clock.add("boot anew", exchange(900.0, 60.0, 0.01, 0.01))
    assert clock.shop_time(DEVICE, 5.0) is None
