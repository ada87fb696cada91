"""Run the faults and print the table: `scripts/faults [--only ID,…] [--dialects chat,completions,tgi,root] [--red]`."""

import argparse
import asyncio
import os
import sys
import time
from pathlib import Path
from typing import Final

from faults.catalogue import entries
from faults.outcome import Ear, Verdict
from faults.run import all_verdicts, runs
from faults.upstream import running

SHARED: Final = Path(os.environ.get("HFGEN_SHARED") or Path(__file__).parents[3] / "shared")


async def collect(only: set[str], dialects: list[str]) -> list[Verdict]:
    listed = [entry for entry in entries(SHARED) if not only or entry.id in only]
    async with running(SHARED) as upstream:
        with Ear() as ear:
            return [one async for one in all_verdicts(upstream, runs(listed, dialects), ear)]


def table(verdicts: list[Verdict], order: list[str]) -> str:
    """A row for each fault, a column for each dialect, in Markdown."""
    columns = [name for name in ("chat", "completions", "tgi", "root") if any(v.dialect == name for v in verdicts)]
    cells = {(v.fault, v.dialect): v for v in verdicts}
    lines = [f"| fault | {' | '.join(columns)} |", "| --- |" + " --- |" * len(columns)]
    for fault in dict.fromkeys(order):
        row = [_cell(cells.get((fault, column))) for column in columns]
        if any(row):
            lines.append(f"| `{fault}` | {' | '.join(row)} |")
    return "\n".join(lines)


def _cell(verdict: Verdict | None) -> str:
    if verdict is None:
        return ""
    asked = f" ({verdict.requests})" if verdict.requests > 1 else ""
    return f"{verdict.kind}{asked}" if verdict.passed else f"**{verdict.kind}**{asked}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="ids of faults, with commas")
    parser.add_argument("--dialects", default="", help="chat, completions, tgi; root leaves the route to detection")
    parser.add_argument("--red", action="store_true", help="only what is not as it should be")
    given = parser.parse_args()
    if not SHARED.is_dir():
        print("the catalogue of faults is kept beside the authors' checkout: set HFGEN_SHARED", file=sys.stderr)
        return 2
    began = time.monotonic()
    split = [name for name in given.dialects.split(",") if name]
    verdicts = asyncio.run(collect({name for name in given.only.split(",") if name}, split))
    red = sorted((v for v in verdicts if not v.passed), key=lambda v: (v.kind, v.fault, v.dialect))
    if not given.red:
        print(table(verdicts, [entry.id for entry in entries(SHARED)]))
        print("\nAs a perfect client; the number of requests in brackets. **Bold** is not right.\n")
    for one in red:
        print(f"{one.fault} {one.dialect}: {one.wrong}")
    print(f"{len(verdicts) - len(red)} of {len(verdicts)} as perfect, {time.monotonic() - began:.0f} s")
    return 1 if red else 0


if __name__ == "__main__":
    sys.exit(main())
