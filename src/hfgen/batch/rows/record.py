"""A row of a table before anything is made of it."""

from typing import Any

import msgspec


class Record(msgspec.Struct, frozen=True):
    """One row as it was read.

    Attributes:
        row: Its place in the input, from 1: the line in JSONL and in plain text, the row below the header in tables.
        values: What its columns hold; empty where it could not be read.
        raw: The bytes it was read from, or bytes that differ where the row does; none where `values` say it all.
        fault: Why it could not be read, "" where it could.
    """

    row: int
    values: dict[str, Any]
    raw: bytes
    fault: str = ""
