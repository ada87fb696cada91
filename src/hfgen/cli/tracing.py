"""`-v`: what the library notes of its way, on stderr."""

import logging

from typing_extensions import override

from hfgen.cli.terminal import aside


class _Asides(logging.Handler):
    @override
    def emit(self, record: logging.LogRecord) -> None:
        aside(self.format(record))


def trace() -> None:
    """Show the notes of the library's loggers as they come."""
    logger = logging.getLogger("hfgen")
    logger.addHandler(_Asides())
    logger.setLevel(logging.DEBUG)
