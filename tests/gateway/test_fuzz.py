"""Whatever a caller sends, the gateway answers it or says what is wrong with it: no 5xx, no traceback."""

import json
import os
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import msgspec
import pytest
from hypothesis import given, settings as running, strategies as st

from clients.scripted import scripted
from faults.outcome import Ear
from gateway_server import gateway
from hfgen.gateway.openapi import ROUTES
from hfgen.gateway.settings import Settings

# That a server does not take an option is a warning to whoever runs the gateway.
pytestmark = [pytest.mark.anyio, pytest.mark.filterwarnings("ignore:.*left out:UserWarning")]
EXAMPLES = int(os.environ.get("HFGEN_CASES") or 300)
PATHS = [(route.path.replace("{name}", "toy"), route.body) for route in ROUTES if route.body]
NEEDED = {"messages": [{"role": "user", "content": "Hi"}], "prompt": "Hi", "input": "Hi", "inputs": "Hi"}

ROLES = ("user", "assistant", "tool", "system", "developer", "role", "content", "name")
CHAT = ("type", "text", "image_url", "url", "data:image/png;base64,AAAA", "tool_calls", "tool_call_id", "id", "call_1")
SCHEMAS = ("function", "arguments", "{}", "json_schema", "json_object", "schema", "object", "properties", "parameters")
RESPONSES = ("message", "function_call", "call_id", "output", "function_call_output", "input_text", "reasoning", "auto")

numbers = st.one_of(st.integers(-(2**70), 2**70), st.floats(allow_nan=False, allow_infinity=False), st.integers(-3, 3))
leaves = st.one_of(st.none(), st.booleans(), numbers, st.text(max_size=12))
words = st.sampled_from([*ROLES, *CHAT, *SCHEMAS, *RESPONSES])
values = st.recursive(
    leaves | words,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words | st.text(max_size=5), inner, max_size=5),
    max_leaves=12,
)
messages = st.lists(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["system", "user", "assistant", "tool", "developer"]) | words},
        optional={
            "content": values,
            "tool_calls": values,
            "tool_call_id": values,
            "name": values,
            "reasoning_content": values,
        },
    ),
    max_size=4,
)


def bodies(kind: type[msgspec.Struct]) -> st.SearchStrategy[dict[str, Any]]:
    """What the route reads, with a few fields that hold anything."""
    fields = msgspec.structs.fields(kind)
    needed = {field.encode_name: st.just(NEEDED.get(field.name, "Hi")) for field in fields if field.required}
    odd = {field.encode_name: values for field in fields}
    odd |= {name: messages | values for name in ("messages", "input") if name in odd}
    chosen = st.lists(st.sampled_from(sorted(odd)), max_size=3, unique=True)
    return chosen.flatmap(lambda names: st.fixed_dictionaries(needed | {name: odd[name] for name in names}))


requests = st.sampled_from(PATHS).flatmap(
    lambda each: st.tuples(st.just(each[0]), bodies(each[1]) if each[1] else st.nothing())
)


@pytest.fixture(scope="module")
async def url() -> AsyncIterator[str]:
    async with scripted() as server, gateway(Settings(api_base=(server.url,))) as root:
        yield root


async def answered(url: str, body: bytes) -> None:
    """Send it; an answer is right if it is no fault of the server, and an error if it says so in its route's form."""
    with Ear() as ear:
        async with aiohttp.ClientSession() as client:
            headers = {"Content-Type": "application/json"}
            async with client.post(url, data=body, headers=headers) as response:
                said = await response.read()
    assert response.status < 500, said
    assert not [line for line in ear.said if "Traceback" in line]
    if response.status >= 400:
        error = json.loads(said)["error"]
        if isinstance(error, str):  # the form of Hugging Face's tasks
            assert urlsplit(url).path == "/" or urlsplit(url).path.startswith("/models/")
            assert error
            return
        assert error["message"]
        assert error["type"]


@running(deadline=None, max_examples=EXAMPLES)
@given(requests)
async def test_any_value_in_any_field_is_answered(url: str, asked: tuple[str, dict[str, Any]]) -> None:
    path, body = asked
    await answered(url + path, json.dumps(body).encode())


@running(deadline=None, max_examples=50)
@given(
    st.sampled_from(PATHS), st.binary(max_size=60) | st.text('{}[]",:tuser0123eE-+.\\u', max_size=60).map(str.encode)
)
async def test_any_bytes_are_answered(url: str, where: tuple[str, object], body: bytes) -> None:
    await answered(url + where[0], body)
