"""The index of rows needs the same memory for many rows as for few."""

import subprocess
import sys

import pytest

from hfgen.batch.journal.index import Index

PROGRAM = """
import resource, sys
from hfgen.batch.journal.index import Index

def memory():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024

index = Index()
before = memory()
rows = int(sys.argv[1])
index.record((b"%024x" % (n * 0x9E3779B97F4A7C15 % 2**64), "0123456789abcdef", True, n) for n in range(rows))
for n in range(0, 2 * rows, 2):
    found = index.meet("%024x" % (n * 0x9E3779B97F4A7C15 % 2**64), n + 1)
    assert (found is not None) == (n < rows)
assert index.recorded() == rows and index.unmet() == rows - (rows + 1) // 2
print(memory() - before)
"""


def mebibytes(rows: int) -> int:
    words = [sys.executable, "-c", PROGRAM, str(rows)]
    return int(subprocess.run(words, check=True, capture_output=True, text=True).stdout)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere memory is told in another unit")
def test_memory_does_not_grow_with_the_rows() -> None:
    assert mebibytes(150_000) < 8 + 6  # the cache, and what surrounds it; the list itself is larger


def test_any_name_is_told_from_any_other() -> None:
    names = ["a", "A", "a ", "", "\0", "a\0", "é", "e\u0301", "0", "00"]
    index = Index()
    assert [index.meet(name, row) for row, name in enumerate(names, 1)] == [None] * len(names)
    index.close()
