"""Compressed answers: we ask for none, and proxies compress all the same.

What comes out is handed over in bounded pieces, so that a bomb is met piece by piece by whoever bounds the whole.
"""

import zlib
from collections.abc import Iterator
from typing import Final, Protocol

from hfgen.errors import ConnectionFailed, ServerError

PIECE: Final = 2**16
_MEMBER: Final = b"\x1f"  # a gzip file may go on with a further member
_ANY_HEADER: Final = 47  # zlib's: gzip or zlib, as the data says


class Coding(Protocol):
    """What the bytes of a body go through."""

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

    def pieces(self, chunk: bytes) -> Iterator[bytes]:
        """The chunk itself, in slices."""
        return iter((chunk,)) if len(chunk) <= PIECE else self._slices(chunk)

    def end(self) -> None:
        """Nothing is held back."""

    def _slices(self, chunk: bytes) -> Iterator[bytes]:
        for start in range(0, len(chunk), PIECE):
            yield chunk[start : start + PIECE]


class Inflated:
    """gzip and deflate, undone as they come."""

    def __init__(self) -> None:
        self._inflate = zlib.decompressobj(_ANY_HEADER)
        self._begun = False

    def pieces(self, chunk: bytes) -> Iterator[bytes]:
        """What the chunk holds, undone.

        Raises:
            ServerError: It is not what the header says.
        """
        self._begun = True
        while chunk:
            try:
                piece = self._inflate.decompress(chunk, PIECE)
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


def coding(name: str) -> Coding:
    """What undoes a `Content-Encoding`.

    Raises:
        ServerError: It is one that nobody asked for and few servers know.
    """
    match name.strip().lower():
        case "" | "identity":
            return Identity()
        case "gzip" | "x-gzip" | "deflate":
            return Inflated()
        case other:
            raise ServerError(f"the server answers in the coding {other!r}, which was not asked for")
