"""openai for Python, sync and async."""

import base64
import json
import time

import openai
from openai import AsyncOpenAI, OpenAI
from pydantic import BaseModel

from checking import ALL, GATEWAY, HELLO, KEY, LOCAL, WEATHER, check, run

client = OpenAI(base_url=f"{GATEWAY}/v1", api_key=KEY, max_retries=0)
chat = client.chat.completions


class City(BaseModel):
    city: str
    people: int


def raised(kind, function):
    try:
        function()
    except openai.APIError as error:
        assert type(error) is kind, repr(error)
        return error
    raise AssertionError("nothing was raised")


@check
def a_whole_answer_has_text_reason_and_usage():
    answer = chat.create(model="toy", messages=HELLO)
    assert answer.choices[0].message.content == ALL, answer
    assert answer.choices[0].message.role == "assistant"
    assert answer.choices[0].finish_reason == "stop"
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens, answer.usage.total_tokens) == (11, 6, 17)
    assert answer.id.startswith("chatcmpl-")
    assert answer.object == "chat.completion"
    assert answer.model == "toy"
    assert answer._request_id.startswith("req_")


@check
def a_stream_begins_with_the_role_and_ends_with_the_usage():
    chunks = list(chat.create(model="toy", messages=HELLO, stream=True, stream_options={"include_usage": True}))
    assert chunks[0].choices[0].delta.role == "assistant"
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == ALL
    assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == "stop"
    assert chunks[-1].choices == []
    assert chunks[-1].usage.total_tokens == 17
    assert all(c.usage is None for c in chunks[:-1])
    assert len({c.id for c in chunks}) == 1


@check
def the_stream_helper_gathers_what_was_streamed():
    with client.chat.completions.stream(model="toy", messages=HELLO) as stream:
        kinds = {event.type for event in stream}
        final = stream.get_final_completion()
    assert {"chunk", "content.delta", "content.done"} <= kinds, kinds
    assert final.choices[0].message.content == ALL


@check
async def an_async_stream_is_the_same():
    async with AsyncOpenAI(base_url=f"{GATEWAY}/v1", api_key=KEY) as other:
        stream = await other.chat.completions.create(model="toy", messages=HELLO, stream=True)
        text = "".join([c.choices[0].delta.content or "" async for c in stream])
    assert text == ALL


@check
def a_tool_call_comes_whole():
    answer = chat.create(model="toy", messages=HELLO, tools=[WEATHER])
    (call,) = answer.choices[0].message.tool_calls
    assert (call.type, call.function.name, json.loads(call.function.arguments)) == (
        "function",
        "weather",
        {"city": "Oslo"},
    )
    assert answer.choices[0].finish_reason == "tool_calls"
    assert answer.choices[0].message.content is None
    result = {"role": "tool", "tool_call_id": call.id, "content": "7 degrees"}
    again = chat.create(model="toy", messages=[*HELLO, answer.choices[0].message, result], tools=[WEATHER])
    assert again.choices[0].message.content == ALL


@check
def a_tool_call_comes_in_pieces():
    chunks = list(chat.create(model="toy", messages=HELLO, tools=[WEATHER], stream=True, parallel_tool_calls=False))
    pieces = [call for c in chunks for call in c.choices[0].delta.tool_calls or []]
    assert all(piece.index == 0 and piece.function is not None for piece in pieces)
    assert (pieces[0].id, pieces[0].function.name) == ("call_1", "weather")
    assert json.loads("".join(piece.function.arguments or "" for piece in pieces)) == {"city": "Oslo"}
    assert chunks[-1].choices[0].finish_reason == "tool_calls"


@check
def a_forced_tool_is_the_one_called():
    other = {"type": "function", "function": {**WEATHER["function"], "name": "other"}}
    choice = {"type": "function", "function": {"name": "other"}}
    answer = chat.create(model="toy", messages=HELLO, tools=[WEATHER, other], tool_choice=choice)
    assert answer.choices[0].message.tool_calls[0].function.name == "other"


@check
def json_mode_gives_json():
    answer = chat.create(model="toy", messages=HELLO, response_format={"type": "json_object"})
    assert json.loads(answer.choices[0].message.content) == {"city": "Oslo"}


@check
def a_schema_is_parsed():
    answer = client.chat.completions.parse(model="toy", messages=HELLO, response_format=City)
    assert answer.choices[0].message.parsed == City(city="Oslo", people=7)


@check
def log_probabilities_come_whole_and_streamed():
    asked = {"model": "toy", "messages": HELLO, "logprobs": True, "top_logprobs": 2}
    tokens = chat.create(**asked).choices[0].logprobs.content
    assert "".join(token.token for token in tokens) == ALL
    assert [(top.token, top.logprob) for top in tokens[0].top_logprobs] == [("Streams", -0.5), ("x", -1.5)]
    streamed = [
        t for c in chat.create(**asked, stream=True) if c.choices[0].logprobs for t in c.choices[0].logprobs.content
    ]
    assert streamed == tokens


@check
def several_answers_come_side_by_side():
    whole = chat.create(model="toy", messages=HELLO, n=3, seed=1)
    assert [(c.index, c.message.content) for c in whole.choices] == [(0, ALL), (1, ALL), (2, ALL)]
    texts = {0: "", 1: "", 2: ""}
    for c in chat.create(model="toy", messages=HELLO, n=3, stream=True):
        for choice in c.choices:
            texts[choice.index] += choice.delta.content or ""
    assert set(texts.values()) == {ALL}


@check
def an_answer_stops_where_it_is_told():
    for stop in (" with", [" nowhere", " with"]):
        answer = chat.create(model="toy", messages=HELLO, stop=stop)
        assert answer.choices[0].message.content == "Streams end", answer
        assert answer.choices[0].finish_reason == "stop"


@check
def thoughts_stand_beside_the_text():
    answer = chat.create(model="thinker", messages=HELLO)
    assert answer.choices[0].message.reasoning_content == "Think. Think. "
    assert answer.choices[0].message.content == ALL
    chunks = list(chat.create(model="thinker", messages=HELLO, stream=True))
    assert "".join(getattr(c.choices[0].delta, "reasoning_content", None) or "" for c in chunks) == "Think. Think. "


@check
def content_in_parts_is_understood():
    parts = [{"type": "text", "text": "Say "}, {"type": "text", "text": "hello."}]
    assert chat.create(model="toy", messages=[{"role": "user", "content": parts}]).choices[0].message.content == ALL


@check
def unknown_fields_are_ignored():
    answer = chat.create(model="toy", messages=HELLO, user="me", store=False, metadata={"a": "b"}, service_tier="auto")
    assert answer.choices[0].message.content == ALL


@check
def an_impossible_field_is_a_bad_request():
    error = raised(openai.BadRequestError, lambda: chat.create(model="toy", messages=HELLO, n=99))
    assert (error.param, error.type) == ("n", "invalid_request_error"), error
    assert "between 1 and" in error.message


@check
def what_the_server_behind_refuses_is_a_bad_request():
    error = raised(openai.BadRequestError, lambda: chat.create(model="refuses", messages=HELLO))
    assert "no such voice" in error.message


@check
def a_wrong_key_is_an_authentication_error():
    wrong = OpenAI(base_url=f"{GATEWAY}/v1", api_key="wrong", max_retries=0)
    raised(openai.AuthenticationError, lambda: wrong.chat.completions.create(model="toy", messages=HELLO))


@check
def a_busy_server_is_a_rate_limit_with_its_time():
    for stream in (False, True):
        error = raised(openai.RateLimitError, lambda s=stream: chat.create(model="busy", messages=HELLO, stream=s))
        assert int(error.response.headers["retry-after"]) == 3600


@check
def an_unknown_model_and_route_are_not_found():
    raised(openai.NotFoundError, lambda: client.models.retrieve("nobody"))
    raised(openai.NotFoundError, lambda: client.embeddings.create(model="toy", input="x"))


@check
def a_stream_that_breaks_raises_and_keeps_what_came():
    got = []

    def read():
        for c in chat.create(model="breaks", messages=HELLO, stream=True):
            got.append(c.choices[0].delta.content or "")

    error = raised(openai.APIError, read)
    assert "".join(got) == "Streams"
    assert "out of memory" in error.message


@check
def a_whole_answer_that_breaks_raises():
    raised(openai.InternalServerError, lambda: chat.create(model="breaks", messages=HELLO))


@check
def the_models_are_listed():
    assert "toy" in [model.id for model in client.models.list()]
    assert client.models.retrieve("toy").object == "model"


@check
def a_completion_comes_whole_and_streamed():
    answer = client.completions.create(model="toy", prompt="Say hello.")
    assert answer.choices[0].text == ALL
    assert answer.usage.total_tokens == 17
    assert "".join(c.choices[0].text for c in client.completions.create(model="toy", prompt="x", stream=True)) == ALL


@check
def a_response_comes_whole_and_streamed():
    answer = client.responses.create(model="toy", input="Say hello.")
    assert answer.output_text == ALL
    assert answer.status == "completed"
    events = list(client.responses.create(model="toy", input="Say hello.", stream=True))
    assert "".join(e.delta for e in events if e.type == "response.output_text.delta") == ALL
    assert events[-1].type == "response.completed"
    assert events[-1].response.usage.total_tokens == 17


@check
def a_response_calls_a_tool_and_fills_a_schema():
    tool = {"type": "function", "strict": True, **WEATHER["function"]}
    answer = client.responses.create(model="toy", input="Weather?", tools=[tool])
    (call,) = [item for item in answer.output if item.type == "function_call"]
    assert (call.name, json.loads(call.arguments)) == ("weather", {"city": "Oslo"})
    parsed = client.responses.parse(model="toy", input="A city", text_format=City)
    assert parsed.output_parsed == City(city="Oslo", people=7)


@check
def the_response_helper_gathers_and_failures_raise():
    with client.responses.stream(model="toy", input="Say hello.") as stream:
        kinds = [event.type for event in stream]
        assert stream.get_final_response().output_text == ALL
    assert kinds[0] == "response.created"
    raised(openai.RateLimitError, lambda: client.responses.create(model="busy", input="x", stream=True))


@check
def a_picture_is_painted():
    answer = client.images.generate(model="painter", prompt="A fox", n=2)
    assert len(answer.data) == 2
    assert all(base64.b64decode(each.b64_json).startswith(b"\x89PNG") for each in answer.data)


@check
def a_picture_can_be_fetched_for_an_hour():
    import urllib.request

    answer = client.images.generate(model="painter", prompt="A fox", response_format="url")
    asked = urllib.request.Request(answer.data[0].url, headers={"Authorization": f"Bearer {KEY}"})
    with urllib.request.urlopen(asked, timeout=10) as got:
        assert got.read().startswith(b"\x89PNG")


@check
def the_real_engine_streams():
    local = OpenAI(base_url=f"{LOCAL}/v1", api_key="none", max_retries=0)
    asked = {"model": "local", "messages": HELLO, "max_tokens": 12, "temperature": 0, "seed": 1}
    whole = local.chat.completions.create(**asked)
    chunks = list(local.chat.completions.create(**asked, stream=True, stream_options={"include_usage": True}))
    text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert text, chunks
    assert text == whole.choices[0].message.content, (text, whole)
    assert chunks[-1].usage.completion_tokens == whole.usage.completion_tokens > 0


@check
def a_batch_answers_each_row_of_a_file():
    rows = [
        {
            "custom_id": name,
            "method": "POST",
            "url": "/v1/chat/completions",
            "body": {"model": "toy", "messages": HELLO},
        }
        for name in ("first", "second")
    ]
    file = client.files.create(file=("in.jsonl", "\n".join(map(json.dumps, rows)).encode()), purpose="batch")
    batch = client.batches.create(
        input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h", metadata={"for": "a test"}
    )
    until = time.monotonic() + 30
    while batch.status not in {"completed", "failed"} and time.monotonic() < until:
        time.sleep(0.2)
        batch = client.batches.retrieve(batch.id)
    assert (batch.status, batch.request_counts.completed, batch.metadata) == ("completed", 2, {"for": "a test"}), batch
    lines = [json.loads(line) for line in client.files.content(batch.output_file_id).text.splitlines()]
    assert sorted(line["custom_id"] for line in lines) == ["first", "second"]
    assert {line["response"]["body"]["choices"][0]["message"]["content"] for line in lines} == {ALL}
    assert [each.id for each in client.batches.list(limit=1)] == [batch.id]
    assert client.files.delete(file.id).deleted


run()
