"""Jobs with `dedup`: what asks the same is asked once, every row has its line, and no death of the process matters."""

import asyncio
import json
import random
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from answering_model import AnsweringModel, answer_to, answering
from batch_jobs import finished, lines, row, texts
from hfgen import UsageError
from hfgen.batch import JobStopped, Tally, run

ROWS = [row(f"r{number}", f"question {number % 10}") for number in range(200)]
RIGHT = {each["custom_id"]: answer_to(each["body"]["messages"][0]["content"]) for each in ROWS}


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out.jsonl"


def size(out: Path) -> int:
    return out.stat().st_size if out.exists() else 0


async def test_what_asks_the_same_is_asked_once_and_the_others_get_a_copy(out: Path) -> None:
    model, tally = AnsweringModel(), Tally()
    async with answering(model) as server:
        names = await finished(ROWS, out=out, api_base=server.url, temperature=0, dedup=True, tally=tally)
    assert Counter(names) == Counter(RIGHT.keys())
    assert dict(texts(out)) == RIGHT
    assert set(model.asked.values()) == {1}
    assert (tally.done, tally.copied) == (200, 190)
    copied = {line["custom_id"]: line["hfgen"]["copied_from"] for line in lines(out) if "copied_from" in line["hfgen"]}
    assert len(copied) == 190
    assert copied["r199"] == "r9"


async def test_what_is_drawn_at_random_is_asked_each_time(out: Path) -> None:
    model = AnsweringModel()
    async with answering(model) as server:
        await finished(["same", "same"], out=out, api_base=server.url, dedup=True)
    assert model.asked["same"] == 2


async def test_the_failure_of_the_first_is_that_of_the_others_and_all_may_be_asked_again(out: Path) -> None:
    model = AnsweringModel(faults={"same": [400]})
    same = {"out": out, "temperature": 0, "dedup": True}
    async with answering(model) as server:
        await finished(["same", "same"], api_base=server.url, **same)
        assert [line["response"]["status_code"] for line in lines(out)] == [400, 400]
        await finished(["same", "same"], api_base=server.url, retry_failed=True, **same)
    assert dict(texts(out)) == {"row-1": answer_to("same"), "row-2": answer_to("same")}
    assert model.asked["same"] == 2


async def test_rows_whose_first_was_recorded_by_an_earlier_run_are_copied_too(out: Path) -> None:
    model = AnsweringModel()
    async with answering(model) as server:
        await finished([row("a", "same")], out=out, api_base=server.url, temperature=0)
        await finished([row("a", "same"), row("b", "same")], out=out, api_base=server.url, temperature=0, dedup=True)
    assert model.asked["same"] == 1
    assert dict(texts(out)) == {"a": answer_to("same"), "b": answer_to("same")}


async def test_a_job_that_stops_copies_at_its_next_start(out: Path) -> None:
    model = AnsweringModel(faults={"bad": [400]})
    jobs = ["bad", "same", "same"]
    async with answering(model) as server:
        with pytest.raises(JobStopped):
            await finished(jobs, out=out, api_base=server.url, temperature=0, dedup=True, max_errors=0)
        await finished(jobs, out=out, api_base=server.url, temperature=0, dedup=True, retry_failed=True)
    assert dict(texts(out)) == {"row-1": answer_to("bad"), "row-2": answer_to("same"), "row-3": answer_to("same")}
    assert model.asked["same"] == 1


async def test_without_an_output_there_is_nothing_to_copy_from() -> None:
    with pytest.raises(UsageError, match="out="):
        run(["one"], dedup=True)


async def test_killed_at_any_moment_it_asks_the_rest_and_every_row_has_one_line(out: Path, tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    requests: list[Any] = [{"method": "POST", "url": "/v1/chat/completions", **each} for each in ROWS]
    rows.write_text("".join(json.dumps(each) + "\n" for each in requests))
    model = AnsweringModel()
    chance = random.Random(5)
    kills = 6
    async with answering(model) as server:
        command = (
            *(sys.executable, "-m", "hfgen", "batch", str(rows), "--out", str(out)),
            *("--api-base", server.url, "--temperature", "0", "--dedup", "-q"),
        )
        for _ in range(kills):
            process = await asyncio.create_subprocess_exec(*command)
            goal = size(out) + chance.randrange(1, 12_000)
            while process.returncode is None and size(out) < goal:
                await asyncio.to_thread(out.parent.stat)
            if process.returncode is None:
                process.kill()
            await process.wait()
        process = await asyncio.create_subprocess_exec(*command)
        assert await process.wait() == 0
    written = texts(out)
    assert dict(written) == RIGHT
    assert len(written) == len(RIGHT)
    assert model.asked.total() <= 10 + kills * 8
