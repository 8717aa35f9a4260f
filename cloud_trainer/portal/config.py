"""What a portal is told: ``portal.yaml``, one closed, typed configuration with defaults for all.

Paths are relative to the file; without a file, to the folder ``portal``. A secret is never in the
file, which names the environment variable that holds it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Final

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from cloud_trainer.portal.errors import PortalUnusableError
from models.bundle.manifest import first_complaint

DEFAULT_FOLDER: Final = Path("portal")
EnvironmentName = Annotated[str, Field(pattern=r"^[A-Z_][A-Z0-9_]*$")]


class _Closed(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class PageSettings(_Closed):
    """Where the portal listens, and how.

    Attributes:
        host: Address to listen at; only this machine unless told otherwise.
        port: 0 takes any that is free.
        names: Host names by which others call it; whoever asks by an address needs none.
        certificate: PEM file of its certificate and those that signed it; ``null`` serves without
            encryption.
        key: PEM file of its private key.
        idle_s: Whoever does nothing for so long has to sign in again.
        longest_s: So does everybody so long after signing in.
        threads: So many requests may wait at a time for database or store.
    """

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8090
    names: tuple[Annotated[str, Field(pattern=r"^[0-9A-Za-z.-]{1,253}$")], ...] = ()
    certificate: Path | None = None
    key: Path | None = None
    idle_s: Annotated[float, Field(ge=60)] = 8 * 3600.0
    longest_s: Annotated[float, Field(ge=60)] = 24 * 3600.0
    threads: Annotated[int, Field(ge=1, le=64)] = 8

    @model_validator(mode="after")
    def _both_or_neither(self) -> PageSettings:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key belong together; give both or neither")
        return self


class BrokerSettings(_Closed):
    """The fleet's broker.

    Attributes:
        url: ``mqtts://host:8884``, or ``mqtt://host:1883`` on a machine alone.
        ca: Who signed its certificate.
        certificate: The portal's own certificate there.
        key: Its key.
        name: The portal's name there; one of each name runs.
    """

    url: str
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    name: str = "cloud.trainer.portal"


class PortalConfig(_Closed):
    """Everything a portal is told.

    Attributes:
        name: For people.
        locale: Language of whoever chose none.
        currency: Of costs.
        timezone: IANA name of the zone that pages show times in.
        state: Folder of everything below that names no other place.
        database_env: Environment variable with the database's URL, such as
            ``postgresql://portal@db/portal``; ``null`` keeps a SQLite file in ``state``.
        photos: Where photos lie: ``s3://bucket/photos``; ``null`` for a folder in ``state``.
        releases: Where releases are published; ``null`` for a folder in ``state``.
        keys: Folder of the keys that sign; ``null`` for one in ``state``, made at the first start.
        fleet_records: File that keeps fleet and rollouts; ``null`` for one in ``state``.
        pipeline: Folder of the pipeline's runs; ``null`` for one in ``state``.
        pipeline_settings: YAML file of the pipeline's bounds and pace; ``null`` for the defaults.
        broker: The fleet's broker; ``null`` leaves devices to look by themselves.
        works: Whether pipeline and rollouts run beside the pages, in a process of their own.
        works_every_s: They look again after so long.
        least_photos: Good photos that a product needs before it is handed in.
        page: Where it listens.
    """

    name: str = Field(default="Walkout portal", min_length=1, max_length=100)
    locale: str = "en"
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] = "EUR"
    timezone: str = "UTC"
    state: Path = Path()
    database_env: EnvironmentName | None = None
    photos: str | None = None
    releases: str | None = None
    keys: Path | None = None
    fleet_records: Path | None = None
    pipeline: Path | None = None
    pipeline_settings: Path | None = None
    broker: BrokerSettings | None = None
    works: bool = True
    works_every_s: Annotated[float, Field(gt=0, le=3600)] = 5.0
    least_photos: Annotated[int, Field(ge=2, le=100)] = 3
    page: PageSettings = PageSettings()


class PortalPlaces:
    """A configuration and where everything is that it names.

    Args:
        config: What the file says.
        folder: What its paths are relative to.
    """

    def __init__(self, config: PortalConfig, folder: Path) -> None:
        self.config: Final = config
        self.folder: Final = folder
        self.state: Final = folder / config.state

    @property
    def database(self) -> str:
        """URL of the database.

        Raises:
            PortalUnusableError: The environment variable is not set.
        """
        name = self.config.database_env
        if name is None:
            return f"sqlite:///{(self.state / 'portal.sqlite').absolute()}"
        url = os.environ.get(name)
        if not url:
            raise PortalUnusableError(f"{name} is not set; it holds the database's URL")
        return url

    @property
    def photos(self) -> str:
        """Address of the photos' store."""
        return self.config.photos or str(self.state / "photos")

    @property
    def releases(self) -> str:
        """Address of the releases' store."""
        return self.config.releases or str(self.state / "releases")

    @property
    def keys(self) -> Path:
        """Folder of the keys."""
        return self._of(self.config.keys, "keys")

    @property
    def fleet_records(self) -> Path:
        """File of fleet and rollouts."""
        return self._of(self.config.fleet_records, "fleet.sqlite")

    @property
    def pipeline(self) -> Path:
        """Folder of the pipeline."""
        return self._of(self.config.pipeline, "pipeline")

    @property
    def cache(self) -> Path:
        """Folder of what may be deleted at any time."""
        return self.state / "cache"

    def _of(self, named: Path | None, usual: str) -> Path:
        return self.state / usual if named is None else self.folder / named


def read_portal(path: Path | None) -> PortalPlaces:
    """A portal's configuration.

    Args:
        path: The file, or a folder that has a ``portal.yaml`` or nothing but defaults; ``None`` for
            the folder ``portal`` where one stands.

    Raises:
        PortalUnusableError: It cannot be read, or says something that there is not.
    """
    path = path or DEFAULT_FOLDER
    if path.suffix not in (".yaml", ".yml"):
        inside = path / "portal.yaml"
        if not inside.is_file():
            return PortalPlaces(PortalConfig(), path)
        path = inside
    try:
        document = yaml.safe_load(path.read_text("utf-8"))
        config = PortalConfig.model_validate({} if document is None else document)
    except OSError as err:
        raise PortalUnusableError(f"{path}: {err.strerror or err}; name a YAML file") from err
    except (yaml.YAMLError, UnicodeDecodeError) as err:
        raise PortalUnusableError(f"{path} is no YAML file: {err}") from err
    except ValidationError as err:
        raise PortalUnusableError(f"{path}: {first_complaint(err)}; correct it") from err
    return PortalPlaces(config, path.parent)
