from __future__ import annotations

import pytest

from crosslens.client import Client
from crosslens.ui.pages.draw import PAGE, trouble
from crosslens.ui.visit import Visit
from crosslens.ui.words import SHARED, Language, Voice


def visit(language: Language) -> Visit:
    def nowhere() -> Client:
        raise AssertionError("nobody is asked")

    return Visit(nowhere, Voice(language, {**SHARED, **PAGE.texts}))


@pytest.mark.parametrize(
    ("code", "english", "chinese"),
    [
        ("overloaded", "wait already", "排队"),
        ("not_found", "no such generator", "没有这个生成器"),
        ("cannot_draw", "could not draw", "没能画出来"),
        ("invalid_request", "cannot be drawn like this", "无法按这些要求画"),
        ("forbidden", "Your key may not", "没有此权限"),
        ("stopped", "failed", "失败"),
        (None, "failed", "失败"),
    ],
)
def test_what_went_wrong_is_said_in_the_visitors_language(
    code: str | None, english: str, chinese: str
) -> None:
    for language, said in ((Language.ENGLISH, english), (Language.CHINESE, chinese)):
        told = trouble(visit(language), code, "the image service is away", "start it")
        assert said in told["text"]
        assert told["detail"] == "the image service is away (start it)"


def test_without_a_hint_the_services_words_stand_alone() -> None:
    assert trouble(visit(Language.ENGLISH), "internal", "it broke", None)["detail"] == "it broke"
