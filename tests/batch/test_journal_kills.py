"""kill -9 at any moment: what was recorded stays recorded, once, and the same command finishes the job."""

import os
import random
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import msgspec
import pytest

from hfgen.batch.result import Result
from journals import edition, recorded

PROGRAM = Path(__file__).with_name("appender.py")
ROWS = 1500
EDITIONS = 5
KILLS_EACH = 8


def begun(out: Path, number: int) -> subprocess.Popen[bytes]:
    beside = os.pathsep.join((str(PROGRAM.parents[1]), os.environ.get("PYTHONPATH", "")))
    words = [sys.executable, str(PROGRAM), str(out), str(number), str(ROWS)]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": beside})
    assert process.stdout is not None
    assert process.stdout.readline() == b"begin\n"
    return process


def finished(out: Path, number: int) -> float:
    """Let a run come to its end; the seconds that it took."""
    with begun(out, number) as process:
        begin = time.monotonic()
        process.communicate()
    assert process.returncode == 0
    return time.monotonic() - begin


def killed(out: Path, number: int, after: float) -> dict[str, str]:
    """Kill a run, while it opens, rewrites or appends; the rows that it named before."""
    named = b""
    with begun(out, number) as process:
        assert process.stdout is not None
        os.set_blocking(process.stdout.fileno(), False)
        until = time.monotonic() + after
        while (left := until - time.monotonic()) > 0:
            with suppress(subprocess.TimeoutExpired):
                process.wait(min(left, 0.002))
            named += process.stdout.read() or b""  # lest it wait for us
        process.kill()
        process.wait()
        named += process.stdout.read() or b""
    whole, _, _ = named.rpartition(b"\n")
    return dict(line.split() for line in whole.decode().splitlines())


def whole_lines(out: Path) -> list[Result]:
    lines = out.read_bytes().split(b"\n")[:-1] if out.exists() else []
    return [msgspec.json.decode(line, type=Result) for line in lines]


@pytest.mark.timeout(240)
def test_forty_kills_lose_no_row_and_leave_none_twice(tmp_path: Path) -> None:
    seed = random.randrange(2**32)
    chance = random.Random(seed)
    usual = finished(tmp_path / "warm-up.jsonl", 0)
    out = tmp_path / "out.jsonl"
    for number in range(EDITIONS):
        known: dict[str, str] = {}
        for _ in range(KILLS_EACH):
            known |= killed(out, number, chance.uniform(0, usual))
            results = whole_lines(out)
            assert len({result.custom_id for result in results}) == len(results), seed
            assert known.items() <= {result.custom_id: result.hfgen.digest for result in results}.items(), seed
    finished(out, EDITIONS - 1)
    assert recorded(out) == {job.custom_id: job.digest for job in edition(EDITIONS - 1, ROWS)}
    left = {path.name.removeprefix(out.name) for path in tmp_path.glob("out.jsonl*")}
    assert left <= {"", ".meta.json", ".damaged"}
