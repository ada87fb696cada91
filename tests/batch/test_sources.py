"""The form of an input is told by its name, else by what it begins with; what cannot be told is asked for."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from hfgen.batch.rows.input import Jobs, Reading
from hfgen.batch.rows.source import open_source
from hfgen.errors import UsageError

OPENAI = b'{"custom_id":"a","url":"/v1/completions","body":{"prompt":"Hi"}}\n'
ROWS = b'{"prompt":"Hi","id":"a"}\n'
SHOW = "import sys; from hfgen.batch.rows.input import *; print(*(f'{j.custom_id}:{j.row}' for j in Jobs(sys.argv[1])))"


def form(tmp_path: Path, name: str, data: bytes, *columns: str) -> str:
    (tmp_path / name).write_bytes(data)
    source = open_source(str(tmp_path / name), columns=columns)
    with source.file:
        assert source.file.read() == data
    return source.form


@pytest.mark.parametrize(
    ("name", "told"),
    [("a.csv", "csv"), ("a.TSV", "tsv"), ("a.txt", "text"), ("a.parquet", "parquet"), ("a.pq", "parquet")],
)
def test_a_name_says_the_form(tmp_path: Path, name: str, told: str) -> None:
    assert form(tmp_path, name, b"whatever\n") == told


@pytest.mark.parametrize("name", ["a.jsonl", "a.ndjson", "a", "a.data"])
def test_lines_of_json_are_openais_or_rows_by_their_first_object(tmp_path: Path, name: str) -> None:
    assert form(tmp_path, name, OPENAI) == "openai"
    assert form(tmp_path, name, b'\xef\xbb\xbf\n\n{"cut\n' + OPENAI) == "openai"
    assert form(tmp_path, name, ROWS) == "jsonl"
    assert form(tmp_path, name, b'{"custom_id": 1, "prompt": "Hi"}\n' + OPENAI) == "jsonl"


def test_a_broken_first_line_does_not_make_text_of_json_lines(tmp_path: Path) -> None:
    assert form(tmp_path, "a.jsonl", b"poison\n" + OPENAI) == "openai"
    assert form(tmp_path, "b.jsonl", b"poison\n") == "jsonl"


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"PAR1....", "parquet"),
        (b"id,prompt\n1,Hi\n", "csv"),
        (b"id\tprompt\n1\tHi\n", "tsv"),
        (b"prompt\nHi\n", "csv"),
        (b"What, then, is time?\n", "text"),
        (b"one\n", "text"),
        (b"", "text"),
    ],
)
def test_what_has_no_name_is_told_by_its_beginning(tmp_path: Path, data: bytes, told: str) -> None:
    assert form(tmp_path, "nameless", data, "prompt", "text") in {told, "tsv" if told == "csv" else told}


def test_what_may_be_a_header_or_a_prompt_is_asked_for(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="say --format csv or --format text"):
        form(tmp_path, "nameless", b"question,answer\n1,2\n", "prompt")


@pytest.mark.parametrize(
    ("magic", "words"),
    [
        (b"\x1f\x8b\x08", "gzip"),
        (b"\x28\xb5\x2f\xfd", "zstd"),
        (b"PK\x03\x04", "spreadsheet"),
        (b"\xff\xfea\0", "UTF-16"),
        (b'[{"prompt": "Hi"}]', "JSON array"),
    ],
)
def test_what_is_no_text_is_refused_with_what_to_do(tmp_path: Path, magic: bytes, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        form(tmp_path, "nameless", magic)


@pytest.mark.parametrize("place", ["/nowhere/at/all", ".", "a\0b"])
def test_what_cannot_be_opened_is_an_error_of_the_call(place: str) -> None:
    with pytest.raises(UsageError):
        Jobs(place)


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        (OPENAI * 3, "a:1 a:2 a:3"),
        (ROWS, "a:1"),
        (b"id,prompt\nx,Hi\ny,Ho\n", "x:1 y:2"),
        (b"Tell me.\nGo on.\n", "row-1:1 row-2:2"),
    ],
)
def test_a_pipe_and_a_redirected_file_are_read_from_stdin(tmp_path: Path, data: bytes, shown: str) -> None:
    command = [sys.executable, "-c", SHOW, "-"]
    piped = subprocess.run(command, input=data, stdout=subprocess.PIPE, check=True)
    (tmp_path / "file").write_bytes(data)
    with (tmp_path / "file").open("rb") as file:
        redirected = subprocess.run(command, stdin=file, stdout=subprocess.PIPE, check=True)

    assert piped.stdout.decode().strip() == redirected.stdout.decode().strip() == shown


def test_a_named_pipe_is_an_input(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with subprocess.Popen([sys.executable, "-c", SHOW, str(tmp_path / "pipe")], stdout=subprocess.PIPE) as run:
        (tmp_path / "pipe").write_bytes(OPENAI * 2)
        assert run.stdout
        assert run.stdout.read().decode().strip() == "a:1 a:2"


def test_the_form_can_be_said(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"Hi, there\n")

    with Jobs(str(tmp_path / "a.csv"), Reading(form="text")) as jobs:
        assert [job.row for job in jobs] == [1]
