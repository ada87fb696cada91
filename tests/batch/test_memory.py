"""A million rows take the memory of one: what a process that reads them holds at most is the same for few and many."""

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from hfgen.batch.result import Account, Response, Result
from hfgen.batch.rows.input import Jobs

ROWS = int(
    os.environ.get("HFGEN_ROWS", "100000")
)  # a million by hand: HFGEN_ROWS=1000000 pytest tests/batch/test_memory.py
MOST = 4  # MiB that may differ
COUNT = """
import resource, sys
from hfgen.batch.rows.input import Jobs, Reading
with Jobs(sys.argv[1], Reading(limit=int(sys.argv[2]))) as jobs:
    rows = sum(1 for _ in jobs)
print(rows, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""
TABLE = """
import resource, sys
from pathlib import Path
from hfgen.batch.export.export import Export, export
done = export(Export(Path(sys.argv[1]), sys.argv[2], sys.argv[3], order=sys.argv[4]))
print(done.answers, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""
ANSWER = msgspec.Raw(
    b'{"choices":[{"message":{"content":"It is one more than the one before."},"finish_reason":"stop"}]}'
)
PROMPT = "Say, please, in one short sentence what the number {} has that its neighbours have not."
BODY = {"messages": [{"role": "user", "content": PROMPT}], "max_tokens": 50}
OPENAI = json.dumps({"custom_id": "row-N", "url": "/v1/chat/completions", "body": BODY})
LINES = {"openai.jsonl": OPENAI, "rows.jsonl": json.dumps({"prompt": PROMPT, "label": 3}), "in.csv": f'N,"{PROMPT}"'}


def peak(file: Path, limit: int) -> int:
    """MiB."""
    run = subprocess.run([sys.executable, "-c", COUNT, file, str(limit)], stdout=subprocess.PIPE, check=True, text=True)
    rows, most = map(int, run.stdout.split())
    assert rows == limit
    return most


def table(file: Path) -> None:
    """One row group, of cells that cannot be made smaller."""
    pa = pytest.importorskip("pyarrow", reason="the extra `tables` is not installed")
    parquet = pytest.importorskip("pyarrow.parquet")
    noise = random.Random(7)
    prompts = pa.table({"prompt": [noise.randbytes(200).hex() for _ in range(ROWS)]})
    parquet.write_table(prompts, file, row_group_size=ROWS)


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss is in other units elsewhere")
@pytest.mark.parametrize("name", list(LINES))
def test_memory_is_flat(name: str, tmp_path: Path) -> None:
    file = tmp_path / name
    with file.open("w", encoding="utf-8") as out:
        out.write("id,prompt\n" if name == "in.csv" else "")
        out.writelines(LINES[name].replace("N", str(row)) + "\n" for row in range(ROWS))

    few, many = peak(file, ROWS // 100), peak(file, ROWS)

    assert many - few <= MOST, f"{few} MiB for {ROWS // 100} rows, {many} MiB for {ROWS}"


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss is in other units elsewhere")
def test_memory_is_flat_within_a_row_group_of_parquet(tmp_path: Path) -> None:
    table(tmp_path / "in.parquet")

    few, many = peak(tmp_path / "in.parquet", ROWS // 100), peak(tmp_path / "in.parquet", ROWS)

    assert many - few <= 3 * MOST, f"{few} MiB for {ROWS // 100} rows, {many} MiB for {ROWS}"


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss is in other units elsewhere")
@pytest.mark.parametrize("order", ["input", "completion"])
def test_memory_is_flat_while_a_table_is_made(order: str, tmp_path: Path) -> None:
    few, many = exporting(tmp_path, ROWS // 100, order), exporting(tmp_path, ROWS, order)

    assert many - few <= MOST, f"{few} MiB for {ROWS // 100} rows, {many} MiB for {ROWS}"


def exporting(tmp_path: Path, rows: int, order: str) -> int:
    """MiB at most, for a batch of so many rows."""
    source, journal = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    with source.open("w", encoding="utf-8") as out:
        out.writelines(LINES["rows.jsonl"] + "\n" for _ in range(rows))
    with journal.open("wb") as results, Jobs(str(source)) as jobs:
        for job in jobs:
            account = Account(job.digest, job.row)
            results.write(Result("a", job.custom_id, Response(200, "", ANSWER), None, account).line())
    arguments = [journal, tmp_path / "table.csv", source, order]
    command = [sys.executable, "-c", TABLE, *map(str, arguments)]
    run = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
    answers, most = map(int, run.stdout.split())
    assert answers == rows
    return most
