"""What the update agent is told: one closed section of the configuration, with units.

Paths are relative to the file that holds the section. Secrets are never in it: it names the
environment variable that holds one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from edge.updates.hours import parse_span
from models.delivery import SOFTWARE, require_category, require_device_id


def _bundles_category(category: str) -> str:
    if category == SOFTWARE:
        raise ValueError(f"{category} is no category of bundles; it has a section of its own")
    return require_category(category)


Seconds = Annotated[float, Field(gt=0)]
Category = Annotated[str, AfterValidator(_bundles_category)]


class _Closed(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def _span(text: str) -> str:
    parse_span(text)
    return text


class FleetBrokerSettings(_Closed):
    """The broker of the fleet; its client id is the device's id.

    Attributes:
        host: Its name or address.
        port: Its port.
        ca: Certificate of whoever signed the broker's; ``null`` without ``certificate`` speaks
            without encryption, which only a broker on this machine should be spoken to.
        certificate: This device's certificate.
        key: Its private key.
        username: ``null`` connects without one.
        password_env: Environment variable with the password.
        keepalive_s: A silent device counts as gone after about 1.5 of these.
        status_s: How often the status is sent at least.
    """

    host: str = Field(min_length=1)
    port: Annotated[int, Field(ge=1, le=65535)] = 8883
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    username: str | None = None
    password_env: Annotated[str, Field(pattern=r"^[A-Z_][A-Z0-9_]*$")] | None = None
    keepalive_s: Annotated[int, Field(ge=5, le=1200)] = 60
    status_s: Seconds = 300.0

    @model_validator(mode="after")
    def _certificate_has_key(self) -> FleetBrokerSettings:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key belong together; give both or neither")
        if self.certificate is not None and self.ca is None:
            raise ValueError("a certificate is of no use without ca; name the broker's authority")
        return self


class TrialSettings(_Closed):
    """What a release must pass before it serves.

    Attributes:
        golden_recall_at_least: Share of golden crops whose nearest centroid is their product's.
        slower_at_most: Embedding time as a multiple of the serving bundle's, both measured in turn.
        embed_ms_at_most: Per crop, where nothing serves to compare with; ``null`` for no limit.
        verified_events: How many of the last events that a person has verified are decided again.
        timeout_s: For everything together; engines take tens of minutes to build on small devices.
        niceness: Of the process that tries; 19 leaves the most to cameras and checkout.
    """

    golden_recall_at_least: Annotated[float, Field(ge=0, le=1)] = 0.75
    slower_at_most: Annotated[float, Field(ge=1)] = 1.5
    embed_ms_at_most: Seconds | None = None
    verified_events: Annotated[int, Field(ge=0)] = 200
    timeout_s: Seconds = 3600.0
    niceness: Annotated[int, Field(ge=0, le=19)] = 10


class WatchSettings(_Closed):
    """How a release is watched after the swap.

    Attributes:
        watch_s: How long.
        decisions_at_least: Fewer decisions on either side are not compared.
        accepts_fall_at_most: Points by which the share of accepts may fall, 0 to 1.
        errors_at_most: Share of recognitions that may fail.
        errors_at_least: Fewer failures than this are borne whatever their share.
        starts_at_most: Starts of the device within the watch before the release is taken back.
    """

    watch_s: Seconds = 3600.0
    decisions_at_least: Annotated[int, Field(ge=1)] = 30
    accepts_fall_at_most: Annotated[float, Field(ge=0, le=1)] = 0.15
    errors_at_most: Annotated[float, Field(ge=0, le=1)] = 0.02
    errors_at_least: Annotated[int, Field(ge=1)] = 3
    starts_at_most: Annotated[int, Field(ge=1)] = 3


class SoftwareSettings(_Closed):
    """How the device's own software is kept up to date; only where the launcher starts it.

    Attributes:
        folder: Where its releases are; the launcher is told the same one.
        watch_s: How long a release must run before it counts as good.
        starts_at_most: Starts of the device within that before the release is taken back.
        occupied_at_most_s: The restart waits so long for a moment without an open basket; then it
            comes all the same, and what is in doubt about those baskets goes to review.
        unwell_at_most_s: Cameras that a release has lost may be lost for so long.
        timeout_s: For making a slot, and for trying it.
        system_packages: Whether releases see the system's Python packages, as TensorRT on a Jetson
            needs.
    """

    folder: Path = Path("software")
    watch_s: Seconds = 900.0
    starts_at_most: Annotated[int, Field(ge=1)] = 3
    occupied_at_most_s: Seconds = 43_200.0
    unwell_at_most_s: Seconds = 300.0
    timeout_s: Seconds = 1800.0
    system_packages: bool = False


class UpdateSettings(_Closed):
    """The ``updates`` section.

    Attributes:
        device_id: The device's name in its fleet.
        repository: Where releases are: ``file:/folder``, ``https://host/path`` or
            ``s3://bucket/prefix``.
        root: The signed ``root.json`` that came with the device; everything else is believed
            because of it.
        categories: What is kept up to date; none takes those of the configured bundles.
        folder: Where releases and the agent's journal are kept.
        verified: Folder of events that a person has verified; see ``edge.updates.shadow``.
        poll_s: How often the store is asked without a hint.
        timezone: IANA name of the zone of ``quiet_hours``.
        quiet_hours: Spans of the day, such as ``11:30-14:00``, in which nothing is fetched, tried
            or swapped. Withdrawals do not wait.
        bytes_per_s: Most that downloads take; ``null`` for no limit.
        stall_after_s: A download that brings less than 1 kB in this time is begun anew.
        retry_first_s: Wait after the first failure; it doubles.
        retry_longest_s: No wait is longer.
        disk_budget_bytes: Most that releases take on the disk.
        ballast_bytes: Size of the file that is given up when the disk is full.
        trial: What a release must pass.
        watch: How it is watched.
        mqtt: ``null`` reports to nobody and polls only.
        software: ``null`` leaves the software as it is.
    """

    device_id: Annotated[str, AfterValidator(require_device_id)]
    repository: str = Field(pattern=r"^(file:/|https?://|s3://)[^\s]+$")
    root: Path
    categories: tuple[Category, ...] = ()
    folder: Path = Path("updates")
    verified: Path = Path("verified")
    poll_s: Seconds = 300.0
    timezone: str = "UTC"
    quiet_hours: tuple[Annotated[str, AfterValidator(_span)], ...] = ()
    bytes_per_s: Annotated[int, Field(ge=1024)] | None = None
    stall_after_s: Seconds = 30.0
    retry_first_s: Seconds = 5.0
    retry_longest_s: Seconds = 3600.0
    disk_budget_bytes: Annotated[int, Field(ge=2**20)] = 4 * 2**30
    ballast_bytes: Annotated[int, Field(ge=0)] = 8 * 2**20
    trial: TrialSettings = TrialSettings()
    watch: WatchSettings = WatchSettings()
    mqtt: FleetBrokerSettings | None = None
    software: SoftwareSettings | None = None
