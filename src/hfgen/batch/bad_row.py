"""A row that is no request: it fails by itself, and the rest of the batch goes on."""

import hashlib
from typing import Final

import msgspec

from hfgen.batch.result import Failure

CODE: Final = "invalid_row"


class RowFault(Exception):
    """Why a row is no request, in words for its author; it never leaves the package."""


class BadRow(msgspec.Struct, frozen=True):
    """What stands in the input where a job should stand.

    Attributes:
        custom_id: The row's own name where it can be read, else one by its number.
        digest: Of the row as it stands in the input: a row that was mended since has another.
        row: Its place in the input, from 1.
        message: What is wrong with it, and what to do.
    """

    custom_id: str
    digest: str
    row: int
    message: str

    @classmethod
    def of(cls, custom_id: str, raw: bytes, row: int, message: str) -> "BadRow":
        """The bad row of these bytes."""
        return cls(custom_id, hashlib.blake2b(raw, digest_size=8).hexdigest(), row, message)

    @property
    def failure(self) -> Failure:
        """The row's error, as its line in the output says it."""
        return Failure(CODE, self.message)
