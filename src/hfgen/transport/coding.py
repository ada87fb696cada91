"""Compressed answers: we ask for none, and proxies compress all the same.

What comes out is handed over in bounded pieces, so that a bomb is met piece by piece by whoever bounds the whole.
"""

import zlib
from collections.abc import Iterator
from typing import Final, Protocol

from hfgen.errors import ConnectionFailed, ServerError

PIECE: Final = 2**16
SMALL_PIECE: Final = 2**13
"""Of bytes that hold no event: they may be many tiny lines, which are dear to read."""
_MEMBER: Final = b"\x1f"  # a gzip file may go on with a further member
_HEADER: Final = 2  # bytes
_ANY_HEADER: Final = 47  # zlib's: gzip or zlib, as the data says


class Coding(Protocol):
    """What the bytes of a body go through.

    Attributes:
        piece: The largest piece from now on, in bytes.
    """

    piece: int

    def pieces(self, chunk: bytes) -> Iterator[bytes]:
        """What a chunk holds, in pieces of a bounded size."""
        ...

    def end(self) -> None:
        """The body has ended.

        Raises:
            ConnectionFailed: In the middle of the compressed data.
        """


class Identity:
    """Bytes as they come; a large chunk is cut, so that the work on it holds the event loop up for a moment only."""

    def __init__(self) -> None:
        self.piece = SMALL_PIECE

    def pieces(self, chunk: bytes) -> Iterator[bytes]:
        """The chunk itself, in slices."""
        return iter((chunk,)) if len(chunk) <= self.piece else self._slices(chunk)

    def end(self) -> None:
        """Nothing is held back."""

    def _slices(self, chunk: bytes) -> Iterator[bytes]:
        start = 0
        while start < len(chunk):
            end = start + self.piece
            yield chunk[start:end]
            start = end


class Inflated:
    """gzip and deflate, undone as they come.

    Args:
        bare: The data may lack zlib's header: so some servers understand `deflate`, and every browser takes it.
    """

    def __init__(self, *, bare: bool = False) -> None:
        self.piece = SMALL_PIECE
        self._inflate = zlib.decompressobj(_ANY_HEADER)
        self._begun = False
        self._bare = bare
        self._head = b""

    def pieces(self, chunk: bytes) -> Iterator[bytes]:
        """What the chunk holds, undone.

        Raises:
            ServerError: It is not what the header says.
        """
        self._begun = True
        if self._bare:
            chunk = self._head + chunk
            if len(chunk) < _HEADER:
                self._head = chunk
                return
            self._bare = False
            if not _has_header(chunk):
                self._inflate = zlib.decompressobj(-zlib.MAX_WBITS)
        while chunk:
            try:
                piece = self._inflate.decompress(chunk, self.piece)
            except zlib.error as error:
                raise ServerError("the server's answer is broken: its compression cannot be undone") from error
            chunk = self._inflate.unconsumed_tail
            if self._inflate.eof:
                chunk = self._inflate.unused_data
                if not chunk.startswith(_MEMBER):
                    chunk = b""  # padding
                else:
                    self._inflate = zlib.decompressobj(_ANY_HEADER)
            if piece:
                yield piece

    def end(self) -> None:
        """See that the compressed data has ended too."""
        if self._begun and not self._inflate.eof:
            raise ConnectionFailed("the server closed the connection in the middle of its compressed answer")


def _has_header(data: bytes) -> bool:
    """Whether data begins as zlib's does (RFC 1950, 2.2) or gzip's."""
    return data.startswith(b"\x1f\x8b") or (data[0] & 0x0F == zlib.DEFLATED and int.from_bytes(data[:2]) % 31 == 0)


def coding(name: str) -> Coding:
    """What undoes a `Content-Encoding`.

    Raises:
        ServerError: It is one that nobody asked for and few servers know.
    """
    match name.strip().lower():
        case "" | "identity":
            return Identity()
        case "gzip" | "x-gzip":
            return Inflated()
        case "deflate":
            return Inflated(bare=True)
        case other:
            raise ServerError(f"the server answers in the coding {other!r}, which was not asked for")
