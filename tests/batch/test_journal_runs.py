"""Whatever runs follow each other on one output, it holds what the latest of them made of each row."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from hypothesis import given, settings, strategies as st

from hfgen.batch.job import Job
from hfgen.batch.journal.journal import Journal
from journals import answer, failure, job, opened, recorded


class Run(NamedTuple):
    edition: dict[str, int]  # the input's rows, and which edition of each
    failing: frozenset[str]
    surveyed: bool
    retry_failed: bool
    most: int  # rows that are recorded before the run is stopped


class Row(NamedTuple):
    digest: str
    ok: bool


NAMES = st.sampled_from("abcdef")
RUNS = st.lists(
    st.builds(
        Run,
        st.dictionaries(NAMES, st.integers(0, 2)),
        st.frozensets(NAMES),
        st.booleans(),
        st.booleans(),
        st.integers(0, 6),
    ),
    max_size=6,
)


def play(run: Run, journal: Journal, expected: dict[str, Row]) -> None:
    jobs = [job(name, row, str(edition)) for row, (name, edition) in enumerate(run.edition.items(), 1)]
    if run.retry_failed:
        drop(expected, {name for name, row in expected.items() if not row.ok})
    if run.surveyed:
        edited = {each.custom_id for each in jobs if differs(each, expected)}
        survey = journal.survey(jobs)
        assert (survey.edited, survey.gone) == (len(edited), len(expected.keys() - run.edition.keys()))
        drop(expected, edited)
        assert survey.recorded == len(expected.keys() & run.edition.keys())
    todo = [each for each in jobs if not journal.done(each)]
    assert todo == [each for each in jobs if each.custom_id not in expected or differs(each, expected)]
    for each in todo[: run.most]:
        journal.append(failure(each) if each.custom_id in run.failing else answer(each))
        expected[each.custom_id] = Row(each.digest, each.custom_id not in run.failing)


def differs(asked: Job, expected: dict[str, Row]) -> bool:
    return asked.custom_id in expected and expected[asked.custom_id].digest != asked.digest


def drop(expected: dict[str, Row], names: set[str]) -> None:
    for name in names:
        del expected[name]


@given(RUNS)
@settings(deadline=None, max_examples=100)
def test_any_runs_that_follow_each_other(runs: list[Run]) -> None:
    expected: dict[str, Row] = {}
    with TemporaryDirectory() as folder:
        out = Path(folder) / "out.jsonl"
        for run in runs:
            with opened(out, retry_failed=run.retry_failed) as journal:
                play(run, journal, expected)
            assert recorded(out) == {name: row.digest for name, row in expected.items()}
            with opened(out) as journal:
                assert journal.answered == sum(row.ok for row in expected.values())
                assert journal.failed == sum(not row.ok for row in expected.values())
                assert journal.notices == ()
