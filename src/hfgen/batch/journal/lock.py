"""One run at a time for one output: an advisory lock of the system on `OUT.lock`, which ends with its process.

However a process ends, the system takes its lock away: a lock file that a killed run left behind is in nobody's way.
The file holds who has the lock, for people and for `status`.
"""

import errno
import os
import socket
import sys
import time
from pathlib import Path
from typing import Final

import msgspec

from hfgen.batch.journal.durable import SAFELY, beside
from hfgen.batch.journal.output import file_of
from hfgen.errors import UsageError

_ENDING: Final = ".lock"
_PATIENCE: Final = (0.05, 0.1, 0.1)
"""Seconds: whoever only looks who has a lock (`holder`) has it for a moment."""
_NO_LOCKS_HERE: Final = {errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK, errno.EINVAL}
_TAKEN: Final = {errno.EACCES, errno.EAGAIN, errno.EDEADLK}

if sys.platform == "win32":
    import msvcrt

    _FAR_BEHIND: Final = 1 << 30  # what is locked cannot be read there, so it is a byte that nobody reads

    def _try(descriptor: int) -> None:
        os.lseek(descriptor, _FAR_BEHIND, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        os.lseek(descriptor, 0, os.SEEK_SET)

else:
    import fcntl

    def _try(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


class Holder(msgspec.Struct, frozen=True):
    """Who holds a lock.

    Attributes:
        pid: Its process, 0 where that is not known.
        host: The machine of that process.
    """

    pid: int = 0
    host: str = ""

    def __str__(self) -> str:
        elsewhere = f" on {self.host}" if self.host and self.host != socket.gethostname() else ""
        return f"process {self.pid or '(unknown)'}{elsewhere}"


class Lock:
    """The right to write an output; take it with `take`, give it back with `release`. It blocks for moments only."""

    def __init__(self, file: Path, descriptor: int, *, kept: bool) -> None:
        self._file = file
        self._descriptor = descriptor
        self.kept = kept
        """False where the file system knows no locks, as some on clusters: then nothing keeps a second run out."""

    @classmethod
    def take(cls, out: Path) -> "Lock":
        """Take the lock of an output.

        Raises:
            UsageError: Another run has it.
            OSError: The lock file cannot be made.
        """
        file = beside(out, _ENDING)
        patience = iter(_PATIENCE)
        while True:
            match cls._attempt(file):
                case Lock() as lock:
                    return lock
                case Holder() as holder:
                    if (pause := next(patience, None)) is None:
                        raise UsageError(
                            f"{holder} is writing to {out}",
                            hint="Wait for it or stop it; or give this run another --out.",
                        )
                    time.sleep(pause)
                case None:
                    continue

    def notices(self, out: Path) -> tuple[str, ...]:
        """What a person should be told of it, in sentences."""
        if self.kept:
            return ()
        return (f"The file system of {out} knows no locks: nothing keeps a second run from writing there too.",)

    @classmethod
    def _attempt(cls, file: Path) -> "Lock | Holder | None":
        """The lock; or who has it; or None, where whoever had it removed the file in the meantime."""
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | SAFELY, 0o644)
        try:
            kept = _locked(descriptor)
            if kept is None:
                return _read(descriptor)
            if not _is_still(file, descriptor):
                return None
            _sign(descriptor)
            lock = cls(file, descriptor, kept=kept)
            descriptor = -1
            return lock
        finally:
            if descriptor >= 0:
                os.close(descriptor)

    @staticmethod
    def holder(out: str | os.PathLike[str]) -> Holder | None:
        """Who writes to an output now; None where nobody does."""
        try:
            descriptor = os.open(beside(file_of(out), _ENDING), os.O_RDWR | SAFELY)
        except OSError:
            return None
        try:
            return _read(descriptor) if _locked(descriptor) is None else None
        finally:
            os.close(descriptor)

    def release(self) -> None:
        """Give it back, and leave no file behind."""
        if os.name == "nt":  # an open file cannot be removed there
            os.close(self._descriptor)
            return
        self._file.unlink(missing_ok=True)  # while it is held: `take` looks whether the file is still the one
        os.close(self._descriptor)


def _locked(descriptor: int) -> bool | None:
    """True: it is ours now. False: there are no locks here. None: somebody else has it."""
    try:
        _try(descriptor)
    except OSError as error:
        if error.errno in _TAKEN:
            return None
        if error.errno in _NO_LOCKS_HERE:
            return False
        raise
    return True


def _is_still(file: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), file.stat())
    except FileNotFoundError:
        return False


def _sign(descriptor: int) -> None:
    os.ftruncate(descriptor, 0)
    os.write(descriptor, msgspec.json.encode(Holder(os.getpid(), socket.gethostname())))


def _read(descriptor: int) -> Holder:
    try:
        return msgspec.json.decode(os.read(descriptor, 4096), type=Holder)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):  # it is just being signed
        return Holder()
