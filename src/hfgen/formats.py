"""What a picture's bytes show without decoding it: how large it is, and whether all of it is there.

Nothing here trusts the bytes: each step goes forward, and each reading past the end is "not whole" or "no size".
"""

import struct
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import Final, NamedTuple

from hfgen.media import Media


class Pixels(NamedTuple):
    """Width and height of a picture."""

    width: int
    height: int


class _Segment(NamedTuple):
    kind: int
    start: int
    end: int


_STANDALONE: Final = frozenset({0x01, *range(0xD0, 0xD9)})  # TEM, RSTn, SOI: no length follows
_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # start of frame; not DHT, JPG, DAC
_SCAN: Final = 0xDA
_BMP_CORE: Final = 12
_BOX: Final = 8
_LARGE_BOX: Final = 16
_META: Final = int.from_bytes(b"meta", "big")


def dimensions(media: Media) -> Pixels | None:
    """Width and height as the head tells them; None where it does not."""
    read = _SIZES.get(media.media_type)
    try:
        width, height = read(media.data) if read else (0, 0)
    except (struct.error, IndexError):
        return None
    return Pixels(width, height) if width > 0 and height > 0 else None


def is_whole(media: Media) -> bool:
    """Whether the bytes go on to the picture's own end, and are those that were written where a checksum tells."""
    check = _ENDS.get(media.media_type)
    try:
        return check is None or check(media.data)
    except (struct.error, IndexError):
        return False


def _png_size(data: bytes) -> tuple[int, int]:
    width, height = struct.unpack_from(">II", data, 16)
    return (width, height) if data[12:16] == b"IHDR" else (0, 0)


def _png_whole(data: bytes) -> bool:
    """Chunks of length, type, data and CRC, up to IEND (PNG, third edition, 5.3)."""
    view, at = memoryview(data), 8
    while at + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        end = at + 8 + length
        if end + 4 > len(data) or zlib.crc32(view[at + 4 : end]) != struct.unpack_from(">I", data, end)[0]:
            return False
        if data[at + 4 : at + 8] == b"IEND":
            return True
        at = end + 4
    return False


def _segments(data: bytes) -> Iterator[_Segment]:
    """The marker segments of a JPEG up to its first scan, which is the last (ITU T.81, B.1.1)."""
    at = 2
    while at + 1 < len(data) and data[at] == 0xFF:  # noqa: PLR2004
        kind = data[at + 1]
        if kind == 0xFF or kind in _STANDALONE:  # noqa: PLR2004 - a fill byte
            at += 1 if kind == 0xFF else 2  # noqa: PLR2004
            continue
        (length,) = struct.unpack_from(">H", data, at + 2)
        yield _Segment(kind, at + 4, at + 2 + length)
        if kind == _SCAN:
            return
        at += 2 + length


def _jpeg_size(data: bytes) -> tuple[int, int]:
    frame = next((segment for segment in _segments(data) if segment.kind in _FRAMES), None)
    height, width = struct.unpack_from(">HH", data, frame.start + 1) if frame else (0, 0)
    return width, height


def _jpeg_whole(data: bytes) -> bool:
    """The end marker after the first scan; that of a thumbnail in the head is none."""
    return any(segment.kind == _SCAN and data.rfind(b"\xff\xd9", segment.end) >= 0 for segment in _segments(data))


def _gif_size(data: bytes) -> tuple[int, int]:
    width, height = struct.unpack_from("<HH", data, 6)
    return width, height


def _gif_whole(data: bytes) -> bool:
    return data.rstrip(b"\0").endswith(b";")


def _webp_size(data: bytes) -> tuple[int, int]:
    """RFC 9649: the canvas of the extended form, else the frame of the one image."""
    match data[12:16]:
        case b"VP8X":
            return 1 + int.from_bytes(data[24:27], "little"), 1 + int.from_bytes(data[27:30], "little")
        case b"VP8L" if data[20] == 0x2F:  # noqa: PLR2004 - its signature
            (bits,) = struct.unpack_from("<I", data, 21)
            return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
        case b"VP8 " if data[23:26] == b"\x9d\x01\x2a":
            width, height = struct.unpack_from("<HH", data, 26)
            return width & 0x3FFF, height & 0x3FFF
        case _:
            return 0, 0


def _webp_whole(data: bytes) -> bool:
    (length,) = struct.unpack_from("<I", data, 4)
    return bool(length + 8 <= len(data))


def _bmp_size(data: bytes) -> tuple[int, int]:
    (head,) = struct.unpack_from("<I", data, 14)
    width, height = struct.unpack_from("<HH" if head == _BMP_CORE else "<ii", data, 18)
    return width, abs(height)  # a negative height: the rows go from top to bottom


def _bmp_whole(data: bytes) -> bool:
    (length,) = struct.unpack_from("<I", data, 2)
    return bool(length <= len(data))


def _boxes(data: bytes) -> Iterator[_Segment]:
    """Boxes of length and type, one after the other (ISO/IEC 14496-12, 4.2); the last may reach beyond the data."""
    at = 0
    while at < len(data):
        length, kind = struct.unpack_from(">II", data, at)
        head = _BOX
        if length == 1:
            (length,) = struct.unpack_from(">Q", data, at + _BOX)
            head = _LARGE_BOX
        elif length == 0:  # up to the end of the file
            length = len(data) - at
        if length < head:
            raise struct.error("a box that is shorter than its own head")
        yield _Segment(kind, at + head, at + length)
        at += length


def _avif_size(data: bytes) -> tuple[int, int]:
    """The largest extent that a property tells (ISO/IEC 23008-12, 6.5.3): parts of a grid have smaller ones."""
    sizes: list[tuple[int, int]] = []
    meta = next((box for box in _boxes(data) if box.kind == _META), _Segment(_META, 0, 0))
    at = data.find(b"ispe", meta.start, meta.end)
    while at >= 0 and len(sizes) < 64:  # noqa: PLR2004
        sizes.append(struct.unpack_from(">II", data, at + 8))
        at = data.find(b"ispe", at + 4, meta.end)
    return max(sizes, key=lambda size: size[0] * size[1], default=(0, 0))


def _avif_whole(data: bytes) -> bool:
    end = 0
    for box in _boxes(data):
        end = box.end
    return end == len(data)


_SIZES: Final[Mapping[str, Callable[[bytes], tuple[int, int]]]] = {
    "image/png": _png_size,
    "image/jpeg": _jpeg_size,
    "image/gif": _gif_size,
    "image/webp": _webp_size,
    "image/bmp": _bmp_size,
    "image/avif": _avif_size,
}
_ENDS: Final[Mapping[str, Callable[[bytes], bool]]] = {
    "image/png": _png_whole,
    "image/jpeg": _jpeg_whole,
    "image/gif": _gif_whole,
    "image/webp": _webp_whole,
    "image/bmp": _bmp_whole,
    "image/avif": _avif_whole,
}
