"""Where the lines of a gateway that runs by itself go; one that is mounted leaves that to the app around it."""

import asyncio
import logging
import sys
from typing import Final

from typing_extensions import override

from hfgen.gateway.journal import LOG
from hfgen.redaction import redact


class _Redacted(logging.Formatter):
    """No token in any line, its traceback included."""

    @override
    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record))


_WORDS: Final = _Redacted("%(asctime)s %(levelname)s %(name)s: %(message)s")


def write_logs() -> None:
    """One JSON line a request to stdout; warnings and errors, uvicorn's too, in words to stderr."""
    lines = logging.StreamHandler(sys.stdout)
    lines.setFormatter(logging.Formatter("%(message)s"))
    LOG.handlers[:] = [lines]
    LOG.setLevel(logging.INFO)
    LOG.propagate = False
    words = logging.StreamHandler(sys.stderr)
    words.setFormatter(_WORDS)
    words.addFilter(_is_news)
    for name in ("hfgen", "uvicorn.error", "asyncio"):
        logger = logging.getLogger(name)
        logger.handlers[:] = [words]
        logger.setLevel(logging.WARNING)
        logger.propagate = False


def _is_news(record: logging.LogRecord) -> bool:
    """An answer that was cut off at the end of the drain has its line already, and was told to its caller."""
    return not (record.exc_info and isinstance(record.exc_info[1], asyncio.CancelledError))
