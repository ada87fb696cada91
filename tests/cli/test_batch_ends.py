"""How `hfgen batch` ends, whatever befalls it: a person reads why and what to do, and the output is whole."""

import asyncio
import json
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from answering_model import AnsweringModel, answer_to, answering
from batch_jobs import lines, texts
from command_line import HFGEN, environment, hfgen

ROWS = 60


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    file = tmp_path / "rows.csv"
    file.write_text("id,text\n" + "".join(f"r{row},question {row}\n" for row in range(ROWS)))
    return file


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out.jsonl"


RIGHT = {f"r{row}": answer_to(f"question {row}") for row in range(ROWS)}


async def begun(*words: str, limit: Callable[[], None] | None = None) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *HFGEN, "batch", *words, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment(), preexec_fn=limit
    )


def exists(out: Path) -> bool:
    return out.exists()


def tear(out: Path) -> None:
    with out.open("ab") as file:
        file.write(b"half a line")


def edit(rows: Path) -> None:
    """One row says something else, and one is gone."""
    rows.write_text(rows.read_text().replace("question 7\n", "another question\n").replace("r9,question 9\n", ""))


def with_repeats(rows: Path) -> Path:
    rows.write_text("id,text\na,same\nb,same\nc,other\n")
    return rows


async def test_a_wrong_key_ends_the_job_at_once_and_nothing_is_recorded(rows: Path, out: Path) -> None:
    model = AnsweringModel(faults={f"question {row}": [401] for row in range(ROWS)})
    async with answering(model) as server:
        code, _, err = await hfgen("batch", str(rows), "--out", str(out), "--api-base", server.url)
    assert code == 4
    assert lines(out) == []
    assert model.asked.total() <= 8
    assert "does not accept the token" in err
    assert "--api-key" in err
    assert "[redacted]" not in err


@pytest.mark.parametrize("place", ["/dev/full", "/dev/null"])
async def test_a_device_is_no_output(rows: Path, place: str) -> None:
    code, _, err = await hfgen("batch", str(rows), "--out", place, "--api-base", "http://127.0.0.1:9")
    assert code == 2
    assert "has to be a file" in err


async def test_a_full_disk_ends_it_with_what_is_recorded_whole_and_it_goes_on_later(rows: Path, out: Path) -> None:
    def small() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (15_000, 15_000))  # a disk that is full, to all who write

    model = AnsweringModel()
    async with answering(model) as server:
        command = (str(rows), "--out", str(out), "--api-base", server.url)
        process = await begun(*command, limit=small)
        _, err = await process.communicate()
        assert process.returncode == 1
        assert b"cannot be written" in err
        assert b"run the same command again" in err
        before = dict(texts(out))
        assert before
        code, _, _ = await hfgen("batch", *command)
    assert code == 0
    assert dict(texts(out)) == RIGHT
    assert len(lines(out)) == ROWS
    assert model.asked.total() <= ROWS + 256


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
async def test_a_job_that_waits_for_a_server_without_room_ends_at_once(
    rows: Path, out: Path, number: signal.Signals, code: int
) -> None:
    turned_away = asyncio.Event()

    async def busy(_: str) -> None:
        turned_away.set()

    model = AnsweringModel(faults={f"question {row}": [429] * 1000 for row in range(ROWS)}, hold=busy)
    async with answering(model) as server:
        process = await begun(str(rows), "--out", str(out), "--api-base", server.url)
        await turned_away.wait()
        process.send_signal(number)
        async with asyncio.timeout(20):
            _, err = await process.communicate()
    assert process.returncode == code
    assert b"the same command goes on" in err
    assert b"Traceback" not in err
    assert lines(out) == []


async def test_ctrl_c_twice_is_no_worse_than_once(rows: Path, out: Path) -> None:
    held = asyncio.Event()

    async def hold(prompt: str) -> None:
        if prompt == "question 59":
            held.set()
            await asyncio.Event().wait()

    async with answering(AnsweringModel(hold=hold)) as server:
        process = await begun(str(rows), "--out", str(out), "--api-base", server.url)
        await held.wait()
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGINT)
        async with asyncio.timeout(20):
            _, err = await process.communicate()
    assert process.returncode == 130
    assert b"Traceback" not in err
    assert set(dict(texts(out)).items()) <= set(RIGHT.items())
    assert not out.with_name("out.jsonl.lock").exists()


async def test_nobody_has_to_read_what_it_says(rows: Path, out: Path) -> None:
    async with answering(AnsweringModel()) as server:
        command = f"{sys.executable} -m hfgen batch {rows} --out {out} --api-base {server.url} 2>&1 | head -c 1"
        process = await asyncio.create_subprocess_shell(command, stdout=subprocess.PIPE, env=environment())
        await process.communicate()
    assert dict(texts(out)) == RIGHT


async def test_what_was_found_is_said_once(rows: Path, out: Path) -> None:
    async with answering(AnsweringModel()) as server:
        command = ("batch", str(rows), "--out", str(out), "--api-base", server.url)
        await hfgen(*command)
        tear(out)
        edit(rows)
        code, _, err = await hfgen(*command, "-q")
    assert code == 0
    assert err.count("was not whole") == 1
    assert err.count("1 row was edited") == 1
    assert err.count("has 1 row that this input does not have") == 1
    assert dict(texts(out)) == RIGHT | {"r7": answer_to("another question")}


async def test_rows_that_ask_the_same_are_asked_once_and_the_summary_tells(rows: Path, out: Path) -> None:
    model = AnsweringModel()
    async with answering(model) as server:
        code, _, err = await hfgen(
            "batch",
            str(with_repeats(rows)),
            "--out",
            str(out),
            "--api-base",
            server.url,
            "--dedup",
            "--temperature",
            "0",
        )
    assert code == 0
    assert model.asked == {"same": 1, "other": 1}
    assert "3 rows answered, 1 of these copied from rows that ask the same" in err
    assert json.loads(err.splitlines()[0])["copied"] == 1


async def test_the_proxy_that_is_named_is_the_way(rows: Path, out: Path) -> None:
    code, _, err = await hfgen(
        *("batch", str(rows), "--out", str(out), "--api-base", "http://example.invalid", "--proxy", "ftp://no")
    )
    assert code == 2
    assert "--proxy" in err


async def test_a_limit_of_cost_where_nobody_tells_prices_is_refused_before_anything(rows: Path, out: Path) -> None:
    async with answering(AnsweringModel()) as server:
        code, _, err = await hfgen("batch", str(rows), "--out", str(out), "--api-base", server.url, "--max-cost", "5")
    assert code == 2
    assert "--max-cost 5 cannot be kept" in err
    assert not exists(out)
