"""Everything a calculation rests on, each figure with its unit, its likely range and its source.

Money is in one currency throughout, US dollars by default because most published prices are.
Whoever edits a price edits it in their own currency and names that. What all ways of selling pay
alike (rent, goods sold, payment fees, restocking) is left out.

``measured`` figures name the page of the documentation that says how they were measured: rendered
shops, two x86 cores, no Jetson. They are what is known, and not what a real shop will show.
"""

from __future__ import annotations

from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from cloud_trainer.cost.figures import Figure, Section, assumed, measured, published

_SHOP_PAGE: Final = "docs/shop.md: twelve rendered shops"
_FLEET_PAGE: Final = "docs/fleet.md"
_GRABANGO: Final = "Grabango, who sells checkout-free technology: 5,000 transactions watched"


class Shop(Section):
    """One shop, and how many there are that share catalogue and cloud."""

    shops: int = assumed(20, "shops", (5, 200), least=1)
    checkouts_per_day: float = assumed(
        400,
        "checkouts/day",
        (150, 1491),
        "assumption; US convenience stores have 1,491 a day, pumps included (NACS, 2023)",
        least=1,
    )
    open_days_per_year: int = assumed(360, "days/year", (300, 365), least=1, most=366)
    open_hours_per_day: float = assumed(16, "h/day", (10, 24), least=1, most=24)
    pieces_per_checkout: float = published(
        2.8,
        "pieces",
        (2.6, 8),
        "dojobusiness.com, basket size of convenience stores: 2.6 to 3.0, 4 to 8 at highways",
        "2025-10",
        least=0.1,
    )
    basket_value: float = published(
        7.80,
        "money",
        (7, 20),
        "NACS, average basket in US convenience stores",
        "2023-12",
        least=0.01,
    )
    cost_of_goods_share: float = assumed(0.65, "share", (0.55, 0.75))
    products: int = assumed(1000, "products", (300, 3000), least=1)
    product_changes_per_week: float = assumed(10, "changes/week", (2, 50))
    categories: int = assumed(3, "categories", (1, 10), least=1)


class Devices(Section):
    """What is screwed to the shop's ceiling and shelves."""

    shelf_cameras: int = assumed(24, "cameras", (12, 48))
    overhead_cameras: int = assumed(8, "cameras", (4, 16))
    cameras_per_device: int = assumed(
        4,
        "cameras",
        (2, 8),
        "assumption; docs/benchmarks.md asks for four cameras at 15 frames a second, not measured"
        " on a Jetson",
        least=1,
    )
    camera_price: float = assumed(120, "money", (60, 250))
    wiring_price_per_camera: float = assumed(60, "money", (30, 150))
    device_price: float = published(
        249, "money", (249, 899), "NVIDIA, Jetson Orin Nano Super developer kit", "2024-12"
    )
    device_fittings_price: float = assumed(120, "money", (60, 250))
    entry_price: float = assumed(2000, "money", (500, 8000))
    installation_hours_per_camera: float = assumed(1.0, "h", (0.5, 3))
    life_years: float = assumed(5, "years", (3, 7), least=0.5)
    repairs_share_per_year: float = assumed(0.05, "share", (0.02, 0.12))
    device_power_w: float = published(
        25, "W", (10, 25), "NVIDIA, Jetson Orin Nano Super: 7 to 25 W; the most is taken", "2024-12"
    )
    camera_power_w: float = assumed(
        7, "W", (4, 13), "assumption; IEEE 802.3af gives 12.95 W at most"
    )
    electricity_price_per_kwh: float = published(
        0.16,
        "money",
        (0.09, 0.39),
        "US EIA, commercial, Middle Atlantic, table 5.6.A; from Texas to Hawaii",
        "2025-04",
    )


class Cloud(Section):
    """Lines, storage, messages and computing, at list prices without free shares."""

    line_price_per_month: float = assumed(60, "money", (30, 150))
    transfer_price_per_gb: float = published(
        0.09, "money", (0.01, 0.12), "AWS, data transfer out, us-east-1", "2024-12"
    )
    storage_price_per_gb_month: float = published(
        0.023, "money", (0.01, 0.03), "AWS S3 Standard, us-east-1", "2024-12"
    )
    message_price_per_million: float = published(
        1.00, "money", (0.5, 1.2), "AWS IoT Core, 5 KB each", "2026-09-20"
    )
    connection_price_per_million_minutes: float = published(
        0.08, "money", (0.05, 0.1), "AWS IoT Core", "2026-09-20"
    )
    machine_price_per_hour: float = published(
        0.0816,
        "money",
        (0.04, 1.006),
        "AWS EC2 m7g.large, us-east-1; at most a GPU (g5.xlarge)",
        "2026-06",
    )
    servers: int = assumed(
        2, "machines", (1, 6), "assumption; portal and broker, shared by all shops"
    )
    photos_per_product: float = assumed(5, "photos", (5, 20))
    photo_mb: float = assumed(0.5, "MB", (0.1, 4))
    crops_per_review: float = assumed(4, "crops", (2, 10))
    crop_mb: float = assumed(0.06, "MB", (0.02, 0.3))
    crops_kept_days: float = assumed(90, "days", (30, 365))
    product_bundle_mb: float = measured(
        0.1, "MB", (0.05, 0.5), f"{_FLEET_PAGE}: a new product, what a device lacks", "2026-11"
    )
    network_bundle_mb: float = measured(
        11, "MB", (5, 40), f"{_FLEET_PAGE}: a new network, what a device lacks", "2026-11"
    )
    status_messages_per_device_day: float = measured(
        288, "messages/day", (144, 1440), "updates.status_s: one every 300 s", "2026-11"
    )
    messages_per_checkout: float = measured(
        4, "messages", (4, 10), f"{_FLEET_PAGE}: a receipt and a basket, each answered", "2026-11"
    )
    messages_per_update: float = measured(
        13.2,
        "messages",
        (5, 20),
        f"{_FLEET_PAGE}: 13,180 for 1,000 devices, there and back",
        "2026-11",
    )
    training_minutes: float = measured(
        36.9, "min", (15, 240), "docs/recognition.md: two folds, 81 products, two cores", "2026-11"
    )
    retrainings_per_category_year: float = assumed(12, "runs/year", (2, 52))
    enrolment_minutes: float = assumed(2, "min", (0.5, 10))


class People(Section):
    """Who works for it, and what an hour costs."""

    wage_per_hour: float = published(
        15.00,
        "money",
        (11, 25),
        "US BLS by CareerOneStop: cashiers' median 31,190 a year of 2,080 h",
        "2024",
    )
    on_costs_share: float = published(
        0.43,
        "share",
        (0.2, 0.5),
        "US BLS, private industry: 30.0 of 70.0 % of an hour",
        "2020-06",
        most=3.0,
    )
    technician_wage_per_hour: float = assumed(35, "money", (25, 60))
    host_hours_per_day: float = assumed(
        4, "h/day", (0, 16), "assumption; somebody who helps, checks ages and cleans", most=240.0
    )
    upkeep_hours_per_month: float = assumed(2, "h/month", (0.5, 8), most=744.0)
    operator_hours_per_week: float = assumed(
        8, "h/week", (2, 40), "assumption; for all shops together", most=10_000.0
    )
    seconds_per_review: float = assumed(
        12, "s", (5, 40), "assumption; one key in the dashboard, not timed with people"
    )
    minutes_per_product_handed_in: float = assumed(10, "min", (4, 30))
    seconds_per_approval: float = assumed(15, "s", (5, 120))


class Accuracy(Section):
    """How often receipts need somebody, or are wrong."""

    pieces_per_line: float = measured(
        1.39, "pieces", (1, 2), f"{_SHOP_PAGE}: 89 pieces on 64 lines", "2026-11", least=1
    )
    lines_in_review_share: float = measured(0.08, "share", (0.02, 0.4), _SHOP_PAGE, "2026-11")
    wrong_lines_share: float = measured(
        0.005,
        "share",
        (0.001, 0.03),
        f"{_SHOP_PAGE}: 0 of 103 charged lines, taken as half a line",
        "2026-11",
    )
    missed_pieces_share: float = measured(
        0.035,
        "share",
        (0.005, 0.1),
        f"{_SHOP_PAGE}: recall that F1 98.2 % after review leaves when nothing is wrong",
        "2026-11",
    )
    claimed_share: float = assumed(
        0.5, "share", (0.2, 1), "assumption; the rest of the wrong lines nobody objects to"
    )
    minutes_per_claim: float = assumed(3, "min", (1, 10))
    goodwill_per_claim: float = assumed(2, "money", (0, 10))


class Cashiers(Section):
    """The same shop with tills."""

    tills: int = assumed(2, "tills", (1, 4))
    till_price: float = assumed(3000, "money", (1500, 6000))
    till_power_w: float = assumed(60, "W", (30, 120))
    least_tills_open: float = assumed(1, "tills", (1, 2))
    seconds_per_piece: float = assumed(4, "s", (2, 6))
    seconds_per_payment: float = assumed(25, "s", (15, 45))
    busy_share: float = assumed(
        0.6, "share", (0.4, 0.85), "assumption; busier tills make queues", least=0.05
    )
    other_work_share: float = assumed(
        0.3, "share", (0, 0.6), "assumption; of their time, restocking between two shoppers"
    )
    loss_share: float = published(0.0021, "share", (0.001, 0.005), _GRABANGO, "2023-11")


class SelfCheckout(Section):
    """The same shop with kiosks where shoppers scan."""

    kiosks: int = assumed(3, "kiosks", (2, 6))
    kiosk_price: float = published(
        5500, "money", (3000, 25000), "Cloudpick, who sells such systems: 4,500 to 6,500", "2025-01"
    )
    kiosk_power_w: float = assumed(100, "W", (60, 200))
    kiosk_upkeep_share_per_year: float = assumed(0.12, "share", (0.05, 0.2))
    kiosks_per_attendant: float = published(
        6, "kiosks", (2, 6), "trygroc.com after NCR: six at most", "2023", least=0.1
    )
    loss_share: float = published(
        0.035,
        "share",
        (0.005, 0.044),
        f"{_GRABANGO}; NCR, after trygroc.com, up to 4.4 %",
        "2023-11",
    )


class Assumptions(BaseModel):
    """All of them.

    Attributes:
        currency: ISO 4217, of every amount of money.
        shop: One shop, and how many there are.
        devices: Cameras and computers.
        cloud: Lines, storage, messages, computing.
        people: Wages and times.
        accuracy: How often receipts need somebody.
        cashiers: The same shop with tills.
        self_checkout: The same shop with kiosks.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    currency: str = Field(default="USD", pattern=r"^[A-Z]{3}$")
    shop: Shop = Shop()
    devices: Devices = Devices()
    cloud: Cloud = Cloud()
    people: People = People()
    accuracy: Accuracy = Accuracy()
    cashiers: Cashiers = Cashiers()
    self_checkout: SelfCheckout = SelfCheckout()

    def sections(self) -> dict[str, Section]:
        """The sections by name, in order."""
        named = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: each for name, each in named.items() if isinstance(each, Section)}

    def figures(self) -> tuple[Figure, ...]:
        """Every figure, in order."""
        return tuple(
            figure for name, section in self.sections().items() for figure in section.figures(name)
        )

    def figure(self, path: str) -> Figure:
        """One figure.

        Raises:
            LookupError: There is none of that path.
        """
        section, _, _ = path.partition(".")
        some = self.sections().get(section)
        for each in () if some is None else some.figures(section):
            if each.path == path:
                return each
        raise LookupError(
            f"there is no figure {path}; 'walkout-trainer cost --template' lists them"
        )

    def having(self, path: str, value: float) -> Assumptions:
        """The same with one figure changed, unchecked: bounds are the caller's business.

        Counts may become fractions, so that sensitivity can walk between them.
        """
        section, _, name = path.partition(".")
        changed = getattr(self, section).model_copy(update={name: value})
        return self.model_copy(update={section: changed})
