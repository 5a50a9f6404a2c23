from __future__ import annotations

import io
from pathlib import Path

from PIL import Image

from crosslens.ui.pictures import HandedIn, media_type


def png(size: tuple[int, int] = (4, 4)) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, "red").save(out, "PNG")
    return out.getvalue()


def test_pictures_that_are_handed_in_are_kept_and_others_refused(tmp_path: Path) -> None:
    handed_in = HandedIn(tmp_path / "pictures")
    digest = handed_in.put(png())
    assert digest is not None
    assert handed_in.get(digest) == png()
    assert media_type(png()) == "image/png"
    for bad in (b"", b"text", png()[:40], b"<svg xmlns='http://www.w3.org/2000/svg'/>"):
        assert handed_in.put(bad) is None
    assert handed_in.get("0" * 64) is None
    assert handed_in.get("../../secret") is None


def test_old_pictures_make_room(tmp_path: Path) -> None:
    size = len(png())
    handed_in = HandedIn(tmp_path, kept_bytes=2 * size + 30)
    digests = [handed_in.put(png((4 + n, 4))) for n in range(4)]
    assert len(list(tmp_path.iterdir())) == 2
    assert digests[-1] is not None
    assert handed_in.get(digests[-1])
