"""Is this IP address one of the open internet? Pure, on top of `ipaddress` (threats T06).

Everything that is not clearly public is not: loopback, private, link-local (the clouds' metadata services among them),
shared, multicast and reserved ranges, in IPv4, in IPv6, and as an IPv4 address written inside an IPv6 one.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

# `is_global` says yes to these, or did in some Python releases that Puna runs on.
_CLOSED_V4 = tuple(
    map(
        IPv4Network,
        (
            "100.64.0.0/10",  # shared by the customers of a provider; 100.100.100.200 is a cloud's metadata service
            "168.63.129.16/32",  # Azure's host agent
            "192.0.0.0/24",  # protocol assignments; 192.0.0.192 is a cloud's metadata service
            "192.88.99.0/24",  # relays of 6to4
            "224.0.0.0/4",  # multicast
            "240.0.0.0/4",  # reserved, broadcast
        ),
    )
)
_OPEN_V6 = IPv6Network("2000::/3")  # the only range that is routed
_CLOSED_V6 = tuple(
    map(
        IPv6Network,
        (
            "2001::/23",  # protocol assignments: Teredo, ORCHID, benchmarks
            "2001:db8::/32",  # documentation
            "2002::/16",  # 6to4: the address behind it may be any, and no server of today needs it
            "3fff::/20",  # documentation
        ),
    )
)
_NAT64 = IPv6Network("64:ff9b::/96")  # how a network without IPv4 reaches it (RFC 6052)
_LOW_32_BITS = 2**32 - 1


def is_public(address: str | IPv4Address | IPv6Address) -> bool:
    """Whether the address may be dialled on behalf of anybody. Text that is no canonical address is not public."""
    if isinstance(address, str):
        try:
            address = ip_address(address)
        except ValueError:  # also 2130706433, 127.1 and 0177.0.0.1, which a socket would take
            return False
    return _is_public_v4(address) if isinstance(address, IPv4Address) else _is_public_v6(address)


def _is_public_v4(address: IPv4Address) -> bool:
    return address.is_global and not any(address in network for network in _CLOSED_V4)


def _is_public_v6(address: IPv6Address) -> bool:
    if address.scope_id is not None:
        return False
    if address.ipv4_mapped is not None:
        return _is_public_v4(address.ipv4_mapped)
    if address in _NAT64:
        return _is_public_v4(IPv4Address(int(address) & _LOW_32_BITS))
    if address not in _OPEN_V6 or not address.is_global:
        return False
    return not any(address in network for network in _CLOSED_V6)
