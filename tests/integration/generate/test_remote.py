import base64
import json
import threading
from collections.abc import Iterator

import pytest

from crosslens.errors import CannotDraw, CrosslensError, InvalidRequest, Overloaded
from crosslens.generate.remote import RemoteGenerator, Service
from crosslens.generate.wish import Wish
from drawing import ImageService, image_service
from fakes import jpeg


@pytest.fixture
def service() -> Iterator[ImageService]:
    with image_service() as service:
        yield service


@pytest.fixture
def draws(service: ImageService) -> Iterator[RemoteGenerator]:
    found = RemoteGenerator(Service(service.url, key="secret", model="far", sizes=(16, 32)))
    yield found
    found.close()


def draw(draws: RemoteGenerator, **wish: object) -> list[object]:
    return list(draws.draw(Wish("red shoe", **wish)))  # type: ignore[arg-type]


def test_it_asks_as_the_endpoint_wants_to_be_asked(service: ImageService, draws: RemoteGenerator):
    assert len(draw(draws, n=2, size=32)) == 2
    assert service.asked == 2 * [
        {
            "path": "/v1/images/generations", "model": "far", "prompt": "red shoe", "n": 1,
            "size": "32x32", "response_format": "b64_json",
        }
    ]  # fmt: skip
    assert set(service.keys) == {"Bearer secret"}


def coded(content: bytes) -> bytes:
    return json.dumps({"data": [{"b64_json": base64.b64encode(content).decode()}]}).encode()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"<html>model is loading</html>", "no JSON: '<html>model is loading"),
        (b"", "no JSON"),
        (b"[]", "JSON that is no object"),
        (b"[" * 200_000, "no JSON"),
        (b'{"data": []}', "without a picture"),
        (b'{"data": null}', "without a picture"),
        (b'{"data": [{"url": "https://elsewhere.example/x.png"}]}', "without a picture"),
        (b'{"data": [{"b64_json": "???"}]}', "not base64"),
        (coded(b'{"error": "quota"}'), "sent no picture"),
        (coded(b"<html>sorry</html>"), "sent no picture"),
        (coded(jpeg()[:60]), "sent no picture"),
    ],
)
def test_what_is_no_picture_is_never_given_as_one(
    service: ImageService, draws: RemoteGenerator, content: bytes, said: str
):
    service.content = content
    with pytest.raises(CannotDraw, match="image service") as failed:
        draw(draws)
    assert said in failed.value.message
    service.content = None
    assert draw(draws)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, InvalidRequest), (422, InvalidRequest), (429, Overloaded), (500, CannotDraw),
        (302, CannotDraw), (404, CannotDraw), (401, CannotDraw), (403, CannotDraw),
    ],
)  # fmt: skip
def test_refusals_come_back_as_ours_with_the_reason(
    service: ImageService, draws: RemoteGenerator, status: int, kind: type[CrosslensError]
):
    service.status, service.content = status, b'{"error": {"message": "not this prompt"}}'
    with pytest.raises(kind, match="not this prompt"):
        draw(draws)


def test_a_service_that_is_away_or_too_slow_is_an_error(service: ImageService):
    service.delay = threading.Event()
    slow = RemoteGenerator(Service(service.url, sizes=(16,), timeout_s=0.1))
    with pytest.raises(CannotDraw, match=r"no picture within 0\.1 s"):
        draw(slow)
    slow.close()
    service.delay.set()
    away = RemoteGenerator(Service("http://127.0.0.1:9/v1", sizes=(16,)))
    with pytest.raises(CannotDraw, match="cannot be reached"):
        draw(away)
    away.close()


@pytest.mark.parametrize("wish", [{"negative": "blue"}, {"steps": 4}, {"guidance": 2.0}])
def test_what_it_does_not_take_is_refused_by_name(
    service: ImageService, draws: RemoteGenerator, wish: dict[str, object]
):
    with pytest.raises(InvalidRequest, match=f"{next(iter(wish))} is"):
        draw(draws, **wish)
    assert not service.asked


@pytest.mark.parametrize("url", ["images.example/v1", "https://", "http://[::1", "ftp://a/v1"])
def test_an_address_that_is_none_is_refused(url: str):
    with pytest.raises(InvalidRequest, match="allowed: http:// or https:// and a host"):
        Service(url)


def test_a_key_that_no_header_can_carry_is_refused():
    with pytest.raises(InvalidRequest, match="key holds characters"):
        Service("https://images.example/v1", key="ключ")


def test_a_key_that_the_service_repeats_is_not_told_on(
    service: ImageService, draws: RemoteGenerator
):
    service.status, service.content = 401, b'{"error": {"message": "unknown key secret"}}'
    with pytest.raises(CannotDraw, match="unknown key") as refused:
        draw(draws)
    assert "secret" not in str(refused.value)
