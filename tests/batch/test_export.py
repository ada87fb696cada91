"""The output of a batch as a table: the input's columns beside the answer's, in JSON lines, CSV or Parquet."""

import csv
import errno
import io
import json
import random
import subprocess
import sys
from collections.abc import Callable, Iterable
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, strategies as st

from hfgen.batch.export.export import Export, Exported, export
from hfgen.batch.export.row_files import RowForm, guarded, row_file
from hfgen.batch.job import Job
from hfgen.batch.result import Account, Failure, Response, Result
from hfgen.batch.rows.asking import Asking
from hfgen.batch.rows.input import Jobs, Reading
from hfgen.batch.rows.template import Template
from hfgen.errors import UsageError

Answer = Callable[[Job], dict[str, Any]]


def said(job: Job) -> dict[str, Any]:
    message = {"role": "assistant", "content": f"answer {job.row}", "refusal": None}
    return {
        "model": "a/model",
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12},
    }


def result(job: Any, body: dict[str, Any] | None = None, status: int = 200, error: Failure | None = None) -> Result:
    account = Account(job.digest, job.row, attempts=2, seconds=0.5, server="here")
    raw = msgspec.Raw(msgspec.json.encode(body))
    return Result(f"batch_req_{job.row}", job.custom_id, None if error else Response(status, "", raw), error, account)


def answered(tmp_path: Path, source: Path, reading: Reading | None = None, answer: Answer = said) -> Path:
    """The output of a batch in which every row was answered, the last one first."""
    with Jobs(str(source), reading) as jobs:
        results = [result(job, answer(job)) if isinstance(job, Job) else result(job, error=job.failure) for job in jobs]
    journal = tmp_path / "out.jsonl"
    journal.write_bytes(b"".join(each.line() for each in reversed(results)))
    return journal


def rows_of(place: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in place.read_text(encoding="utf-8").split("\n") if line]


def exported(tmp_path: Path, journal: Path, **asked: Any) -> tuple[Exported, list[dict[str, Any]]]:
    place = tmp_path / "table.jsonl"
    done = export(Export(journal, str(place), **asked))
    return done, rows_of(place)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    place = tmp_path / "in.csv"
    place.write_text("id,prompt,label\na,Hi,x\nb,Ho,y\nc,,z\n", encoding="utf-8")
    return place


def test_a_row_has_the_inputs_columns_and_the_answers(tmp_path: Path, source: Path) -> None:
    done, rows = exported(tmp_path, answered(tmp_path, source), source=str(source), order="input")

    assert (done.answers, done.failures, done.missing, done.renamed) == (2, 1, 0, {})
    assert rows[0] == {
        "id": "a",
        "prompt": "Hi",
        "label": "x",
        "text": "answer 1",
        "reasoning": None,
        "tool_calls": None,
        "finish_reason": "stop",
        "prompt_tokens": 5,
        "completion_tokens": 7,
        "cost": None,
        "model": "a/model",
        "server": "here",
        "seconds": 0.5,
        "attempts": 2,
        "error": None,
    }
    assert [row["id"] for row in rows] == ["a", "b", "c"]
    assert rows[2]["error"] == "invalid_row: row 3: prompt: it is empty, so there is nothing to ask"
    assert rows[2]["text"] is None


def test_rows_come_in_the_order_of_their_answers_unless_asked_otherwise(tmp_path: Path, source: Path) -> None:
    _, rows = exported(tmp_path, answered(tmp_path, source), source=str(source))

    assert [(row["id"], row["label"], row["text"]) for row in rows] == [
        ("c", "z", None),
        ("b", "y", "answer 2"),
        ("a", "x", "answer 1"),
    ]


def test_without_the_input_rows_have_their_names_alone(tmp_path: Path, source: Path) -> None:
    journal = answered(tmp_path, source)

    assert [row["custom_id"] for row in exported(tmp_path, journal)[1]] == ["c", "b", "a"]
    assert [row["custom_id"] for row in exported(tmp_path, journal, order="input")[1]] == ["a", "b", "c"]


def test_rows_without_an_answer_have_a_file_of_their_own_if_that_is_asked(tmp_path: Path, source: Path) -> None:
    journal = answered(tmp_path, source)
    done, rows = exported(tmp_path, journal, source=str(source), errors=str(tmp_path / "errors.jsonl"))

    assert [row["id"] for row in rows] == ["b", "a"]
    assert [row["id"] for row in rows_of(tmp_path / "errors.jsonl")] == ["c"]
    assert (done.answers, done.failures) == (2, 1)


def test_rows_that_have_no_result_yet_are_counted(tmp_path: Path, source: Path) -> None:
    journal = answered(tmp_path, source)
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(lines[0] + lines[1] + lines[2][:-20])  # a batch that is being written

    done, rows = exported(tmp_path, journal, source=str(source), order="input")

    assert (done.missing, [row["id"] for row in rows]) == (1, ["b", "c"])


def test_a_column_that_both_have_keeps_its_name_in_the_input_and_is_told(tmp_path: Path) -> None:
    source = tmp_path / "in.jsonl"
    source.write_text('{"text": "Hi", "model": "mine", "answer_model": 1}\n', encoding="utf-8")

    done, (row,) = exported(tmp_path, answered(tmp_path, source), source=str(source))

    assert (row["text"], row["answer_text"]) == ("Hi", "answer 1")
    assert (row["model"], row["answer_model"], row["answer_answer_model"]) == ("mine", 1, "a/model")
    assert done.renamed == {"text": "answer_text", "model": "answer_answer_model"}


def test_a_row_that_was_named_by_its_number_says_so(tmp_path: Path) -> None:
    source = tmp_path / "in.txt"
    source.write_text("Hi\n", encoding="utf-8")

    (row,) = exported(tmp_path, answered(tmp_path, source), source=str(source))[1]

    assert (row["prompt"], row["custom_id"], row["text"]) == ("Hi", "row-1", "answer 1")


@pytest.mark.parametrize(
    ("url", "body", "prompt"),
    [
        (
            "/v1/chat/completions",
            {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Y"}]},
            "Hi",
        ),
        ("/v1/chat/completions", {"messages": [{"role": "user", "content": [{"type": "text", "text": "Ho"}]}]}, "Ho"),
        ("/v1/chat/completions", {"messages": [{"no": "message"}]}, None),
        ("/v1/completions", {"prompt": ["a", "b"]}, '["a","b"]'),
        ("/v1/images/generations", {"prompt": "a fox"}, "a fox"),
    ],
)
def test_openais_lines_have_their_name_and_what_was_asked(
    tmp_path: Path, url: str, body: dict[str, Any], prompt: str | None
) -> None:
    source = tmp_path / "in.jsonl"
    source.write_text(json.dumps({"custom_id": "a", "url": url, "body": body}) + "\n", encoding="utf-8")

    (row,) = exported(tmp_path, answered(tmp_path, source), source=str(source))[1]

    assert list(row)[:3] == ["custom_id", "prompt", "text"]
    assert (row["custom_id"], row["prompt"]) == ("a", prompt)


def one_row(tmp_path: Path, body: dict[str, Any], status: int = 200) -> dict[str, Any]:
    journal = tmp_path / "out.jsonl"
    journal.write_bytes(result(Job.of("a", "/v1/completions", b"{}", 1), body, status).line())
    return exported(tmp_path, journal)[1][0]


def test_thoughts_and_calls_of_tools_have_columns(tmp_path: Path) -> None:
    calls = [{"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]
    message = {"content": None, "reasoning_content": "hm", "tool_calls": calls}

    row = one_row(tmp_path, {"choices": [{"message": message, "finish_reason": "tool_calls"}]})

    assert (row["text"], row["reasoning"], json.loads(row["tool_calls"])) == (None, "hm", calls)


def test_a_raw_completion_has_its_text(tmp_path: Path) -> None:
    assert one_row(tmp_path, {"choices": [{"text": "a time", "finish_reason": "length"}]})["text"] == "a time"


def test_answers_beyond_the_first_stand_together_in_a_column_of_their_own(tmp_path: Path) -> None:
    row = one_row(tmp_path, {"choices": [{"text": "one"}, {"text": "two"}]})

    assert row["text"] == "one"
    assert [more["text"] for more in json.loads(row["more"])] == ["two"]


def test_a_picture_has_its_path_hash_and_seed_and_no_columns_of_texts(tmp_path: Path) -> None:
    data = [{"path": "out_files/a.png", "sha256": "ab", "seed": 7, "model": "a/painter"}, {"path": "b.png", "seed": 8}]

    row = one_row(tmp_path, {"created": 1, "data": data})

    assert (row["path"], row["sha256"], row["seed"], row["model"]) == ("out_files/a.png", "ab", 7, "a/painter")
    assert json.loads(row["more"]) == [{"path": "b.png", "sha256": None, "seed": 8}]
    assert "text" not in row


def test_a_refusal_is_an_error_with_its_status(tmp_path: Path) -> None:
    row = one_row(tmp_path, {"error": {"message": "too long", "code": "invalid_value"}}, 400)

    assert (row["error"], row["text"]) == ("400 invalid_value: too long", None)


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"error": "no"}, "400: no"),
        ({"error": {"code": 7}}, "400 7: the server gave no reason"),
        ({}, "400: the server gave no reason"),
    ],
)
def test_a_refusal_in_other_words_is_an_error_too(tmp_path: Path, body: dict[str, Any], error: str) -> None:
    assert one_row(tmp_path, body, 400)["error"] == error


def test_an_answer_in_no_known_form_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="the answer to 'a' is in no form that is known"):
        one_row(tmp_path, {"choices": [{"message": {"content": 5}}]})


@pytest.mark.parametrize("order", ["input", "completion"])
def test_a_row_that_was_mended_counts_once(tmp_path: Path, source: Path, order: str) -> None:
    journal = answered(tmp_path, source)
    stale = Result("x", "invalid-row-1", None, Failure("invalid_row", "no CSV"), Account("0", 1))
    journal.write_bytes(stale.line() + journal.read_bytes())

    done, rows = exported(tmp_path, journal, source=str(source), order=order)

    assert (done.answers, done.failures) == (2, 1)
    assert sorted(row["id"] for row in rows) == ["a", "b", "c"]


# Another input


def test_another_input_than_the_one_that_was_answered_is_refused(tmp_path: Path, source: Path) -> None:
    journal = answered(tmp_path, source)
    source.write_text("id,prompt,label\nz,Hi,x\nb,Ho,y\nc,,z\n", encoding="utf-8")
    with pytest.raises(UsageError, match=r"row 1 .* is not the one that was answered: it is 'z', not 'a'"):
        exported(tmp_path, journal, source=str(source))
    source.write_text("id,prompt,label\na,Hello,x\nb,Ho,y\nc,,z\n", encoding="utf-8")
    with pytest.raises(UsageError, match=r"row 1 .*: it asks something else than what 'a' was asked"):
        exported(tmp_path, journal, source=str(source))
    source.write_text("id,prompt,label\na,Hi,x\n", encoding="utf-8")
    with pytest.raises(UsageError, match="2 rows that were answered are not in the input"):
        exported(tmp_path, journal, source=str(source))
    assert not list(tmp_path.glob(".*.part"))
    assert not (tmp_path / "table.jsonl").exists()


def test_the_input_is_read_as_the_batch_read_it(tmp_path: Path, source: Path) -> None:
    reading = Reading(asking=Asking(template=Template.parse("{label}: {prompt}"), system="Be"), id_column="label")
    journal = answered(tmp_path, source, reading)

    assert exported(tmp_path, journal, source=str(source), reading=reading)[0].answers == 3
    with pytest.raises(UsageError, match="not the one that was answered"):
        exported(tmp_path, journal, source=str(source))


def test_what_is_read_is_not_written_over(tmp_path: Path, source: Path) -> None:
    journal = answered(tmp_path, source)
    before = journal.read_bytes()

    for out in (journal, source):
        with pytest.raises(UsageError, match="it is read here"):
            export(Export(journal, str(out), str(source)))
    with pytest.raises(UsageError, match="file of their own"):
        export(Export(journal, str(tmp_path / "t.csv"), errors=str(tmp_path / "t.csv")))
    assert journal.read_bytes() == before


@pytest.mark.parametrize("line", [b"no JSON\n", b"{}\n", b'{"hfgen": {"row": "x"}}\n', b'{"hfgen": {"row": 1}}\n'])
def test_a_line_that_is_no_result_is_named(tmp_path: Path, line: bytes) -> None:
    (tmp_path / "out.jsonl").write_bytes(line)

    with pytest.raises(UsageError, match="is no result of a batch"):
        exported(tmp_path, tmp_path / "out.jsonl")


@pytest.mark.parametrize("out", ["table", "table.xlsx", "-"])
def test_a_form_that_cannot_be_told_is_asked_for(tmp_path: Path, out: str) -> None:
    with pytest.raises(UsageError, match="give --to-format"):
        export(Export(tmp_path / "out.jsonl", out))


def test_stdin_cannot_be_read_again(tmp_path: Path, source: Path) -> None:
    with pytest.raises(UsageError, match="put it into a file"):
        exported(tmp_path, answered(tmp_path, source), source="-")


def test_a_table_goes_to_stdout(tmp_path: Path, source: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    export(Export(answered(tmp_path, source), "-", form="csv"))

    assert capfdbinary.readouterr().out.startswith(b"custom_id,text,")
    assert not sys.stdout.closed


def test_a_folder_that_is_not_there_is_named(tmp_path: Path, source: Path) -> None:
    with pytest.raises(UsageError, match="there is no folder"):
        export(Export(answered(tmp_path, source), str(tmp_path / "nowhere" / "table.csv")))


CROWDED = """
import resource, signal, sys
from pathlib import Path
from hfgen.batch.export.export import Export, export
if sys.argv[2].endswith("parquet"):
    import pyarrow.parquet  # its threads and its code take no files
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))
try:
    export(Export(Path(sys.argv[1]), sys.argv[2]))
except OSError as error:
    print(type(error).__name__, error.errno)
"""


@pytest.mark.parametrize("form", ["jsonl", "csv", "parquet"])
def test_a_disk_that_is_full_is_an_error_and_leaves_what_was_there(tmp_path: Path, form: str) -> None:
    if form == "parquet":
        pytest.importorskip("pyarrow", reason="the extra `tables` is not installed")
    (tmp_path / "in.txt").write_text("".join(f"say {n}\n" for n in range(300)), encoding="utf-8")
    noise = random.Random(7)
    journal = answered(
        tmp_path, tmp_path / "in.txt", answer=lambda _: {"choices": [{"text": noise.randbytes(50).hex()}]}
    )
    out = tmp_path / f"table.{form}"
    out.write_bytes(b"yesterday's")

    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", CROWDED, journal, out], capture_output=True, text=True, check=True
    )

    assert run.stdout.split() == ["OSError", str(errno.EFBIG)]
    assert run.stderr == ""
    assert out.read_bytes() == b"yesterday's"
    assert sorted(place.name for place in tmp_path.iterdir()) == sorted(["in.txt", "out.jsonl", out.name])


# CSV


@pytest.mark.parametrize(
    "cell", ["=1+1", "+cmd", "-cmd|' /C calc'!A0", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "-1+1", "\uff1d1"]
)
def test_csv_has_no_cell_that_a_spreadsheet_calculates(tmp_path: Path, cell: str) -> None:
    source = tmp_path / "in.jsonl"
    source.write_text(json.dumps({"prompt": cell, "=evil": "x"}) + "\n", encoding="utf-8")
    reply = {"choices": [{"message": {"content": cell}, "finish_reason": "stop"}]}
    export(Export(answered(tmp_path, source, answer=lambda _: reply), str(tmp_path / "t.csv"), str(source)))

    with (tmp_path / "t.csv").open(encoding="utf-8", newline="") as file:
        header, row = csv.reader(file)

    assert header[:2] == ["prompt", "'=evil"]
    assert row[0] == row[header.index("text")] == f"'{cell}"


@pytest.mark.parametrize("number", ["-1", "+5", "-1.5", "-2e10", "3"])
def test_numbers_stay_numbers(number: str) -> None:
    assert guarded(number) == number


cells = st.one_of(st.none(), st.text())


def written(form: RowForm, rows: Iterable[dict[str, Any]]) -> bytes:
    out = io.BytesIO()
    file = row_file(out, form, {"a": "text", "b": "text", "n": "int", "f": "float", "j": "json", "t": "bool"})
    for row in rows:
        file.write(row)
    file.close()
    return out.getvalue()


@given(st.lists(st.tuples(st.text(), st.text(), st.integers(-(2**63), 2**63 - 1))))
def test_csv_that_is_written_comes_back_guarded(rows: list[tuple[str, str, int]]) -> None:
    data = written("csv", ({"a": a, "b": b, "n": n, "t": True} for a, b, n in rows)).decode()

    header, *read = csv.reader(io.StringIO(data, newline=""), strict=True)

    assert header == ["a", "b", "n", "f", "j", "t"]
    assert read == [[guarded(a), guarded(b), str(n), "", "", "true"] for a, b, n in rows]


@given(st.lists(st.tuples(cells, cells)))
def test_json_lines_that_are_written_come_back(rows: list[tuple[str | None, str | None]]) -> None:
    data = written("jsonl", ({"a": a, "b": b} for a, b in rows))

    assert [(row["a"], row["b"]) for row in map(json.loads, data.split(b"\n")[:-1])] == rows


# Parquet


@pytest.fixture
def parquet() -> Any:
    pytest.importorskip("pyarrow", reason="the extra `tables` is not installed")
    from pyarrow import parquet  # noqa: PLC0415 - an extra

    return parquet


def test_parquet_keeps_the_types_of_parquet_in_either_order(parquet: Any, tmp_path: Path) -> None:
    import pyarrow as pa  # noqa: PLC0415 - an extra

    columns = {"prompt": ["Hi", "Ho"], "day": [date(2026, 11, 25), None], "tags": [["a"], []], "text": ["t", "u"]}
    table = pa.table(
        columns,
        schema=pa.schema(
            [
                ("prompt", pa.large_string()),
                ("day", pa.date32()),
                ("tags", pa.list_(pa.string())),
                ("text", pa.string()),
            ]
        ),
    )
    parquet.write_table(table, tmp_path / "in.parquet")
    journal = answered(tmp_path, tmp_path / "in.parquet")

    for order in ("input", "completion"):
        out = tmp_path / f"{order}.parquet"
        export(Export(journal, str(out), str(tmp_path / "in.parquet"), order=order))
        read = parquet.read_table(out)

        assert read.schema.field("day").type == pa.date32()
        assert read.schema.field("prompt").type == pa.large_string()
        assert read.schema.field("prompt_tokens").type == pa.int64()
        first = read.to_pylist()[0 if order == "input" else 1]
        assert (first["day"], first["tags"], first["text"], first["answer_text"]) == (
            date(2026, 11, 25),
            ["a"],
            "t",
            "answer 1",
        )


def test_json_lines_become_parquet_by_what_their_columns_hold(parquet: Any, tmp_path: Path) -> None:
    source = tmp_path / "in.jsonl"
    rows: list[dict[str, Any]] = [
        {"prompt": "Hi", "n": 1, "f": 1, "mixed": 1, "deep": {"a": [1]}, "huge": 2**70, "b": True},
        {"prompt": "Ho", "n": None, "f": 1.5, "mixed": "x", "late": "z"},
    ]
    source.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    export(Export(answered(tmp_path, source), str(tmp_path / "t.parquet"), str(source), order="input"))

    first, second = parquet.read_table(tmp_path / "t.parquet").to_pylist()

    assert {name: first[name] for name in ("n", "f", "mixed", "deep", "huge", "b", "late")} == {
        "n": 1,
        "f": 1.0,
        "mixed": "1",
        "deep": '{"a":[1]}',
        "huge": str(2**70),
        "b": True,
        "late": None,
    }
    assert (second["f"], second["mixed"], second["late"], second["text"]) == (1.5, "x", "z", "answer 2")


def test_parquet_becomes_csv(parquet: Any, tmp_path: Path) -> None:
    import pyarrow as pa  # noqa: PLC0415 - an extra

    parquet.write_table(pa.table({"prompt": ["Hi"], "day": [date(2026, 11, 25)], "n": [-3]}), tmp_path / "in.parquet")
    export(Export(answered(tmp_path, tmp_path / "in.parquet"), str(tmp_path / "t.csv"), str(tmp_path / "in.parquet")))

    assert (
        (tmp_path / "t.csv").read_text(encoding="utf-8").split("\n")[1].startswith("Hi,2026-11-25,-3,row-1,answer 1,")
    )


def test_an_empty_output_is_an_empty_table(parquet: Any, tmp_path: Path) -> None:
    (tmp_path / "out.jsonl").write_bytes(b"")
    export(Export(tmp_path / "out.jsonl", str(tmp_path / "t.parquet")))

    assert parquet.read_table(tmp_path / "t.parquet").num_rows == 0
