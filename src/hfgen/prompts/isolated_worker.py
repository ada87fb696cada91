"""The program that renders templates of strangers for `isolation`: a line of JSON in, a line of JSON out."""

import contextlib
import json
import math
import sys
import time
from datetime import datetime
from typing import Any, Final

from hfgen.errors import HfgenError
from hfgen.prompts.chat_template import ChatTemplate

_MEMORY: Final = 2**30  # bytes of address space
_SECONDS: Final = 30  # of CPU, for one rendering; the time limit of the other side comes long before


def main() -> None:
    """Answer until standard input ends, which it does with the process that started this one."""
    for line in sys.stdin:
        _limit()
        sys.stdout.write(json.dumps(_answer(json.loads(line))) + "\n")
        sys.stdout.flush()


def _limit() -> None:
    """Hard limits where the system has them (not on Windows; macOS ignores the one of memory)."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource  # noqa: PLC0415 - not on Windows

        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
        most = resource.getrlimit(resource.RLIMIT_CPU)[1]
        resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(time.process_time()) + _SECONDS, most))


def _answer(asked: dict[str, Any]) -> dict[str, str]:
    try:
        template = ChatTemplate(asked["source"], asked["special_tokens"])
        given = asked["render"]
        if given is None:
            return {"prompt": ""}
        now = given.pop("now")
        return {
            "prompt": template.render(**given.pop("template_kwargs"), **given, now=now and datetime.fromisoformat(now))
        }
    except HfgenError as error:
        return {"error": type(error).__name__, "message": error.message, "hint": error.hint}


if __name__ == "__main__":
    main()
