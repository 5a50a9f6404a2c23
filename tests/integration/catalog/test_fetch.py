from __future__ import annotations

import gzip
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from crosslens.catalog.fetch import GuardedFetcher
from crosslens.catalog.urls import RefusedUrl
from crosslens.errors import InvalidRequest, NotFound, Unavailable, UnreadablePicture
from serving import serving

PICTURE = b"\x89PNG" + bytes(range(256)) * 40
LIMIT = 100_000


class Shop(BaseHTTPRequestHandler):
    """A web server with good and bad manners; the path says which."""

    protocol_version = "HTTP/1.1"
    server: ShopServer

    def do_GET(self) -> None:
        self.server.seen.append((self.path, dict(self.headers)))
        name = self.path.strip("/").partition("?")[0].partition("/")[0]
        with self.server.leaving():
            getattr(self, f"send_{name}")()

    def send_picture(self) -> None:
        self._head(Content_Length=len(PICTURE))
        self.wfile.write(PICTURE)

    def send_chunked(self) -> None:
        self._head(Transfer_Encoding="chunked")
        for start in range(0, len(PICTURE), 1000):
            part = PICTURE[start : start + 1000]
            self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
        self.wfile.write(b"0\r\n\r\n")

    def send_endless(self) -> None:
        self._head()
        while True:
            self.wfile.write(b"x" * 10_000)

    def send_endless_chunks(self) -> None:
        self._head(Transfer_Encoding="chunked")
        while True:
            self.wfile.write(b"2710\r\n" + b"x" * 10_000 + b"\r\n")

    def send_claims_more(self) -> None:
        self._head(Content_Length=LIMIT + 1)
        self.wfile.write(PICTURE)

    def send_breaks_off(self) -> None:
        self._head(Content_Length=len(PICTURE) + 10)
        self.wfile.write(PICTURE)

    def send_claims_less(self) -> None:
        self._head(Content_Length=10)
        self.wfile.write(PICTURE)

    def send_drips(self) -> None:
        self._head(Content_Length=LIMIT)
        while not self.server.closing.wait(0.02):
            self.wfile.write(b"x")

    def send_drips_headers(self) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
        while not self.server.closing.wait(0.02):
            self.wfile.write(b"x")

    def send_silence(self) -> None:
        self.server.closing.wait(10)

    def send_bomb(self) -> None:
        bomb = gzip.compress(bytes(50_000_000), 1)[:LIMIT]
        self._head(Content_Encoding="gzip", Content_Length=len(bomb))
        self.wfile.write(bomb)

    def send_page(self) -> None:
        self._head(kind="text/html", Content_Length=6)
        self.wfile.write(b"secret")

    def send_status(self) -> None:
        self._head(int(self.path.rpartition("/")[2]), Content_Length=6)
        self.wfile.write(b"secret")

    def send_to(self) -> None:
        location = self.path.partition("?")[2]
        self._head(302, Location=location, Content_Length=0, Set_Cookie="id=7; Path=/")

    def send_loop(self) -> None:
        self._head(301, Location="/loop", Content_Length=0)

    def _head(self, status: int = 200, *, kind: str = "image/png", **headers: object) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class ShopServer(ThreadingHTTPServer):
    """The web server on a free port of 127.0.0.1."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Shop)
        self.seen: list[tuple[str, dict[str, str]]] = []
        self.left: list[str] = []
        self.closing = threading.Event()

    @property
    def url(self) -> str:
        return f"http://shop.test:{self.server_port}"

    def leaving(self) -> Any:
        return _Leaving(self.left)


class _Leaving:
    def __init__(self, left: list[str]) -> None:
        self._left = left

    def __enter__(self) -> None: ...

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> bool:
        self._left.append(kind.__name__ if kind else "")
        return kind is not None and issubclass(kind, ConnectionError)


@pytest.fixture(scope="module")
def running() -> Iterator[ShopServer]:
    with serving(ShopServer()) as server:
        yield server
        server.closing.set()


@pytest.fixture
def shop(running: ShopServer) -> ShopServer:
    running.seen.clear()
    running.left.clear()
    return running


def names(host: str) -> Sequence[str]:
    return {"shop.test": ["127.0.0.1"], "other.test": ["127.0.0.1"]}[host]


def fetch(url: str, **settings: Any) -> bytes:
    allowed = frozenset({"shop.test"})
    usual = {"allow_hosts": allowed, "resolver": names, "max_bytes": LIMIT, "timeout_s": 5.0}
    return GuardedFetcher(**{**usual, **settings}).fetch(url)


def paths(shop: ShopServer) -> list[str]:
    return [path for path, _ in shop.seen]


@pytest.mark.parametrize("path", ["picture", "chunked"])
def test_a_picture_arrives_whole(shop: ShopServer, path: str) -> None:
    assert fetch(f"{shop.url}/{path}") == PICTURE
    [(_, headers)] = shop.seen
    assert headers["Host"] == f"shop.test:{shop.server_port}"
    assert headers["Accept-Encoding"] == "identity"


def test_proxies_of_the_environment_are_not_asked(
    shop: ShopServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert fetch(f"{shop.url}/picture") == PICTURE


def test_the_same_server_is_out_of_reach_by_any_name_that_is_not_allowed(shop: ShopServer) -> None:
    for host in ("other.test", "127.0.0.1", "[::1]", "[::ffff:127.0.0.1]"):
        with pytest.raises(RefusedUrl):
            fetch(f"http://{host}:{shop.server_port}/picture")
    assert shop.seen == []


def test_a_chain_of_redirects_ends_at_the_picture_and_carries_no_cookie(shop: ShopServer) -> None:
    assert fetch(f"{shop.url}/to?/to?to?{shop.url}/picture") == PICTURE
    assert len(shop.seen) == 4
    assert not any("Cookie" in headers for _, headers in shop.seen)


@pytest.mark.parametrize(
    "location",
    ["http://other.test:8080/picture", "http://127.0.0.1:8080/picture", "//169.254.169.254/latest",
     "http://2130706433:8080/", "http://[::ffff:127.0.0.1]:8080/", "file:///etc/passwd",
     "http://shop.test@127.0.0.1:8080/"],
)  # fmt: skip
def test_a_redirect_inside_is_not_followed(shop: ShopServer, location: str) -> None:
    with pytest.raises(RefusedUrl, match="redirect 2 of the picture URL"):
        fetch(f"{shop.url}/to?/to?{location}")
    assert len(shop.seen) == 2


def test_a_loop_of_redirects_ends(shop: ShopServer) -> None:
    with pytest.raises(RefusedUrl, match="more than 5"):
        fetch(f"{shop.url}/loop")
    assert paths(shop) == ["/loop"] * 6


@pytest.mark.parametrize("path", ["endless", "endless_chunks", "claims_more"])
def test_a_body_over_the_limit_is_refused_and_left(shop: ShopServer, path: str) -> None:
    with pytest.raises(UnreadablePicture, match="100,000 bytes"):
        fetch(f"{shop.url}/{path}")
    if path != "claims_more":
        cut_off = {"BrokenPipeError", "ConnectionResetError"}
        wait_until(lambda: cut_off & set(shop.left))  # a request before this one may end late


def test_a_body_shorter_than_declared_is_unavailable(shop: ShopServer) -> None:
    with pytest.raises(Unavailable):
        fetch(f"{shop.url}/breaks_off")


def test_a_body_longer_than_declared_is_cut_where_it_was_declared(shop: ShopServer) -> None:
    assert fetch(f"{shop.url}/claims_less") == PICTURE[:10]


@pytest.mark.parametrize("path", ["drips", "drips_headers", "silence"])
def test_a_server_that_takes_its_time_is_left_at_the_deadline(shop: ShopServer, path: str) -> None:
    start = time.monotonic()
    with pytest.raises(Unavailable):
        fetch(f"{shop.url}/{path}", timeout_s=0.3)
    assert 0.25 < time.monotonic() - start < 20


def test_a_gzip_bomb_is_never_unpacked(shop: ShopServer) -> None:
    with pytest.raises(UnreadablePicture, match="compressed"):
        fetch(f"{shop.url}/bomb")


def test_what_is_no_picture_is_refused_without_a_word_of_it(shop: ShopServer) -> None:
    with pytest.raises(UnreadablePicture, match="text/html") as caught:
        fetch(f"{shop.url}/page")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("status", "error"),
    [(404, NotFound), (410, NotFound), (403, InvalidRequest), (429, Unavailable),
     (500, Unavailable)],
)  # fmt: skip
def test_a_status_says_whose_fault_it_is(
    shop: ShopServer, status: int, error: type[Exception]
) -> None:
    with pytest.raises(error, match=str(status)) as caught:
        fetch(f"{shop.url}/status/{status}")
    assert "secret" not in str(caught.value)


def test_a_closed_port_is_unavailable_and_says_no_address(shop: ShopServer) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound but not listening
        with pytest.raises(Unavailable) as caught:
            fetch(f"http://shop.test:{taken.getsockname()[1]}/")
    assert "127.0.0.1" not in str(caught.value)


def test_the_next_address_is_tried_when_the_first_does_not_answer(shop: ShopServer) -> None:
    both = fetch(f"{shop.url}/picture", resolver=lambda _: ["127.0.0.2", "127.0.0.1"])
    assert both == PICTURE


def test_one_fetcher_serves_many_threads(shop: ShopServer) -> None:
    fetcher = GuardedFetcher(allow_hosts=frozenset({"shop.test"}), resolver=names)
    bodies: list[bytes] = []
    threads = [
        threading.Thread(target=lambda: bodies.append(fetcher.fetch(f"{shop.url}/picture")))
        for _ in range(12)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert bodies == [PICTURE] * 12


def test_the_system_resolver_knows_this_machine_and_it_is_refused(shop: ShopServer) -> None:
    with pytest.raises(RefusedUrl, match="not public"):
        GuardedFetcher().fetch("http://localhost:8080/picture")
    allowed = GuardedFetcher(allow_hosts=frozenset({"localhost"}))
    assert allowed.fetch(f"http://localhost:{shop.server_port}/picture") == PICTURE


def wait_until(true: Any) -> None:
    end = time.monotonic() + 60
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)
