"""Changes of files that a power cut cannot halve; all of it blocks."""

import os
from pathlib import Path
from typing import Final

SAFELY: Final = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
"""How files beside an output are opened: a link that somebody put there leads nowhere."""


def beside(file: Path, ending: str) -> Path:
    """The file of that name with an ending behind its own: `out.jsonl` and `.lock` make `out.jsonl.lock`."""
    return file.with_name(file.name + ending)


def replace(file: Path, data: bytes, *, lasting: bool = True) -> None:
    """Put other bytes into a file in one step: whoever reads it sees the old ones or the new ones.

    Only its owner may read it. What lies under the passing name `FILE.new` is overwritten: a killed process left it.

    Args:
        file: Its name.
        data: All that it is to hold.
        lasting: Whether a power cut right after must not undo it; else nobody waits for the disk.

    Raises:
        OSError: As the system says; the file is as it was.
    """
    passing = beside(file, ".new")
    try:
        passing.unlink(missing_ok=True)
        descriptor = os.open(passing, os.O_WRONLY | os.O_CREAT | os.O_EXCL | SAFELY, 0o600)
        with os.fdopen(descriptor, "wb") as new:
            new.write(data)
            new.flush()
            if lasting:
                os.fsync(new.fileno())
        passing.replace(file)
    except OSError:
        passing.unlink(missing_ok=True)
        raise
    if lasting:
        sync_folder(file.parent)


def sync_folder(folder: Path) -> None:
    """Make names last: after a rename or a new file, the folder itself has to reach the disk.

    Raises:
        OSError: As the system says.
    """
    if os.name == "nt":  # folders cannot be opened there, and NTFS journals names by itself
        return
    descriptor = os.open(folder, os.O_RDONLY | SAFELY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
