"""Which addresses a stranger's URL may lead to: public ones, and those of the network that the server itself is in.

An address inside another (IPv4 in IPv6, NAT64) counts as the one that it leads to.
"""

import ipaddress
import socket
from enum import Enum
from typing import Final, TypeAlias

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

_SHARED: Final = ipaddress.ip_network("100.64.0.0/10")  # RFC 6598: carriers, and overlay networks of one's own
_LOCAL_V6: Final = ipaddress.ip_network("fc00::/7")  # RFC 4193
_LOCAL_V4: Final = tuple(map(ipaddress.ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")))
_RELAY: Final = ipaddress.ip_network("192.88.99.0/24")  # RFC 7526: of 6to4, out of use
_COMPATIBLE: Final = ipaddress.ip_network("::/96")  # RFC 4291, 2.5.5.1
_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")  # RFC 6052
_NAT64_LOCAL: Final = ipaddress.ip_network("64:ff9b:1::/48")  # RFC 8215
_METADATA_V6: Final = ipaddress.ip_address("fd00:ec2::254")
_LOCAL_NAMES: Final = ("localhost", "local", "localdomain", "internal", "intranet", "lan", "home", "home.arpa", "corp")


class Reach(Enum):
    """How far an address reaches."""

    PUBLIC = "public"
    PRIVATE = "private"
    LOOPBACK = "loopback"
    NOWHERE = "nowhere"
    """Link-local (where clouds keep their metadata), multicast, reserved, or hidden in a tunnel: never a picture's."""


def reach(address: Address) -> Reach:
    """How far an address reaches."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = _inner(address)
        if inner is not None:
            return reach(inner)
        if address.sixtofour or address.teredo or address in _NAT64_LOCAL or address == _METADATA_V6:
            return Reach.NOWHERE
        if address in _LOCAL_V6:
            return Reach.PRIVATE
        if address.is_site_local:
            return Reach.NOWHERE
    elif address in _SHARED or any(address in network for network in _LOCAL_V4):
        return Reach.PRIVATE
    elif address in _RELAY:
        return Reach.NOWHERE
    if address.is_loopback:
        return Reach.LOOPBACK
    return Reach.PUBLIC if address.is_global and not (address.is_multicast or address.is_reserved) else Reach.NOWHERE


def _inner(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address in _NAT64 or (address in _COMPATIBLE and int(address) > 1):
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return None


def literal(host: str) -> Address | None:
    """The address that a host is written as, in any of the forms that the system's own resolver takes; else None."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        pass
    try:
        return ipaddress.IPv4Address(socket.inet_aton(host))  # 2130706433, 0x7f.1, 0177.0.0.1, 0
    except (OSError, UnicodeEncodeError, ValueError):
        return None


def reachable_from(host: str) -> frozenset[Reach]:
    """What a server at `host` may send us to: public addresses, and its own kind; only this machine names loopback.

    A name is taken for a local one by its form and never by what it resolves to, which a stranger could change.
    """
    host = host.lower().rstrip(".")
    address = literal(host)
    kind = reach(address) if address is not None else Reach.LOOPBACK if _is_loopback_name(host) else Reach.PUBLIC
    if address is None and kind is Reach.PUBLIC and is_local_name(host):
        kind = Reach.PRIVATE
    match kind:
        case Reach.LOOPBACK:
            return frozenset({Reach.PUBLIC, Reach.PRIVATE, Reach.LOOPBACK})
        case Reach.PRIVATE:
            return frozenset({Reach.PUBLIC, Reach.PRIVATE})
        case _:
            return frozenset({Reach.PUBLIC})


def is_local_name(host: str) -> bool:
    """Whether a name has a form that no public name server answers to."""
    host = host.lower().rstrip(".")
    return "." not in host or any(host == name or host.endswith(f".{name}") for name in _LOCAL_NAMES)


def _is_loopback_name(host: str) -> bool:
    return host == "localhost" or host.endswith(".localhost")
