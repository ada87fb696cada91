"""A model server that fails on request: `http://…/<fault>/<mode>/<case>` is its root, and the fault hits once.

Its answer is a pure function of the prompt, so the only right text is known; `mode` is how it continues an unfinished
answer, as the real servers do. It needs nothing but this folder.
"""

import asyncio
import json
import random
import socket
import struct
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from loopback import Visit

MODES: Final = ("vllm", "tgi", "llamacpp", "mistral", "restart", "glue", "reject")
_WORDS: Final = (
    *("ship", "tide", "über", "鯨", "rope", "🐋", "mast", "\n\n", "deck", "", "keel"),
    *("data:", "x", "<|im_end|>", "[DONE]", "wind's", "sail"),
)
_SEED: Final = "Story "


def story(seed: int, words: int = 24) -> str:
    """The one right answer to `Story <seed>.`"""
    draw = random.Random(seed)
    return f"({seed})" + "".join(f" {draw.choice(_WORDS)}" for _ in range(words)) + " end"


def pieces(text: str) -> list[str]:
    """Tokens at fixed places: three characters each."""
    return [text[at : at + 3] for at in range(0, len(text), 3)]


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, understood."""

    api: str
    text: str
    refusal: str = ""

    def frame(self, piece: str, *, last: bool = False) -> bytes:
        finish = "stop" if last else None
        match self.api:
            case "chat":
                said: dict[str, Any] = {"choices": [{"index": 0, "delta": {"content": piece}, "finish_reason": finish}]}
            case "completions":
                said = {"choices": [{"index": 0, "text": piece, "finish_reason": finish}]}
            case _:
                said = {"token": {"id": 1, "text": piece, "logprob": -1.0, "special": False}, "generated_text": None}
                if last:
                    said |= {"generated_text": self.text, "details": {"finish_reason": "eos_token"}}
        return f"data: {json.dumps(said, ensure_ascii=False)}\n\n".encode()

    def stream(self) -> bytes:
        *most, last = pieces(self.text) or [""]
        return b"".join([*map(self.frame, most), self.frame(last, last=True), b"data: [DONE]\n\n"])


def understood(path: str, body: dict[str, Any], mode: str) -> Asked:
    """What the model has to say now: all of its answer, or what follows the text that is there already."""
    if path.endswith("chat/completions"):
        *_, last = body["messages"]
        begun = last["content"] if last["role"] == "assistant" else ""
        whole = _whole("".join(one["content"] for one in body["messages"] if one["role"] == "user"))
        return Asked("chat", *_continued(whole, begun, body, mode))
    api = "completions" if path.endswith("completions") else "tgi"
    prompt = body["prompt" if api == "completions" else "inputs"]
    whole = _whole(prompt)
    begun = next((whole[:n] for n in range(len(whole), 0, -1) if prompt.endswith(whole[:n])), "")
    return Asked(api, whole[len(begun) :])


def _whole(prompt: str) -> str:
    return story(int(prompt.partition(_SEED)[2].partition(".")[0]))


def _continued(whole: str, begun: str, body: dict[str, Any], mode: str) -> tuple[str, str]:
    """The text, and a refusal; each mode as its server does it."""
    flagged = body.get("continue_final_message") is True
    if not begun or mode in ("restart", "mistral"):  # the one begins anew, the other repeats what it was given
        return whole, ""
    if mode == "reject":
        return "", "This model does not support assistant message prefill."
    if mode == "vllm":
        if flagged and body.get("add_generation_prompt", True):
            return "", "Cannot set both `continue_final_message` and `add_generation_prompt` to True."
        return (_after(whole, begun) if flagged else whole), ""
    if mode == "tgi":
        begun = begun.rstrip()
    rest = _after(whole, begun)
    return rest.lstrip(" ") if mode == "glue" else rest, ""


def _after(whole: str, begun: str) -> str:
    return whole[len(begun) :] if whole.startswith(begun) else "<<another answer>>"


class FaultServer:
    """`talk` goes to `loopback.serving`; `log` says how often each case was asked, `gone` which clients have left."""

    def __init__(self) -> None:
        self.log: Counter[str] = Counter()

    async def talk(self, visit: Visit) -> None:
        _, fault, mode, case, *rest = visit.path.split("/")
        if visit.method == "GET":
            await introduce(visit, mode, "/" + "/".join(rest))
            return
        asked = understood(visit.path, json.loads(visit.body), mode)
        key = f"{fault}/{mode}/{case}"
        self.log[key] += 1
        name, _, value = fault.partition("@")
        if self.log[key] == 1 or name.startswith("always_"):
            await FAULTS[name.removeprefix("always_")](visit, asked, value)
        elif asked.refusal:
            await visit.answer(json.dumps({"error": {"message": asked.refusal}}).encode(), status="400 Bad Request")
        else:
            await good(visit, asked)


async def introduce(visit: Visit, mode: str, path: str) -> None:
    """What the kinds of servers say of themselves."""
    models = {"data": [{"id": "m", "owned_by": mode if mode in ("vllm", "llamacpp") else "someone"}]}
    said: dict[str, Any] = {"/v1/models": models}
    if mode == "tgi":
        said["/info"] = {"model_id": "m", "max_total_tokens": 4096, "version": "3.3.6"}
    if mode == "vllm":
        said["/version"] = {"version": "0.11"}
    if path in said:
        await visit.answer(json.dumps(said[path]).encode())
    else:
        await visit.answer(b"{}", status="404 Not Found")


async def good(visit: Visit, asked: Asked, more: bytes = b"") -> None:
    await visit.begin_stream()
    await _chunk(visit, asked.stream() + more)
    await visit.end_stream()


async def _chunk(visit: Visit, data: bytes) -> None:
    await visit.say(f"{len(data):x}\r\n".encode() + data + b"\r\n")


async def _half(visit: Visit, asked: Asked, more: bytes = b"") -> None:
    """The head and the first pieces, which is where a stream breaks."""
    await visit.begin_stream()
    some = pieces(asked.text)
    await _chunk(visit, b"".join(map(asked.frame, some[: max(1, len(some) // 2)])) + more)


async def _leave(visit: Visit, *, reset: bool) -> None:
    if reset:
        await asyncio.sleep(0.02)  # what was said has to arrive before the reset takes it back
        raw = visit.writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        visit.writer.transport.abort()
    visit.writer.close()
    raise ConnectionResetError


async def cut(visit: Visit, asked: Asked, at: str) -> None:
    """The connection closes after so many bytes of the body, wherever that is."""
    await visit.begin_stream()
    data = asked.stream()
    body = f"{len(data):x}\r\n".encode() + data + b"\r\n0\r\n\r\n"
    await visit.say(body[: int(at)])
    await _leave(visit, reset=False)


async def rst(visit: Visit, asked: Asked, _: str) -> None:
    await _half(visit, asked)
    await _leave(visit, reset=True)


async def fin(visit: Visit, asked: Asked, _: str) -> None:
    await _half(visit, asked)
    await _leave(visit, reset=False)


async def clean_end(visit: Visit, asked: Asked, _: str) -> None:
    await _half(visit, asked)
    await visit.end_stream()


async def done_alone(visit: Visit, asked: Asked, _: str) -> None:
    await _half(visit, asked, b"data: [DONE]\n\n")
    await visit.end_stream()


async def stall(visit: Visit, asked: Asked, _: str) -> None:
    await _half(visit, asked)
    await visit.gone()


async def comments(visit: Visit, asked: Asked, _: str) -> None:
    await _half(visit, asked)
    while not visit.reader.at_eof():
        await _chunk(visit, b": ping\n\n")
        await asyncio.sleep(0.05)


async def no_head(visit: Visit, asked: Asked, _: str) -> None:
    await _leave(visit, reset=True)


async def long_length(visit: Visit, asked: Asked, _: str) -> None:
    await visit.say(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 99999\r\n\r\n")
    await visit.say(asked.frame(pieces(asked.text)[0]))
    await _leave(visit, reset=False)


async def late_garbage(visit: Visit, asked: Asked, _: str) -> None:
    await good(visit, asked, b"data: {broken\n\n" + asked.frame("EXTRA"))


def error_event(event: str) -> Callable[[Visit, Asked, str], Awaitable[None]]:
    async def fail(visit: Visit, asked: Asked, _: str) -> None:
        await _half(visit, asked, f"{event}\n\n".encode())
        await visit.end_stream()

    return fail


def status(line: str, body: str, more: str = "", kind: str = "application/json") -> Callable[..., Awaitable[None]]:
    async def fail(visit: Visit, asked: Asked, _: str) -> None:
        await visit.answer(body.encode(), kind, line, more)

    return fail


FAULTS: Final[dict[str, Callable[[Visit, Asked, str], Awaitable[None]]]] = {
    "ok": lambda visit, asked, _: good(visit, asked),
    "cut": cut,
    "rst": rst,
    "fin": fin,
    "clean_end": clean_end,
    "done_alone": done_alone,
    "stall": stall,
    "comments": comments,
    "no_head": no_head,
    "long_length": long_length,
    "late_garbage": late_garbage,
    "error_object": error_event('data: {"error":{"message":"overloaded","type":"overloaded_error","code":503}}'),
    "error_string": error_event('data: {"error":"CUDA error","error_type":"generation"}'),
    "error_named": error_event('event: error\ndata: {"message":"upstream died","code":502}'),
    "error_choices": error_event('data: {"choices":[],"error":{"message":"worker limit","code":502}}'),
    "error_broken_json": error_event('data: {"choices":[{"ind'),
    "html": status("200 OK", "<html><title>Sign in</title></html>", kind="text/html"),
    "empty": status("200 OK", "", kind="text/event-stream"),
    "json_error": status("200 OK", '{"error":{"message":"busy","code":503}}'),
    "s429": status("429 Slow", '{"error":"slow down"}', "Retry-After: 0\r\n"),
    "s429_long": status("429 Slow", '{"error":"slow down"}', "Retry-After: 3600\r\n"),
    "s429_ms": status("429 Slow", '{"error":"slow down"}', "Retry-After-Ms: 20\r\n"),
    "s503_loading": status("503 Busy", '{"error":"Model m is currently loading","estimated_time":0.02}'),
    "s503_after": status("503 Busy", '{"error":"overloaded"}', "Retry-After-Ms: 250\r\n"),
    "s503": status("503 Busy", '{"error":"overloaded"}'),
    "s502_html": status("502 Bad", "<html><title>502</title></html>", kind="text/html"),
    "s401": status("401 No", '{"error":"bad key"}'),
}
