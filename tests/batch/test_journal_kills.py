"""kill -9 at any moment: what was recorded stays recorded, once, and the same command finishes the job."""

import os
import random
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import msgspec
import pytest

from hfgen.batch.result import Result
from journals import edition, recorded

PROGRAM = Path(__file__).with_name("appender.py")
ROWS = 300
EDITIONS = 5
KILLS_EACH = 8


def run(out: Path, number: int) -> subprocess.Popen[bytes]:
    beside = os.pathsep.join((str(PROGRAM.parents[1]), os.environ.get("PYTHONPATH", "")))
    words = [sys.executable, str(PROGRAM), str(out), str(number), str(ROWS)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": beside})


def killed(out: Path, number: int, chance: random.Random) -> dict[str, str]:
    """Kill a run, while it opens, rewrites or appends; the rows that it named before."""
    with run(out, number) as process:
        assert process.stdout is not None
        first = process.stdout.readline() if chance.random() < 0.7 else b""
        with suppress(subprocess.TimeoutExpired):
            process.wait(chance.uniform(0, 0.05 if first else 0.5))
        process.kill()
        named = (first + process.stdout.read()).decode().splitlines(keepends=True)
    return dict(line.split() for line in named if line.endswith("\n"))


def whole_lines(out: Path) -> list[Result]:
    lines = out.read_bytes().split(b"\n")[:-1] if out.exists() else []
    return [msgspec.json.decode(line, type=Result) for line in lines]


@pytest.mark.timeout(240)
def test_forty_kills_lose_no_row_and_leave_none_twice(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    seed = random.randrange(2**32)
    chance = random.Random(seed)
    for number in range(EDITIONS):
        known: dict[str, str] = {}
        for _ in range(KILLS_EACH):
            known |= killed(out, number, chance)
            results = whole_lines(out)
            assert len({result.custom_id for result in results}) == len(results), seed
            assert known.items() <= {result.custom_id: result.hfgen.digest for result in results}.items(), seed
    with run(out, EDITIONS - 1) as process:
        process.communicate()
    assert process.returncode == 0
    assert recorded(out) == {each.custom_id: each.digest for each in edition(EDITIONS - 1, ROWS)}
    assert {path.name for path in tmp_path.iterdir()} <= {out.name, "out.jsonl.meta.json", "out.jsonl.damaged"}
