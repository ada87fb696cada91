"""Words inside a PNG: text chunks in front of its end, every other byte as it was.

Source: PNG specification (third edition) 5.3 (chunk layout, CRC) and 11.3.3 (tEXt, iTXt).
"""

import struct
import zlib
from collections.abc import Mapping
from typing import Final

_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_TEXTS: Final = frozenset({b"tEXt", b"zTXt", b"iTXt"})
_AROUND: Final = 12  # bytes of a chunk beside its data: length, type, CRC


def with_texts(png: bytes, texts: Mapping[str, str]) -> bytes:
    """The same picture with texts by keyword; a keyword that it has already keeps what it says.

    Keywords are 1 to 79 letters of ASCII. What is no whole PNG comes back as it is.
    """
    there: set[bytes] = set()
    for place, kind, data in _chunks(png):
        if kind == b"IEND":
            new = (_chunk(word, text) for word, text in texts.items() if word.encode("ascii") not in there)
            return png[:place] + b"".join(new) + png[place:]
        if kind in _TEXTS:
            there.add(data.partition(b"\0")[0])
    return png


def _chunks(png: bytes) -> list[tuple[int, bytes, bytes]]:
    """Place, type and data of each chunk up to IEND, as far as they are whole."""
    found: list[tuple[int, bytes, bytes]] = []
    place = len(_SIGNATURE) if png.startswith(_SIGNATURE) else len(png)
    while place + _AROUND <= len(png):
        length, kind = struct.unpack_from(">I4s", png, place)
        after = place + _AROUND + length
        if after > len(png):
            break
        found.append((place, kind, png[place + 8 : after - 4] if kind in _TEXTS else b""))
        if kind == b"IEND":
            break
        place = after
    return found


def _chunk(keyword: str, text: str) -> bytes:
    """`tEXt` for plain ASCII, which every reader knows; `iTXt` for all else. NUL is not allowed in either."""
    text = text.replace("\0", "\ufffd")
    if text.isascii():
        kind, data = b"tEXt", keyword.encode("ascii") + b"\0" + text.encode("ascii")
    else:
        # keyword, NUL, not compressed (two bytes), no language, no translated keyword
        kind, data = b"iTXt", keyword.encode("ascii") + b"\0\0\0\0\0" + text.encode("utf-8", "replace")
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
