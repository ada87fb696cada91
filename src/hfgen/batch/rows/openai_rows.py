"""Lines of an OpenAI Batch file: `{"custom_id", "method", "url", "body"}`, each checked by itself.

`method` may be left out. The body's types are those of the route; its own model wins over the run's.
"""

from typing import Final

import msgspec

from hfgen.batch.bad_row import BadRow, RowFault
from hfgen.batch.job import URLS, Job, Url
from hfgen.batch.rows.names import nameless
from hfgen.batch.rows.record import Record
from hfgen.openai_api import schema
from hfgen.openai_api.refusal import Refusal
from hfgen.wire_json import MALFORMED

_BODIES: Final[dict[Url, type[schema.ChatRequest | schema.TextRequest | schema.ImageRequest]]] = {
    "/v1/chat/completions": schema.ChatRequest,
    "/v1/completions": schema.TextRequest,
    "/v1/images/generations": schema.ImageRequest,
}


class _Line(msgspec.Struct, frozen=True):
    """A line as it may be: what is wrong with it is said in our own words."""

    custom_id: object = None
    method: object = "POST"
    url: object = None
    body: msgspec.Raw = msgspec.Raw(b"null")


_decode: Final = msgspec.json.Decoder(_Line).decode


def openai_job(line: Record) -> Job | BadRow:
    """The job of a line, or what is wrong with it; the fault names the line and the field."""
    name = nameless(line.row)
    try:
        if line.fault:
            raise RowFault(line.fault)
        read = _read(line.raw)
        name = _name(read.custom_id)
        url = _url(read)
        return Job.of(name, url, _body(read, url), line.row)
    except RowFault as fault:
        return BadRow.of(name, line.raw, line.row, f"line {line.row}: {fault}")
    except MALFORMED as error:  # in a field that the route does not know
        return BadRow.of(name, line.raw, line.row, f"line {line.row}: body: it is no JSON: {error}")


def _read(data: bytes) -> _Line:
    try:
        return _decode(data)
    except MALFORMED as error:
        raise RowFault(f'it is no JSON object {{"custom_id", "method", "url", "body"}}: {error}') from None


def _name(custom_id: object) -> str:
    if isinstance(custom_id, str) and custom_id:
        return custom_id
    shown = "missing" if custom_id is None else msgspec.json.encode(custom_id).decode()[:40]
    raise RowFault(f"custom_id: it is {shown}; give each line a text of its own")


def _url(line: _Line) -> Url:
    if line.method != "POST":
        raise RowFault(f"method: it is {line.method!r}; every request here is a POST")
    if line.url not in URLS:
        shown = "missing" if line.url is None else repr(line.url)[:80]
        raise RowFault(f"url: it is {shown}; it has to be one of {', '.join(URLS)}")
    return line.url


def _body(line: _Line, url: Url) -> bytes:
    body = bytes(line.body)
    try:
        schema.read(body, _BODIES[url])
    except Refusal as refused:
        raise RowFault(f"body: {refused.message}") from None
    return body
