"""What becomes of rows before they are asked: compared with what is recorded, and with each other."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from answering_model import AnsweringModel, answer_to, answering
from batch_jobs import finished, row, texts
from hfgen import UsageError
from hfgen.batch import Tally, run
from hfgen.batch.rows.input import Reading, Rows


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out.jsonl"


async def test_a_name_that_is_there_twice_is_told_before_anything_is_paid(out: Path) -> None:
    model = AnsweringModel()
    rows = [row(str(number), "?") for number in range(2000)]
    async with answering(model) as server:
        with pytest.raises(UsageError, match="rows 6 and 2001"):
            await finished([*rows, row("5", "again")], out=out, api_base=server.url)
    assert not model.asked


async def test_of_an_edited_row_the_old_line_goes_before_the_new_one_is_asked_for(out: Path) -> None:
    notices: list[str] = []
    model = AnsweringModel()
    async with answering(model) as server:
        await finished([row("a", "one"), row("b", "two"), row("c", "three")], out=out, api_base=server.url)
        results = run([row("a", "one"), row("b", "two, edited")], out=out, api_base=server.url, notice=notices.append)
        async for result in results:
            assert result.custom_id == "b"
    assert sorted(texts(out)) == [("a", answer_to("one")), ("b", answer_to("two, edited")), ("c", answer_to("three"))]
    assert notices == [
        f"1 row was edited since {out} was written: asked anew.",
        f"{out} has 1 row that this input does not have: they stay there.",
    ]


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_rows_that_come_only_once_are_compared_as_they_come(out: Path, asynchronous: bool) -> None:
    def once() -> Iterator[Any]:
        yield row("a", "one, edited")

    async def slowly() -> AsyncIterator[Any]:
        for each in once():
            yield each

    notices: list[str] = []
    async with answering(AnsweringModel()) as server:
        await finished([row("a", "one"), row("b", "two")], out=out, api_base=server.url)
        jobs: Any = slowly() if asynchronous else once()
        assert await finished(jobs, out=out, api_base=server.url, notice=notices.append) == ["a"]
    assert sorted(texts(out)) == [("a", answer_to("one, edited")), ("b", answer_to("two"))]
    assert [notice.split()[:2] for notice in notices] == [["1", "row"], [str(out), "has"]]


async def test_the_rows_and_those_that_are_recorded_are_counted_before_the_first(out: Path) -> None:
    async with answering(AnsweringModel()) as server:
        await finished([row("a", "one"), row("b", "two")], out=out, api_base=server.url)
        tally = Tally()
        async for _ in run(
            [row(name, "?" if name == "c" else {"a": "one", "b": "two"}[name]) for name in "cab"],
            out=out,
            api_base=server.url,
            tally=tally,
        ):
            assert (tally.total, tally.finished_before) == (3, 2)


async def test_what_was_mended_is_a_warning_to_those_who_ask_for_no_other_word(out: Path) -> None:
    async with answering(AnsweringModel()) as server:
        await finished(["one"], out=out, api_base=server.url)
        with out.open("ab") as file:
            file.write(b'{"id":"half')
        with pytest.warns(UserWarning, match="was not whole: its 11 bytes are set aside"):
            await finished(["one"], out=out, api_base=server.url)


async def test_a_caller_who_leaves_during_the_survey_is_let_go(out: Path) -> None:
    begun = threading.Event()

    class Endless:
        def __iter__(self) -> Iterator[Any]:
            number = 0
            while True:
                number += 1
                yield row(str(number), "?")
                begun.set()

    asking = asyncio.create_task(finished(Endless(), out=out, api_base="http://127.0.0.1:9"))
    await asyncio.to_thread(begun.wait)
    asking.cancel()
    async with asyncio.timeout(20):
        await asyncio.gather(asking, return_exceptions=True)
    assert asking.cancelled()


def remove(file: Path) -> Path:
    file.unlink()
    return file


async def test_a_file_that_is_gone_when_it_is_read_again_is_told(out: Path, tmp_path: Path) -> None:
    file = tmp_path / "rows.txt"
    await asyncio.to_thread(file.write_text, "one\ntwo\n")
    rows = await asyncio.to_thread(Rows.of, str(file), Reading())
    remove(file)
    with pytest.raises(UsageError, match=r"rows\.txt: No such file"):
        await finished(rows, out=out, api_base="http://127.0.0.1:9")


async def test_rows_that_are_added_to_a_file_meanwhile_are_for_the_next_run(out: Path, tmp_path: Path) -> None:
    file = tmp_path / "rows.txt"
    await asyncio.to_thread(file.write_text, "one\ntwo\n")
    rows = await asyncio.to_thread(Rows.of, str(file), Reading())
    grown = [asyncio.to_thread(file.write_text, "one\ntwo\nthree\n")]

    async def grow(_: str) -> None:
        while grown:
            await grown.pop()

    async with answering(AnsweringModel(hold=grow)) as server:
        assert sorted(await finished(rows, out=out, api_base=server.url)) == ["row-1", "row-2"]
        assert await finished(rows, out=out, api_base=server.url) == ["row-3"]
