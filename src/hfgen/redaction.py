"""Keep secrets out of everything that a person or a log may see.

Tokens are known by value (`conceal`), so that one is found even where a server echoes it in an error; what merely looks
like a token is hidden as well.
"""

import logging
import re
from collections import OrderedDict
from typing import Final

_MASK: Final = "[redacted]"
_SHORTEST_SECRET: Final = 6  # a shorter value would blank out ordinary words
_MOST_SECRETS: Final = 1024
_LOOKS_SECRET: Final = re.compile(
    r"\b(?:hf|sk|r8|gsk|fal|api_org)[_-][A-Za-z0-9_-]{16,}"
    r"|(?<=[Bb]earer )[^\s\"',;}]+"
    r"|(?<=[Bb]asic )[A-Za-z0-9+/=]{8,}"
    r"|(?i:(?<=cookie: )|(?<=cookie\": \"))[^\s\"'}]+"
    r"|(?<=://)[^/\s:@]+:[^/\s@]+(?=@)"
)

_concealed: OrderedDict[str, None] = OrderedDict()


def conceal(secret: str | None) -> None:
    """Remember a secret, so that `redact` hides it wherever it turns up in this process."""
    if secret and len(secret) >= _SHORTEST_SECRET:
        _concealed[secret] = None
        _concealed.move_to_end(secret)
        while len(_concealed) > _MOST_SECRETS:
            _concealed.popitem(last=False)


def redact(text: str) -> str:
    """Return `text` with every known or likely secret replaced by a mask."""
    for secret in tuple(_concealed):
        if secret in text:
            text = text.replace(secret, _MASK)
    return _LOOKS_SECRET.sub(_MASK, text)


class RedactingFilter(logging.Filter):
    """Rewrites each record of the `hfgen` loggers without its secrets."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Redact the finished message; a record is never dropped."""
        record.msg, record.args = redact(record.getMessage()), None
        return True
