"""A server whose answers are known: what a client asks for decides what it gets; the model's name, how it fails."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from loopback import Server, Visit, serving
from painters import PACKED

WORDS: Final = ("Streams", " end", " with", " a", " reason", ".")
USAGE: Final = {"prompt_tokens": 11, "completion_tokens": 6, "total_tokens": 17}
MODELS: Final = ("toy", "thinker", "busy", "breaks", "refuses", "painter")


@asynccontextmanager
async def scripted() -> AsyncIterator[Server]:
    """Serve on a port of loopback until the context ends."""
    async with serving(_talk) as server:
        yield server


async def _talk(visit: Visit) -> None:
    asked: dict[str, Any] = json.loads(visit.body) if visit.body else {}
    match visit.path, asked.get("model"):
        case "/v1/models", _:
            await _json(visit, {"object": "list", "data": [{"id": name, "object": "model"} for name in MODELS]})
        case "/v1/images/generations", _:
            await _json(visit, {"created": 1, "data": [{"b64_json": PACKED}] * asked.get("n", 1)})
        case "/v1/chat/completions", "busy":
            more = "Retry-After: 3600\r\n"
            await visit.answer(b'{"error":{"message":"too many"}}', status="429 Too Many Requests", more=more)
        case "/v1/chat/completions", "refuses":
            await visit.answer(b'{"error":{"message":"no such voice"}}', status="400 Bad Request")
        case "/v1/chat/completions", "breaks":
            await _stream(visit, [_chat({"content": "Streams"}), {"error": {"message": "out of memory"}}])
        case "/v1/chat/completions", _:
            await _stream(visit, [*_answer(asked), {"choices": [], "usage": USAGE}])
        case "/v1/completions", _:
            text = [{"choices": [{"index": 0, "text": word, "finish_reason": None}]} for word in _words(asked)]
            end = {"choices": [{"index": 0, "text": "", "finish_reason": "stop"}]}
            await _stream(visit, [*text, end, {"choices": [], "usage": USAGE}])
        case _:
            await visit.answer(b'{"error":"no such route"}', status="404 Not Found")


def _answer(asked: dict[str, Any]) -> list[dict[str, Any]]:
    """The chunks of one answer."""
    tools, choice = asked.get("tools"), asked.get("tool_choice")
    if tools and choice != "none" and asked["messages"][-1]["role"] != "tool":
        return _call(tools, choice)
    thoughts = [{"reasoning_content": "Think. "}] * 2 if asked.get("model") == "thinker" else []
    said = [{"content": word} for word in _text(asked)]
    if asked.get("logprobs"):
        return [*(_chat(delta, logprobs=_logprob(delta["content"])) for delta in said), _chat({}, "stop")]
    return [*map(_chat, [*thoughts, *said]), _chat({}, "stop")]


def _text(asked: dict[str, Any]) -> tuple[str, ...]:
    form = asked.get("response_format") or {}
    if form.get("type") == "json_schema":
        return ("", json.dumps(_example(form["json_schema"]["schema"])))
    if form.get("type") == "json_object":
        return ('{"city"', ': "Oslo"}')
    return _words(asked)


def _words(asked: dict[str, Any]) -> tuple[str, ...]:
    """The words up to the first that holds a stop string, as a server stops."""
    stop = asked.get("stop") or []
    stops = [stop] if isinstance(stop, str) else stop
    first = next((place for place, word in enumerate(WORDS) if any(each in word for each in stops)), None)
    return WORDS[:first]


def _call(tools: list[dict[str, Any]], choice: Any) -> list[dict[str, Any]]:
    """A call in three pieces: its name, and its arguments in two."""
    wanted = choice["function"]["name"] if isinstance(choice, dict) else tools[0]["function"]["name"]
    tool = next(each["function"] for each in tools if each["function"]["name"] == wanted)
    arguments = json.dumps(_example(tool.get("parameters") or {}))
    half = len(arguments) // 2
    head = {"index": 0, "id": "call_1", "type": "function", "function": {"name": wanted, "arguments": ""}}
    pieces = [{"index": 0, "function": {"arguments": part}} for part in (arguments[:half], arguments[half:])]
    return [*(_chat({"tool_calls": [piece]}) for piece in (head, *pieces)), _chat({}, "tool_calls")]


def _example(schema: dict[str, Any]) -> Any:
    """A value that the schema allows."""
    kind = schema.get("type")
    if kind == "object" or "properties" in schema:
        return {name: _example(each) for name, each in schema.get("properties", {}).items()}
    examples = {"integer": 7, "number": 7.5, "boolean": True, "array": []}
    return examples.get(kind, "Oslo") if isinstance(kind, str) else "Oslo"


def _chat(delta: dict[str, Any], finish: str | None = None, logprobs: Any = None) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": logprobs}
    return {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "toy", "choices": [choice]}


def _logprob(token: str) -> dict[str, Any]:
    top = [{"token": token, "logprob": -0.5, "bytes": None}, {"token": "x", "logprob": -1.5, "bytes": None}]
    return {"content": [{"token": token, "logprob": -0.5, "bytes": None, "top_logprobs": top}]}


async def _json(visit: Visit, value: object) -> None:
    await visit.answer(json.dumps(value).encode())


async def _stream(visit: Visit, chunks: list[dict[str, Any]]) -> None:
    await visit.begin_stream()
    for chunk in chunks:
        await visit.event(json.dumps(chunk))
    if "error" not in chunks[-1]:
        await visit.event("[DONE]")
    await visit.end_stream()
