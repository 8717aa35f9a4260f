"""A claim: what a device is given so that it may ask for an identity, and for nothing else.

A folder that comes on a stick or as a systemd credential, never in an image: ``claim.json``, the
claim's certificate and key, and the certificate of whoever signed the broker's.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from edge.errors import ProvisioningError
from models.delivery import require_device_id

CLAIM_NAME: Final = "claim.json"


class Claim(BaseModel):
    """``claim.json``.

    Attributes:
        schema_version: Always 1.
        device_id: The identity that may be asked for.
        host: The broker's name.
        port: Its door for claims.
        dialect: Whom is spoken to: Walkout's own enroller, or AWS IoT's fleet provisioning.
        template: Name of the provisioning template; AWS has them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    device_id: Annotated[str, AfterValidator(require_device_id)]
    host: str = Field(min_length=1)
    port: Annotated[int, Field(ge=1, le=65535)] = 8885
    dialect: Literal["walkout", "aws"] = "walkout"
    template: Annotated[str, Field(pattern=r"^[0-9A-Za-z_-]{1,36}$")] | None = None

    @model_validator(mode="after")
    def _aws_has_templates(self) -> Claim:
        if (self.dialect == "aws") != (self.template is not None):
            raise ValueError("template belongs to the dialect aws, and that one needs it")
        return self

    @property
    def client_id(self) -> str:
        """Name at the broker; the broker holds it against the certificate."""
        return f"claim.{self.device_id}"


class ClaimFolder:
    """A claim as it lies in a folder.

    Args:
        folder: The folder.

    Raises:
        ProvisioningError: It is none.
    """

    def __init__(self, folder: Path) -> None:
        self.certificate = folder / "claim.crt"
        self.key = folder / "claim.key"
        self.ca = folder / "ca.crt"
        self._file = folder / CLAIM_NAME
        try:
            self.claim = Claim.model_validate_json(self._file.read_bytes())
        except (OSError, ValidationError) as err:
            raise ProvisioningError(
                f"{folder} holds no claim ({err}); make one with walkout-trainer devices expect"
            ) from err

    def spend(self) -> bool:
        """Take the claim's key away, which is of no more use; whether that could be done."""
        try:
            self.key.unlink(missing_ok=True)
        except OSError:
            return False
        return True
