"""A job that ends before its end goes on where it was: nothing is lost, nothing is twice, little is asked twice."""

import asyncio
import json
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from answering_model import AnsweringModel, answer_to, answering
from hfgen import MissingAuth, UsageError
from hfgen.batch import run
from hfgen.batch.bad_row import BadRow
from hfgen.batch.journal.status import read as read_status

PROMPTS = [f"question {n}" for n in range(60)]


def recorded(out: Path) -> dict[str, dict[str, Any]]:
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    names = Counter(line["custom_id"] for line in lines)
    assert set(names.values()) <= {1}, "a row is recorded twice"
    return {line["custom_id"]: line for line in lines}


def texts(out: Path) -> dict[str, str]:
    return {name: line["response"]["body"]["choices"][0]["message"]["content"] for name, line in recorded(out).items()}


RIGHT = {f"row-{n + 1}": answer_to(prompt) for n, prompt in enumerate(PROMPTS)}


async def test_a_result_is_recorded_before_it_is_yielded(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    async with answering(AnsweringModel()) as server:
        async for result in run(PROMPTS, out=out, api_base=server.url):
            assert result.custom_id in recorded(out)

    assert texts(out) == RIGHT


async def test_a_job_that_was_left_goes_on_and_asks_for_the_rest_alone(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    model = AnsweringModel()
    async with answering(model) as server:
        results = run(PROMPTS, out=out, api_base=server.url, model="m", concurrency=4)
        for _ in range(20):
            await anext(results)
        await results.aclose()
        before = set(recorded(out))
        rest = [result.custom_id async for result in run(PROMPTS, out=out, api_base=server.url, model="m")]

    assert texts(out) == RIGHT
    assert set(rest) == set(RIGHT) - before
    assert model.asked.total() <= len(PROMPTS) + 4 + 32
    assert max(model.asked.values()) <= 2


async def test_a_job_that_is_done_asks_nothing(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    model = AnsweringModel()
    async with answering(model) as server:
        for _ in range(2):
            async for _ in run(PROMPTS, out=out, api_base=server.url):
                pass

    assert model.asked.total() == len(PROMPTS)
    status = await asyncio.to_thread(read_status, out)
    assert status is not None
    assert (status.state, status.done, status.failed) == ("finished", len(PROMPTS), 0)


async def test_rows_that_failed_are_done_unless_they_are_asked_for_again(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    model = AnsweringModel(faults={"two": [400]})
    async with answering(model) as server:
        for again, asked in ((False, 1), (False, 1), (True, 2)):
            async for _ in run(["one", "two"], out=out, api_base=server.url, retry_failed=again):
                pass
            assert model.asked["two"] == asked

    assert recorded(out)["row-2"]["response"]["status_code"] == 200


async def test_rows_that_failed_are_asked_again_by_another_name(tmp_path: Path) -> None:
    """Under the old one a server that knows `Idempotency-Key` would answer with the old error."""
    out = tmp_path / "out.jsonl"
    model = AnsweringModel(faults={"one": [400, 400]})
    async with answering(model) as server:
        for again in (False, True, True):
            async for _ in run(["one"], out=out, api_base=server.url, retry_failed=again):
                pass

    assert len({headers["idempotency-key"] for headers in model.headers}) == 3


async def test_other_parameters_are_refused_and_another_address_is_not(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    async with answering(AnsweringModel()) as server, answering(AnsweringModel()) as other:
        async for _ in run(["one"], out=out, api_base=server.url, model="m", stop=("end",)):
            pass
        async for _ in run(["one"], out=out, api_base=other.url, model="m", stop=["end"], idle_timeout=9):
            pass
        with pytest.raises(UsageError, match="temperature"):
            async for _ in run(["one"], out=out, api_base=server.url, model="m", stop=["end"], temperature=1):
                pass


async def test_a_second_run_is_kept_out(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    async with answering(AnsweringModel()) as server:
        first = run(PROMPTS, out=out, api_base=server.url)
        await anext(first)
        with pytest.raises(UsageError, match="is writing to"):
            await anext(run(PROMPTS, out=out, api_base=server.url))
        await first.aclose()


async def test_what_stops_the_job_leaves_the_journal_whole(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    model = AnsweringModel(faults={"question 30": [401]})
    async with answering(model) as server:
        with pytest.raises(MissingAuth):
            async for _ in run(PROMPTS, out=out, api_base=server.url, concurrency=4):
                pass
        status = await asyncio.to_thread(read_status, out)
        assert status is not None
        assert status.state == "broken"
        assert "row-31" not in recorded(out)
        async for _ in run(PROMPTS, out=out, api_base=server.url):
            pass

    assert texts(out) == RIGHT
    assert model.asked.total() == len(PROMPTS) + 1


async def test_bad_rows_are_recorded_once(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    rows: list[Any] = ["good", BadRow.of("bad", b"raw", 2, "row 2: no prompt")]
    async with answering(AnsweringModel()) as server:
        for _ in range(2):
            async for _ in run(rows, out=out, api_base=server.url):
                pass

    assert recorded(out)["bad"]["error"] == {"code": "invalid_row", "message": "row 2: no prompt"}


async def test_a_name_that_is_twice_in_the_input_stops_the_job(tmp_path: Path) -> None:
    rows = [{"custom_id": "same", "body": {"messages": [{"role": "user", "content": text}]}} for text in ("a", "b")]
    async with answering(AnsweringModel()) as server:
        with pytest.raises(UsageError, match="rows 1 and 2"):
            async for _ in run(rows, out=tmp_path / "out.jsonl", api_base=server.url):
                pass


PROGRAM = """
import asyncio, sys
from hfgen.batch import run

async def main():
    prompts = (f"question {n}" for n in range(60))
    async for _ in run(prompts, out=sys.argv[1], api_base=sys.argv[2], model="m", concurrency=8):
        print(flush=True)

asyncio.run(main())
"""


async def test_a_process_that_is_killed_at_any_moment_goes_on_with_the_same_call(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"

    async def hold(_: str) -> None:
        await asyncio.sleep(0.01)

    model = AnsweringModel(hold=hold)
    async with answering(model) as server:

        def one_run(kill_after: int | None) -> int:
            program = [sys.executable, "-c", PROGRAM, str(out), server.url]
            with subprocess.Popen(program, stdout=subprocess.PIPE) as process:
                assert process.stdout is not None
                for count, _ in enumerate(process.stdout, 1):
                    if count == kill_after:
                        process.send_signal(signal.SIGKILL)
                return process.wait()

        kills = (3, 11, 1, 17)
        for kill_after in kills:
            assert await asyncio.to_thread(one_run, kill_after) == -signal.SIGKILL
        assert await asyncio.to_thread(one_run, None) == 0

    assert texts(out) == RIGHT
    assert model.asked.total() <= len(PROMPTS) + len(kills) * (8 + 32)


async def test_the_example_of_the_readme_does_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    program = readme.partition("### Batches")[2].partition("```python\n")[2].partition("```")[0]
    monkeypatch.chdir(tmp_path)
    async with answering(AnsweringModel()) as server:
        names: dict[str, Any] = {}
        exec(program.replace("max_tokens=4", f"max_tokens=4, api_base={server.url!r}"), names)
        await names["label"](["Who are you?", "I am here."])

    assert sorted(capsys.readouterr().out.splitlines()) == ["row-1 True", "row-2 True"]
    assert len(recorded(tmp_path / "labels.jsonl")) == 2
