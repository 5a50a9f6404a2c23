from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import httpcore
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crosslens.catalog.fetch import GuardedFetcher
from crosslens.catalog.urls import RefusedUrl
from crosslens.errors import CrosslensError, InvalidRequest, NotFound, Unavailable

PUBLIC = "93.184.215.14"
OTHER = "151.101.1.69"
PUBLIC_V6 = "2606:2800:21f:cb07:6820:80da:af6b:8b2c"
PICTURE = b"\x89PNG some pixels"


def answer(
    body: bytes = PICTURE, *, status: str = "200 OK", kind: str = "image/png", more: str = ""
) -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n{more}"
    return head.encode() + b"\r\n" + body


def redirect(location: str, *, status: str = "302 Found") -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Length: 0\r\nLocation: "
    return head.encode() + location.encode() + b"\r\n\r\n"


class FakeTime:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class FakeNames:
    """A resolver: names → addresses; of several answers each call takes the next."""

    def __init__(self, names: Mapping[str, Sequence[Sequence[str]]]) -> None:
        self._names = {name: list(answers) for name, answers in names.items()}
        self.asked: list[str] = []

    def __call__(self, host: str) -> Sequence[str]:
        self.asked.append(host)
        answers = self._names.get(host)
        if not answers:
            raise socket.gaierror(socket.EAI_NONAME, "unknown")
        return answers.pop(0) if len(answers) > 1 else answers[0]


class FakeStream(httpcore.NetworkStream):
    """A connection that sends what it was given, at most `step` bytes and `pace_s` a read."""

    def __init__(self, network: FakeNetwork, sends: bytes) -> None:
        self._network = network
        self._sends = sends

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        assert timeout is not None
        if self._network.pace_s > timeout:
            self._network.clock.now += timeout
            raise httpcore.ReadTimeout
        self._network.clock.now += self._network.pace_s
        size = min(max_bytes, self._network.step)
        out, self._sends = self._sends[:size], self._sends[size:]
        return out

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._network.written += buffer

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        assert ssl_context.verify_mode == ssl.CERT_REQUIRED
        assert ssl_context.check_hostname
        self._network.tls_names.append(server_hostname)
        if self._network.tls_error is not None:
            raise httpcore.ConnectError(self._network.tls_error) from self._network.tls_error
        return self

    def close(self) -> None:
        self._network.open.discard(self)


class FakeNetwork(httpcore.NetworkBackend):
    """Machines by address; each connection to one takes the next of its answers."""

    def __init__(self, machines: Mapping[str, Sequence[bytes]], clock: FakeTime) -> None:
        self._machines = {address: list(answers) for address, answers in machines.items()}
        self.clock = clock
        self.step = 65_536
        self.pace_s = 0.0
        self.tls_error: OSError | None = None
        self.connected: list[tuple[str, int]] = []
        self.connect_timeouts: list[float | None] = []
        self.tls_names: list[str | None] = []
        self.written = b""
        self.open: set[FakeStream] = set()

    def connect_tcp(
        self, host: str, port: int, timeout: float | None = None, **_: Any
    ) -> httpcore.NetworkStream:
        self.connected.append((host, port))
        self.connect_timeouts.append(timeout)
        if not self._machines.get(host):
            raise httpcore.ConnectError(f"nobody listens at {host}")
        stream = FakeStream(self, self._machines[host].pop(0))
        self.open.add(stream)
        return stream


class World:
    """A fetcher with its fakes."""

    def __init__(
        self,
        names: Mapping[str, Sequence[str]] | None = None,
        machines: Mapping[str, Sequence[bytes]] | None = None,
        **settings: Any,
    ) -> None:
        self.clock = FakeTime()
        self.names = FakeNames({n: [a] for n, a in (names or {"shop.example": [PUBLIC]}).items()})
        self.network = FakeNetwork(machines or {PUBLIC: [answer()]}, self.clock)
        self.fetcher = GuardedFetcher(
            **{
                "resolver": self.names,
                "network": self.network,
                "clock": self.clock,
                "timeout_s": 10.0,
                **settings,
            }
        )

    def fetch(self, url: str) -> bytes:
        return self.fetcher.fetch(url)


REFUSED = {
    "no http(s) URL": [
        "",
        "shop.example/a.png",
        "//shop.example/a.png",
        "http:/shop.example/a.png",
        "http:shop.example",
        "http://",
        "http:///a.png",
        "http://?a",
        "http://:80/",
        "file:///etc/passwd",
        "file://localhost/etc/passwd",
        "gopher://shop.example:70/_GET",
        "ftp://shop.example/a.png",
        "data:image/png;base64,AAAA",
        "javascript:alert(1)",
        "unix:/var/run/docker.sock",
        "http+unix://%2Fvar%2Frun%2Fdocker.sock/info",
        "view-source:http://shop.example/",
        "http://shop.example/" + "a" * 5000,
    ],
    "characters that parsers disagree about": [
        " http://shop.example/",
        "http://shop.example/\n",
        "ht\ntp://shop.example/",
        "http://shop.example/a b.png",
        "http://shop.example/a\r\nHost: evil.example",
        "http://shop\t.example/",
        "http://evil.example\\@shop.example/",
        "http:\\\\shop.example/",
        "http://shop.example\x00.evil.example/",
        "http://shop.example/\ud800",
        "http://shop.example　/",
    ],
    "credentials": [
        "http://user@shop.example/",
        "http://user:word@shop.example/",
        "http://good.example@127.0.0.1/",
        "http://shop.example:80@127.0.0.1/",
        "http://@shop.example/",
        "http://a:b@127.0.0.1:80@shop.example/",
    ],
    "ports": [
        "http://shop.example:22/",
        "http://shop.example:6379/",
        "http://shop.example:0/",
        "http://shop.example:65536/",
        "http://shop.example:+80/",
        "http://shop.example:８０/",
        "http://shop.example:80:80/",
    ],
    "spellings of loopback": [
        "http://127.0.0.1/",
        "http://127.0.0.1:8080/",
        "http://127.0.0.1./",
        "http://2130706433/",
        "http://017700000001/",
        "http://0x7f000001/",
        "http://0x7f.1/",
        "http://0177.0.0.1/",
        "http://127.1/",
        "http://127.0.1/",
        "http://0/",
        "http://0x/",
        "http://127.0.0.01/",
        "http://127.0.0.1.1/",
        "http://127.0.0.256/",
        "http://１２７.０.０.１/",
        "http://127。0。0。1/",
        "http://①②⑦.⓪.⓪.①/",
        "http://127.0.0.1%2f.shop.example/",
        "http://%31%32%37.0.0.1/",
        "http://shop%2eexample/",
        "http://localhost/",
        "http://LOCALHOST./",
        "http://ⓛocalhost/",
        "http://local\u00adhost/",
        "http://localhost../",
        "http://shop..example/",
        "http://.shop.example/",
        "http://-shop.example/",
        "http://" + "a" * 64 + ".example/",
        "http://" + "a." * 130 + "example/",
        "http://shop.example％00/",
        "http://shop.example＠evil.example/",
        "http://shop.example／evil/",
        "http://\u2100.example/",
    ],
    "addresses inside": [
        "http://10.0.0.1/",
        "http://172.16.0.1/",
        "http://192.168.1.1/",
        "http://169.254.169.254/latest/meta-data/",
        "http://100.100.100.200/",
        "http://168.63.129.16/",
        "http://[::1]/",
        "http://[::]/",
        "http://[0:0:0:0:0:0:0:1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[::ffff:7f00:1]/",
        "http://[::127.0.0.1]/",
        "http://[64:ff9b::7f00:1]/",
        "http://[64:ff9b::169.254.169.254]/",
        "http://[2002:7f00:1::]/",
        "http://[2001:0:5ef5:79fb::1]/",
        "http://[fd00:ec2::254]/",
        "http://[fe80::1]/",
        "http://[fe80::1%25eth0]/",
        "http://[2606:2800:21f:cb07:6820:80da:af6b:8b2c%eth0]/",
        "http://[::1/",
        "http://[]/",
        "http://[127.0.0.1]/",
        "http://[v1.fe80::a]/",
        "http://::1/",
    ],
    "names": [
        "http://unknown.example/",
        "http://inside.example/",
        "http://mixed.example/",
        "http://empty.example/",
    ],
}
NAMES = {
    "shop.example": [PUBLIC],
    "localhost": ["127.0.0.1", "::1"],
    "inside.example": ["10.1.2.3"],
    "mixed.example": [PUBLIC, "10.1.2.3"],
    "empty.example": [],
}

INSIDE = [
    "0.0.0.0", "0.1.2.3", "10.255.255.255", "100.64.0.1", "100.127.255.255", "127.0.0.1",
    "127.255.255.254", "169.254.0.1", "169.254.169.254", "172.31.255.255", "192.0.0.1",
    "192.0.0.192", "192.0.2.1", "192.88.99.1", "192.168.0.1", "198.18.0.1", "198.19.255.255",
    "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1",
    "255.255.255.255", "168.63.129.16",
    "::", "::1", "::7f00:1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:0:127.0.0.1",
    "64:ff9b::10.0.0.1", "64:ff9b:1::1", "100::1", "2001::1", "2001:2::1", "2001:10::1",
    "2001:20::1", "2001:db8::1", "2002:a00:1::", "2002:808:808::", "3fff::1", "4000::1",
    "5f00::1", "fc00::1", "fd00:ec2::254", "fd20:ce::254", "fe80::1", "fe80::1%eth0",
    "2606:2800::1%eth0", "fec0::1", "ff02::1", "not an address", "",
]  # fmt: skip
OUTSIDE = [
    "1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0",
    "126.255.255.255", "128.0.0.0", "169.253.255.255", "172.15.255.255", "172.32.0.0",
    "192.0.1.0", "192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0",
    "223.255.255.255", "2606:4700::1111", "2400:3200::1", "2a00:1450:4001::1", "64:ff9b::8.8.8.8",
    "::ffff:8.8.8.8",
]  # fmt: skip


def cases(wanted: Callable[[str], bool]) -> list[Any]:
    """The refused URLs, each named by why."""
    return [
        pytest.param(url, id=f"{why}: {url[:60]!a}")
        for why, urls in REFUSED.items()
        for url in filter(wanted, urls)
    ]


@pytest.mark.parametrize("url", cases(lambda url: True))
def test_a_url_that_may_lead_inside_is_refused_before_any_connection(url: str) -> None:
    world = World(NAMES)
    with pytest.raises(RefusedUrl):
        world.fetch(url)
    assert world.network.connected == []


@pytest.mark.parametrize("url", cases(lambda url: url.startswith("http") and url.isprintable()))
def test_a_redirect_to_a_refused_url_reaches_nothing_new(url: str) -> None:
    world = World({**NAMES, "start.example": [OTHER]}, {OTHER: [redirect(url)]})
    with pytest.raises(RefusedUrl):
        world.fetch("http://start.example/")
    assert world.network.connected == [(OTHER, 80)]
    assert not world.network.open


@pytest.mark.parametrize("address", INSIDE)
def test_a_name_with_one_address_inside_is_refused_whatever_the_others_are(address: str) -> None:
    for addresses in ([address], [PUBLIC, address], [address, PUBLIC]):
        world = World({"shop.example": addresses})
        with pytest.raises(RefusedUrl, match="public"):
            world.fetch("http://shop.example/")
        assert world.network.connected == []


@pytest.mark.parametrize("address", OUTSIDE)
def test_a_name_with_a_public_address_is_fetched_from_that_address(address: str) -> None:
    world = World({"shop.example": [address]}, {address: [answer()]})
    assert world.fetch("http://shop.example/") == PICTURE
    assert world.network.connected == [(address, 80)]


@given(st.ip_addresses(v=4).map(str))
def test_every_ipv4_address_is_judged_alike_in_all_its_embeddings(address: str) -> None:
    verdicts = set()
    for spelled in (address, f"::ffff:{address}", f"64:ff9b::{address}"):
        world = World({"shop.example": [spelled]}, {spelled: [answer()]})
        try:
            verdicts.add(world.fetch("http://shop.example/") == PICTURE)
        except RefusedUrl:
            verdicts.add(False)
    assert len(verdicts) == 1


@given(st.text(max_size=60).map(lambda rest: "http://" + rest) | st.text(max_size=60))
def test_any_text_is_refused_by_name_of_error_and_never_breaks_the_parser(url: str) -> None:
    world = World({"shop.example": [PUBLIC]})
    with pytest.raises((RefusedUrl, Unavailable)):  # the latter if it happens to be an address
        world.fetch(url)


@pytest.mark.parametrize(
    ("url", "request_line", "host"),
    [
        ("http://shop.example", "GET / HTTP/1.1", "shop.example"),
        ("HTTP://Shop.EXAMPLE./a.png", "GET /a.png HTTP/1.1", "shop.example"),
        ("http://shop.example:80/a.png#part", "GET /a.png HTTP/1.1", "shop.example"),
        ("http://shop.example:/a.png", "GET /a.png HTTP/1.1", "shop.example"),
        ("http://shop.example:8080/?a=1&b=%20", "GET /?a=1&b=%20 HTTP/1.1", "shop.example:8080"),
        ("http://shop.example?x", "GET /?x HTTP/1.1", "shop.example"),
        ("http://shop.example/a@b:c?u=//x/?y", "GET /a@b:c?u=//x/?y HTTP/1.1", "shop.example"),
        ("http://shop.example/红.png", "GET /%E7%BA%A2.png HTTP/1.1", "shop.example"),
        ("http://shop.example/[a]<b>", "GET /%5Ba%5D%3Cb%3E HTTP/1.1", "shop.example"),
        ("http://例子.中国/", "GET / HTTP/1.1", "xn--fsqu00a.xn--fiqs8s"),
        ("http://my_bucket.example/", "GET / HTTP/1.1", "my_bucket.example"),
        (f"http://{PUBLIC}/", "GET / HTTP/1.1", PUBLIC),
        (f"http://[{PUBLIC_V6.upper()}]:8080/", "GET / HTTP/1.1", f"[{PUBLIC_V6}]:8080"),
    ],
)  # fmt: skip
def test_a_good_url_becomes_one_plain_request(url: str, request_line: str, host: str) -> None:
    hosts = ("shop.example", "xn--fsqu00a.xn--fiqs8s", "my_bucket.example")
    world = World({name: [PUBLIC] for name in hosts}, {PUBLIC: [answer()], PUBLIC_V6: [answer()]})
    assert world.fetch(url) == PICTURE
    lines = world.network.written.decode().split("\r\n")
    assert lines[0] == request_line
    headers = dict(line.split(": ", 1) for line in lines[1:] if line)
    assert headers.pop("Host") == host
    assert headers.pop("Accept-Encoding") == "identity"
    assert headers.keys() == {"User-Agent", "Accept", "Connection"}
    assert not world.network.open


def test_a_name_is_looked_up_once_so_it_cannot_change_between_check_and_connection() -> None:
    names = FakeNames({"shop.example": [[PUBLIC], ["127.0.0.1"]]})
    machines = {PUBLIC: [answer(b"public")], "127.0.0.1": [answer(b"secret")]}
    world = World(machines=machines, resolver=names)
    assert world.fetch("http://shop.example/") == b"public"
    assert names.asked == ["shop.example"]
    assert world.network.connected == [(PUBLIC, 80)]


def test_a_name_that_changes_its_address_is_refused_at_its_second_hop() -> None:
    names = FakeNames({"shop.example": [[PUBLIC], ["127.0.0.1"]]})
    machines = {PUBLIC: [redirect("/again")], "127.0.0.1": [answer(b"secret")]}
    world = World(machines=machines, resolver=names)
    with pytest.raises(RefusedUrl, match="redirect 1"):
        world.fetch("http://shop.example/")
    assert world.network.connected == [(PUBLIC, 80)]


def test_tls_is_verified_for_the_name_while_the_connection_goes_to_the_checked_address() -> None:
    world = World()
    assert world.fetch("https://Shop.example/a.png") == PICTURE
    assert world.network.connected == [(PUBLIC, 443)]
    assert world.network.tls_names == ["shop.example"]


def test_a_bad_certificate_is_the_urls_fault_and_a_broken_handshake_is_not() -> None:
    world = World()
    world.network.tls_error = ssl.SSLCertVerificationError("self-signed")
    with pytest.raises(RefusedUrl, match="certificate"):
        world.fetch("https://shop.example/")
    assert not world.network.open
    world = World()
    world.network.tls_error = ConnectionResetError()
    with pytest.raises(Unavailable):
        world.fetch("https://shop.example/")
    assert not world.network.open


def test_the_next_checked_address_is_tried_when_one_does_not_answer() -> None:
    world = World({"shop.example": [OTHER, PUBLIC_V6, PUBLIC]})
    assert world.fetch("http://shop.example/") == PICTURE
    assert [address for address, _ in world.network.connected] == [OTHER, PUBLIC_V6, PUBLIC]


def test_nobody_answering_is_unavailable_and_says_no_address() -> None:
    world = World({"shop.example": [OTHER, PUBLIC_V6]})
    with pytest.raises(Unavailable) as caught:
        world.fetch("http://shop.example/")
    assert OTHER not in str(caught.value)
    assert PUBLIC_V6 not in str(caught.value)


@pytest.mark.parametrize(("timeout_s", "each"), [(10.0, 4.0), (3.0, 3.0)])
def test_an_attempt_to_connect_ends_at_its_own_limit_or_the_deadline(
    timeout_s: float, each: float
) -> None:
    world = World({"shop.example": [OTHER, PUBLIC]}, timeout_s=timeout_s, connect_timeout_s=4.0)
    world.fetch("http://shop.example/")
    assert world.network.connect_timeouts == [each, each]


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("shop.example/a.png", "must begin with http"),
        ("http:shop.example", "no // after http:"),
        ("http://shop.example/a b", "' ' at character 22"),
        ("http://me:word@shop.example/", "user name or password"),
        ("http://shop.example:22/", "port 22, allowed are 80, 443, 8080, 8443"),
        ("http://127.1/", "four decimal numbers"),
        ("http://[fe80::1%25eth0]/", "zone"),
        ("http://a..b/", "not a host name"),
    ],
)
def test_a_refusal_says_what_is_wrong_and_keeps_passwords_to_itself(url: str, said: str) -> None:
    with pytest.raises(RefusedUrl) as caught:
        World().fetch(url)
    assert said in str(caught.value)
    assert "word@" not in str(caught.value)


def test_unknown_and_inner_names_get_the_same_answer() -> None:
    world = World(NAMES)
    said = set()
    for host in ("unknown.example", "inside.example", "mixed.example"):
        with pytest.raises(RefusedUrl) as caught:
            world.fetch(f"http://{host}/")
        said.add(str(caught.value))
    assert len(said) == 1


@pytest.mark.parametrize(
    "allowed", ["cdn.inside", "CDN.Inside.", "例子.inside", "10.1.2.3", "fd00::1"]
)
def test_a_host_allowed_by_name_may_be_inside_and_use_any_port(allowed: str) -> None:
    names = {"cdn.inside": ["10.1.2.3"], "xn--fsqu00a.inside": ["10.1.2.3"]}
    machines = {"10.1.2.3": [answer()], "fd00::1": [answer()]}
    world = World(names, machines, allow_hosts=frozenset({allowed}))
    host = f"[{allowed}]" if ":" in allowed else allowed
    assert world.fetch(f"http://{host}:9000/") == PICTURE


def test_allowing_a_host_allows_no_other_that_has_its_address_or_its_ending() -> None:
    names = {"cdn.inside": ["10.1.2.3"], "x.cdn.inside": ["10.1.2.3"], "other": ["10.1.2.3"]}
    world = World(names, allow_hosts=frozenset({"cdn.inside"}))
    for host in ("x.cdn.inside", "other", "10.1.2.3"):
        with pytest.raises(RefusedUrl):
            world.fetch(f"http://{host}/")
    assert world.network.connected == []


@pytest.mark.parametrize(
    "address",
    ["169.254.169.254", "::ffff:169.254.169.254", "64:ff9b::169.254.169.254", "fd00:ec2::254",
     "fe80::1", "fe80::1%eth0", "0.0.0.0", "::", "224.0.0.1", "ff02::1", "255.255.255.255",
     "100.100.100.200", "168.63.129.16", "what"],
)  # fmt: skip
def test_not_even_an_allowed_host_may_lead_to_a_metadata_service(address: str) -> None:
    world = World({"cdn.inside": [address]}, allow_hosts=frozenset({"cdn.inside"}))
    with pytest.raises(RefusedUrl):
        world.fetch("http://cdn.inside/")
    assert world.network.connected == []


@pytest.mark.parametrize(
    "name", ["", "http://cdn.inside", "cdn.inside:80", "*.inside", "a b", "127.1"]
)
def test_an_allowed_host_that_is_no_host_is_named(name: str) -> None:
    with pytest.raises(InvalidRequest, match="allow_hosts"):
        GuardedFetcher(allow_hosts=frozenset({name}))


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_followed_with_every_check_anew(status: int) -> None:
    names = {"shop.example": [PUBLIC], "cdn.example": [OTHER]}
    hops = [redirect("../b/c.png?x=1", status=f"{status} There"), redirect("//cdn.example/d")]
    world = World(names, {PUBLIC: hops, OTHER: [answer()]})
    assert world.fetch("http://shop.example/a/a.png") == PICTURE
    assert b"GET /b/c.png?x=1 HTTP/1.1" in world.network.written
    assert world.network.connected == [(PUBLIC, 80), (PUBLIC, 80), (OTHER, 80)]
    assert not world.network.open


@pytest.mark.parametrize(
    "location",
    ["file:///etc/passwd", "gopher://shop.example/", "javascript:alert(1)", "data:image/png,x",
     "//127.0.0.1/", "http://[", "//user@shop.example/", "/a\tb", "/a\\b", "http:///x",
     "//shop.example:22/", "//\u2100.example/"],
)  # fmt: skip
def test_a_redirect_to_somewhere_strange_is_refused(location: str) -> None:
    world = World(machines={PUBLIC: [redirect(location), answer()]})
    with pytest.raises(RefusedUrl, match="redirect 1"):
        world.fetch("http://shop.example/")
    assert len(world.network.connected) == 1


def test_a_redirect_from_https_to_http_is_refused_and_the_other_way_is_not() -> None:
    world = World(machines={PUBLIC: [redirect("http://shop.example/")]})
    with pytest.raises(RefusedUrl, match="https to http"):
        world.fetch("https://shop.example/")
    world = World(machines={PUBLIC: [redirect("https://shop.example/"), answer()]})
    assert world.fetch("http://shop.example/") == PICTURE


@pytest.mark.parametrize(("hops", "fine"), [(0, True), (3, True), (4, False)])
def test_so_many_redirects_and_no_more(hops: int, fine: bool) -> None:
    chain = [redirect("/again") for _ in range(hops)]
    world = World(machines={PUBLIC: [*chain, answer()]}, max_redirects=3)
    if fine:
        assert world.fetch("http://shop.example/") == PICTURE
        return
    with pytest.raises(RefusedUrl, match="more than 3"):
        world.fetch("http://shop.example/")


@pytest.mark.parametrize(
    ("status", "error", "code"),
    [
        ("204 No Content", RefusedUrl, "refused_url"),
        ("206 Partial Content", RefusedUrl, "refused_url"),
        ("302 Nowhere", RefusedUrl, "refused_url"),
        ("304 Not Modified", RefusedUrl, "refused_url"),
        ("400 Bad Request", RefusedUrl, "refused_url"),
        ("401 Unauthorized", RefusedUrl, "refused_url"),
        ("403 Forbidden", RefusedUrl, "refused_url"),
        ("404 Not Found", NotFound, "not_found"),
        ("410 Gone", NotFound, "not_found"),
        ("408 Request Timeout", Unavailable, "unavailable"),
        ("429 Too Many Requests", Unavailable, "unavailable"),
        ("500 Internal Server Error", Unavailable, "unavailable"),
        ("503 Service Unavailable", Unavailable, "unavailable"),
    ],
)
def test_a_status_says_whose_fault_it_is_and_nothing_of_the_body(
    status: str, error: type[CrosslensError], code: str
) -> None:
    world = World(machines={PUBLIC: [answer(b"secret", status=status)]})
    with pytest.raises(error) as caught:
        world.fetch("http://shop.example/")
    assert caught.value.code == code
    assert status[:3] in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "kind", ["image/png", "IMAGE/JPEG; q=1", "application/octet-stream", "binary/octet-stream"]
)
def test_pictures_and_untyped_bytes_are_taken(kind: str) -> None:
    assert World(machines={PUBLIC: [answer(kind=kind)]}).fetch("http://shop.example/") == PICTURE


@pytest.mark.parametrize("kind", ["text/html", "application/json", "", "imagine/png", "video/mp4"])
def test_other_kinds_of_content_are_refused_and_named(kind: str) -> None:
    world = World(machines={PUBLIC: [answer(kind=kind)]})
    with pytest.raises(InvalidRequest, match=f"type '{kind}'"):
        world.fetch("http://shop.example/")


def test_compressed_content_is_refused_because_it_was_not_asked_for() -> None:
    for coding in ("gzip", "br", "zstd", "deflate, gzip"):
        more = f"Content-Encoding: {coding}\r\n"
        with pytest.raises(InvalidRequest, match="compressed"):
            World(machines={PUBLIC: [answer(more=more)]}).fetch("http://shop.example/")
    plain = answer(more="Content-Encoding: Identity\r\n")
    assert World(machines={PUBLIC: [plain]}).fetch("http://shop.example/") == PICTURE


@pytest.mark.parametrize(("size", "fine"), [(0, True), (100, True), (101, False)])
def test_so_many_bytes_and_no_more(size: int, fine: bool) -> None:
    body = b"x" * size
    open_ended = b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n\r\n" + body
    for sent in (answer(body), open_ended):
        world = World(machines={PUBLIC: [sent]}, max_bytes=100)
        if fine:
            assert world.fetch("http://shop.example/") == body
            continue
        with pytest.raises(InvalidRequest, match="100 bytes"):
            world.fetch("http://shop.example/")
        assert not world.network.open


def test_a_declared_length_over_the_limit_is_refused_before_the_body() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: 99999999999999\r\n\r\n"
    world = World(machines={PUBLIC: [head]})  # its body would be a premature end
    with pytest.raises(InvalidRequest, match="bytes allowed"):
        world.fetch("http://shop.example/")


@pytest.mark.parametrize("step", [1, 7])
def test_a_slow_drip_ends_at_the_deadline_though_every_read_is_quick(step: int) -> None:
    world = World(machines={PUBLIC: [answer(b"x" * 10_000)]}, timeout_s=10.0)
    world.network.step, world.network.pace_s = step, 0.5
    with pytest.raises(Unavailable, match="within 10 s"):
        world.fetch("http://shop.example/")
    assert world.clock.now <= 10.5
    assert not world.network.open


def test_a_silent_server_ends_at_the_deadline() -> None:
    world = World(timeout_s=3.0)
    world.network.pace_s = 60.0
    with pytest.raises(Unavailable, match="in time"):
        world.fetch("http://shop.example/")
    assert world.clock.now == 3.0


def test_redirects_share_one_deadline() -> None:
    world = World(machines={PUBLIC: [redirect("/again") for _ in range(9)]}, timeout_s=3.0)
    world.network.pace_s = 1.5
    with pytest.raises(Unavailable):
        world.fetch("http://shop.example/")
    assert len(world.network.connected) == 2


@pytest.mark.parametrize("raised", [socket.gaierror(socket.EAI_AGAIN, "busy"), TimeoutError()])
def test_a_resolver_that_fails_for_now_is_unavailable(raised: OSError) -> None:
    def failing(_: str) -> Sequence[str]:
        raise raised

    with pytest.raises(Unavailable, match="looked up"):
        World(resolver=failing).fetch("http://shop.example/")


def test_a_resolver_that_hangs_ends_at_the_deadline() -> None:
    released = threading.Event()

    def hanging(_: str) -> Sequence[str]:
        released.wait(5)
        return [PUBLIC]

    world = World(resolver=hanging, timeout_s=0.05)
    try:
        with pytest.raises(Unavailable, match="looked up"):
            world.fetch("http://shop.example/")
    finally:
        released.set()


@pytest.mark.parametrize(
    "sent",
    [b"", b"HTTP/1.1 200", b"SSH-2.0-OpenSSH_9.6\r\n", answer()[:-3], b"\xff" * 100,
     b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
     b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
     b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000],
)  # fmt: skip
def test_a_broken_answer_is_unavailable_and_is_not_repeated_in_the_message(sent: bytes) -> None:
    world = World(machines={PUBLIC: [sent]})
    with pytest.raises(Unavailable) as caught:
        world.fetch("http://shop.example/")
    assert "SSH" not in str(caught.value)
    assert not world.network.open
