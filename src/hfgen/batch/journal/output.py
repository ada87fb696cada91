"""The file of an output: which one it is, whether it can be a journal at all, and what to say when it fails."""

import errno
import os
import stat
from pathlib import Path
from typing import Final

from hfgen.batch.journal.durable import SAFELY
from hfgen.errors import OutputFailed, UsageError

_FULL: Final = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}
_NOT_ALLOWED: Final = {errno.EACCES, errno.EPERM, errno.EROFS}


def file_of(out: str | os.PathLike[str]) -> Path:
    """The file itself, where a link leads to it: what belongs to it lies beside it, by whichever name it is called."""
    return Path(os.path.realpath(Path(out).expanduser()))


def check_kind(file: Path) -> None:
    """Let through a regular file, there already or not: only that can be read again.

    Raises:
        UsageError: It is something else, or its folder does not exist.
        OSError: As the system says.
    """
    if not file.parent.is_dir():
        raise UsageError(f"there is no folder {file.parent}", hint="Make it, or give another --out.")
    try:
        mode = file.stat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISREG(mode):
        what = "a folder" if stat.S_ISDIR(mode) else "a pipe or a device"
        raise UsageError(
            f"{file} is {what}: the output has to be a file, since the next start reads from it what is done",
            hint="Give --out a file.",
        )


def opened(file: Path) -> int:
    """A descriptor that appends; a new file has the permissions that its user's umask leaves.

    Raises:
        OSError: As the system says.
    """
    return os.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND | SAFELY, 0o666)


def failed(file: Path, error: OSError) -> OutputFailed:
    """The error in words, with what to do."""
    where = f" ({error.filename})" if error.filename and error.filename != os.fspath(file) else ""
    return OutputFailed(f"{file} cannot be written: {error.strerror or error}{where}", hint=_hint(file, error.errno))


def _hint(file: Path, number: int | None) -> str:
    if number in _NOT_ALLOWED:
        return f"Beside the output a run makes other files, so it has to be allowed to write in {file.parent}."
    if number in _FULL:
        return "What was recorded is kept. Free space and run the same command again."
    if number == errno.EFBIG:
        return "What was recorded is kept. Raise the limit of file sizes (ulimit -f) and run the same command again."
    return "What was recorded is kept. When the cause is mended, run the same command again."
