"""A million rows take the memory of one: what a process that reads them holds at most is the same for few and many."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROWS = int(
    os.environ.get("HFGEN_ROWS", "100000")
)  # a million by hand: HFGEN_ROWS=1000000 pytest tests/batch/test_memory.py
MOST = 4  # MiB that may differ
COUNT = """
import resource, sys
from hfgen.batch.input import Jobs, Reading
with Jobs(sys.argv[1], Reading(limit=int(sys.argv[2]))) as jobs:
    rows = sum(1 for _ in jobs)
print(rows, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""
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


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss is in other units elsewhere")
@pytest.mark.parametrize("name", list(LINES))
def test_memory_is_flat(name: str, tmp_path: Path) -> None:
    file = tmp_path / name
    with file.open("w", encoding="utf-8") as out:
        out.write("id,prompt\n" if name == "in.csv" else "")
        out.writelines(LINES[name].replace("N", str(row)) + "\n" for row in range(ROWS))

    few, many = peak(file, ROWS // 100), peak(file, ROWS)

    assert many - few <= MOST, f"{few} MiB for {ROWS // 100} rows, {many} MiB for {ROWS}"
