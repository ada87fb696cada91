"""How many rows an input has, without reading what they say: for those who want to know how far a batch is."""

import csv
from pathlib import Path
from typing import Final

from hfgen.batch.input import Reading
from hfgen.batch.lines import LONGEST
from hfgen.batch.source import STDIN, open_source
from hfgen.batch.tables import text_lines
from hfgen.errors import UsageError

_BLOCK: Final = 2**20


def count_rows(place: str, reading: Reading) -> int | None:
    """The rows of this share of the input; None where it can be read only once, or not at all.

    Blank lines of JSON count too, so that it may be too high by these. It blocks: a second for a gigabyte of lines.
    """
    if place == STDIN or not Path(place).expanduser().is_file():
        return None
    try:
        rows = _counted(place, reading)
    except (OSError, UsageError, csv.Error):
        return None
    if reading.limit is not None:
        rows = min(rows, reading.limit)
    return max(0, rows - reading.shard.index) // reading.shard.of + (rows >= reading.shard.index)


def _counted(place: str, reading: Reading) -> int:
    source = open_source(place, reading.form, columns=reading.asking.wanted)
    with source.file as file:
        match source.form:
            case "csv" | "tsv":
                csv.field_size_limit(max(LONGEST, csv.field_size_limit()))
                reader = csv.reader(text_lines(file), delimiter="," if source.form == "csv" else "\t")
                return max(0, sum(1 for fields in reader if fields) - 1)
            case "parquet":
                from hfgen.batch.arrow import row_count  # noqa: PLC0415 - pyarrow is heavy, and an extra

                return row_count(source)
            case "openai" | "jsonl" | "text":
                rows, last = 0, b"\n"
                while block := file.read(_BLOCK):
                    rows += block.count(b"\n")
                    last = block[-1:]
                return rows + (last != b"\n")
