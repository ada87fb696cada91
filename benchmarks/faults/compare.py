"""hfgen and the clients people use on the same faults, side by side, in Markdown.

    PYTHONPATH=src:tests python benchmarks/faults/compare.py [--only ID,…]

The faults are those of `scripts/faults` that a server makes alone, and so are the prompts and the judgement of hfgen.
The interpreter needs hfgen's dependencies and the clients; what is not there is left out. Each client keeps its own
settings for retries; all get the same limit for silence.
"""

import argparse
import asyncio
import contextlib
import os
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

from peers import PEERS, Peer

from faults.catalogue import Entry, demand, entries
from faults.outcome import Ear, Outcome
from faults.play import Case, play, prompt_of
from faults.scenes import SCENES
from faults.upstream import Upstream, running

SHARED = Path(os.environ.get("HFGEN_SHARED") or Path(__file__).parents[3] / "shared")
AT_ONCE = 8
PATIENCE = 20.0  # seconds until a call counts as hung
MORE = {"keepalive_stale", "replica_down", "replica_mid_cut"}  # take more than one call or address
SLOW = ("firehose",)  # 20,000 tokens take some clients a while: judged by its text, alone, and without hurry


async def by_peer(upstream: Upstream, entry: Entry, peer: Peer) -> str:
    case, asked = Case(entry.id, peer.dialect), demand(entry.id)
    prompt = prompt_of(asked, f"s{case.number}")
    outcome = Outcome(expected=await upstream.expected(prompt, asked.max_tokens))
    base = case.base(upstream).removesuffix("/generate_stream")
    try:
        async with asyncio.timeout(PATIENCE * (6 if entry.id in SLOW else 1)) as bound:
            async with contextlib.aclosing(peer.call(base, case.key, prompt, asked.max_tokens)) as pieces:
                async for piece in pieces:
                    outcome.text += piece
    except Exception as error:  # noqa: BLE001 - whatever reaches the caller is the finding
        outcome.hung, outcome.error = bound.expired(), error
    return word(entry, outcome, peer.own)


def word(entry: Entry, outcome: Outcome, own: tuple[type[BaseException], ...]) -> str:
    if outcome.hung:
        return "hang"
    if not outcome.expected.startswith(outcome.text):
        return "wrong text"
    if outcome.error is None:
        if outcome.text != outcome.expected:
            return "silently wrong"
        return "as perfect" if "ok" in entry.accept else "full text"
    if not isinstance(outcome.error, own):
        return "raw exception"
    return "as perfect" if "clean" in entry.accept else "clean error"


async def by_hfgen(upstream: Upstream, entry: Entry, dialect: str, ear: Ear) -> str:
    verdict = await play(upstream, entry, dialect, ear)
    return "as perfect" if verdict.passed else verdict.kind


async def column(listed: list[Entry], dialect: str, run: Callable[[Entry], asyncio.Future[str]]) -> dict[str, str]:
    """What one client makes of each fault of its dialect."""
    places = asyncio.Semaphore(AT_ONCE)

    async def placed(entry: Entry) -> tuple[str, str]:
        async with places:
            return entry.id, await run(entry)

    mine = [entry for entry in listed if dialect in entry.dialects]
    found = dict(await asyncio.gather(*(placed(entry) for entry in mine if entry.id not in SLOW)))
    for entry in mine:
        if entry.id in SLOW:
            found[entry.id] = await run(entry)
    return found


async def compare(listed: list[Entry]) -> dict[str, dict[str, str]]:
    columns: dict[str, dict[str, str]] = {}
    async with running(SHARED) as upstream:
        with Ear() as ear:
            for dialect in ("chat", "tgi"):
                run = lambda entry, d=dialect: by_hfgen(upstream, entry, d, ear)  # noqa: E731
                columns[f"hfgen, {dialect}"] = await column(listed, dialect, run)
        for made in PEERS:
            try:
                peer = made()
            except ImportError as error:
                print(f"left out: {error}", file=sys.stderr)
                continue
            run = lambda entry, p=peer: by_peer(upstream, entry, p)  # noqa: E731
            columns[peer.name] = await column(listed, peer.dialect, run)
    return columns


def table(columns: dict[str, dict[str, str]], order: list[str]) -> str:
    lines = [f"| fault | {' | '.join(columns)} |", "| --- |" + " --- |" * len(columns)]
    for fault in order:
        cells = [found.get(fault, "") for found in columns.values()]
        if any(cells):
            lines.append(f"| `{fault}` | {' | '.join(cells)} |")
    for kind in ("as perfect", "full text", "clean error", "raw exception", "wrong text", "silently wrong", "hang"):
        counts = [sum(cell == kind for cell in found.values()) for found in columns.values()]
        lines.append(f"| **{kind}** | {' | '.join(map(str, counts))} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="ids of faults, with commas")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    only = {name for name in given.only.split(",") if name}
    listed = [one for one in entries(SHARED) if one.id not in {*SCENES, *MORE} and (not only or one.id in only)]
    began = time.monotonic()
    columns = asyncio.run(compare(listed))
    print(table(columns, list(dict.fromkeys(one.id for one in listed))))
    print(f"{time.monotonic() - began:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    main()
