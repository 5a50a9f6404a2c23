"""
Fetch pictures from URLs that strangers hand in, and reach nothing but public web servers.

Each hop is read by one strict parser, resolved once, checked address by address, and connected to
the very addresses that were checked: no spelling, no redirect and no name that changes its answer
leads inside. The connections are plain httpcore, since what it lacks (proxies from the
environment, cookies, sign-in, redirects, decompression) is what must not happen here.
"""

from __future__ import annotations

import re
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, cast
from urllib.parse import quote, urljoin

from crosslens.errors import InvalidRequest, NotFound, Unavailable, UnreadablePicture

if TYPE_CHECKING:
    import httpcore

Resolver: TypeAlias = Callable[[str], Sequence[str]]

MAX_URL = 4096
PORTS = frozenset({80, 443, 8080, 8443})
KINDS = ("application/octet-stream", "binary/octet-stream")  # the latter is the default of S3

_DEFAULT_PORTS = {"http": 80, "https": 443}
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_LATER = frozenset({408, 425, 429})
_UNKNOWN = frozenset({socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)})
_UNSAFE = re.compile(r"[\s\\\x00-\x20\x7f-\x9f\ud800-\udfff]")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_REST = re.compile(r"//(?P<authority>[^/?#]*)(?P<path>[^?#]*)(?:\?(?P<query>[^#]*))?(?:#.*)?")
_AUTHORITY = re.compile(r"(?P<host>\[[^\[\]]+\]|[^:\[\]]+)(?::(?P<port>[0-9]{0,5}))?")
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_PATH_SAFE = "/%:@!$&'()*+,;=-._~"


def _nets(text: str) -> tuple[IPv4Network | IPv6Network, ...]:
    return tuple(map(ip_network, text.split()))


# The IANA special-purpose registries, spelled out because `is_global` differs between Pythons.
_INSIDE = _nets("""
    0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24
    192.0.2.0/24 192.88.99.0/24 192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24
    224.0.0.0/4 240.0.0.0/4
    168.63.129.16/32
    2001::/23 2001:db8::/32 2002::/16 3fff::/20
""")
# Metadata services (also Azure, Alibaba, Oracle, AWS, Google), and what is no single machine.
_NEVER = _nets("""
    0.0.0.0/8 100.100.100.200/32 168.63.129.16/32 169.254.0.0/16 192.0.0.192/32 224.0.0.0/4
    255.255.255.255/32
    ::/128 fd00:ec2::/32 fd20:ce::254/128 fe80::/10 ff00::/8
""")
_ROUTED_V6 = ip_network("2000::/3")  # the rest of IPv6 is refused unseen
_NAT64 = ip_network("64:ff9b::/96")


class RefusedUrl(InvalidRequest):
    """A picture URL, or a redirect of one, that crosslens does not follow."""

    code = "refused_url"


class Fetcher(Protocol):
    """Picture bytes by URL; safe to call from many threads."""

    def fetch(self, url: str) -> bytes:
        """
        Return the bytes that a URL leads to; whether they are a picture is not looked at.

        Raises:
            RefusedUrl: the URL or a redirect cannot be read, is not http(s), carries a password,
                leads to an address, host or port that is not allowed, redirects too often, or
                the server wants a sign-in (400 to 499 but those below).
            UnreadablePicture: larger than allowed, compressed, or declared to be something else.
            NotFound: the server says so (404 or 410).
            Unavailable: no answer in time, no connection, a broken answer, 408, 425, 429 or a
                failing server (500 to 599); trying again may help.
        """
        ...


def system_addresses(host: str) -> Sequence[str]:
    """
    Ask the system's resolver for all addresses of a host name, each once.

    Raises:
        OSError: the name is unknown (`socket.gaierror`), or nobody answers.
    """
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


@dataclass(frozen=True, kw_only=True)
class GuardedFetcher:
    """
    Fetch from public addresses, bounded in bytes and time.

    Args:
        allow_hosts: names or addresses that may also be private and use any port; metadata
            services, link-local and multicast addresses stay refused.
        max_bytes: most bytes of a picture.
        timeout_s: seconds for everything together: names, connections, redirects, the last byte.
        connect_timeout_s: seconds for one attempt to connect to one address.
        max_redirects: redirects followed; from https to http none is.
        resolver: host name → all its addresses.
        network: opens connections; None: real sockets.
        clock: seconds that only rise.

    Raises:
        InvalidRequest: `allow_hosts` has something that is neither a name nor an address.
    """

    allow_hosts: frozenset[str] = frozenset()
    max_bytes: int = 30_000_000
    timeout_s: float = 20.0
    connect_timeout_s: float = 5.0
    max_redirects: int = 5
    resolver: Resolver = system_addresses
    network: httpcore.NetworkBackend | None = None
    clock: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        allowed = frozenset(_allowed_host(name) for name in self.allow_hosts)
        object.__setattr__(self, "allow_hosts", allowed)

    def fetch(self, url: str) -> bytes:
        """Return the bytes that a URL leads to; see `Fetcher.fetch` for what it raises."""
        deadline = _Deadline(self.timeout_s, self.clock)
        hop = _parse(url, "the picture URL")
        for number in range(1, self.max_redirects + 2):
            answer = self._get(hop, deadline)
            if isinstance(answer, bytes):
                return answer
            hop = _follow(hop, answer, f"redirect {number} of the picture URL")
        raise RefusedUrl(
            f"the picture URL redirects more than {self.max_redirects} times",
            hint="use the address at which the chain ends",
        )

    def _get(self, hop: _Hop, deadline: _Deadline) -> bytes | str:
        import httpcore

        network = _Pinned(
            self.network or httpcore.SyncBackend(),
            self._checked_addresses(hop, deadline),
            deadline=deadline,
            connect_timeout_s=self.connect_timeout_s,
        )
        connection = httpcore.HTTPConnection(
            httpcore.Origin(hop.scheme.encode(), hop.host.encode(), hop.port),
            ssl_context=self._tls if hop.scheme == "https" else None,
            network_backend=cast("httpcore.NetworkBackend", network),
        )
        url = httpcore.URL(scheme=hop.scheme, host=hop.host, port=hop.port, target=hop.target)
        with (
            _explained(hop.where),
            connection,
            connection.stream("GET", url, headers=_request_headers(hop)) as response,
        ):
            return _read(response, hop.where, max_bytes=self.max_bytes)

    def _checked_addresses(self, hop: _Hop, deadline: _Deadline) -> Sequence[str]:
        """Return the addresses of a hop, after all of them passed."""
        allowed = hop.host in self.allow_hosts
        if not allowed and hop.port not in PORTS:
            raise RefusedUrl(
                f"{hop.where} has port {hop.port}, allowed are {', '.join(map(str, sorted(PORTS)))}"
            )
        addresses = [hop.host] if hop.is_address else self._resolve(hop, deadline)
        refused = _is_never_allowed if allowed else _is_inside
        if not addresses or any(map(refused, addresses)):
            # One sentence for unknown and inner names, so that nobody can map the inside.
            raise RefusedUrl(
                f"the host of {hop.where} has no address, or one that is not public",
                hint="check the spelling; inner hosts must be allowed by name",
            )
        return addresses

    def _resolve(self, hop: _Hop, deadline: _Deadline) -> Sequence[str]:
        answer = self._resolving.submit(self.resolver, hop.host)
        try:
            return answer.result(deadline.left())
        except OSError as exc:  # also the time-out of `result`
            answer.cancel()
            if isinstance(exc, socket.gaierror) and exc.errno in _UNKNOWN:
                return []
            raise Unavailable(f"the host of {hop.where} could not be looked up") from exc

    @cached_property
    def _resolving(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(8, "resolve")  # getaddrinfo itself knows no time-out

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        import httpcore

        return httpcore.default_ssl_context()


@dataclass(frozen=True, slots=True)
class _Hop:
    """One URL, taken apart: a host in its one spelling, a target in ASCII."""

    scheme: str
    host: str
    port: int
    target: str
    where: str

    @property
    def authority(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def is_address(self) -> bool:
        return _address(self.host) is not None


def _parse(url: str, where: str) -> _Hop:
    _check_text(url, where)
    scheme = _scheme(url, where)
    parts = _REST.fullmatch(url, len(scheme) + 1)
    if parts is None:
        raise RefusedUrl(f"{where} has no // after {scheme}:")
    host, port = _split_authority(parts["authority"], where)
    return _Hop(
        scheme=scheme,
        host=_canonical_host(host, where),
        port=_port(port, where) if port else _DEFAULT_PORTS[scheme],
        target=_target(parts["path"], parts["query"]),
        where=where,
    )


def _check_text(url: Any, where: str) -> None:
    if not isinstance(url, str) or not 0 < len(url) <= MAX_URL:
        raise RefusedUrl(f"{where} must be a text of 1 to {MAX_URL:,} characters")
    if found := _UNSAFE.search(url):
        raise RefusedUrl(
            f"{where} has {found[0]!a} at character {found.start() + 1}",
            hint="white space, control characters and backslashes must be percent-encoded",
        )


def _scheme(url: str, where: str) -> str:
    found = _SCHEME.match(url)
    if found is None or found[1].lower() not in _DEFAULT_PORTS:
        raise RefusedUrl(f"{where} must begin with http:// or https://")
    return found[1].lower()


def _split_authority(authority: str, where: str) -> tuple[str, str | None]:
    if "@" in authority:
        raise RefusedUrl(f"{where} has a user name or password", hint="leave out all before the @")
    parts = _AUTHORITY.fullmatch(authority)
    if parts is None:
        raise RefusedUrl(f"{where} has no host and port that can be read", hint="host or host:port")
    return parts["host"], parts["port"]


def _port(text: str, where: str) -> int:
    if not 1 <= int(text) <= 65_535:
        raise RefusedUrl(f"{where} has port {text}, possible are 1 to 65,535")
    return int(text)


def _target(path: str, query: str | None) -> str:
    target = quote(path or "/", safe=_PATH_SAFE)
    return target if query is None else f"{target}?{quote(query, safe=_PATH_SAFE + '?')}"


def _canonical_host(host: str, where: str) -> str:
    """Return the one spelling of a host: a lower-case ASCII name, or an address."""
    if host.startswith("["):
        return _canonical_v6(host[1:-1], where)
    name = (host if host.isascii() else _to_ascii(host, where)).lower().removesuffix(".")
    labels = name.split(".")
    if _NUMBER.fullmatch(labels[-1]):
        return _canonical_v4(name, where)
    if len(name) > 253 or not all(map(_LABEL.fullmatch, labels)):
        raise RefusedUrl(
            f"the host of {where} is not a host name",
            hint="letters, digits, - and _ between dots, 63 at most each, 253 in all",
        )
    return name


def _to_ascii(host: str, where: str) -> str:
    import idna

    try:
        return idna.encode(host, uts46=True).decode("ascii")
    except UnicodeError as exc:
        raise RefusedUrl(f"the host of {where} is not an international host name") from exc


def _canonical_v4(text: str, where: str) -> str:
    try:
        return str(IPv4Address(text))
    except ValueError as exc:
        raise RefusedUrl(
            f"the host of {where} is a number but no address such as 192.0.2.1",
            hint="four decimal numbers from 0 to 255, with no zero in front",
        ) from exc


def _canonical_v6(text: str, where: str) -> str:
    try:
        address = IPv6Address(text)
    except ValueError as exc:
        raise RefusedUrl(f"the host of {where} is no IPv6 address in brackets") from exc
    if address.scope_id is not None:
        raise RefusedUrl(f"the host of {where} has a zone (%)", hint="zones name local interfaces")
    return str(address)


def _allowed_host(name: str) -> str:
    bracketed = f"[{name}]" if _address(name) is not None and ":" in name else name
    try:
        return _canonical_host(bracketed, "allow_hosts")
    except RefusedUrl as exc:
        raise InvalidRequest(
            f"allow_hosts: {name!a} is neither a host name nor an address",
            hint="only the host: no scheme, port or path",
        ) from exc


def _follow(hop: _Hop, location: str, where: str) -> _Hop:
    _check_text(location, where)
    following = _parse(_joined(hop, location, where), where)
    if (hop.scheme, following.scheme) == ("https", "http"):
        raise RefusedUrl(f"{where} leads from https to http, which is not followed")
    return following


def _joined(hop: _Hop, location: str, where: str) -> str:
    if _SCHEME.match(location):
        return location  # urljoin would mend what the parser is to refuse
    try:
        return urljoin(f"{hop.scheme}://{hop.authority}{hop.target}", location)
    except ValueError as exc:
        raise RefusedUrl(f"{where} cannot be read") from exc


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None


def _embedded(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """Return the IPv4 address that an IPv4-mapped or NAT64 address stands for."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address


def _is_inside(text: str) -> bool:
    """Tell whether an address is not public; what cannot be read is not."""
    found = _address(text)
    if found is None or getattr(found, "scope_id", None) is not None:
        return True
    address = _embedded(found)
    if isinstance(address, IPv6Address) and address not in _ROUTED_V6:
        return True
    return any(address in net for net in _INSIDE)


def _is_never_allowed(text: str) -> bool:
    found = _address(text)
    return found is None or any(_embedded(found) in net for net in _NEVER)


class _Deadline:
    """The moment at which a fetch has to be over."""

    def __init__(self, seconds: float, clock: Callable[[], float]) -> None:
        self._seconds = seconds
        self._clock = clock
        self._end = clock() + seconds

    def left(self) -> float:
        left = self._end - self._clock()
        if left <= 0:
            raise Unavailable(f"the picture was not fetched within {self._seconds:g} s")
        return left


class _Pinned:
    """A network backend of httpcore that connects to checked addresses, whatever the name is."""

    def __init__(
        self,
        network: httpcore.NetworkBackend,
        addresses: Sequence[str],
        *,
        deadline: _Deadline,
        connect_timeout_s: float,
    ) -> None:
        self._network = network
        self._addresses = addresses
        self._deadline = deadline
        self._connect_timeout_s = connect_timeout_s

    def connect_tcp(self, host: str, port: int, **_: object) -> httpcore.NetworkStream:
        """Connect to the first address that answers; the name is for TLS only."""
        *others, last = self._addresses
        for address in others:
            with _tried():
                return self._connect(address, port)
        return self._connect(last, port)

    def _connect(self, address: str, port: int) -> httpcore.NetworkStream:
        timeout = min(self._connect_timeout_s, self._deadline.left())
        stream = self._network.connect_tcp(address, port, timeout=timeout)
        return cast("httpcore.NetworkStream", _Timed(stream, self._deadline))


class _Timed:
    """A stream whose every wait ends at the deadline, so that a slow drip does too."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: _Deadline) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._deadline.left())

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._deadline.left())

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> _Timed:
        try:
            stream = self._stream.start_tls(ssl_context, server_hostname, self._deadline.left())
        except BaseException:
            self._stream.close()
            raise
        return _Timed(stream, self._deadline)

    def close(self) -> None:
        self._stream.close()

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


@contextmanager
def _tried() -> Iterator[None]:
    import httpcore

    try:
        yield
    except (httpcore.ConnectError, httpcore.ConnectTimeout):
        return


@contextmanager
def _explained(where: str) -> Iterator[None]:
    """Turn what httpcore raises into errors that say nothing of addresses."""
    import httpcore

    try:
        yield
    except httpcore.TimeoutException as exc:
        raise Unavailable(f"the server of {where} did not answer in time") from exc
    except (httpcore.NetworkError, httpcore.ProtocolError) as exc:
        if isinstance(exc.__cause__, ssl.SSLCertVerificationError):
            raise RefusedUrl(f"the server of {where} has no valid certificate") from exc
        raise Unavailable(f"the server of {where} cannot be reached or broke off") from exc


def _request_headers(hop: _Hop) -> list[tuple[str, str]]:
    return [
        ("Host", hop.authority),
        ("User-Agent", "crosslens"),
        ("Accept", "image/*, application/octet-stream;q=0.5"),
        ("Accept-Encoding", "identity"),
        ("Connection", "close"),
    ]


def _read(response: httpcore.Response, where: str, *, max_bytes: int) -> bytes | str:
    headers = {name.lower(): _text(value) for name, value in response.headers}
    if response.status in _REDIRECTS and b"location" in headers:
        return headers[b"location"]
    _check_status(response.status, where)
    _check_kind(headers.get(b"content-type", ""), where)
    _check_coding(headers.get(b"content-encoding", ""), where)
    _check_size(int(headers.get(b"content-length", 0)), where, max_bytes)
    body = bytearray()
    for chunk in response.iter_stream():
        body += chunk
        _check_size(len(body), where, max_bytes)
    return bytes(body)


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace")


def _check_status(status: int, where: str) -> None:
    if status == 200:
        return
    if status in (404, 410):
        raise NotFound(f"{where} leads to nothing (status {status})")
    if status in _LATER or status >= 500:
        raise Unavailable(f"the server of {where} answers with status {status}")
    raise RefusedUrl(
        f"the server of {where} answers with status {status}, allowed is 200",
        hint="a picture must be readable without signing in",
    )


def _check_kind(value: str, where: str) -> None:
    kind = value.partition(";")[0].strip().lower()
    if not kind.startswith("image/") and kind not in KINDS:
        raise UnreadablePicture(
            f"{where} leads to content of type {kind[:80]!a}, allowed are image/* and "
            + " and ".join(KINDS)
        )


def _check_coding(value: str, where: str) -> None:
    # Refusing what was asked not to be sent keeps decompression bombs out altogether.
    if value.strip().lower() not in ("", "identity"):
        raise UnreadablePicture(
            f"{where} leads to compressed content ({value[:80]!a}), which was not asked for",
            hint="serve pictures as they are; they hardly shrink",
        )


def _check_size(size: int, where: str, max_bytes: int) -> None:
    if size > max_bytes:
        raise UnreadablePicture(
            f"{where} leads to more than the {max_bytes:,} bytes allowed",
            hint="scale the picture down first",
        )
