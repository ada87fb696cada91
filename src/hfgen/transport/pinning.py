"""Connections that go to addresses which were checked before, and to no other; imported for a download only."""

import socket
from collections.abc import Sequence
from typing import Final

from aiohttp import ClientSession, TCPConnector
from aiohttp.abc import AbstractResolver, ResolveResult
from typing_extensions import override

from hfgen.transport.addresses import Address
from hfgen.transport.connections import new_client

_FAMILIES: Final = {4: socket.AF_INET, 6: socket.AF_INET6}


class _Pinned(AbstractResolver):
    """Answers every question with the addresses that were checked: nobody is asked a second time."""

    def __init__(self, addresses: Sequence[Address]) -> None:
        self._addresses = addresses

    @override
    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        return [
            ResolveResult(
                hostname=host,
                host=str(address),
                port=port,
                family=_FAMILIES[address.version],
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for address in self._addresses
            if family in (socket.AF_UNSPEC, _FAMILIES[address.version])
        ]

    @override
    async def close(self) -> None:
        pass


def pinned(addresses: Sequence[Address]) -> ClientSession:
    """A client for one answer; the name in the URL stays that of the certificate and of the `Host` header."""
    return new_client(TCPConnector(resolver=_Pinned(addresses), use_dns_cache=False, force_close=True))
