"""`POST /v1/chat/completions`: OpenAI's language, and how each server departs from it.

Sources: openai-python types/chat; TGI router/src/{lib,server,chat}.rs; vLLM entrypoints/openai/protocol.py; llama.cpp
tools/server/README.md.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from hfgen.asked import left_out
from hfgen.events import Event
from hfgen.generation import Generation
from hfgen.openai_answer import read
from hfgen.openai_request import HEADERS, sampling, taken_by
from hfgen.prompts.roles import with_system
from hfgen.wire import LARGEST_TEXT, Frame, Marker, ServerKind, Target, WireRequest
from hfgen.wire_json import request_body

PATH: Final = "/chat/completions"

# What a server lacks. TGI ignores the template's arguments; transformers serve ignores a tool choice and a format, and
# refuses the template's arguments with a 422.
_FORM_LACKS: Final[Mapping[ServerKind, frozenset[str]]] = {
    "tgi": frozenset({"chat_template_kwargs"}),
    "transformers": frozenset({"tool_choice", "response_format", "chat_template_kwargs"}),
}


def encode(generation: Generation, target: Target) -> WireRequest:
    """The request for a conversation.

    Raises:
        UsageError: `extra_data` names a key that an argument of its own sets, or a value is no JSON.
    """
    kind = target.kind
    takes = taken_by(kind)
    form = _form(generation, kind)
    body: dict[str, Any] = {
        # TGI takes any other name for a LoRA adapter's (router/src/lib.rs).
        "model": target.adapter or "tgi" if kind == "tgi" else target.model,
        # A server that may be OpenAI's own tells a developer from the system; those that render templates do not.
        "messages": list(generation.messages if kind == "openai" else with_system(generation.messages)),
        "stream": True,
        "stream_options": {"include_usage": True},
        **sampling(generation, kind, takes),
        **form,
    }
    if "logprobs" in takes and generation.sampling.logprobs is not None:
        body["logprobs"] = True
        if generation.sampling.logprobs:
            body["top_logprobs"] = generation.sampling.logprobs
    if generation.continues and kind != "transformers":  # it refuses what it does not know
        body |= {"continue_final_message": True, "add_generation_prompt": False}
    data = request_body(body, generation.extra)
    if (generation.response_format or {}).get("type") == "text":
        takes |= {"response_format"}  # what a server does anyway need not be said
    dropped = left_out(generation, takes | form.keys() | {"stop"})
    return WireRequest(target.url(PATH), data, headers=HEADERS, dropped=dropped, largest=LARGEST_TEXT)


def decode(frame: Frame) -> Sequence[Event | WireRequest | Marker]:
    """What one event of the stream, or a whole answer, says.

    Raises:
        HfgenError: The error that the server put into it.
    """
    return read(frame, "a chat chunk")


def _form(generation: Generation, kind: ServerKind) -> dict[str, Any]:
    """Tools, the answer's format, and what the server's own template is told, without what the server does not have."""
    form: dict[str, Any] = {
        "tools": list(generation.tools or ()) or None,
        "tool_choice": generation.tool_choice,
        "response_format": generation.response_format,
        "chat_template_kwargs": dict(generation.template_kwargs) or None,
    }
    if kind == "tgi":
        form["response_format"] = _grammar(generation)
    lacks = _FORM_LACKS.get(kind, frozenset())
    return {name: value for name, value in form.items() if value is not None and name not in lacks}


def _grammar(generation: Generation) -> Mapping[str, Any] | None:
    """The answer's format as TGI has it, None where it would refuse it: the schema under `value` (lib.rs, GrammarType).

    It refuses `json_object` without a schema, `text`, and a format beside tools.
    """
    asked = generation.response_format
    if asked is None or generation.tools:
        return None
    if "value" in asked:
        return asked
    schema: object = asked.get("json_schema")
    if not isinstance(schema, Mapping):
        return None
    known = cast("Mapping[str, Any]", schema)
    return {"type": "json_object", "value": known.get("schema", known)}
