"""What a device is told: ``store.yaml``, one closed and typed configuration.

Owns the fields, their defaults and units, and what must fit together. How the file is read is
``edge.config_file``'s, opening what it names ``edge.shop.premises``'s business. Paths are relative
to the file. A secret is never in the file, which names the environment variable that holds it.

Settings for all cameras stand under ``camera_defaults``; a camera that says something else itself
overrides them. The same holds for ``interaction`` and ``interaction_overrides``.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    model_validator,
)

from edge.cameras.settings import CameraSettings, FileSettings, GstreamerSettings
from edge.checkout.money import Tax, minor_unit
from edge.checkout.receipt import Terms
from edge.checkout.receipt_page import check_timezone
from edge.errors import CheckoutError
from edge.interaction.change import ChangeSettings
from edge.runtime.settings import RuntimeSettings
from edge.tracking.attribution import ReachSettings
from edge.tracking.session import SessionSettings
from edge.tracking.track import TrackingSettings
from edge.updates.settings import UpdateSettings

Seconds = Annotated[float, Field(gt=0)]
Port = Annotated[int, Field(ge=1, le=65535)]
Role = Literal["all", "shelf", "hub"]
DeviceName = Annotated[str, Field(pattern=r"^[0-9A-Za-z_-]{1,64}$")]
EnvironmentName = Annotated[str, Field(pattern=r"^[A-Z_][A-Z0-9_]*$")]


_NAME_IN_TOPICS: Final = re.compile(r"[0-9A-Za-z_.-]{1,200}")


class _Closed(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def _currency(code: str) -> str:
    try:
        minor_unit(code)
    except CheckoutError as err:
        raise ValueError(str(err)) from err
    return code


def _timezone(name: str) -> str:
    try:
        check_timezone(name)
    except CheckoutError as err:
        raise ValueError(str(err)) from err
    return name


class StoreSettings(_Closed):
    """Which shop it is and what it charges by.

    Attributes:
        id: For machines: letters, digits, ``-`` and ``_``.
        name: For people.
        currency: ISO 4217 code of everything it sells.
        locale: Language of its receipts.
        timezone: IANA name of the zone that receipts show times in.
        tax_percent: Rate on everything.
        tax_included: Whether prices include it.
        opened_at: Wall time of a recording's second 0; not used with live cameras.
    """

    id: str = Field(pattern=r"^[0-9A-Za-z_-]{1,255}$")
    name: str = Field(min_length=1)
    currency: Annotated[str, AfterValidator(_currency)]
    locale: str = "en"
    timezone: Annotated[str, AfterValidator(_timezone)] = "UTC"
    tax_percent: Annotated[Decimal, Field(ge=0, le=100)] = Decimal(0)
    tax_included: bool = True
    opened_at: AwareDatetime = datetime.fromisoformat("1970-01-01T00:00:00+00:00")

    @property
    def terms(self) -> Terms:
        """What receipts are made by."""
        return Terms(
            store_id=self.id,
            store_name=self.name,
            currency=self.currency,
            tax=Tax(percent=self.tax_percent, included=self.tax_included),
            locale=self.locale,
            timezone=self.timezone,
        )


class FloorSettings(_Closed):
    """How the floor is watched.

    Attributes:
        rate_hz: How often it is looked at.
        silent_after_s: An overhead camera this far behind the others is not waited for.
        reader_m: Where the entry reader is, shop metres; ``null`` when it is not known.
        tracks: How tracks begin, go on and end.
        sessions: How check-ins and tracks find each other.
        reach: How far shoppers reach, and how sure an attribution must be.
    """

    rate_hz: Annotated[float, Field(gt=0, le=60)] = 7.5
    silent_after_s: Seconds = 0.6
    reader_m: tuple[float, float] | None = None
    tracks: TrackingSettings = TrackingSettings()
    sessions: SessionSettings = SessionSettings()
    reach: ReachSettings = ReachSettings()


class PlaceSettings(_Closed):
    """How it is noticed that a camera was moved.

    Attributes:
        look_every_s: Between two looks at a camera; a move is red after three to five of them.
        repair_by_markers: Whether a shelf camera that moved a little is put right by its fixture's
            markers without a person; the record says so.
    """

    look_every_s: Annotated[float, Field(ge=1, le=30)] = 4.0
    repair_by_markers: bool = True


class CheckoutSettings(_Closed):
    """When receipts are issued and how long anything is waited for.

    Attributes:
        receipt_waits_s: After somebody was last seen, at the exit, what the shelf cameras still
            make of the last interaction is waited for so long.
        attribution_waits_s: An interaction waits so long for the floor to be looked at; then it
            goes to review.
        lost_after_s: A session whose last member was lost from sight this long ago is closed.
        time_out_s: No session stays open for longer.
        devices_wait_s: A receipt waits so long for shelf devices that are silent or still have
            something to tell; then it is issued, and corrected once they have told.
    """

    receipt_waits_s: Annotated[float, Field(ge=0)] = 1.0
    attribution_waits_s: Seconds = 5.0
    lost_after_s: Seconds = 900.0
    time_out_s: Seconds = 14_400.0
    devices_wait_s: Seconds = 120.0


class TillSettings(_Closed):
    """The till that purchases are handed to.

    Attributes:
        url: Base address; ``/v1/order/purchases`` and ``/v1/refund`` are added to it.
        token_env: Environment variable with the bearer token; ``null`` sends none.
        timeout_s: For connecting and for every read.
    """

    url: str = Field(pattern=r"^https?://[^@\s]+$")
    token_env: EnvironmentName | None = None
    timeout_s: Seconds = 5.0


class BrokerSettings(_Closed):
    """An MQTT broker and who this device is there.

    Attributes:
        host: Its name or address.
        port: Its port.
        username: ``null`` connects without one.
        password_env: Environment variable with the password.
        tls: Whether the connection is encrypted.
        ca: Certificate of whoever signed the broker's; ``null`` trusts whom the system trusts.
        certificate: By which the broker knows this device; ``null`` shows none.
        key: Its private key.
        acknowledged_within_s: How long a receiver may take to answer.
        reconnects_within_s: Longest wait before a lost broker is tried again.
    """

    host: str = Field(min_length=1)
    port: Port = 1883
    username: str | None = None
    password_env: EnvironmentName | None = None
    tls: bool = False
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    acknowledged_within_s: Seconds = 5.0
    reconnects_within_s: Annotated[float, Field(ge=1)] = 30.0

    @model_validator(mode="after")
    def _certificates_are_used(self) -> BrokerSettings:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key belong together; give both or neither")
        if not self.tls and (self.ca or self.certificate):
            raise ValueError("certificates are only used with tls: true; add it")
        return self


class MqttSettings(BrokerSettings):
    """The broker that receipts and baskets are announced at.

    Attributes:
        client_id: The device's name there.
        prefix: What all topics begin with.
    """

    client_id: str = "walkout"
    prefix: str = Field("walkout", min_length=1)


class LinkSettings(BrokerSettings):
    """How the devices of one shop reach each other: the shop's own broker.

    Attributes:
        device: Name of this device, another for each.
        prefix: What all topics begin with; nobody else's.
        shelf_devices: The hub's shelf devices by name; only the hub names them.
        silent_after_s: Without an answer for so long, a shelf device counts as silent.
        clock_error_s: An event whose moment is not known as well as this goes to review.
        begins_within_s: With a recording, the hub waits so long for its shelf devices.
    """

    device: DeviceName
    prefix: str = Field("walkout-link", pattern=r"^[0-9A-Za-z_-]+(/[0-9A-Za-z_-]+)*$")
    shelf_devices: tuple[DeviceName, ...] = ()
    silent_after_s: Annotated[float, Field(ge=1)] = 5.0
    clock_error_s: Seconds = 0.3
    begins_within_s: Seconds = 60.0


class PageSettings(_Closed):
    """The dashboard, its API, metrics and health.

    Attributes:
        host: Address to listen at; only this machine unless told otherwise.
        port: 0 takes any that is free.
        names: Host names by which others call this device, beside its own; whoever asks by an
            address needs none.
        certificate: PEM file of the device's certificate and those that signed it; ``null``
            serves without encryption.
        key: PEM file of its private key.
        idle_s: Whoever does nothing for so long has to sign in again.
        longest_s: So does everybody so long after signing in.
    """

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8080
    names: tuple[Annotated[str, Field(pattern=r"^[0-9A-Za-z.-]{1,253}$")], ...] = ()
    certificate: Path | None = None
    key: Path | None = None
    idle_s: Annotated[float, Field(ge=60)] = 8 * 3600.0
    longest_s: Annotated[float, Field(ge=60)] = 24 * 3600.0

    @model_validator(mode="after")
    def _both_or_neither(self) -> PageSettings:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key belong together; give both or neither")
        return self


class CameraDefaults(_Closed):
    """What holds for every camera that says nothing else; see ``edge.cameras.settings``."""

    stall_after_s: Seconds | None = None
    frozen_after_s: Seconds | None = None
    idle_fps: Annotated[float, Field(gt=0, le=240)] | None = None
    reconnect_first_s: Seconds | None = None
    reconnect_longest_s: Seconds | None = None


class StoreConfig(_Closed):
    """All of ``store.yaml``.

    Attributes:
        schema_version: Of this format.
        store: The shop.
        calibration: ``calibration.json``.
        planogram: ``planogram.json``.
        catalogue: Folder or file of the catalogue.
        bundles: Folders of bundles, one a category.
        checkins: Recorded check-ins; only with recorded cameras.
        role: What this device does: ``all`` of it, only look at shelves (``shelf``), or the rest
            (``hub``), which may look at shelves too.
        link: Between the devices of a shop; ``null`` when this one does all.
        camera_defaults: For all cameras.
        cameras: By the names of the calibration.
        floor: How the floor is watched.
        drift: How cameras that were moved are noticed.
        interaction: How shelves are watched.
        interaction_overrides: By camera, where one needs something else.
        checkout: When receipts are issued.
        till: ``null`` hands nothing over.
        mqtt: ``null`` announces nothing.
        updates: How bundles are kept up to date; ``null`` keeps those that are named.
        page: The dashboard; ``null`` serves none.
        state: Folder of the ledger and the evidence; made when it is not there.
        evidence_days: Crops older than this are deleted.
        threads: Of the network on a CPU; 1 leaves the other cores to the cameras.
        runtime: What runs the networks.
    """

    schema_version: Literal[1]
    store: StoreSettings
    calibration: Path
    planogram: Path
    catalogue: Path
    bundles: tuple[Path, ...] = ()
    checkins: Path | None = None
    role: Role = "all"
    link: LinkSettings | None = None
    camera_defaults: CameraDefaults = CameraDefaults()
    cameras: Annotated[dict[str, CameraSettings], Field(min_length=1)]
    floor: FloorSettings = FloorSettings()
    drift: PlaceSettings = PlaceSettings()
    interaction: ChangeSettings = ChangeSettings()
    interaction_overrides: dict[str, ChangeSettings] = Field(default_factory=dict)
    checkout: CheckoutSettings = CheckoutSettings()
    till: TillSettings | None = None
    mqtt: MqttSettings | None = None
    updates: UpdateSettings | None = None
    page: PageSettings | None = PageSettings()
    state: Path = Path("state")
    evidence_days: Annotated[float, Field(gt=0)] = 30.0
    threads: Annotated[int, Field(ge=1)] = 1
    runtime: RuntimeSettings = RuntimeSettings()

    @model_validator(mode="before")
    @classmethod
    def _defaults_into_each(cls, values: Any) -> Any:  # noqa: ANN401 -- whatever was written
        return _with_defaults(values) if isinstance(values, dict) else values

    @model_validator(mode="after")
    def _fits_together(self) -> StoreConfig:
        recorded = {name for name, each in self.cameras.items() if is_recorded(each)}
        if recorded and len(recorded) < len(self.cameras):
            raise ValueError(
                f"cameras {', '.join(sorted(recorded))} are recordings and the others are live; "
                "their clocks have nothing to do with each other, so use one or the other"
            )
        if self.checkins is not None and not recorded:
            raise ValueError(
                "checkins is for recorded shops; with live cameras, check-ins come over the API"
            )
        complaint = self._role_complaint()
        if complaint is not None:
            raise ValueError(complaint)
        unknown = sorted(self.interaction_overrides.keys() - self.cameras.keys())
        if unknown:
            raise ValueError(
                f"interaction_overrides names {', '.join(unknown)}, which is none of the cameras"
            )
        return self

    def _role_complaint(self) -> str | None:
        if (self.role == "all") != (self.link is None):
            return (
                "role and link belong together: a shelf or hub device needs link, and a device "
                "that does all has none"
            )
        if self.link is None:
            return None
        if (self.role == "hub") != bool(self.link.shelf_devices):
            return "link.shelf_devices is what the hub names, and only the hub; name them there"
        if self.role == "shelf" and (self.till or self.mqtt or self.checkins):
            return "a shelf device has no check-ins, till or mqtt; put them into the hub's file"
        odd = sorted(name for name in self.cameras if not _NAME_IN_TOPICS.fullmatch(name))
        if odd:
            return f"camera {odd[0]} cannot be named in a message; use letters, digits, - and _"
        return None

    @property
    def is_recorded(self) -> bool:
        """Whether the shop is a recording."""
        return all(is_recorded(each) for each in self.cameras.values())


def is_recorded(settings: CameraSettings) -> bool:
    """Whether a camera plays a recording."""
    if isinstance(settings, GstreamerSettings):
        return settings.template == "file" or not settings.live
    return isinstance(settings, FileSettings)


def _with_defaults(values: dict[str, Any]) -> dict[str, Any]:
    merged = copy.copy(values)
    common = {key: value for key, value in part(values, "camera_defaults").items() if value}
    if isinstance(values.get("cameras"), dict):
        merged["cameras"] = {
            name: {**common, **each} if isinstance(each, dict) else each
            for name, each in values["cameras"].items()
        }
    if isinstance(values.get("interaction_overrides"), dict):
        merged["interaction_overrides"] = {
            name: {**part(values, "interaction"), **each} if isinstance(each, dict) else each
            for name, each in values["interaction_overrides"].items()
        }
    return merged


def part(values: Mapping[str, Any], name: str) -> dict[str, Any]:
    """A mapping within what was written; empty where there is none."""
    found = values.get(name)
    return found if isinstance(found, dict) else {}
