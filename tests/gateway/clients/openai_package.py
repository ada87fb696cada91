"""What users of the `openai` package do, done by the package itself against the gateway whose root is given.

It runs in an environment of its own, by `test_openai_package.py`.
"""

import base64
import sys
from collections.abc import Callable, Mapping

import httpx2
import openai
from openai import OpenAI
from openai.types import Completion, ImageGenCompletedEvent, ImagesResponse
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

TOOL = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}
HELLO = [{"role": "user", "content": "Hello"}]


def chat(client: OpenAI) -> None:
    answer = client.chat.completions.create(model="toy", messages=HELLO)
    assert answer.choices[0].message.content == "Hi there", answer
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.total_tokens == 5
    assert answer.model == "toy"


def chat_streamed(client: OpenAI) -> None:
    options = {"include_usage": True}
    chunks = list(client.chat.completions.create(model="toy", messages=HELLO, stream=True, stream_options=options))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == "Hi there"
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[-1].choices == []
    assert chunks[-1].usage.total_tokens == 5
    with client.chat.completions.stream(model="toy", messages=HELLO) as stream:
        assert stream.get_final_completion().choices[0].message.content == "Hi there"


def chat_with_tools(client: OpenAI) -> None:
    asked = {"model": "toy", "messages": HELLO, "tools": [TOOL], "tool_choice": "auto"}
    call = client.chat.completions.create(**asked).choices[0].message.tool_calls[0]
    assert (call.id, call.function.name, call.function.arguments) == ("call_1", "weather", '{"city":"Rome"}')
    with client.chat.completions.stream(**asked) as stream:
        choice = stream.get_final_completion().choices[0]
    assert choice.finish_reason == "tool_calls"
    assert choice.message.tool_calls[0].function.arguments == '{"city":"Rome"}'


def chat_in_json(client: OpenAI) -> None:
    form = {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}}
    answer = client.chat.completions.create(model="toy", messages=HELLO, response_format=form)
    assert answer.choices[0].message.content == '{"ok":true}'


def completions(client: OpenAI) -> None:
    assert client.completions.create(model="toy", prompt="a").choices[0].text == "Hi there"
    pieces = client.completions.create(model="toy", prompt="a", stream=True)
    assert "".join(piece.choices[0].text for piece in pieces) == "Hi there"


def responses(client: OpenAI) -> None:
    answer = client.responses.create(model="toy", input="Hello", instructions="Be kind")
    assert answer.output_text == "Hi there"
    assert answer.status == "completed"
    assert answer.usage.total_tokens == 5
    tool = {"type": "function", "name": "weather", "parameters": {"type": "object"}, "strict": False}
    called = client.responses.create(model="toy", input="Hello", tools=[tool]).output[0]
    assert (called.type, called.call_id, called.arguments) == ("function_call", "call_1", '{"city":"Rome"}')


def responses_streamed(client: OpenAI) -> None:
    with client.responses.stream(model="toy", input="Hello") as stream:
        kinds = [event.type for event in stream]
        assert stream.get_final_response().output_text == "Hi there"
    assert kinds[0] == "response.created"
    assert kinds[-1] == "response.completed"
    events = list(client.responses.create(model="toy", input="Hello", stream=True))
    assert [event.sequence_number for event in events] == list(range(len(events)))


def images(client: OpenAI) -> None:
    answer = client.images.generate(model="painter", prompt="a fox", size="1024x1024", n=2, response_format="b64_json")
    pictures = [base64.b64decode(each.b64_json) for each in answer.data]
    assert all(picture.startswith(b"\x89PNG") for picture in pictures)
    assert client.images.generate(model="painter", prompt="a fox", response_format="url").data[0].url.endswith(".png")
    made = [
        each
        for each in client.images.generate(model="painter", prompt="a fox", stream=True)
        if each.type.endswith("completed")
    ]
    assert base64.b64decode(made[0].b64_json).startswith(b"\x89PNG")


def models(client: OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["painter", "toy"]
    assert client.models.retrieve("toy").id == "toy"


def errors(client: OpenAI) -> None:
    hot = refused(lambda: client.chat.completions.create(model="toy", messages=HELLO, temperature=-1))
    assert isinstance(hot, openai.BadRequestError)
    assert "temperature" in hot.message
    breaks = [{"role": "user", "content": "Break"}]
    cut = refused(lambda: list(client.chat.completions.create(model="toy", messages=breaks, stream=True)))
    assert "out of memory" in cut.message
    cut = refused(lambda: list(client.responses.create(model="toy", input="Break", stream=True)))
    assert "out of memory" in cut.message


def refused(ask: Callable[[], object]) -> openai.APIError:
    try:
        ask()
    except openai.APIError as error:
        return error
    raise AssertionError("no error reached the package")


def shapes(client: OpenAI) -> None:
    """Every field that the package's types want is there: the package itself does not look."""
    tool = {"type": "function", "name": "weather", "parameters": {"type": "object"}, "strict": False}
    for more in ({}, {"tools": [tool]}, {"text": {"format": {"type": "json_object"}}}):
        asked = {"model": "toy", "input": "Hello", **more}
        Response.model_validate_json(client.responses.with_raw_response.create(**asked).content)
        for data in events(client, "/responses", asked):
            TypeAdapter(ResponseStreamEvent).validate_json(data)
    chat = {"model": "toy", "messages": HELLO, "tools": [TOOL]}
    ChatCompletion.model_validate_json(client.chat.completions.with_raw_response.create(**chat).content)
    for data in events(client, "/chat/completions", {**chat, "stream_options": {"include_usage": True}}):
        ChatCompletionChunk.model_validate_json(data)
    Completion.model_validate_json(client.completions.with_raw_response.create(model="toy", prompt="a").content)
    fox = {"model": "painter", "prompt": "a fox"}
    ImagesResponse.model_validate_json(client.images.with_raw_response.generate(**fox).content)
    made = [data for data in events(client, "/images/generations", fox) if b"progress" not in data]
    ImageGenCompletedEvent.model_validate_json(made[0])


def events(client: OpenAI, route: str, asked: Mapping[str, object]) -> list[bytes]:
    answer = client.post(route, body={**asked, "stream": True}, cast_to=httpx2.Response)
    lines = [line for line in answer.content.split(b"\n") if line.startswith(b"data: ")]
    return [line.removeprefix(b"data: ") for line in lines if line != b"data: [DONE]"]


ALL: tuple[Callable[[OpenAI], None], ...] = (
    chat,
    chat_streamed,
    chat_with_tools,
    chat_in_json,
    completions,
    responses,
    responses_streamed,
    images,
    models,
    errors,
    shapes,
)

if __name__ == "__main__":
    with OpenAI(base_url=f"{sys.argv[1]}/v1", api_key="k", max_retries=0, timeout=20) as gateway:
        for use in ALL:
            use(gateway)
            print(use.__name__, flush=True)
