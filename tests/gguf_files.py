"""GGUF files as small as a test needs, and one key of a real one set anew."""

import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_BOOL, _STRING, _ARRAY, _U32 = 7, 8, 9, 4


def text(value: str) -> bytes:
    raw = value.encode()
    return struct.pack("<Q", len(raw)) + raw


def entry(key: str, value: Any) -> bytes:
    match value:
        case bool():
            return text(key) + struct.pack("<I?", _BOOL, value)
        case int():
            return text(key) + struct.pack("<II", _U32, value)
        case str():
            return text(key) + struct.pack("<I", _STRING) + text(value)
        case _:
            return text(key) + struct.pack("<IIQ", _ARRAY, _STRING, len(value)) + b"".join(map(text, value))


def gguf(values: Mapping[str, Any], version: int = 3) -> bytes:
    head = b"GGUF" + struct.pack("<IQQ", version, 0, len(values))
    return head + b"".join(entry(key, value) for key, value in values.items())


def with_flag(source: Path, target: Path, key: str, value: bool) -> None:
    """A copy of a file in which a key that holds a truth value holds another one."""
    data = bytearray(source.read_bytes())
    start = bytes(text(key) + struct.pack("<I", _BOOL))
    place = data.index(start) + len(start)
    data[place] = value
    target.write_bytes(data)
