"""Checks of a client, each a function whose name says what holds; a line for each, and the exit code for all.

The programs run where neither hfgen nor pytest is installed. They get their addresses from the environment:
GATEWAY and KEY, in front of a server whose answers are known, and LOCAL, in front of the real engine.
"""

import asyncio
import inspect
import os
import sys
import traceback
from collections.abc import Callable

GATEWAY = os.environ["GATEWAY"]
KEY = os.environ["KEY"]
LOCAL = os.environ["LOCAL"]
ALL = "Streams end with a reason."
HELLO = [{"role": "user", "content": "Say hello."}]
WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather in a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}

_checks: list[Callable[[], object]] = []


def check(function: Callable[[], object]) -> Callable[[], object]:
    """Mark what is to be run."""
    _checks.append(function)
    return function


def run() -> None:
    """Run all, say how each went, and leave."""
    wrong = 0
    for function in _checks:
        name = function.__name__.replace("_", " ")
        try:
            asyncio.run(function()) if inspect.iscoroutinefunction(function) else function()
        except Exception:  # noqa: BLE001 - whatever goes wrong is the finding
            wrong += 1
            print(f"  WRONG {name}")
            traceback.print_exc(limit=-3, file=sys.stdout)
        else:
            print(f"  ok    {name}")
    sys.exit(1 if wrong else 0)
