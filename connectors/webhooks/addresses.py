"""Where a webhook may go: public addresses, checked after the name is resolved (SSRF guard, AM-11).

What was checked is what is connected to: the names are not resolved a second time.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Sequence
from urllib.parse import urlsplit

from aiohttp.abc import AbstractResolver, ResolveResult

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class AddressRefused(ValueError):  # noqa: N818 - it is a refusal, told as one
    """A URL must not be called; the message says why."""


def is_public(address: Address) -> bool:
    """Whether an address is one of the public internet, also behind what wraps IPv4 in IPv6."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(inner)
        if address.teredo is not None or address.is_site_local:
            return False
    return address.is_global and not address.is_multicast


async def resolved(url: str, allowed: Sequence[Network]) -> tuple[Address, ...]:
    """The addresses of a URL's host, every one of which may be called.

    `allowed` are networks of one's own that are called all the same, even without TLS. Raises
    AddressRefused, and OSError where the name cannot be resolved.
    """
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError as problem:
        raise AddressRefused("the port is no number from 0 to 65535") from problem
    if parts.scheme not in {"https", "http"} or not parts.hostname:
        raise AddressRefused("an address begins with https:// and names a host")
    if parts.username or parts.password:
        raise AddressRefused("an address holds no user and no password")
    found = await asyncio.get_running_loop().getaddrinfo(
        parts.hostname, port or parts.scheme, type=socket.SOCK_STREAM
    )
    addresses = tuple(
        dict.fromkeys(ipaddress.ip_address(str(one[4][0]).partition("%")[0]) for one in found)
    )
    own = all(any(one in network for network in allowed) for one in addresses)
    if not own and any(not is_public(one) for one in addresses):
        raise AddressRefused(f"{parts.hostname} leads to an address that is not public")
    if not own and parts.scheme != "https":
        raise AddressRefused("an address of the internet must begin with https://")
    return addresses


class Pinned(AbstractResolver):
    """Gives the addresses that were checked, whatever the name says by now."""

    def __init__(self, addresses: Sequence[Address]) -> None:
        self._addresses = addresses

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return [
            ResolveResult(
                hostname=host,
                host=str(one),
                port=port,
                family=socket.AF_INET if one.version == 4 else socket.AF_INET6,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for one in self._addresses
        ]

    async def close(self) -> None:
        """Nothing is held open."""
