"""One body for every generator: the bundle, the pipeline, the service, the one in memory."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from crosslens.errors import CrosslensError, InvalidRequest
from crosslens.generate.generator import Generator
from crosslens.generate.onnx import load_checked
from crosslens.generate.remote import RemoteGenerator, Service
from crosslens.generate.wish import Wish
from drawing import FlatGenerator, image_service, write_scribble


@pytest.fixture(scope="module")
def scribble(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("onnx")
    return write_scribble(tmp_path_factory.mktemp("generators") / "scribble")


@pytest.fixture(params=["bundle", "memory", "service"])
def generator(request: pytest.FixtureRequest) -> Iterator[Generator]:
    if request.param == "bundle":
        yield load_checked(request.getfixturevalue("scribble"))
    elif request.param == "memory":
        yield FlatGenerator()
    else:
        with image_service() as service:
            draws = RemoteGenerator(Service(service.url, sizes=(16, 32)))
            yield draws
            draws.close()


def test_it_draws_as_many_pictures_as_are_wanted_at_the_size_wanted(generator: Generator):
    size = generator.about.sizes[-1]
    drawn = list(generator.draw(Wish("red shoe", n=3, size=size, seed=5), lambda a, b: None))
    assert [each.number for each in drawn] == [0, 1, 2]
    assert all(each.pixels.shape == (size, size, 3) for each in drawn)
    assert all(each.pixels.dtype == np.uint8 for each in drawn)


def test_without_a_size_it_draws_at_its_own(generator: Generator):
    [drawn] = generator.draw(Wish("red shoe"), lambda a, b: None)
    assert drawn.pixels.shape[0] == generator.about.native_px


def test_a_picture_depends_on_its_seed_and_not_on_its_neighbours(generator: Generator):
    together = list(generator.draw(Wish("红鞋", n=3, seed=7), lambda a, b: None))
    if together[0].seed is None:
        pytest.skip("this one takes no seed")
    assert [each.seed for each in together] == [7, 8, 9]
    [alone] = generator.draw(Wish("红鞋", seed=8), lambda a, b: None)
    assert (alone.pixels == together[1].pixels).all()
    assert not (together[0].pixels == together[1].pixels).all()


def test_a_size_that_it_does_not_draw_is_refused_with_those_it_does(generator: Generator):
    with pytest.raises(InvalidRequest, match=r"size is 37, allowed .*: \d+"):
        next(generator.draw(Wish("red shoe", size=37), lambda a, b: None))


def test_it_tells_its_steps_and_ends_with_all_of_them(generator: Generator):
    told: list[tuple[int, int]] = []
    list(generator.draw(Wish("red shoe", n=2), lambda done, of: told.append((done, of))))
    assert told == sorted(told)
    assert len({of for _, of in told}) == 1
    assert told[0][0] == 0


def test_what_a_step_raises_breaks_it_off(generator: Generator):
    class Enough(CrosslensError):
        pass

    def stop_at(limit: int) -> Callable[[int, int], None]:
        def step(done: int, of: int) -> None:
            if done >= limit:
                raise Enough("enough")

        return step

    with pytest.raises(Enough):
        list(generator.draw(Wish("red shoe", n=3), stop_at(1)))
    assert list(generator.draw(Wish("red shoe"), lambda a, b: None))  # and it draws on


def test_its_name_says_nothing_of_the_machine(generator: Generator):
    assert not re.search(r"[/\\]", generator.about.name)
