"""Why an answer ended, in the words of every server."""

import re
from collections.abc import Mapping
from typing import Final

from hfgen.errors import ServerError
from hfgen.events import Finish

# OpenAI's own reasons, and what TGI, together, old servers and gateways to other APIs say for them.
_FINISH: Final[Mapping[str, Finish]] = {
    "length": "length",
    "max_tokens": "length",
    "max_new_tokens": "length",
    "model_length": "length",
    "tool_calls": "tool_calls",
    "tool_use": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
    "safety": "content_filter",
}
# DashScope writes "null" in every chunk but the last.
_NOT_YET: Final = frozenset({"", "null", "none", "not_finished", "in_progress"})
# What is no end but a failure: OpenRouter and vLLM, SGLang, DeepSeek; and whatever else is called so.
_GAVE_UP: Final = re.compile(r"error|abort|cancel|fail|time_?out|timed.out|insufficient_system_resource")


def finish_of(reason: str) -> Finish | None:
    """The reason in OpenAI's words, `stop` for one that nobody knows; None where it says that more comes.

    Raises:
        ServerError: The server gives as its reason to end that it failed.
    """
    said = reason.lower()
    if said in _NOT_YET:
        return None
    if _GAVE_UP.search(said):
        raise ServerError(f"the server gave up: its reason to end is {reason[:80]!r}", status=500)
    return _FINISH.get(said, "stop")
