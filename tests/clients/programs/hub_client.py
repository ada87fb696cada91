"""huggingface_hub's InferenceClient and AsyncInferenceClient."""

import json

from huggingface_hub import AsyncInferenceClient, InferenceClient
from huggingface_hub.errors import HfHubHTTPError

from checking import ALL, GATEWAY, HELLO, KEY, LOCAL, WEATHER, check, run

client = InferenceClient(base_url=f"{GATEWAY}/v1", api_key=KEY)


@check
def a_whole_answer_has_text_reason_and_usage():
    answer = client.chat_completion(HELLO, model="toy")
    assert answer.choices[0].message.content == ALL
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.total_tokens == 17


@check
def a_stream_is_the_same():
    chunks = list(client.chat_completion(HELLO, model="toy", stream=True, stream_options={"include_usage": True}))
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == ALL
    assert chunks[-1].usage.total_tokens == 17


@check
async def an_async_stream_is_the_same():
    async with AsyncInferenceClient(base_url=f"{GATEWAY}/v1", api_key=KEY) as other:
        stream = await other.chat.completions.create(model="toy", messages=HELLO, stream=True)
        assert "".join([c.choices[0].delta.content or "" async for c in stream]) == ALL


@check
def a_tool_is_called():
    (call,) = client.chat_completion(HELLO, model="toy", tools=[WEATHER]).choices[0].message.tool_calls
    assert (call.function.name, json.loads(call.function.arguments)) == ("weather", {"city": "Oslo"})


@check
def log_probabilities_and_json_are_understood():
    answer = client.chat_completion(HELLO, model="toy", logprobs=True, top_logprobs=2)
    assert answer.choices[0].logprobs.content[0].top_logprobs[1].token == "x"
    answer = client.chat_completion(HELLO, model="toy", response_format={"type": "json_object"})
    assert json.loads(answer.choices[0].message.content) == {"city": "Oslo"}


@check
def a_refusal_is_an_http_error():
    try:
        client.chat_completion(HELLO, model="refuses")
    except HfHubHTTPError as error:
        assert error.response.status_code == 400
        assert "no such voice" in str(error)
    else:
        raise AssertionError("nothing was raised")


@check
def a_text_goes_on_in_the_task_form():
    task = InferenceClient(base_url=GATEWAY, api_key=KEY)
    assert task.text_generation("Say hello.", max_new_tokens=20) == ALL


@check
def a_picture_is_painted_in_the_task_form():
    from io import BytesIO

    image = InferenceClient(base_url=GATEWAY, api_key=KEY).text_to_image("A fox")
    image.save(BytesIO(), "PNG")
    assert image.size == (1, 1)


@check
def the_real_engine_streams():
    local = InferenceClient(base_url=f"{LOCAL}/v1", api_key="none")
    chunks = list(local.chat_completion(HELLO, model="local", max_tokens=8, stream=True))
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)


run()
