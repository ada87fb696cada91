"""The tables of docs/performance.md: `python benchmarks/stream.py --json RUN; python benchmarks/tables.py RUN`."""

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

COSTS = ("firehose, chat", "firehose, TGI", "64 streams of 25 tokens/s, chat", "512 streams of 4 tokens/s, chat")
ONCE = {
    "first token, kept connection, ms": ("Time to first token over a kept connection, ms", "warm"),
    "fresh client, ms": ("Time to first token of a fresh client, ms", "cold"),
    "KiB for each open stream": ("Memory of open streams", "kib"),
    "KiB left by each finished one": ("Memory left by finished streams", "kib"),
}


def costs(name: str, rows: Mapping[str, Mapping[str, float]]) -> Iterator[str]:
    yield f"\n**{name[0].upper()}{name[1:]}**, {'one event a packet' if name[0].isdigit() else 'one stream'}\n"
    yield "| client | CPU µs a token | / bare | / hfgen | core busy | tokens |"
    yield f"| --- |{' ---: |' * 5}"
    for client, row in rows.items():
        yield (
            f"| {client} | {row['us']:.2f} | {row['bare']:.2f} | {row['hfgen']:.2f} | {row['busy']:.0%}"
            f" | {row['tokens']:.0f} |"
        )


def once(run: Mapping[str, Any]) -> Iterator[str]:
    yield "\n**Time to first token, memory, import**\n"
    yield f"| client | {' | '.join(ONCE)} | import, CPU ms |\n| --- |{' ---: |' * (len(ONCE) + 1)}"
    for client in run["Time to first token over a kept connection, ms"]:
        cells = [run[measure].get(client, {}).get(key) for measure, key in ONCE.values()]
        shown = ("" if cell is None else f"{cell:.2f}" for cell in cells)
        imported = run["import"].get(client)
        yield f"| {client} | {' | '.join(shown)} | {'' if imported is None else f'{imported:.0f}'} |"


def in_time(bounds: Mapping[str, tuple[int, int]]) -> Iterator[str]:
    yield "\n**Streams kept in time on one core**, 50 tokens/s each\n"
    yield "| client | kept | not kept | / bare | / huggingface_hub |\n| --- | ---: | ---: | ---: | ---: |"
    for client, (kept, lost) in bounds.items():
        others = (f"{kept / bounds[name][0]:.2f}" if name in bounds else "" for name in ("bare", "huggingface_hub"))
        yield f"| {client} | {kept} | {lost} | {' | '.join(others)} |"


def main() -> None:
    run: Mapping[str, Any] = json.loads(Path(sys.argv[1]).read_text())
    print(" · ".join(f"{name} {value}" for name, value in run["about"].items()))
    for name in COSTS:
        if name in run:
            print("\n".join(costs(name, run[name])))
    print("\n".join(once(run)))
    if "in time" in run:
        print("\n".join(in_time(run["in time"])))
    print("".join(f"\n{said}" for said in run.get("left out", ())))


if __name__ == "__main__":
    main()
