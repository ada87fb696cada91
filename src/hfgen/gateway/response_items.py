"""The items that an answer of the Responses API is made of, each with the events of its life.

Shapes: openai-python types/responses/response_*_event.py, response_output_message.py, response_reasoning_item.py,
response_function_tool_call.py. What stands in an item goes from `output_item.added` to `output_item.done`.
"""

import secrets
from collections.abc import Iterator
from typing import Any, Literal, TypeAlias

from hfgen.events import TokenLogprob, ToolCallDelta
from hfgen.openai_api.chat_chunks import logprob_of

Status: TypeAlias = Literal["in_progress", "completed", "incomplete"]
Told: TypeAlias = tuple[str, dict[str, Any]]
"""An event's type, and what it says beside its place."""


class Words:
    """A message, or the thoughts before it: one part of text."""

    def __init__(self, *, thought: bool) -> None:
        self.thought = thought
        self.id = f"{'rs' if thought else 'msg'}_{secrets.token_hex(12)}"
        self.status: Status = "in_progress"
        self._kind = "reasoning_text" if thought else "output_text"
        self._pieces: list[str] = []
        self._logprobs: list[dict[str, Any]] = []

    def opened(self) -> Iterator[Told]:
        """The events before its first text."""
        yield "response.output_item.added", {"item": self.item(empty=True)}
        yield "response.content_part.added", {"item_id": self.id, "content_index": 0, "part": self._part(empty=True)}

    def said(self, text: str) -> Told:
        """The event of more text."""
        self._pieces.append(text)
        more: dict[str, Any] = {} if self.thought else {"logprobs": []}
        return f"response.{self._kind}.delta", {"item_id": self.id, "content_index": 0, "delta": text, **more}

    def weighed(self, tokens: tuple[TokenLogprob, ...]) -> None:
        """Log probabilities of the text so far; they are said when it is complete."""
        self._logprobs += map(logprob_of, tokens)

    def closed(self, status: Status) -> Iterator[Told]:
        """The events after its last text."""
        self.status = status
        place = {"item_id": self.id, "content_index": 0}
        more: dict[str, Any] = {} if self.thought else {"logprobs": self._logprobs}
        yield f"response.{self._kind}.done", {**place, "text": "".join(self._pieces), **more}
        yield "response.content_part.done", {**place, "part": self._part()}
        yield "response.output_item.done", {"item": self.item()}

    def item(self, *, empty: bool = False) -> dict[str, Any]:
        """The item itself."""
        content = [] if empty else [self._part()]
        if self.thought:
            return {"id": self.id, "type": "reasoning", "status": self.status, "summary": [], "content": content}
        return {"id": self.id, "type": "message", "status": self.status, "role": "assistant", "content": content}

    def _part(self, *, empty: bool = False) -> dict[str, Any]:
        text = "" if empty else "".join(self._pieces)
        if self.thought:
            return {"type": self._kind, "text": text}
        return {"type": self._kind, "text": text, "annotations": [], "logprobs": [] if empty else self._logprobs}


class Call:
    """A call of a function."""

    def __init__(self, event: ToolCallDelta) -> None:
        self.id = f"fc_{secrets.token_hex(12)}"
        self.status: Status = "in_progress"
        self._call_id = event.id or f"call_{secrets.token_hex(12)}"
        self._name = event.name
        self._pieces: list[str] = []

    def opened(self) -> Iterator[Told]:
        """The event before its arguments."""
        yield "response.output_item.added", {"item": self.item()}

    def said(self, arguments: str) -> Told:
        """The event of more arguments."""
        self._pieces.append(arguments)
        return "response.function_call_arguments.delta", {"item_id": self.id, "delta": arguments}

    def closed(self, status: Status) -> Iterator[Told]:
        """The events after the last of its arguments."""
        self.status = status
        said = {"item_id": self.id, "name": self._name, "arguments": "".join(self._pieces)}
        yield "response.function_call_arguments.done", said
        yield "response.output_item.done", {"item": self.item()}

    def item(self) -> dict[str, Any]:
        """The item itself."""
        return {
            "id": self.id,
            "type": "function_call",
            "status": self.status,
            "call_id": self._call_id,
            "name": self._name,
            "arguments": "".join(self._pieces),
        }
