"""CSV, TSV, JSON lines and plain text are read row by row; a row that is damaged costs no other."""

import csv
import io
import json
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from hfgen.batch.bad_row import BadRow
from hfgen.batch.rows.asking import Asking
from hfgen.batch.rows.input import Jobs, Reading
from hfgen.batch.rows.lines import LONGEST
from hfgen.batch.rows.record import Record
from hfgen.batch.rows.source import Form, Source
from hfgen.batch.rows.tables import read_table
from hfgen.errors import UsageError


def records(data: bytes, form: Form) -> list[Record]:
    return list(read_table(Source("test", form, io.BytesIO(data))).records)


def written(rows: list[list[str]], end: str = "\r\n") -> bytes:
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator=end, quoting=csv.QUOTE_ALL).writerows(rows)
    return out.getvalue().encode()


@given(st.lists(st.tuples(st.text(), st.text()), max_size=20), st.sampled_from(["\n", "\r\n"]))
def test_csv_comes_back_as_it_was_written(rows: list[tuple[str, str]], end: str) -> None:
    data = written([["a", "b"], *map(list, rows)], end)

    assert [tuple(record.values.values()) for record in records(data, "csv")] == rows


@given(
    st.lists(
        st.dictionaries(
            st.text(),
            st.one_of(
                st.none(), st.booleans(), st.integers(), st.text(), st.floats(allow_nan=False, allow_infinity=False)
            ),
        )
    )
)
def test_json_lines_come_back_as_they_were_written(rows: list[dict[str, object]]) -> None:
    data = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()

    assert [record.values for record in records(data, "jsonl")] == rows


@given(st.binary(), st.sampled_from(["csv", "tsv", "jsonl", "text"]))
def test_any_bytes_are_rows_or_faults(data: bytes, form: Form) -> None:
    try:
        read = records(data, form)
    except UsageError:
        return
    assert all(record.values or record.fault or form == "jsonl" for record in read)
    assert [record.row for record in read] == sorted({record.row for record in read})


@pytest.mark.parametrize("form", ["csv", "tsv", "jsonl", "text"])
def test_a_byte_order_mark_is_no_part_of_the_first_row(form: Form) -> None:
    data = {"csv": b"prompt\nHi\n", "tsv": b"prompt\nHi\n", "jsonl": b'{"prompt":"Hi"}\n', "text": b"Hi\n"}[form]

    assert [record.values for record in records(b"\xef\xbb\xbf" + data, form)] == [{"prompt": "Hi"}]


def test_tabs_separate_where_they_should() -> None:
    assert records(b"a\tb\n1,2\t3\n", "tsv")[0].values == {"a": "1,2", "b": "3"}


def test_a_field_may_be_big_and_hold_lines() -> None:
    big = "line\n" * 100_000

    assert records(written([["a"], [big]]), "csv")[0].values == {"a": big}


def test_plain_text_has_a_prompt_a_line() -> None:
    assert [(r.row, r.values) for r in records(b"one, two\n\n  three\r\n", "text")] == [
        (1, {"prompt": "one, two"}),
        (3, {"prompt": "  three"}),
    ]


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (b"2", "1 fields, and the header 2"),
        (b"2,b,c", "3 fields, and the header 2"),
        (b'2,"b"c', "no CSV"),
        (b"2,\xff", "not UTF-8"),
        (b"2,\xed\xa0\x80", "not UTF-8"),
    ],
)
def test_a_damaged_row_is_told_and_the_next_is_read(row: bytes, words: str) -> None:
    first, bad, last = records(b"a,b\n1,x\n" + row + b"\n3,z\n", "csv")

    assert words in bad.fault
    assert (first.row, bad.row, last.row, last.values) == (1, 2, 3, {"a": "3", "b": "z"})


def test_a_quote_that_is_never_closed_is_told() -> None:
    assert "unexpected end of data" in records(b'a\n1\n"2\n3\n', "csv")[1].fault


@pytest.mark.parametrize("form", ["csv", "jsonl", "text"])
def test_a_line_beyond_all_bounds_is_a_bad_row(form: Form) -> None:
    head, good = {"csv": (b"prompt\n", b"ok"), "jsonl": (b"", b'{"prompt": "ok"}'), "text": (b"", b"ok")}[form]
    data = head + good + b"\n" + b"x" * (LONGEST + 1000) + b"\n" + good + b"\n"

    _, bad, last = records(data, form)

    assert "line has more than 64 MiB" in bad.fault
    assert last.values == {"prompt": "ok"}


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "it is empty"),
        (b"\n\n", "it is empty"),
        (b"a,b,a\n1,2,3\n", "'a' more than once"),
        (b'"a\n', "no CSV"),
        (b"\xff,b\n", "not UTF-8"),
    ],
)
def test_a_header_that_is_none_is_refused(data: bytes, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        records(data, "csv")


def test_rows_of_csv_are_numbered_below_the_header(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_bytes(b'prompt\n"a\nb"\n\nc\n')

    with Jobs(str(tmp_path / "in.csv")) as jobs:
        assert [(job.custom_id, job.row) for job in jobs] == [("row-1", 1), ("row-2", 2)]


def test_a_conversation_in_csv_is_json(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_bytes(written([["messages"], ['[{"role":"user","content":"Hi"}]'], ["Hi"]]))

    with Jobs(str(tmp_path / "in.csv"), Reading(asking=Asking(system="Be brief."))) as jobs:
        good, bad = jobs

    assert not isinstance(good, BadRow)
    assert good.body.startswith(b'{"messages":[{"role":"system"')
    assert isinstance(bad, BadRow)
