"""A file that is there whole or not at all."""

import os
import secrets
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from hfgen.errors import UsageError

STDOUT: Final = "-"


@contextmanager
def whole_file(place: str) -> Generator[BinaryIO]:
    """A file to write to, `-` for stdout; under its name there is nothing new before all of it is on the disk.

    Raises:
        UsageError: It cannot be made there.
        OSError: A write failed, and the place is as it was.
    """
    if place == STDOUT:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    path = Path(place).expanduser()
    hidden = path.with_name(f".{secrets.token_hex(8)}.part")
    try:
        file = hidden.open("xb")
    except OSError as error:
        raise UsageError(f"{place}: {error.strerror}") from None
    try:
        with file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        hidden.replace(path)
    finally:
        hidden.unlink(missing_ok=True)
