"""`POST /v1/completions`: a raw prompt in OpenAI's language.

Sources: openai-python types/completion; vLLM entrypoints/openai/protocol.py (`add_special_tokens`, `response_format`);
TGI router/src/{lib,server}.rs; llama.cpp tools/server/README.md (a prompt of texts and numbers of tokens, mixed).
"""

from collections.abc import Sequence
from typing import Any, Final

from hfgen.asked import left_out, rendered
from hfgen.events import Event
from hfgen.generation import Generation
from hfgen.openai_answer import read
from hfgen.openai_request import HEADERS, sampling, taken_by
from hfgen.wire import LARGEST_TEXT, Frame, Marker, ServerKind, Target, WireRequest
from hfgen.wire_json import request_body

PATH: Final = "/completions"

_TGI: Final = frozenset({"temperature", "top_p", "seed", "stop", "frequency_penalty", "repetition_penalty"})
_FORMATS: Final[frozenset[ServerKind]] = frozenset({"vllm"})


def encode(generation: Generation, target: Target) -> WireRequest:
    """The request for `generation.prompt`.

    Raises:
        UsageError: `extra_data` names a key that an argument of its own sets, or a value is no JSON.
    """
    kind = target.kind
    takes = _TGI if kind == "tgi" else taken_by(kind)
    body: dict[str, Any] = {
        "model": target.adapter or "tgi" if kind == "tgi" else target.model,  # as in openai_chat
        "prompt": [generation.text, *generation.tail] if generation.tail else generation.text,
        "stream": True,
        "stream_options": {"include_usage": True},
        **sampling(generation, kind, takes),
    }
    if "logprobs" in takes and generation.sampling.logprobs is not None:
        body["logprobs"] = generation.sampling.logprobs
    if kind in _FORMATS and generation.response_format is not None:
        body["response_format"] = generation.response_format
        takes |= {"response_format"}
    if kind == "vllm" and generation.messages:
        body["add_special_tokens"] = False  # the rendered template has brought its own
    data = request_body(body, generation.extra)
    dropped = left_out(generation, takes | rendered(generation) | {"stop"})
    return WireRequest(target.url(PATH), data, headers=HEADERS, dropped=dropped, largest=LARGEST_TEXT)


def decode(frame: Frame) -> Sequence[Event | WireRequest | Marker]:
    """What one event of the stream, or a whole answer, says.

    Raises:
        HfgenError: The error that the server put into it.
    """
    return read(frame, "a completion")
