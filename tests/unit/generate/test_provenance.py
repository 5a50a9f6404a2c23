import io

import numpy as np
import pytest
from PIL import Image

from crosslens.errors import UnreadablePicture
from crosslens.generate.generator import Drawn
from crosslens.generate.provenance import Provenance, read_provenance, to_png
from crosslens.generate.wish import Wish

DRAWN = Drawn(1, 8, np.arange(48, dtype=np.uint8).reshape(4, 4, 3))
WISH = Wish("红色 shoe <b>", negative="blue", n=2, seed=7, steps=4, guidance=2.5)


def test_a_picture_says_how_it_came_to_be():
    provenance = Provenance.of(DRAWN, WISH, "scribble")
    content = to_png(DRAWN, provenance)
    assert read_provenance(content) == provenance
    assert (provenance.prompt, provenance.seed, provenance.size) == ("红色 shoe <b>", 8, 4)
    with Image.open(io.BytesIO(content)) as picture:
        assert (np.asarray(picture) == DRAWN.pixels).all()


def test_the_same_picture_of_the_same_origin_is_the_same_bytes():
    provenance = Provenance.of(DRAWN, WISH, "scribble")
    assert to_png(DRAWN, provenance) == to_png(DRAWN, provenance)


def test_other_pictures_say_nothing_of_the_kind():
    out = io.BytesIO()
    Image.new("RGB", (2, 2)).save(out, "PNG")
    assert read_provenance(out.getvalue()) is None
    with pytest.raises(UnreadablePicture):
        read_provenance(b"<html>sorry</html>")
