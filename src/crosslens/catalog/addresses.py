"""Which addresses are public."""

from __future__ import annotations

from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)


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


def as_address(text: str) -> IPv4Address | IPv6Address | None:
    """Read an address; None if it is none."""
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


def is_inside(text: str) -> bool:
    """Tell whether an address is not public; what cannot be read is not."""
    found = as_address(text)
    if found is None or getattr(found, "scope_id", None) is not None:
        return True
    address = _embedded(found)
    if isinstance(address, IPv6Address) and address not in _ROUTED_V6:
        return True
    return any(address in net for net in _INSIDE)


def is_never_allowed(text: str) -> bool:
    """Tell whether not even a host that is allowed by name may have an address."""
    found = as_address(text)
    return found is None or any(_embedded(found) in net for net in _NEVER)
