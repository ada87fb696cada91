"""What a row of a batch costs: one command, one run, interleaved (`--quick`: little of everything, once).

    python benchmarks/batch.py [--peer 'Ray Data=PYTHON' …] [--tokens N] [--memory] [--quick]

Each turn is a process of its own: a runner answers an input of OpenAI's Batch form from a server that costs next to
nothing (`batch_server.py`), and every row has to be in its output once. Every round has each runner answer a tenth of
the rows and then all; the difference is what rows cost, without the start. CPU time is that of the process and of all
its children that it waits for; ratios are medians of the ratios within a round. `--memory` has hfgen alone
answer 10,000, 100,000 and 1,000,000 rows, first by an engine that answers at once, and prints the most memory that each
held.
"""

import argparse
import json
import os
import platform
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

HERE = Path(__file__).resolve().parent
OURS = ("bare loop", "hfgen, library", "hfgen, command")
AT_ONCE = 64
PATIENCE = 120  # seconds for one turn


@dataclass(frozen=True)
class Turn:
    """What one process took."""

    rows: int
    wall: float
    cpu: float
    mib: float


def written(folder: Path, rows: int) -> Path:
    file = folder / f"{rows}.jsonl"
    if not file.exists():
        with file.open("w") as out:
            for number in range(rows):
                body = {"messages": [{"role": "user", "content": f"What is {number}?"}], "max_tokens": 50}
                line = {"custom_id": f"r{number}", "method": "POST", "url": "/v1/chat/completions", "body": body}
                out.write(json.dumps(line) + "\n")
    return file


def turn(python: str, runner: str, rows: Path, port: str, patience: float = PATIENCE) -> Turn:
    """One process.

    Raises:
        RuntimeError: It failed, or did not answer every row once.
    """
    expected = sum(1 for _ in rows.open("rb"))
    out = rows.with_name("out.jsonl")
    for old in rows.parent.glob("out.jsonl*"):
        old.unlink()
    words = [python, str(HERE / "batch_turns.py"), runner, str(rows), str(out), port, str(AT_ONCE)]
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    home = {"HOME": str(rows.parent), "PYTHONPATH": str(HERE.parent / "src"), "TELEMETRY_ENABLED": "false"}
    log = rows.with_name("log.txt")
    began = time.monotonic()
    with log.open("wb") as said:
        process = subprocess.Popen(
            words, stdout=said, stderr=said, env=kept | home, cwd=rows.parent, start_new_session=True
        )
        alarm = threading.Timer(patience, os.killpg, (process.pid, signal.SIGKILL))
        alarm.start()
        _, status, used = os.wait4(process.pid, 0)
        alarm.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.monotonic() - began
    found = answered(out, expected) if out.exists() else 0
    if process.returncode or found != expected:
        last = (log.read_text(errors="replace").strip().splitlines() or ["no word"])[-1]
        raise RuntimeError(f"exit code {process.returncode}, {found} of {expected} rows: {last[:300]}")
    return Turn(expected, wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def answered(out: Path, rows: int) -> int:
    """How many of the rows `r0`, `r1` … are in an output.

    In little memory: a process begins with the peak of the one that started it, as `wait4` tells it.
    """
    met = bytearray(rows)
    with out.open("rb") as lines:
        for row in map(json.loads, lines):
            met[int(row.get("custom_id", row.get("id"))[1:])] = 1
    return sum(met)


def compare(pythons: dict[str, str], folder: Path, port: str, rows: int, rounds: int) -> None:
    """The table of all runners."""
    turns: dict[str, list[tuple[Turn, Turn]]] = {}
    for _ in range(rounds):
        for runner, python in tuple(pythons.items()):
            try:
                few, many = (turn(python, runner, written(folder, n), port) for n in (rows // 10, rows))
            except RuntimeError as error:
                print(f"{runner} does not run: {error}", flush=True)
                del pythons[runner]
                continue
            turns.setdefault(runner, []).append((few, many))
            print(f"  {runner}: {many.cpu:.2f} s CPU, {many.wall:.1f} s", file=sys.stderr, flush=True)
    print("\n| runner | rows/s | CPU ms a row | / bare loop | CPU s to start | MiB |")
    print(f"| --- |{' ---: |' * 5}")
    for runner, pairs in turns.items():
        each = [1000 * marginal(few.cpu, many.cpu, few, many) for few, many in pairs]
        bare = [1000 * marginal(few.cpu, many.cpu, few, many) for few, many in turns["bare loop"]]
        rate = statistics.median(1 / marginal(few.wall, many.wall, few, many) for few, many in pairs)
        ratio = statistics.median(a / b for a, b in zip(each, bare, strict=False))
        start = statistics.median(few.cpu - few.rows * ms / 1000 for (few, _), ms in zip(pairs, each, strict=True))
        mib = max(many.mib for _, many in pairs)
        print(f"| {runner} | {rate:.0f} | {statistics.median(each):.2f} | {ratio:.2f} | {start:.1f} | {mib:.0f} |")


def marginal(less: float, more: float, few: Turn, many: Turn) -> float:
    return (more - less) / (many.rows - few.rows)


def memory(folder: Path, port: str, sizes: tuple[int, ...]) -> None:
    """The most that hfgen holds, by the number of rows."""
    print("\n| runner | rows | MiB | rows/s | CPU ms a row |\n| --- | ---: | ---: | ---: | ---: |")
    for runner, rows in [(runner, rows) for runner in ("hfgen, no network", "hfgen, command") for rows in sizes]:
        took = turn(sys.executable, runner, written(folder, rows), port, patience=1400)
        rate, each = rows / took.wall, 1000 * took.cpu / rows
        print(f"| {runner} | {rows} | {took.mib:.0f} | {rate:.0f} | {each:.2f} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=PYTHON")
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--tokens", type=int, default=20, help="of each answer")
    parser.add_argument("--quick", action="store_true")
    given = parser.parse_args()
    began, load = time.monotonic(), os.getloadavg()[0]
    versions = " · ".join(f"{name} {metadata.version(name)}" for name in ("aiohttp", "msgspec"))
    print(f"{time.strftime('%Y-%m-%d')} · {os.cpu_count()} cores · Python {platform.python_version()} · {versions}")
    server = subprocess.Popen(
        [sys.executable, str(HERE / "batch_server.py"), str(given.tokens)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert server.stdout is not None
        port = server.stdout.readline().strip()
        with tempfile.TemporaryDirectory() as place:
            if given.memory:
                memory(Path(place), port, (1_000, 10_000) if given.quick else (10_000, 100_000, 1_000_000))
            else:
                pythons = dict.fromkeys(OURS, sys.executable) | dict(one.split("=", 1) for one in given.peer)
                compare(pythons, Path(place), port, 2_000 if given.quick else 10_000, 1 if given.quick else 3)
    finally:
        server.kill()
        server.wait()
    print(f"\n{time.monotonic() - began:.0f} s; load {load:.1f} before, {os.getloadavg()[0]:.1f} after")


if __name__ == "__main__":
    main()
