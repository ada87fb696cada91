"""Whoever says that no key leaks has to hear one that does."""

import logging

import pytest

from faults.outcome import Ear, leak
from faults.play import KEY, Case
from hfgen import HfgenError


@pytest.mark.parametrize("logger", ["hfgen.route", "aiohttp.client", "asyncio", "of_anybody"])
def test_the_ear_hears_every_logger_its_arguments_and_its_tracebacks(logger: str) -> None:
    key = Case("s401", "chat").key
    assert KEY.fullmatch(key)
    for say in (_as_message, _as_argument, _as_traceback):
        with Ear() as ear:
            say(logging.getLogger(logger), key)
        assert leak(key, None, ear) == "a log record", say.__name__


def _as_message(logger: logging.Logger, key: str) -> None:
    logger.debug(key)


def _as_argument(logger: logging.Logger, key: str) -> None:
    logger.debug("%.3s", key)


def _as_traceback(logger: logging.Logger, key: str) -> None:
    try:
        raise ValueError(key)
    except ValueError:
        logger.debug("it failed", exc_info=True)


def test_a_key_in_an_error_or_in_what_led_to_it_is_found() -> None:
    inner = ValueError("Zq7key000001qZvisible")
    outer = HfgenError("it failed")
    outer.__cause__ = inner
    with Ear() as ear:
        assert leak("Zq7key000001qZvisible", outer, ear) == "the traceback"
