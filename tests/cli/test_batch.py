"""`hfgen batch`, as people and scripts use it: what lands on the disk, what is said meanwhile, and how it ends."""

import asyncio
import json
import signal
import subprocess
from pathlib import Path
from typing import Any

import msgspec
import pytest

from command_line import HFGEN, Talker, environment, hfgen, terminal
from loopback import Visit, serving

ROWS = "id,text\na,The sky is blue.\nb,=1+1\nc,Cats sleep.\n"


class Picky(Talker):
    """Refuses what holds a certain word."""

    def __init__(self, word: str) -> None:
        super().__init__("fine")
        self.word = word

    async def __call__(self, visit: Visit) -> None:
        if self.word.encode() in visit.body:
            await visit.answer(b'{"error":{"message":"I do not like that"}}', status="400 Bad Request")
            return
        await super().__call__(visit)


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    file = tmp_path / "rows.csv"
    file.write_text(ROWS)
    return file


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def texts(file: Path) -> dict[str, str]:
    return {line["custom_id"]: line["response"]["body"]["choices"][0]["message"]["content"] for line in lines(file)}


def asked(talker: Talker) -> list[str]:
    return sorted(request["messages"][-1]["content"] for request in talker.asked)


async def test_each_row_is_asked_once_and_its_answer_is_one_line(rows: Path) -> None:
    talker, out = Talker("fine"), rows.with_name("out.jsonl")
    async with serving(talker) as server:
        code, said, err = await hfgen(
            "batch", str(rows), "--out", str(out), "--api-base", server.url, "--template", "Summarise: {text}"
        )
    assert (code, said) == (0, "")
    assert texts(out) == {"a": "fine", "b": "fine", "c": "fine"}
    assert asked(talker) == ["Summarise: =1+1", "Summarise: Cats sleep.", "Summarise: The sky is blue."]
    assert "3 rows answered" in err


async def test_the_same_command_again_asks_nothing(rows: Path) -> None:
    talker, out = Talker("fine"), rows.with_name("out.jsonl")
    async with serving(talker) as server:
        command = ("batch", str(rows), "--out", str(out), "--api-base", server.url)
        await hfgen(*command)
        before = out.read_bytes()
        code, _, err = await hfgen(*command)
    assert code == 0
    assert out.read_bytes() == before
    assert len(talker.asked) == len(ROWS.splitlines()) - 1
    assert "0 rows answered, 3 before" in err


async def test_other_parameters_are_refused_by_name_and_forced_by_a_flag(rows: Path) -> None:
    out = rows.with_name("out.jsonl")
    async with serving(Talker("fine")) as server:
        command = ("batch", str(rows), "--out", str(out), "--api-base", server.url)
        await hfgen(*command, "--temperature", "0")
        code, _, err = await hfgen(*command, "--temperature", "1")
        assert code == 2
        assert "temperature" in err
        assert "--resume force" in err
        assert (await hfgen(*command, "--temperature", "1", "--resume", "force"))[0] == 0


async def test_another_template_is_another_job(rows: Path) -> None:
    talker, out = Talker("fine"), rows.with_name("out.jsonl")
    async with serving(talker) as server:
        command = ("batch", str(rows), "--out", str(out), "--api-base", server.url, "--template")
        await hfgen(*command, "Summarise: {text}")
        code, _, err = await hfgen(*command, "Translate: {text}")
    assert code == 2
    assert "Summarise" in err
    assert len(talker.asked) == 3, "what is paid for is not asked anew by a slip"


async def test_a_row_that_fails_is_a_line_and_the_exit_code_says_so(rows: Path) -> None:
    out = rows.with_name("out.jsonl")
    async with serving(Picky("1+1")) as server:
        command = ("batch", str(rows), "--out", str(out), "--api-base", server.url)
        code, _, err = await hfgen(*command)
        assert code == 3
        assert "--retry-failed" in err
        failed = next(line for line in lines(out) if line["custom_id"] == "b")
        assert failed["response"]["status_code"] == 400
        assert (await hfgen(*command))[0] == 3, "it still has"
    talker = Talker("now")
    async with serving(talker) as server:
        code, _, _ = await hfgen(
            "batch", str(rows), "--out", str(out), "--api-base", server.url, "--retry-failed", "--resume", "force"
        )
    assert code == 0
    assert asked(talker) == ["=1+1"]
    assert texts(out)["b"] == "now"


async def test_no_progress_is_said_where_it_is_not_wanted(rows: Path) -> None:
    async with serving(Talker("fine")) as server:
        command = ("batch", str(rows), "--out", str(rows.with_name("o")), "--api-base", server.url)
        assert await hfgen(*command, "-q") == (0, "", "")


async def test_a_pipe_gets_progress_as_lines_of_json(rows: Path) -> None:
    async with serving(Talker("fine")) as server:
        _, _, err = await hfgen("batch", str(rows), "--out", str(rows.with_name("o")), "--api-base", server.url)
    standing = json.loads(err.splitlines()[0])
    assert (standing["total"], standing["done"], standing["failed"]) == (3, 3, 0)


async def test_a_terminal_sees_a_block_and_then_the_summary(rows: Path) -> None:
    gate = asyncio.Event()

    async def slow(visit: Visit) -> None:
        if visit.method == "POST":
            await gate.wait()
        await Talker("fine")(visit)

    out = str(rows.with_name("out.jsonl"))
    async with serving(slow) as server, terminal("batch", str(rows), "--out", out, "--api-base", server.url) as screen:
        await screen.until("0 of 3")
        await screen.until("3 of 8 at once")
        gate.set()
        await screen.until("3 rows answered")
        assert await screen.end() == 0
    assert "Traceback" not in screen.written


async def test_stdin_is_an_input(rows: Path) -> None:
    out = rows.with_name("out.jsonl")
    async with serving(Talker("fine")) as server:
        code, _, _ = await hfgen(
            "batch", "-", "--format", "csv", "--out", str(out), "--api-base", server.url, stdin=ROWS
        )
    assert code == 0
    assert set(texts(out)) == {"a", "b", "c"}


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
async def test_stopped_by_a_signal_it_keeps_what_it_has_and_goes_on_later(
    rows: Path, number: signal.Signals, code: int
) -> None:
    out = rows.with_name("out.jsonl")
    talker = Talker("fine")
    held = asyncio.Event()

    async def holding(visit: Visit) -> None:
        if visit.method == "POST" and b"Cats" in visit.body:
            held.set()
            await visit.gone()
            return
        await talker(visit)

    async with serving(holding) as server:
        command = ("batch", str(rows), "--out", str(out), "--api-base", server.url)
        process = await asyncio.create_subprocess_exec(
            *HFGEN, *command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment()
        )
        await held.wait()
        while not out.exists() or len(out.read_bytes().splitlines()) < 2:
            await asyncio.to_thread(out.parent.stat)
        process.send_signal(number)
        _, err = await process.communicate()
    assert process.returncode == code
    assert b"Traceback" not in err
    assert set(texts(out)) == {"a", "b"}
    async with serving(talker) as server:
        code, _, _ = await hfgen("batch", str(rows), "--out", str(out), "--api-base", server.url, "--resume", "force")
    assert code == 0
    assert set(texts(out)) == {"a", "b", "c"}


async def test_a_dry_run_shows_three_prompts_and_asks_nothing(rows: Path) -> None:
    talker = Talker("fine")
    body = '{"custom_id":"%s","method":"POST","url":"/v1/completions","body":{"prompt":"go on %s"}}\n'
    requests = rows.with_name("requests.jsonl")
    requests.write_text("".join(body % (name, name) for name in "abcd"))
    async with serving(talker) as server:
        code, said, err = await hfgen(
            "batch", str(requests), "--dry-run", "--api-base", server.url, "--max-tokens", "7"
        )
    assert code == 0
    assert said.splitlines() == ["go on a", "go on b", "go on c"]
    assert "4 rows" in err
    assert "at most 28 tokens (7 each)" in err
    assert "$?" in err, "nobody told a price"
    assert not talker.asked


async def test_status_is_told_from_another_terminal(rows: Path) -> None:
    out = rows.with_name("out.jsonl")
    async with serving(Picky("1+1")) as server:
        await hfgen("batch", str(rows), "--out", str(out), "--api-base", server.url)
    code, said, _ = await hfgen("batch", "status", str(out))
    assert code == 0
    assert "finished" in said
    assert "3 of 3 (100%): 2 answered, 1 failed" in said
    _, as_json, _ = await hfgen("batch", "status", "--json", str(out))
    assert msgspec.json.decode(as_json)["failed"] == 1
    code, _, err = await hfgen("batch", "status", str(rows))
    assert code == 2
    assert "no batch has written there" in err


async def test_the_answers_become_a_table_with_the_inputs_columns(rows: Path) -> None:
    out = rows.with_name("out.jsonl")
    async with serving(Talker("=fine")) as server:
        await hfgen("batch", str(rows), "--out", str(out), "--api-base", server.url, "--column", "text")
    export = ("batch", "export", str(out), "--input", str(rows), "--order", "input", "--column", "text")
    code, said, _ = await hfgen(*export, "--to", "-", "--to-format", "csv")
    assert code == 0
    header, first, second, _ = said.splitlines()
    assert header.startswith("id,text,")
    assert first.startswith("a,The sky is blue.,")
    assert second.startswith("b,'=1+1,"), "no spreadsheet takes it for a formula"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--out", "o.jsonl", "--column", "texx"), "did you mean 'text'"),
        (("--out", "o.jsonl", "--shard", "5/4"), "i/n"),
        (("--out", "o.jsonl", "--max-errors", "many"), "max"),
        (("--out", "o.jsonl", "--column", "text", "--template", "{text}"), "one of them"),
        ((), "--out"),
    ],
)
async def test_wrong_usage_is_told_before_anything_is_written(rows: Path, words: tuple[str, ...], told: str) -> None:
    placed = tuple(str(rows.with_name(word)) if word == "o.jsonl" else word for word in words)
    code, _, err = await hfgen("batch", str(rows), *placed, "--api-base", "http://127.0.0.1:9")
    assert code == 2
    assert told in err
    assert not rows.with_name("o.jsonl").exists()
