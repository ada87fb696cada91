"""smolagents' OpenAIServerModel, which sends every content as a list of parts."""

from smolagents import OpenAIServerModel, tool
from smolagents.models import ChatMessage, MessageRole

from checking import ALL, GATEWAY, KEY, LOCAL, check, run

ASKED = [ChatMessage(role=MessageRole.USER, content=[{"type": "text", "text": "Say hello."}])]


@tool
def weather(city: str) -> str:
    """The weather in a city.

    Args:
        city: Its name.
    """
    return f"{city} is cold"


def model(name="toy", base=GATEWAY, key=KEY, **more):
    return OpenAIServerModel(model_id=name, api_base=f"{base}/v1", api_key=key, **more)


@check
def a_whole_answer_has_text_and_usage():
    answer = model().generate(ASKED)
    assert answer.content == ALL
    assert (answer.token_usage.input_tokens, answer.token_usage.output_tokens) == (11, 6)


@check
def a_stream_is_the_same():
    assert "".join(delta.content or "" for delta in model().generate_stream(ASKED)) == ALL


@check
def a_tool_is_called():
    (call,) = model().generate(ASKED, tools_to_call_from=[weather]).tool_calls
    assert call.function.name == "weather"


@check
def an_answer_stops_where_it_is_told():
    assert model().generate(ASKED, stop_sequences=[" with"]).content == "Streams end"


@check
def the_real_engine_answers():
    assert model("local", LOCAL, "none", max_tokens=8).generate(ASKED).content


run()
