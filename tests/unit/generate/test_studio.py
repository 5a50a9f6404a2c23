"""What a studio keeps of what it drew."""

from __future__ import annotations

import pytest

from crosslens.catalog.memory import MemoryMedia
from crosslens.errors import NotFound
from crosslens.generate.studio import Studio
from drawing import FlatGenerator


def studio(media: MemoryMedia, **options: bool) -> Studio:
    return Studio({"flat": FlatGenerator}, media, **options)


def test_what_was_imagined_for_a_search_is_shown_by_other_processes_too():
    media = MemoryMedia()
    made = studio(media, shared=True).imagine("red shoe")
    assert studio(media, shared=True).imagined(made.sha256) is None
    assert media.get(made.sha256) == made.content


def test_one_process_alone_leaves_nothing_of_what_it_imagined():
    media = MemoryMedia()
    alone = studio(media)
    made = alone.imagine("red shoe")
    assert alone.imagined(made.sha256) == made.content
    with pytest.raises(NotFound):
        media.get(made.sha256)
