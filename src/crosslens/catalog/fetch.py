"""
Fetch pictures from URLs that strangers hand in, and reach nothing but public web servers.

Each hop is read by one strict parser, resolved once, checked address by address, and connected to
the very addresses that were checked: no spelling, no redirect and no name that changes its answer
leads inside. The connections are plain httpcore, since what it lacks (proxies from the
environment, cookies, sign-in, redirects, decompression) is what must not happen here.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Protocol, TypeAlias, cast

from crosslens.catalog.addresses import is_inside, is_never_allowed
from crosslens.catalog.pinned import Deadline, Pinned, explained
from crosslens.catalog.urls import Hop, RefusedUrl, allowed_host, follow, parse
from crosslens.errors import NotFound, Unavailable, UnreadablePicture

if TYPE_CHECKING:
    import httpcore

Resolver: TypeAlias = Callable[[str], Sequence[str]]

PORTS = frozenset({80, 443, 8080, 8443})
KINDS = ("application/octet-stream", "binary/octet-stream")  # the latter is the default of S3

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_LATER = frozenset({408, 425, 429})
_UNKNOWN = frozenset({socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)})


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
        allowed = frozenset(allowed_host(name) for name in self.allow_hosts)
        object.__setattr__(self, "allow_hosts", allowed)

    def fetch(self, url: str) -> bytes:
        """Return the bytes that a URL leads to; see `Fetcher.fetch` for what it raises."""
        deadline = Deadline(self.timeout_s, self.clock)
        hop = parse(url, "the picture URL")
        for number in range(1, self.max_redirects + 2):
            answer = self._get(hop, deadline)
            if isinstance(answer, bytes):
                return answer
            hop = follow(hop, answer, f"redirect {number} of the picture URL")
        raise RefusedUrl(
            f"the picture URL redirects more than {self.max_redirects} times",
            hint="use the address at which the chain ends",
        )

    def _get(self, hop: Hop, deadline: Deadline) -> bytes | str:
        import httpcore

        network = Pinned(
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
            explained(hop.where),
            connection,
            connection.stream("GET", url, headers=_request_headers(hop)) as response,
        ):
            return _read(response, hop.where, max_bytes=self.max_bytes)

    def _checked_addresses(self, hop: Hop, deadline: Deadline) -> Sequence[str]:
        """Return the addresses of a hop, after all of them passed."""
        allowed = hop.host in self.allow_hosts
        if not allowed and hop.port not in PORTS:
            raise RefusedUrl(
                f"{hop.where} has port {hop.port}, allowed are {', '.join(map(str, sorted(PORTS)))}"
            )
        addresses = [hop.host] if hop.is_address else self._resolve(hop, deadline)
        refused = is_never_allowed if allowed else is_inside
        if not addresses or any(map(refused, addresses)):
            # One sentence for unknown and inner names, so that nobody can map the inside.
            raise RefusedUrl(
                f"the host of {hop.where} has no address, or one that is not public",
                hint="check the spelling; inner hosts must be allowed by name",
            )
        return addresses

    def _resolve(self, hop: Hop, deadline: Deadline) -> Sequence[str]:
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


def _request_headers(hop: Hop) -> list[tuple[str, str]]:
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
