"""However a file ends after a crash: the whole lines stay, the rest is set aside and told, and the job goes on."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings, strategies as st

from journals import answer, failure, job, opened, recorded

JOBS = [job(name, row) for row, name in enumerate(("a", "bé", "c", "d"), 1)]
LINES = [
    answer(JOBS[0]).line(),
    answer(JOBS[1], "Grüße 🙂\n").line(),
    failure(JOBS[2]).line(),
    answer(JOBS[3], "y" * 40).line(),
]
WHOLE = b"".join(LINES)
BEGIN = len(LINES[0]) + len(LINES[1])  # of the last two lines


def left(out: Path, content: bytes) -> Path:
    """An output as a crash left it."""
    opened(out).close()
    out.write_bytes(content)
    return out


def test_a_journal_that_is_cut_at_any_byte_loses_the_row_of_the_cut_and_no_other(tmp_path: Path) -> None:
    out = left(tmp_path / "out.jsonl", WHOLE)
    damaged = tmp_path / "out.jsonl.damaged"
    for end in range(BEGIN, len(WHOLE) + 1):
        out.write_bytes(WHOLE[:end])
        whole = [line for number, line in enumerate(LINES) if end >= len(b"".join(LINES[: number + 1])) - 1]
        torn = WHOLE[:end][len(b"".join(whole)) :]
        with opened(out) as journal:
            assert [journal.done(each) for each in JOBS] == [True] * len(whole) + [False] * (4 - len(whole))
            assert len(journal.notices) == bool(torn)
            for each, line in zip(JOBS[len(whole) :], LINES[len(whole) :], strict=True):
                journal.append(failure(each) if line == LINES[2] else answer(each, "y" * 40))
        assert out.read_bytes() == WHOLE
        assert (damaged.read_bytes() if torn else b"\n") == torn + b"\n"
        damaged.unlink(missing_ok=True)


@given(st.binary(max_size=60))
@settings(deadline=None, max_examples=100)
def test_whatever_lies_behind_the_whole_lines_they_stay_and_every_line_is_whole(tail: bytes) -> None:
    with TemporaryDirectory() as folder:
        out = left(Path(folder) / "out.jsonl", WHOLE + tail)
        with opened(out) as journal:
            assert all(journal.done(each) for each in JOBS)
            assert bool(journal.notices) == bool(tail)
        assert out.read_bytes() == WHOLE
        with opened(out) as journal:
            assert journal.notices == ()


@given(st.integers(0, len(WHOLE) - 1), st.binary(min_size=1, max_size=20))
@settings(deadline=None, max_examples=100)
def test_whatever_is_overwritten_in_the_middle_the_other_lines_stay(place: int, garbage: bytes) -> None:
    content = (WHOLE[:place] + garbage + WHOLE[place + len(garbage) :])[: len(WHOLE)]
    whole = {line + b"\n" for line in content.split(b"\n")[:-1]}  # what is glued to another line is no line
    untouched = [line for line in LINES if line in whole]
    with TemporaryDirectory() as folder:
        out = left(Path(folder) / "out.jsonl", content)
        opened(out).close()
        kept = out.read_bytes()
        recorded_lines = kept.splitlines(keepends=True)
        assert all(line in kept for line in untouched)
        assert all(line.endswith(b"\n") for line in recorded_lines)
        with opened(out) as journal:
            assert journal.notices == ()


@pytest.mark.parametrize("nothing", [b"\0" * 4096, b"\0" * 10 + b"\n" + b"\0" * 10, b"\n", b"{}\n", b"[]\n", b"null\n"])
def test_what_a_power_cut_left_is_set_aside(tmp_path: Path, nothing: bytes) -> None:
    out = left(tmp_path / "out.jsonl", LINES[0] + nothing)
    with opened(out) as journal:
        assert journal.notices
    assert list(recorded(out)) == ["a"]


def test_a_broken_line_in_the_middle_is_set_aside_and_its_row_is_asked_again(tmp_path: Path) -> None:
    broken = LINES[1].replace(b"Gr", b"\xffr")  # within what resuming has no need to read
    out = left(tmp_path / "out.jsonl", LINES[0] + broken + LINES[2] + LINES[3])
    with opened(out) as journal:
        assert [journal.done(each) for each in JOBS] == [True, False, True, True]
        assert (journal.answered, journal.failed) == (2, 1)
        assert journal.notices == (f"1 line of {out} was not whole: set aside in {out}.damaged.",)
    assert (tmp_path / "out.jsonl.damaged").read_bytes() == broken
    assert (tmp_path / "out.jsonl.damaged").stat().st_mode & 0o777 == 0o600


def test_a_torn_line_longer_than_any_block_is_set_aside_whole(tmp_path: Path) -> None:
    torn = answer(JOBS[1], "z" * (3 * 2**20)).line()[:-3]
    out = left(tmp_path / "out.jsonl", LINES[0] + torn)
    with opened(out) as journal:
        assert journal.notices == (
            f"The last line of {out} was not whole: its {len(torn)} bytes are set aside in {out}.damaged.",
        )
    assert (tmp_path / "out.jsonl.damaged").read_bytes() == torn + b"\n"
    assert out.read_bytes() == LINES[0]
