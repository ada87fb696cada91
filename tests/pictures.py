"""Pictures to answer with, made here so that no file is needed."""

import io
import struct
import zlib

from PIL import Image


def png(width: int = 64, height: int = 48, shade: int = 0) -> bytes:
    """A PNG with nothing but its three chunks."""
    rows = b"".join(b"\0" + bytes((x + y + shade) % 256 for x in range(width)) for y in range(height))
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in ((b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    )


def jpeg(width: int = 64, height: int = 48) -> bytes:
    packed = io.BytesIO()
    Image.new("RGB", (width, height), (200, 90, 20)).save(packed, "JPEG")
    return packed.getvalue()
