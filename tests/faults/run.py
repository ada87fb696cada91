"""All runs at once, as many as two cores bear; the scenes that need the process to themselves come last."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import Final

from faults.catalogue import Entry
from faults.outcome import Ear, Verdict
from faults.play import play
from faults.scenes import APART, SCENES, stage
from faults.upstream import Upstream

AT_ONCE: Final = 24


async def verdict(upstream: Upstream, entry: Entry, dialect: str, ear: Ear) -> Verdict:
    """One run of one fault, whoever makes it."""
    return await (stage if entry.id in SCENES else play)(upstream, entry, dialect, ear)


def runs(entries: Iterable[Entry], dialects: Iterable[str] = ()) -> list[tuple[Entry, str]]:
    """What is to be run; `root` stands beside chat."""
    wanted = set(dialects)
    out = []
    for entry in entries:
        named = [*entry.dialects, *(["root"] if "root" in wanted and "chat" in entry.dialects else [])]
        out += [(entry, dialect) for dialect in named if not wanted or dialect in wanted]
    return out


async def all_verdicts(upstream: Upstream, wanted: list[tuple[Entry, str]], ear: Ear) -> AsyncIterator[Verdict]:
    """Each verdict as soon as it is there. The slowest faults are begun first, for they only wait."""
    places = asyncio.Semaphore(AT_ONCE)

    async def placed(entry: Entry, dialect: str) -> Verdict:
        async with places:
            return await verdict(upstream, entry, dialect, ear)

    together = [one for one in wanted if one[0].id not in APART]
    for done in asyncio.as_completed([asyncio.create_task(placed(*one)) for one in together]):
        yield await done
    for entry, dialect in wanted:
        if entry.id in APART:
            yield await verdict(upstream, entry, dialect, ear)
