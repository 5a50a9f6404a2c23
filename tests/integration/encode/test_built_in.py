"""The bundle that ships."""

from __future__ import annotations

from pathlib import Path

import pytest

import crosslens.bundled
from crosslens import settings, wiring
from crosslens.encode.bundles import verify
from crosslens.encode.onnx import load
from crosslens.errors import MissingExtra

FOLDER = Path(crosslens.bundled.__file__).parent / "crosslens-mini"


def test_it_passes_its_digests_and_goldens() -> None:
    verify(FOLDER)
    report = load(FOLDER).check()
    assert report.passed
    assert report.compared >= 10


def test_it_is_small_enough_to_ship() -> None:
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 12_000_000


@pytest.mark.parametrize("name", ["text.onnx", "picture.onnx"])
def test_it_says_nothing_of_the_machine_that_made_it(name: str) -> None:
    content = (FOLDER / name).read_bytes()
    for trace in (b"site-packages", b"stack_trace", b'.py", line'):
        assert trace not in content


def test_the_settings_name_the_device_that_encoders_run_on(tmp_path: Path) -> None:
    with (
        wiring.build(settings.load(tmp_path, device="quantum")) as app,
        pytest.raises(MissingExtra, match="device is 'quantum'; allowed are cpu, cuda"),
    ):
        _ = app.encoders
