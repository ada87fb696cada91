"""An answer in the words of OpenAI's Responses API: items that open, grow and close, each event with its number."""

from collections.abc import Iterator
from typing import Any, Final, TypeAlias, assert_never

import msgspec
from typing_extensions import override

from hfgen.events import (
    Event,
    Finish,
    FinishReason,
    ImageResponse,
    Logprobs,
    Progress,
    Reasoning,
    Resumed,
    ToolCallDelta,
    Usage,
)
from hfgen.gateway.response_items import Call, Told, Words
from hfgen.openai_api.chat_chunks import left_out_of
from hfgen.openai_api.refusal import Refusal
from hfgen.openai_api.wording import Wording

_encode: Final = msgspec.json.Encoder().encode
# Why an answer is not complete (types/responses/response.py, IncompleteDetails).
_INCOMPLETE: Final[dict[Finish, str]] = {"length": "max_output_tokens", "content_filter": "content_filter"}
Placed: TypeAlias = tuple[int | None, Told]
"""An event, and the place of the item that it is of."""


class ResponseEvents(Wording):
    """Words one answer's events; what it has said is also the whole answer.

    Args:
        head: The response as it was asked for, without its state.
    """

    def __init__(self, head: dict[str, Any]) -> None:
        self._head = head
        self._number = 0
        self._items: list[Words | Call] = []
        self._last: Words | Call | None = None
        self._speaking: Words | None = None
        self._calls: dict[int, Call] = {}
        self._finish: Finish = "stop"
        self._left_out: dict[str, Any] = {}
        self._state = "in_progress"
        self.usage: Usage | None = None

    @override
    def chunk(self, event: Event) -> bytes:
        """The bytes that say this event, those that open and close items around it included."""
        return b"".join(self._worded(*each) for each in self._tell(event))

    def end(self) -> bytes:
        """Close what is open, and say the whole answer; what grew last is not complete where the answer is not."""
        told = [*self._began(), *self._silenced()]
        for call in self._calls.values():
            told += self._closed(call)
        self._calls.clear()
        self._state = "incomplete" if self._finish in _INCOMPLETE else "completed"
        told.append((None, (f"response.{self._state}", {"response": self.response()})))
        return b"".join(self._worded(*each) for each in told)

    def fault(self, refused: Refusal, request_id: str) -> bytes:
        """An error after the first byte: the answer failed.

        The event `error` comes last and holds the error under `error` too, as OpenAI's server sends it: there its
        client looks, and raises.
        """
        began = list(self._began())
        self._state = "failed"
        code = "rate_limit_exceeded" if refused.status == 429 else "server_error"  # noqa: PLR2004
        failed = {**self.response(), "error": {"code": code, "message": refused.message}}
        error = refused.said(request_id)
        said = {"code": error["code"], "message": refused.message, "param": refused.param, "error": error}
        told = [*began, (None, ("response.failed", {"response": failed})), (None, ("error", said))]
        return b"".join(self._worded(*each) for each in told)

    def response(self) -> dict[str, Any]:
        """The response as far as it was told; after `end`, the whole answer."""
        why = _INCOMPLETE.get(self._finish) if self._state == "incomplete" else None
        return {
            **self._head,
            "status": self._state,
            "error": None,
            "incomplete_details": {"reason": why} if why else None,
            "output": [item.item() for item in self._items],
            "usage": usage_of(self.usage or Usage()) if self._state in ("completed", "incomplete") else None,
            **self._left_out,
        }

    def _tell(self, event: Event) -> Iterator[Placed]:
        if isinstance(event, Progress | Resumed):
            return  # there is no word for it; and until the answer begins, an error can still be a status
        yield from self._began()
        match event:
            case str():
                yield from self._spoken(event, thought=False)
            case Reasoning():
                yield from self._spoken(event.text, thought=True)
            case ImageResponse():
                yield from self._spoken(str(event), thought=False)
            case ToolCallDelta():
                yield from self._called(event)
            case Logprobs():
                if self._speaking and not self._speaking.thought:
                    self._speaking.weighed(event.tokens)
            case FinishReason():
                self._finish = event.reason
                self._left_out = left_out_of([[event]])
            case Usage():
                self.usage = event
            case _:
                assert_never(event)

    def _began(self) -> Iterator[Placed]:
        if self._number == 0:
            for name in ("response.created", "response.in_progress"):
                yield None, (name, {"response": self.response()})

    def _spoken(self, text: str, *, thought: bool) -> Iterator[Placed]:
        if self._speaking is None or self._speaking.thought != thought:
            yield from self._silenced()
            self._speaking = Words(thought=thought)
            self._items.append(self._speaking)
            for told in self._speaking.opened():
                yield len(self._items) - 1, told
        self._last = self._speaking
        yield self._items.index(self._speaking), self._speaking.said(text)

    def _called(self, event: ToolCallDelta) -> Iterator[Placed]:
        yield from self._silenced()
        call = self._calls.get(event.index)
        if call is None:
            call = self._calls[event.index] = Call(event)
            self._items.append(call)
            for told in call.opened():
                yield len(self._items) - 1, told
        self._last = call
        if event.arguments:
            yield self._items.index(call), call.said(event.arguments)

    def _silenced(self) -> Iterator[Placed]:
        if self._speaking is not None:
            yield from self._closed(self._speaking)
            self._speaking = None

    def _closed(self, item: Words | Call) -> Iterator[Placed]:
        cut = self._finish in _INCOMPLETE and item is self._last
        place = self._items.index(item)
        for told in item.closed("incomplete" if cut else "completed"):
            yield place, told

    def _worded(self, place: int | None, told: Told) -> bytes:
        name, said = told
        where = {} if place is None else {"output_index": place}
        data = _encode({"type": name, "sequence_number": self._number, **where, **said})
        self._number += 1
        return b"event: " + name.encode() + b"\ndata: " + data + b"\n\n"


def usage_of(usage: Usage) -> dict[str, Any]:
    """Usage in the words of the Responses API."""
    return {
        "input_tokens": usage.prompt_tokens,
        "input_tokens_details": {"cached_tokens": usage.cached_tokens, "cache_write_tokens": 0},
        "output_tokens": usage.completion_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "total_tokens": usage.total_tokens,
    }
