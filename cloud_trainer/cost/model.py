"""The formulas: what each way of selling costs a shop in a year, and what a product change costs.

Pure. Amounts are in the currency of the assumptions. Every amount is one line of arithmetic over
named figures, so that it can be followed by hand; ``docs/cost.md`` does so once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from cloud_trainer.cost.assumptions import Assumptions

HOURS_PER_YEAR: Final = 8760.0
WEEKS_PER_YEAR: Final = 52.0
_MINUTES_PER_YEAR: Final = HOURS_PER_YEAR * 60
_MB_PER_GB: Final = 1000.0


@dataclass(frozen=True)
class Bill:
    """What something costs, by what it goes into.

    Attributes:
        parts: Amount by name, in the order in which they are told.
    """

    parts: Mapping[str, float]

    @property
    def total(self) -> float:
        """All parts together."""
        return math.fsum(self.parts.values())


def checkouts_per_year(a: Assumptions) -> float:
    """Checkouts of one shop."""
    return a.shop.checkouts_per_day * a.shop.open_days_per_year


def turnover_per_year(a: Assumptions) -> float:
    """What one shop sells for."""
    return checkouts_per_year(a) * a.shop.basket_value


def device_count(a: Assumptions) -> int:
    """Devices of one shop."""
    return math.ceil(_cameras(a) / a.devices.cameras_per_device - 1e-9)


def lines_per_year(a: Assumptions) -> float:
    """Lines on all receipts of one shop."""
    return checkouts_per_year(a) * a.shop.pieces_per_checkout / a.accuracy.pieces_per_line


def walkout(a: Assumptions) -> Bill:
    """A year of one walk-out shop."""
    return Bill(
        {
            "devices": _devices(a),
            "power": _kwh_cost(
                a,
                device_count(a) * a.devices.device_power_w + _cameras(a) * a.devices.camera_power_w,
                HOURS_PER_YEAR,
            ),
            "network": _network(a),
            "storage": _storage(a),
            "messages": _messages(a),
            "servers": a.cloud.servers
            * a.cloud.machine_price_per_hour
            * HOURS_PER_YEAR
            / a.shop.shops,
            "training": _trainings_per_year(a) * _training(a) / a.shop.shops,
            "product_changes": _changes_per_year(a) * product_change(a).total / a.shop.shops,
            "review": lines_per_year(a)
            * a.accuracy.lines_in_review_share
            * a.people.seconds_per_review
            / 3600
            * _hour(a),
            "wrong_charges": _wrong_charges(a),
            "missed_pieces": turnover_per_year(a)
            * a.accuracy.missed_pieces_share
            * a.shop.cost_of_goods_share,
            "people": _people(a),
        }
    )


def cashiers(a: Assumptions) -> Bill:
    """A year of the same shop with tills; restocking that cashiers do is not charged to tills."""
    each = a.cashiers
    serving_s = each.seconds_per_payment + each.seconds_per_piece * a.shop.pieces_per_checkout
    needed_h = a.shop.checkouts_per_day * serving_s / 3600 / each.busy_share
    staffed_h = max(a.shop.open_hours_per_day * each.least_tills_open, needed_h)
    paid_h = staffed_h * (1 - each.other_work_share) * a.shop.open_days_per_year
    return Bill(
        {
            "devices": _worn(a, each.tills * each.till_price),
            "power": _kwh_cost(a, each.tills * each.till_power_w, _open_hours(a)),
            "people": paid_h * _hour(a),
            "losses": turnover_per_year(a) * each.loss_share * a.shop.cost_of_goods_share,
        }
    )


def self_checkout(a: Assumptions) -> Bill:
    """A year of the same shop with kiosks."""
    each = a.self_checkout
    bought = each.kiosks * each.kiosk_price
    return Bill(
        {
            "devices": bought / a.devices.life_years + bought * each.kiosk_upkeep_share_per_year,
            "power": _kwh_cost(a, each.kiosks * each.kiosk_power_w, _open_hours(a)),
            "people": each.kiosks / each.kiosks_per_attendant * _open_hours(a) * _hour(a),
            "losses": turnover_per_year(a) * each.loss_share * a.shop.cost_of_goods_share,
        }
    )


def product_change(a: Assumptions) -> Bill:
    """One product that comes, changes or goes, in all shops, without training."""
    cloud, devices = a.cloud, device_count(a) * a.shop.shops
    return Bill(
        {
            "handing_in": a.people.minutes_per_product_handed_in / 60 * _hour(a),
            "approving": a.people.seconds_per_approval / 3600 * _hour(a),
            "enrolling": cloud.enrolment_minutes / 60 * cloud.machine_price_per_hour,
            "sending": devices * cloud.product_bundle_mb / _MB_PER_GB * cloud.transfer_price_per_gb,
            "telling": devices * cloud.messages_per_update / 1e6 * cloud.message_price_per_million,
        }
    )


WAYS: Final[Mapping[str, Callable[[Assumptions], Bill]]] = {
    "walkout": walkout,
    "cashiers": cashiers,
    "self_checkout": self_checkout,
}


def _cameras(a: Assumptions) -> float:
    return a.devices.shelf_cameras + a.devices.overhead_cameras


def _hour(a: Assumptions) -> float:
    """What an hour of somebody in a shop or an office costs."""
    return a.people.wage_per_hour * (1 + a.people.on_costs_share)


def _technician_hour(a: Assumptions) -> float:
    return a.people.technician_wage_per_hour * (1 + a.people.on_costs_share)


def _open_hours(a: Assumptions) -> float:
    return a.shop.open_hours_per_day * a.shop.open_days_per_year


def _worn(a: Assumptions, bought: float) -> float:
    """What a purchase costs in a year: its share of the price, and repairs."""
    return bought / a.devices.life_years + bought * a.devices.repairs_share_per_year


def _devices(a: Assumptions) -> float:
    each = a.devices
    bought = (
        _cameras(a) * (each.camera_price + each.wiring_price_per_camera)
        + device_count(a) * (each.device_price + each.device_fittings_price)
        + each.entry_price
    )
    installed = _cameras(a) * each.installation_hours_per_camera * _technician_hour(a)
    return _worn(a, bought) + installed / each.life_years


def _kwh_cost(a: Assumptions, power_w: float, hours: float) -> float:
    return power_w / 1000 * hours * a.devices.electricity_price_per_kwh


def _changes_per_year(a: Assumptions) -> float:
    return a.shop.product_changes_per_week * WEEKS_PER_YEAR


def _trainings_per_year(a: Assumptions) -> float:
    """Of all categories, for all shops together."""
    return a.cloud.retrainings_per_category_year * a.shop.categories


def _training(a: Assumptions) -> float:
    """Computing of one training."""
    return a.cloud.training_minutes / 60 * a.cloud.machine_price_per_hour


def _network(a: Assumptions) -> float:
    """The line, and networks sent to the shop's devices; products are in ``product_change``."""
    sent_gb = _trainings_per_year(a) * a.cloud.network_bundle_mb * device_count(a) / _MB_PER_GB
    return 12 * a.cloud.line_price_per_month + sent_gb * a.cloud.transfer_price_per_gb


def _storage(a: Assumptions) -> float:
    """Photos of the catalogue, shared by all shops, and this shop's reviewed crops."""
    cloud = a.cloud
    photos_mb = a.shop.products * cloud.photos_per_product * cloud.photo_mb / a.shop.shops
    reviews_per_day = lines_per_year(a) * a.accuracy.lines_in_review_share / 365
    crops_mb = reviews_per_day * cloud.crops_kept_days * cloud.crops_per_review * cloud.crop_mb
    return 12 * (photos_mb + crops_mb) / _MB_PER_GB * cloud.storage_price_per_gb_month


def _messages(a: Assumptions) -> float:
    """Statuses, receipts and networks; products are in ``product_change``."""
    cloud, devices = a.cloud, device_count(a)
    sent = (
        devices * cloud.status_messages_per_device_day * 365
        + checkouts_per_year(a) * cloud.messages_per_checkout
        + _trainings_per_year(a) * devices * cloud.messages_per_update
    )
    connected_minutes = devices * _MINUTES_PER_YEAR
    return (
        sent * cloud.message_price_per_million
        + connected_minutes * cloud.connection_price_per_million_minutes
    ) / 1e6


def _wrong_charges(a: Assumptions) -> float:
    """Wrong lines that are objected to: their whole price is given back."""
    claims = lines_per_year(a) * a.accuracy.wrong_lines_share * a.accuracy.claimed_share
    line_price = a.shop.basket_value / a.shop.pieces_per_checkout * a.accuracy.pieces_per_line
    answered = a.accuracy.minutes_per_claim / 60 * _hour(a)
    return claims * (line_price + answered + a.accuracy.goodwill_per_claim)


def _people(a: Assumptions) -> float:
    """Somebody in the shop, upkeep, and this shop's share of the operator."""
    in_shop = a.people.host_hours_per_day * a.shop.open_days_per_year * _hour(a)
    upkeep = a.people.upkeep_hours_per_month * 12 * _technician_hour(a)
    operator = a.people.operator_hours_per_week * WEEKS_PER_YEAR * _technician_hour(a)
    return in_shop + upkeep + operator / a.shop.shops
