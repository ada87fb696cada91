"""What a server said, for a person to read: its own words on one line, without markup and of bounded length.

All of it comes from strangers: every step is linear in the size of the body.
"""

import re
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, Final, cast

import msgspec

from hfgen.redaction import redact
from hfgen.wire_json import MALFORMED, patient

_LONGEST: Final = 200
_SNIPPET: Final = 120
_READ: Final = 65536
_SEARCHED: Final = 8192
_MOST_SENTENCES: Final = 8
_DEEPEST: Final = 8
_TAG: Final = re.compile(r"</?[A-Za-z!?][^<>]*(?:>|\Z)")
_SPACES: Final = re.compile(r"\s+")


def said_in(body: bytes) -> dict[str, Any]:
    """The body as a dict: its JSON object, or whatever else it is under "message"."""
    text = body.strip()
    old_llamacpp = text.startswith(b"error:")  # it wrote the line `error: {…}` in place of an event
    value = _json(text[6:] if old_llamacpp else text)
    if isinstance(value, dict):
        said = cast("dict[str, Any]", value)
        return {"error": said} if old_llamacpp else said
    if isinstance(value, (list, str)):
        return {"message": value}
    return {"message": body[:_READ].decode("utf-8", "replace")}


def words_of(said: Mapping[str, Any]) -> str:
    """The server's own words, on one line, trimmed; "" when it gave none."""
    found: dict[str, None] = {}
    for keys in (("error", "message", "detail"), ("errors", "msg", "title"), ("error_type", "type", "code")):
        texts = (text for key in keys for text in _texts(said.get(key)))
        found.update(dict.fromkeys(islice(texts, _MOST_SENTENCES)))
        if found:
            break
    if not found and isinstance(said.get("error"), dict):
        inner = cast("dict[str, Any]", said["error"])
        found.update(dict.fromkeys(text for key in ("type", "code") for text in _texts(inner.get(key))))
    return _trimmed("; ".join(found), _LONGEST)


def snippet(data: bytes) -> str:
    """The beginning of an answer that cannot be read, to be quoted in an error."""
    return _trimmed(_plain(data[:_READ].decode("utf-8", "replace")), _SNIPPET)


def is_page(data: bytes) -> bool:
    """Whether it is a web page."""
    head = data[:1024].lstrip().lower()
    return head.startswith(b"<") and (b"<html" in head or b"<!doctype html" in head or b"<head" in head)


def _json(data: bytes) -> object:
    """The JSON value, None when it is none."""
    try:
        return cast("object", msgspec.json.decode(data))
    except MALFORMED:
        pass
    try:
        return patient(data)
    except MALFORMED:
        return None


def _texts(value: object, depth: int = 0) -> Iterator[str]:
    """Every sentence in a value: a string, a list of them, FastAPI's `{loc, msg}`, OpenAI's `{message}`."""
    if depth > _DEEPEST:
        return
    if isinstance(value, str):
        if text := _plain(value):
            yield text
    elif isinstance(value, list):
        for item in cast("list[object]", value):
            yield from _texts(item, depth + 1)
    elif isinstance(value, dict):
        item = cast("dict[str, Any]", value)
        place = _place(item.get("loc"))
        for text in _texts(
            item.get("message") or item.get("msg") or item.get("detail") or item.get("error"), depth + 1
        ):
            yield f"{place}: {text}" if place else text


def _place(loc: object) -> str:
    if isinstance(loc, list):
        parts = cast("list[object]", loc)[:_DEEPEST]
        return ".".join(_plain(str(part)) for part in parts if isinstance(part, (str, int)))
    return _plain(loc) if isinstance(loc, str) else ""


def _plain(text: str) -> str:
    """A text without its markup: of a page its title, of anything else what stands between the tags."""
    text = text[:_READ]
    if "</" in text or text.lstrip().startswith("<"):  # not every "<eos>" is markup
        lowered = text.lower()
        for name in ("title", "h1"):
            if heading := _element(text, lowered, name):
                text = heading
                break
        else:
            if "<script" in lowered or "<style" in lowered:
                return "a web page without a title"
        text = _TAG.sub(" ", text)
    return _SPACES.sub(" ", text).strip()


def _element(text: str, lowered: str, name: str) -> str:
    """What the first element of that name holds, "" when there is none or it is not closed.

    By `find`, not by a pattern: `<title.*?</title` takes quadratic time on a body of many `<title>`.
    """
    if len(lowered) != len(text):
        return ""  # a letter whose lower case is two: the places would not match
    start = lowered.find(f"<{name}")
    begin = lowered.find(">", start) + 1 if start >= 0 else 0
    end = lowered.find(f"</{name}", begin) if begin else -1
    return text[begin:end].strip() if end > begin else ""


def _trimmed(text: str, longest: int) -> str:
    # Secrets go before the cut, for half a secret would not be recognised; none is longer than what is searched.
    text = redact(_SPACES.sub(" ", text[:_SEARCHED]))
    return text if len(text) <= longest else f"{text[: longest - 1]}…"
