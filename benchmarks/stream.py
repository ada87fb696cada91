"""What a streamed token costs each client: one command, one run (`--quick`: little of everything, once).

    python benchmarks/stream.py [--peers PYTHON | --venv FOLDER] [--quick] [--json FILE]

Every client has a process for each of its turns, and the clients take turns, so that a busy moment of the machine hits
all of them. The figures are medians; ratios are medians of the ratios within a round. All clients run on the same
interpreter: `--peers`, which needs hfgen's dependencies and the clients to compare; `--venv` makes one with pip. What
does not install is left out, and said. Each client streams the same number of tokens, which is counted and printed.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clients import CLIENTS, ONLY_CHAT

HERE = Path(__file__).resolve().parent
SOURCE = HERE.parent / "src"
NEEDED = ("aiohttp>=3.11", "click", "huggingface_hub>=2", "jinja2", "msgspec", "rich", "typing_extensions")
WANTED = ("openai", "litellm", "uvloop", "g4f")
LATE = 0.1  # seconds after its time; see turns.py
PATIENCE = 30  # seconds for one turn; a client that takes longer is a row that says so
Figures = dict[str, float]


@dataclass
class Bench:
    """One run: the interpreter, the server's port, and how much of everything."""

    python: str
    port: str
    quick: bool
    results: dict[str, Any] = field(default_factory=dict)
    absent: set[str] = field(default_factory=set)

    def turn(self, measure: str, client: str, api: str, *numbers: int, patience: float = PATIENCE) -> Figures | None:
        """The figures of one turn; None where the client does not run, which is said once."""
        words = [self.python, str(HERE / "turns.py"), measure, client, self.port, api, *map(str, numbers)]
        environment = {**os.environ, "PYTHONPATH": str(SOURCE), "PYTHONWARNINGS": "ignore"}
        try:
            done = subprocess.run(words, capture_output=True, text=True, check=True, env=environment, timeout=patience)
        except subprocess.CalledProcessError as failed:
            reason = (failed.stderr.strip().splitlines() or ["no word"])[-1]
        except subprocess.TimeoutExpired:
            reason = f"not done within {patience:g} s"
        else:
            figures: Figures = json.loads(done.stdout.splitlines()[-1])
            return figures
        if measure != "in_time":  # where not to be done in time is an answer too
            said = f"{client} is left out of {measure}, {api}: {reason[:140]}"
            self.results.setdefault("left out", []).append(said)
            print(f"    {said}", flush=True)
        return None

    def rounds(self, turns: int, clients: Sequence[str], measure: str, api: str, *numbers: int) -> dict[str, Any]:
        """All figures of each client that ran in every round."""
        left = [name for name in clients if api == "chat" or name.split("+")[0] not in ONLY_CHAT]
        left = [name for name in left if not self.absent & set(name.split("+"))]
        seen: dict[str, list[Figures]] = {client: [] for client in left}
        for _ in range(turns):
            for client in tuple(left):
                figures = self.turn(measure, client, api, *numbers)
                if figures is None:
                    left.remove(client)
                else:
                    seen[client].append(figures)
        return {client: seen[client] for client in left}

    def cost(
        self, name: str, turns: int, clients: Sequence[str], api: str, streams: int, tokens: int, pace: int
    ) -> None:
        seen = self.rounds(turns, clients, "cost", api, streams, tokens, pace)
        self.results[name] = rows = {}
        print(f"\n{name}, {turns} rounds")
        print(f"{'':18}{'CPU µs a token':>15}{'/ bare':>8}{'/ hfgen':>9}{'busy':>6}{'tokens':>9}")
        for client, figures in seen.items():
            rows[client] = {
                "us": middle(figures, "us"),
                "bare": ratio(figures, seen.get("bare")),
                "hfgen": ratio(figures, seen.get("hfgen")),
                "busy": middle(figures, "busy"),
                "tokens": middle(figures, "tokens"),
            }
            row = rows[client]
            print(
                f"{client:18}{row['us']:15.2f}{row['bare']:8.2f}{row['hfgen']:9.2f}"
                f"{row['busy']:6.0%}{row['tokens']:9.0f}",
                flush=True,
            )

    def simple(self, name: str, turns: int, clients: Sequence[str], measure: str, *numbers: int) -> None:
        seen = self.rounds(turns, clients, measure, "chat", *numbers)
        self.results[name] = {client: {key: middle(rows, key) for key in rows[0]} for client, rows in seen.items()}
        print(f"\n{name}")
        for client, row in self.results[name].items():
            print(f"{client:18}" + "".join(f"{key:>10} {value:8.2f}" for key, value in row.items()), flush=True)

    def in_time(self, clients: Sequence[str], tries: int, tokens: int) -> None:
        """The most streams that each client keeps in time: halving between what it keeps and what it does not.

        The clients take turns, step by step. The machine may disturb a turn but never helps one, so a step is passed by
        the first of three turns that keeps the time.
        """
        bounds = {name: (16, 2048) for name in clients if name not in self.absent}  # kept by all, and by none
        for _ in range(tries):
            for client, (kept, lost) in bounds.items():
                streams = round((kept * lost) ** 0.5)
                passed = any(self.keeps(client, streams, tokens) for _ in range(3))
                bounds[client] = (streams, lost) if passed else (kept, streams)
        self.results["in time"] = bounds
        print(f"\nStreams kept in time on one core: 50 tokens/s each, at most 1 of 100 more than {LATE:g} s late")
        print(f"{'':18}{'kept':>6}{'not':>6}{'/ bare':>8}")
        for client, (kept, lost) in bounds.items():
            print(f"{client:18}{kept:6}{lost:6}{kept / bounds['bare'][0]:8.2f}", flush=True)

    def keeps(self, client: str, streams: int, tokens: int) -> bool:
        figures = self.turn("in_time", client, "chat", streams, tokens, patience=12)
        return figures is not None and figures["late"] <= 1

    def imports(self, turns: int) -> None:
        """CPU milliseconds beyond an empty program."""
        program = "import time, resource as r\nx = r.getrusage(r.RUSAGE_SELF)\n{}\ny = r.getrusage(r.RUSAGE_SELF)\n"
        program += "print(1000 * (y.ru_utime + y.ru_stime - x.ru_utime - x.ru_stime), y.ru_maxrss / 1024)"
        statements = {"hfgen": "from hfgen import HuggingFaceInference", "bare": "import aiohttp, msgspec"}
        statements |= {name: f"import {name}" for name in ("huggingface_hub", "openai", "litellm", "g4f")}
        statements["huggingface_hub"] = "from huggingface_hub import AsyncInferenceClient"
        seen: dict[str, list[list[float]]] = {name: [] for name in statements if name not in self.absent}
        for _ in range(turns):
            for name, figures in seen.items():
                words = [self.python, "-c", program.format(statements[name])]
                env = {**os.environ, "PYTHONPATH": str(SOURCE), "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
                done = subprocess.run(words, capture_output=True, text=True, check=True, env=env, timeout=60)
                figures.append([float(word) for word in done.stdout.split()[-2:]])
        self.results["import"] = {name: statistics.median(f[0] for f in rows) for name, rows in seen.items()}
        print("\nImport, CPU ms")
        print("".join(f"{name:18}{value:6.0f}\n" for name, value in self.results["import"].items()), flush=True)

    def all(self) -> None:
        """Every measure, the ones that the goals are about first."""
        everyone = tuple(CLIENTS)
        looped = (*everyone, "bare+uvloop", "hfgen+uvloop")
        few = 1 if self.quick else 3
        self.cost("firehose, chat", few, everyone, "chat", 1, 2_000 if self.quick else 10_000, 0)
        self.cost("firehose, TGI", few, everyone, "tgi", 1, 2_000 if self.quick else 10_000, 0)
        paced = 20 if self.quick else 60
        self.cost("64 streams of 25 tokens/s, chat", few, looped, "chat", 64, paced, 40)
        if not self.quick:
            fast = [name for name in looped if name != "litellm"]  # it needs several cores for so many
            self.cost("512 streams of 4 tokens/s, chat", 2, fast, "chat", 512, 16, 250)
        self.simple("Time to first token over a kept connection, ms", few, everyone, "first", 30 if self.quick else 100)
        self.simple("Time to first token of a fresh client, ms", 1 if self.quick else 2, everyone, "cold")
        most = [name for name in everyone if name != "litellm"]
        self.simple("Memory of open streams", 1, most, "memory", 100 if self.quick else 1000)
        small = 500 if self.quick else 10_000
        self.simple("Memory left by finished streams", 1, ("bare", "hfgen"), "growth", small)
        if not self.quick:
            self.in_time(("bare", "hfgen", "huggingface_hub"), 5, 80)
        self.imports(few)


def middle(figures: Sequence[Figures], key: str) -> float:
    return statistics.median(one[key] for one in figures)


def ratio(figures: Sequence[Figures], others: Sequence[Figures] | None) -> float:
    """How many times the others' cost, round by round."""
    if not others:
        return float("nan")
    return statistics.median(a["us"] / b["us"] for a, b in zip(figures, others, strict=False))


def made(folder: Path) -> str:
    """A virtual environment with hfgen's dependencies and each client that installs."""
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        pip: Callable[..., Any] = lambda *names: subprocess.run(  # noqa: E731 - one use, two lines below
            [str(python), "-m", "pip", "install", "--quiet", *names], check=False, timeout=600
        )
        pip(*NEEDED)
        for name in WANTED:
            pip(name)
    return str(python)


def versions(python: str, names: Sequence[str]) -> dict[str, str]:
    program = "import sys, json; from importlib import metadata as m\n"
    program += "print(json.dumps({d.name.lower().replace('-', '_'): d.version for d in m.distributions()}))"
    done = subprocess.run([python, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    found = json.loads(done.stdout)
    return {name: found[name] for name in names if name in found}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--peers", default=sys.executable, metavar="PYTHON")
    where.add_argument("--venv", type=Path, metavar="FOLDER")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", type=Path, metavar="FILE")
    given = parser.parse_args()
    python = made(given.venv) if given.venv else given.peers
    found = versions(python, ("aiohttp", "msgspec", "huggingface_hub", *WANTED))
    began = time.monotonic()
    about = {"date": time.strftime("%Y-%m-%d"), "cores": os.cpu_count(), "python": platform.python_version(), **found}
    print(" · ".join(f"{name} {value}" for name, value in about.items()), flush=True)
    server = subprocess.Popen([sys.executable, str(HERE / "token_server.py")], stdout=subprocess.PIPE, text=True)
    try:
        os.sched_setaffinity(server.pid, {min(os.sched_getaffinity(0))})
        assert server.stdout is not None
        absent = {name for name in ("huggingface_hub", *WANTED) if name not in found}
        bench = Bench(python, server.stdout.readline().strip(), given.quick, absent=absent)
        bench.all()
    finally:
        server.terminate()
        server.wait()
    print(f"{time.monotonic() - began:.0f} s")
    if given.json:
        given.json.write_text(json.dumps({"about": about, **bench.results}, indent=1) + "\n")


if __name__ == "__main__":
    main()
