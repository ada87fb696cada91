"""Small real pictures, made when they are needed."""

import io
import struct
import zlib

from PIL import Image


def png(width: int = 8, height: int = 8, shade: int = 0) -> bytes:
    """A grey picture; `shade` makes its bytes differ from another's."""
    rows = (b"\0" + bytes((shade + row) % 256 for _ in range(width)) for row in range(height))
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return png_of((b"IHDR", head), (b"IDAT", zlib.compress(b"".join(rows))), (b"IEND", b""))


def png_of(*chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG of these chunks, each with its checksum."""
    written = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(written)


def huge_png(width: int, height: int) -> bytes:
    """A few bytes that claim to be very many pixels."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return png_of((b"IHDR", head), (b"IDAT", zlib.compress(b"")), (b"IEND", b""))


def picture_of(kind: str, width: int = 24, height: int = 16, **options: object) -> bytes:
    """A picture as Pillow writes it."""
    file = io.BytesIO()
    Image.effect_noise((width, height), 64).convert("RGB").save(file, kind, **options)
    return file.getvalue()
