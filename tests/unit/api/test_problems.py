import inspect

import pytest

from crosslens import errors
from crosslens.api.problems import problem, status_of
from crosslens.catalog.urls import RefusedUrl
from crosslens.errors import CrosslensError

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
    assert ("what is" in told["detail"]) == (told["status"] < 500 and kind is not CrosslensError)


def test_codes_are_all_different() -> None:
    codes = [kind.code for kind in KINDS if "code" in vars(kind)]
    assert len(set(codes)) == len(codes)


def test_errors_of_other_modules_have_the_status_of_their_family() -> None:
    assert status_of(RefusedUrl("x")) == 422
