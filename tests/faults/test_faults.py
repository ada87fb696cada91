"""Every fault of the catalogue, on every dialect that it applies to, through the public API.

All runs of a session share one event loop and go on at once; each test awaits its own.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest

from faults.catalogue import Entry, entries
from faults.outcome import Ear, Verdict
from faults.play import KEY
from faults.run import AT_ONCE, runs, verdict
from faults.scenes import APART
from faults.upstream import Upstream, running

# One process for all of them: they share the server, and start together.
pytestmark = [pytest.mark.shared, pytest.mark.xdist_group("faults")]

_SHARED = Path(os.environ.get("HFGEN_SHARED") or Path(__file__).parents[3] / "shared")
_ENTRIES = entries(_SHARED) if _SHARED.is_dir() else []
_RUNS = runs(_ENTRIES) + runs([one for one in _ENTRIES if one.id in ("ok", "mid_rst", "s401")], ["root"])


class Runs:
    """Begins every selected run at the first question, and hands out verdicts."""

    def __init__(self, upstream: Upstream, ear: Ear, selected: list[tuple[Entry, str]]) -> None:
        self._upstream, self._ear, self._selected = upstream, ear, selected
        self._places = asyncio.Semaphore(AT_ONCE)
        self.tasks: dict[tuple[str, str], asyncio.Task[Verdict]] = {}

    async def of(self, entry: Entry, dialect: str) -> Verdict:
        if entry.id in APART:
            await asyncio.wait(self.tasks.values()) if self.tasks else None
            return await verdict(self._upstream, entry, dialect, self._ear)
        if not self.tasks:
            together = [one for one in self._selected if one[0].id not in APART]
            self.tasks = {(e.id, name): asyncio.create_task(self._placed(e, name)) for e, name in together}
        return await self.tasks[entry.id, dialect]

    async def _placed(self, entry: Entry, dialect: str) -> Verdict:
        async with self._places:
            return await verdict(self._upstream, entry, dialect, self._ear)


@pytest.fixture(scope="module")
async def at_once(shared: Path, request: pytest.FixtureRequest) -> AsyncIterator[Runs]:
    chosen = {item.name for item in request.session.items}
    selected = [one for one in _RUNS if f"test_a_fault_is_met_as_a_perfect_client_would[{_id(one)}]" in chosen]
    async with running(shared) as upstream:
        with Ear() as ear:
            held = Runs(upstream, ear, selected)
            yield held
            for task in held.tasks.values():
                task.cancel()
            with suppress(asyncio.CancelledError):
                await asyncio.gather(*held.tasks.values(), return_exceptions=True)
            assert not [line for line in ear.said if KEY.search(line)], "a key in a record that came late"


def _id(one: tuple[Entry, str]) -> str:
    return f"{one[0].id}-{one[1]}"


@pytest.mark.parametrize("run", _RUNS, ids=_id)
async def test_a_fault_is_met_as_a_perfect_client_would(run: tuple[Entry, str], at_once: Runs) -> None:
    found = await at_once.of(*run)
    assert found.passed, f"{found.fault} on {found.dialect}: {found.wrong} (right: {run[0].perfect})"
