"""What a gateway costs, beside nginx and a bare pass-through as floors and litellm's proxy: one command, one run.

    python benchmarks/gateway.py [--litellm FOLDER] [--quick] [--json FILE]

All stand before one fast server on loopback and get the same streams. CPU is that of the proxy's processes alone, as
the kernel counts it, divided by the events that the server sent. They take turns within each round; figures are medians
of the rounds, ratios medians of the ratios within a round. nginx is Debian's package; `--litellm` is an environment
that has litellm[proxy], which runs on uvloop; bare and hfgen run on asyncio's own loop and, where uvloop is installed,
on that. What is not there is left out, and said.
"""

import argparse
import asyncio
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from load import first, held, requests, streams
from proxies import HERE, SHAPES, Proxy, proxies

RIVALS = ("bare", "bare+uvloop", "hfgen", "hfgen+uvloop")
Figures = dict[str, float]
Measure = Callable[[Proxy], Coroutine[Any, Any, Figures]]


class Bench:
    """One run."""

    def __init__(self, there: list[Proxy], direct: Proxy, *, quick: bool) -> None:
        self.there, self.direct, self.quick = there, direct, quick
        self.results: dict[str, Any] = {}

    def rounds(self, name: str, count: int, measure: Measure, who: list[Proxy]) -> dict[str, list[Figures]]:
        """Each proxy's figures; one that does not do it is left out, and said."""
        left = list(who)
        seen: dict[str, list[Figures]] = {proxy.name: [] for proxy in who}
        for _ in range(count):
            for proxy in tuple(left):
                try:
                    seen[proxy.name].append(asyncio.run(_within(measure(proxy))))
                except (RuntimeError, OSError, TimeoutError) as error:
                    left.remove(proxy)
                    said = f"{proxy.name} is left out of {name}: {type(error).__name__} {str(error)[:200]}"
                    self.results.setdefault("left out", []).append(said)
                    print(f"    {said}", flush=True)
        return {proxy.name: seen[proxy.name] for proxy in left}

    def cost(self, name: str, shape: str, count: int, turns: int) -> None:
        """CPU for each event that the server sent."""
        tokens = SHAPES[shape][0]

        async def measure(proxy: Proxy) -> Figures:
            caller = proxy.caller(shape)
            seen = await streams(caller, count, proxy.cpu)
            caller.close()
            return {"us": 1e6 * seen["cpu"] / (tokens * count), **seen}

        seen = self.rounds(name, turns, measure, self.there)
        self.table(name, {"CPU µs an event": "us"}, seen, "us", tokens=tokens * count)

    def requests(self, turns: int) -> None:
        async def measure(proxy: Proxy) -> Figures:
            caller = proxy.caller("short")
            seen = await requests(caller, 32, 1.0 if self.quick else 3.0, proxy.cpu)
            caller.close()
            return seen

        name = "Requests of 8 events, 32 at a time"
        self.table(name, {"a second": "rate", "CPU ms each": "ms"}, self.rounds(name, turns, measure, self.there), "ms")

    def first(self, turns: int) -> None:
        async def measure(proxy: Proxy) -> Figures:
            caller = proxy.caller("short")
            seen = await first(caller, 50 if self.quick else 200)
            caller.close()
            return seen

        name = "Time to the first event, ms"
        self.table(name, {"ms": "median"}, self.rounds(name, turns, measure, [self.direct, *self.there]), "")

    def memory(self) -> None:
        count = 100 if self.quick else 1000

        async def measure(proxy: Proxy) -> Figures:
            await proxy.caller("short").whole()
            return await held(proxy.caller("slow"), count, proxy.memory)

        name = f"Memory of {count} open streams"
        self.table(name, {"MiB": "mib"}, self.rounds(name, 1, measure, self.there), "")

    def table(
        self, name: str, columns: dict[str, str], seen: dict[str, list[Figures]], ratio: str, **also: float
    ) -> None:
        rivals = [name for name in RIVALS if name in seen] if ratio else []
        heads = [*columns, *(f"/ {name}" for name in rivals)]
        print(f"\n**{name}**\n\n| | {' | '.join(heads)} |\n| --- |{' ---: |' * len(heads)}")
        rows: dict[str, Any] = {}
        for proxy, figures in seen.items():
            row = {head: statistics.median(one[key] for one in figures) for head, key in columns.items()}
            for other in rivals:
                pairs = zip(figures, seen[other], strict=False)
                row[f"/ {other}"] = statistics.median([a[ratio] / b[ratio] for a, b in pairs] or [float("nan")])
            rows[proxy] = {**row, **also, "rounds": figures}
            print(f"| {proxy} | {' | '.join(f'{row[head]:.2f}' for head in heads)} |", flush=True)
        self.results[name] = rows


async def _within(measuring: Coroutine[Any, Any, Figures], seconds: float = 60.0) -> Figures:
    async with asyncio.timeout(seconds):
        return await measuring


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--litellm", type=Path, help="an environment with litellm[proxy]")
    parser.add_argument("--quick", action="store_true", help="little of everything, once")
    parser.add_argument("--only", default="", help="of fast, paced, requests, first, memory; with commas")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    turns, only = 1 if given.quick else 3, set(filter(None, given.only.split(",")))
    with tempfile.TemporaryDirectory(prefix="hfgen-gateway-") as home:
        server = subprocess.Popen([sys.executable, str(HERE / "token_server.py")], stdout=subprocess.PIPE)
        assert server.stdout is not None
        try:
            port = int(server.stdout.readline())
            with proxies(given.litellm, port, Path(home)) as there:
                print(f"{platform.platform()}, Python {platform.python_version()}, load {os.getloadavg()[0]:.1f}")
                bench = Bench(there, Proxy("direct", port, by_model=False), quick=given.quick)
                measures: dict[str, Callable[[], None]] = {
                    # 30 ms of CPU a turn: more turns than of the others, which last longer
                    "fast": lambda: bench.cost("One stream of 10,000 events as fast as it goes", "fast", 1, 3 * turns),
                    "paced": lambda: bench.cost("64 streams of 25 events/s", "paced", 16 if given.quick else 64, turns),
                    "requests": lambda: bench.requests(turns),
                    "first": lambda: bench.first(turns),
                    "memory": bench.memory,
                }
                for name, measure in measures.items():
                    if not only or name in only:
                        measure()
                print(f"\nload {os.getloadavg()[0]:.1f}")
        finally:
            server.kill()
            server.wait()
    if given.json:
        given.json.write_text(json.dumps(bench.results, indent=1))


if __name__ == "__main__":
    main()
