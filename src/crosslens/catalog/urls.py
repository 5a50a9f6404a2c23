"""
Picture URLs, read by one strict parser that mends nothing.

What browsers and libraries read differently (white space, backslashes, credentials, numbers in
odd bases) is refused, so that what is checked is what is connected to.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Any
from urllib.parse import quote, urljoin

from crosslens.catalog.addresses import as_address
from crosslens.errors import InvalidRequest

MAX_URL = 4096

_DEFAULT_PORTS = {"http": 80, "https": 443}
_UNSAFE = re.compile(r"[\s\\\x00-\x20\x7f-\x9f\ud800-\udfff]")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_REST = re.compile(r"//(?P<authority>[^/?#]*)(?P<path>[^?#]*)(?:\?(?P<query>[^#]*))?(?:#.*)?")
_AUTHORITY = re.compile(r"(?P<host>\[[^\[\]]+\]|[^:\[\]]+)(?::(?P<port>[0-9]{0,5}))?")
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_PATH_SAFE = "/%:@!$&'()*+,;=-._~"


class RefusedUrl(InvalidRequest):
    """A picture URL, or a redirect of one, that crosslens does not follow."""

    code = "refused_url"


@dataclass(frozen=True, slots=True)
class Hop:
    """
    One URL, taken apart: a host in its one spelling, a target in ASCII.

    Attributes:
        where: what messages call it; they never repeat the URL, which may hold secrets.
    """

    scheme: str
    host: str
    port: int
    target: str
    where: str

    @property
    def authority(self) -> str:
        """Host and port as the `Host` header has them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def is_address(self) -> bool:
        """Whether the host is an address already."""
        return as_address(self.host) is not None


def parse(url: str, where: str) -> Hop:
    """
    Take a URL apart.

    Raises:
        RefusedUrl: it is not http(s), cannot be read in one way only, or has credentials.
    """
    _check_text(url, where)
    scheme = _scheme(url, where)
    parts = _REST.fullmatch(url, len(scheme) + 1)
    if parts is None:
        raise RefusedUrl(f"{where} has no // after {scheme}:")
    host, port = _split_authority(parts["authority"], where)
    return Hop(
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


def allowed_host(name: str) -> str:
    """
    Return the one spelling of a host that an operator allows.

    Raises:
        InvalidRequest: it is neither a name nor an address.
    """
    bracketed = f"[{name}]" if as_address(name) is not None and ":" in name else name
    try:
        return _canonical_host(bracketed, "allow_hosts")
    except RefusedUrl as exc:
        raise InvalidRequest(
            f"allow_hosts: {name!a} is neither a host name nor an address",
            hint="only the host: no scheme, port or path",
        ) from exc


def follow(hop: Hop, location: str, where: str) -> Hop:
    """
    Take a redirect apart.

    Raises:
        RefusedUrl: as `parse`, or it leads from https to http.
    """
    _check_text(location, where)
    following = parse(_joined(hop, location, where), where)
    if (hop.scheme, following.scheme) == ("https", "http"):
        raise RefusedUrl(f"{where} leads from https to http, which is not followed")
    return following


def _joined(hop: Hop, location: str, where: str) -> str:
    if _SCHEME.match(location):
        return location  # urljoin would mend what the parser is to refuse
    try:
        return urljoin(f"{hop.scheme}://{hop.authority}{hop.target}", location)
    except ValueError as exc:
        raise RefusedUrl(f"{where} cannot be read") from exc
