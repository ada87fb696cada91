"""Keep secrets out of everything that a person or a log may see, and control characters out of messages.

Tokens are known by value (`conceal`), so that one is found even where a server echoes it in an error, URL-encoded or
escaped as JSON or HTML do; what merely looks like a token is hidden as well.
"""

import html
import json
import re
from collections import OrderedDict
from typing import Final
from urllib.parse import quote, quote_plus

_MASK: Final = "[redacted]"
_SHORTEST_SECRET: Final = 6  # a shorter value would blank out ordinary words
_MOST_SECRETS: Final = 1024
_LOOKS_SECRET: Final = re.compile(
    r"\b(?:hf_|(?:sk|r8|gsk|fal|api_org)[_-])[A-Za-z0-9_-]{16,}"
    r"|\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*"  # a JSON web token
    r"|(?<=://)[^/\s:@]+:[^/\s@]+(?=@)"
)
# A word that announces a secret is kept, what follows it is not. Each repetition is bounded: the text is a stranger's.
_ANNOUNCED: Final = re.compile(
    r"(?P<word>(?i:\bcookie[\"']?\s{0,4}[:=]\s{0,4}[\"']?))[^\"'\r\n}]+"
    r"|(?P<key>(?i:\b(?:(?:proxy-)?authorization|x-api-key|api[-_]?key|access[-_]token)[\"']?\s{0,4}[:=]\s{0,4}[\"']?"
    r"(?:(?:bearer|basic|key|token)\s{1,4})?))[^\s\"',;}&]+"
    r"|(?P<scheme>(?i:\bbearer\s{1,4}))[^\s\"',;}]+"
    r"|(?P<basic>(?i:\bbasic\s{1,4}))(?=[A-Za-z]*[0-9+/=])[A-Za-z0-9+/=]{8,}"
)
# C0 and C1 but tab and line feed, DEL, and what turns the direction of writing: a message may end up on a terminal.
_CONTROLS: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_HALVES: Final = re.compile("[\ud800-\udfff]")

_concealed: OrderedDict[str, tuple[str, ...]] = OrderedDict()


def conceal(secret: str | None) -> None:
    """Remember a secret, so that `redact` hides it wherever it turns up in this process."""
    if secret and len(secret) >= _SHORTEST_SECRET:
        if secret not in _concealed:
            _concealed[secret] = _spellings(secret)
        _concealed.move_to_end(secret)
        while len(_concealed) > _MOST_SECRETS:
            _concealed.popitem(last=False)


def redact(text: str) -> str:
    """Return `text` with every known or likely secret replaced by a mask."""
    return _LOOKS_SECRET.sub(_MASK, _ANNOUNCED.sub(_masked, _without_known(text)))


def without_tokens(text: str) -> str:
    """Mask known secrets and what has the form of a token, and no mere words: for a prompt that speaks of a bearer."""
    return _LOOKS_SECRET.sub(_MASK, _without_known(text))


def _without_known(text: str) -> str:
    found = [spelling for spellings in tuple(_concealed.values()) for spelling in spellings if spelling in text]
    for spelling in sorted(found, key=len, reverse=True):  # one secret may begin with another
        text = text.replace(spelling, _MASK)
    return text


def presentable(text: str) -> str:
    """`text` as a message: without control characters, which could hide a secret, and without secrets."""
    return redact(_HALVES.sub("\ufffd", _CONTROLS.sub("", text)))


def _masked(match: re.Match[str]) -> str:
    return f"{match[match.lastgroup or 0]}{_MASK}"


def _spellings(secret: str) -> tuple[str, ...]:
    """The secret as it is, and as a URL, JSON or HTML spells it; each once."""
    quoted = (quote(secret, safe="", errors="replace"), quote(secret, errors="replace"))
    plus = quote_plus(secret, errors="replace")
    small = tuple(re.sub(r"%[0-9A-F]{2}", lambda match: match[0].lower(), text) for text in (*quoted, plus))
    escaped = (json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1])
    slashed = tuple(text.replace("/", "\\/") for text in (secret, *escaped))
    return tuple(dict.fromkeys((secret, *quoted, plus, *small, *escaped, *slashed, html.escape(secret))))
