import inspect

import pytest

from crosslens import errors
from crosslens.api.bodies import parse
from crosslens.api.problems import InvalidBody, problem, status_of
from crosslens.api.schemas import ProductIn
from crosslens.catalog.urls import RefusedUrl
from crosslens.errors import CannotDraw, CrosslensError

KINDS = [
    kind
    for _, kind in inspect.getmembers(errors, inspect.isclass)
    if issubclass(kind, CrosslensError)
]


@pytest.mark.parametrize("kind", KINDS)
def test_every_error_has_a_status_and_a_code(kind: type[CrosslensError]) -> None:
    exc = kind("what is", hint="what to do") if kind is not errors.CrosslensError else kind("x")
    told = problem(exc, "r1")
    assert 400 <= told["status"] < 600
    assert (told["code"], told["request_id"]) == (kind.code, "r1")
    inner = told["status"] >= 500 and kind is not CannotDraw  # that one names what draws, not us
    assert ("what is" in told["detail"]) == (not inner and kind is not CrosslensError)


def test_codes_are_all_different() -> None:
    codes = [kind.code for kind in KINDS if "code" in vars(kind)]
    assert len(set(codes)) == len(codes)


def test_errors_of_other_modules_have_the_status_of_their_family() -> None:
    assert status_of(RefusedUrl("x")) == 422


@pytest.mark.parametrize(
    ("sent", "field", "said"),
    [
        ('{"title": 7}', "title", "valid string, not 7"),
        ('{"title": null}', "title", "valid string, not null"),
        ('{"title": ""}', "title", 'at least 1 character, not ""'),
        ('{"title": "%s"}' % ("x" * 2_001), "title", "at most 2000 characters"),
        ('{"title": 1%s}' % ("0" * 400), "title", "valid string"),
        ('{"title": [1]}', "title", "valid string"),
        ("{}", "title", "it is missing"),
        ('{"title": "x", "colour": "red"}', "colour", "there is no such field"),
        ('{"title": "x", "pictures": [{"url": "u", "base64": "b"}]}', "pictures.0", "either"),
        ("{bad", "body", "invalid JSON"),
    ],
)
def test_what_does_not_fit_is_named_with_what_is_allowed_and_what_was_sent(
    sent: str, field: str, said: str
) -> None:
    with pytest.raises(InvalidBody) as told:
        parse(sent.encode(), ProductIn)
    [error] = told.value.errors
    assert error["field"] == field
    assert said in error["message"]


def test_an_index_for_other_bundles_is_no_mistake_of_the_caller() -> None:
    assert status_of(errors.WrongSpace("the index was built for other bundles")) == 503
