"""The portal's signing keys: those that a person made, or its own from the first start on.

Owns when keys are made. Keys of one's own folder are unlocked: pipeline and rollouts sign without a
person. Whoever wants the root and the list of categories locked makes keys beforehand
(``walkout-trainer keys init``), names them in ``portal.yaml`` and gives the passphrase in
``WALKOUT_KEYS_PASSPHRASE`` to the process that publishes new categories.
"""

from __future__ import annotations

import os
from datetime import datetime, timezone
from typing import Final

from cloud_trainer.portal.config import PortalPlaces
from cloud_trainer.publishing import ROOT_NAME, KeyRing, KeysError, init_keys

PASSPHRASE_VARIABLE: Final = "WALKOUT_KEYS_PASSPHRASE"


def open_keys(places: PortalPlaces) -> KeyRing:
    """The keys; made where the portal keeps its own and there are none yet.

    Raises:
        KeysError: There are none, or they cannot be read or made.
    """
    folder = places.keys
    if places.config.keys is None and not (folder / ROOT_NAME).exists():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        init_keys(KeyRing([folder], _ask), datetime.now(timezone.utc), locked=False)
    return KeyRing([folder], _ask)


def _ask(why: str) -> str:
    passphrase = os.environ.get(PASSPHRASE_VARIABLE)
    if passphrase is None:
        raise KeysError(f"a passphrase is needed {why}; give it in {PASSPHRASE_VARIABLE}")
    return passphrase
