"""The extra is left out of a developer's environment, so what follows depends on what is there."""

from __future__ import annotations

from importlib.util import find_spec

import cv2
import numpy as np
import pytest

from models.packtext import PackTextError, PackTextReader, normalised_words

if find_spec("rapidocr_onnxruntime"):

    def test_words_on_a_drawn_pack_are_read() -> None:
        pack = np.full((160, 260, 3), 235, np.uint8)
        cv2.putText(pack, "ORANGE", (30, 70), cv2.FONT_HERSHEY_DUPLEX, 1.4, (20, 20, 20), 2)
        cv2.putText(pack, "juice", (30, 120), cv2.FONT_HERSHEY_DUPLEX, 1.2, (20, 90, 160), 2)
        assert normalised_words(PackTextReader()(pack)) >= {"orange", "juice"}

    def test_a_picture_without_words_gives_none() -> None:
        assert PackTextReader()(np.full((60, 60, 3), 128, np.uint8)) == ()

else:

    def test_a_missing_extra_is_an_error_that_names_it() -> None:
        with pytest.raises(PackTextError, match=r"walkout\[packtext\]"):
            PackTextReader()
