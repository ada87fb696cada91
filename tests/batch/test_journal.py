"""The output of a batch is its journal: what it holds is not asked for again."""

import asyncio
import time
from pathlib import Path

import pytest

from hfgen.batch.journal import status
from hfgen.batch.journal.journal import Journal
from hfgen.batch.journal.sidecar import Source
from hfgen.batch.journal.status import Status
from hfgen.batch.journal.survey import Survey
from hfgen.batch.pacing.spending import Cost
from hfgen.errors import OutputFailed, UsageError
from journals import PARAMETERS, STDIN, answer, failure, job, opened, recorded, refusal


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out.jsonl"


def test_what_was_appended_is_done_at_the_next_start(out: Path) -> None:
    with opened(out) as journal:
        assert not journal.done(job("a"))
        journal.append(answer(job("a")))
    with opened(out) as journal:
        assert journal.done(job("a"))
        assert not journal.done(job("b", 2))
        assert (journal.answered, journal.failed, journal.notices) == (1, 0, ())


def test_a_line_is_in_the_file_as_soon_as_it_was_appended(out: Path) -> None:
    with opened(out) as journal:
        journal.append(answer(job("a"), "Grüße"))
        assert out.read_bytes() == answer(job("a"), "Grüße").line()


def test_a_row_that_failed_is_done_unless_failed_rows_are_to_be_retried(out: Path) -> None:
    with opened(out) as journal:
        journal.append(failure(job("a")))
        journal.append(answer(job("b", 2)))
        journal.append(refusal(job("c", 3)))
    with opened(out) as journal:
        assert journal.done(job("a"))
        assert (journal.answered, journal.failed) == (1, 2)
    with opened(out, retry_failed=True) as journal:
        assert [journal.done(job(name, row)) for row, name in enumerate("abc", 1)] == [False, True, False]
        assert (journal.answered, journal.failed) == (1, 0)
        assert journal.found.to_retry == 2
    assert list(recorded(out)) == ["b"]


def test_a_survey_drops_the_lines_of_edited_rows_and_keeps_those_of_rows_that_are_gone(out: Path) -> None:
    with opened(out) as journal:
        for name in ("gone", "same", "edited"):
            journal.append(answer(job(name)))
    jobs = [job("same"), job("edited", 2, "hello, again"), job("new", 3)]
    with opened(out) as journal:
        assert journal.survey(jobs) == Survey(rows=3, recorded=1, edited=1, gone=1)
        assert list(recorded(out)) == ["gone", "same"]
        assert (journal.answered, journal.failed) == (2, 0)
        assert [journal.done(each) for each in jobs] == [True, False, False]
        for each in jobs[1:]:
            journal.append(answer(each))
        assert journal.gone() == 1
    assert recorded(out) == {"gone": job("gone").digest, **{each.custom_id: each.digest for each in jobs}}


def test_a_survey_leaves_an_output_alone_that_needs_no_change(out: Path) -> None:
    with opened(out) as journal:
        journal.append(answer(job("a")))
    before = out.stat()
    with opened(out) as journal:
        journal.survey([job("a")])
        journal.survey([job("a")])
    assert (out.stat().st_ino, out.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_without_a_survey_the_old_line_of_an_edited_row_goes_at_the_end(out: Path) -> None:
    edited = job("a", 1, "edited")
    with opened(out) as journal:
        journal.append(answer(job("a")))
        journal.append(answer(job("b")))
    with opened(out) as journal:
        assert not journal.done(edited)
        assert (journal.answered, journal.edited) == (1, 1)
        journal.append(answer(edited))
        assert journal.answered == 2
    assert recorded(out) == {"b": job("b").digest, "a": edited.digest}


def test_of_two_lines_for_a_row_which_a_killed_run_left_the_later_counts(out: Path) -> None:
    edited = job("a", 1, "edited")
    with opened(out) as journal:
        journal.append(answer(job("a")))
    with out.open("ab") as file:
        file.write(answer(edited).line())
    with opened(out) as journal:
        assert journal.done(edited)
        assert journal.notices == (f"1 line of {out} had a later one for the same row, and went.",)
    assert recorded(out) == {"a": edited.digest}


def test_an_output_may_be_rewritten_when_it_is_opened_and_again_after_the_survey(out: Path) -> None:
    jobs = [job(str(row), row) for row in range(1, 10)]
    with opened(out) as journal:
        journal.append(failure(job("failed", 10)))
        for each in jobs:
            journal.append(answer(each))
    jobs[4] = job("5", 5, "edited")
    with opened(out, retry_failed=True) as journal:
        assert journal.survey(jobs) == Survey(rows=9, recorded=8, edited=1, gone=0)
        assert list(recorded(out)) == [each.custom_id for each in jobs if each.row != 5]
        assert journal.answered == 8


@pytest.mark.parametrize("known", [False, True])
def test_a_custom_id_that_the_input_has_twice_is_refused_with_both_rows(out: Path, known: bool) -> None:
    with opened(out) as journal:
        if known:
            journal.append(answer(job("a")))
    with opened(out) as journal:
        journal.done(job("a", 3))
        with pytest.raises(UsageError, match="two rows of the input have the custom_id 'a': rows 3 and 17"):
            journal.done(job("a", 17))
        with pytest.raises(UsageError, match="rows 4 and 5"):
            journal.survey([job("b", 4), job("b", 5)])


def test_the_end_of_a_link_is_the_output_and_its_companions_lie_there(tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    link, real = tmp_path / "link.jsonl", tmp_path / "far" / "real.jsonl"
    link.symlink_to(real)
    with opened(link) as journal:
        journal.append(answer(job("a")))
        with pytest.raises(UsageError, match="is writing to"):
            opened(real)
    with opened(real) as journal:
        assert journal.survey([job("a", 1, "edited")]).edited == 1
    assert link.is_symlink()
    assert {path.name for path in real.parent.iterdir()} == {"real.jsonl", "real.jsonl.meta.json"}


def test_a_rewritten_output_keeps_its_permissions(out: Path) -> None:
    with opened(out) as journal:
        journal.append(failure(job("a")))
    out.chmod(0o640)
    opened(out, retry_failed=True).close()
    assert (out.stat().st_size, out.stat().st_mode & 0o777) == (0, 0o640)


def test_an_output_that_is_moved_away_during_a_run_ends_the_run(out: Path, tmp_path: Path) -> None:
    journal = opened(out)
    journal.append(answer(job("a")))
    out.rename(tmp_path / "elsewhere.jsonl")
    with pytest.raises(OutputFailed, match=r"out\.jsonl cannot be written: No such file"):
        journal.sync()
    out.touch()
    with pytest.raises(OutputFailed, match=r"out\.jsonl is another file than at the start of the run"):
        journal.close()
    opened(tmp_path / "elsewhere.jsonl", force=True).close()


def test_the_first_of_two_errors_is_told(out: Path) -> None:
    with pytest.raises(KeyError), opened(out):
        out.unlink()
        raise KeyError


async def test_it_reaches_the_disk_each_second_without_holding_up_the_loop(out: Path) -> None:
    journal = await asyncio.to_thread(opened, out)
    keeping = asyncio.create_task(journal.keep_synced())
    lines = [answer(job(str(number))) for number in range(100)]
    for line in lines:
        journal.append(line)  # with the loop's thread watched for calls that block
    size = sum(len(line.line()) for line in lines)

    def wait_for_the_disk() -> None:
        while journal._synced < size:
            time.sleep(0.01)

    await asyncio.to_thread(wait_for_the_disk)
    keeping.cancel()
    await asyncio.to_thread(journal.close)
    assert len(recorded(out)) == 100


async def test_a_file_that_goes_away_ends_the_keeping(out: Path) -> None:
    journal = await asyncio.to_thread(opened, out)
    await asyncio.to_thread(out.unlink)
    with pytest.raises(OutputFailed):
        await journal.keep_synced()
    with pytest.raises(OutputFailed):
        await asyncio.to_thread(journal.close)


def test_closing_again_does_nothing(out: Path) -> None:
    with opened(out) as journal:
        journal.close()
    journal.sync()


def test_another_terminal_can_read_how_the_run_is_getting_on(out: Path) -> None:
    now = Status("running", 1, "here", 10.0, 12.0, done=5, total=9, cost=Cost(0.5, 0.75))
    assert status.read(out) is None
    with opened(out) as journal:
        journal.tell(now)
        assert status.read(out) == now
    (out.parent / "out.jsonl.status.json").write_bytes(b'{"state":"run')
    assert status.read(out) is None


def test_an_input_that_changed_is_told_and_taken(out: Path, tmp_path: Path) -> None:
    rows = tmp_path / "in.jsonl"
    rows.write_text("one")
    Journal.open(out, PARAMETERS, Source.of_file(rows)).close()
    with Journal.open(out, PARAMETERS, Source.of_file(rows)) as journal:
        assert journal.notices == ()
    rows.write_text("two")
    with Journal.open(out, PARAMETERS, Source.of_file(rows)) as journal:
        assert journal.notices == ("The input is another than before: its rows are compared one by one.",)
        assert journal.meta.source.bytes == 3
    with Journal.open(out, PARAMETERS, STDIN) as journal:
        assert journal.meta.source.sha256 == ""
