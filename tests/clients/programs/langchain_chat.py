"""langchain-openai's ChatOpenAI."""

from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from openai import APIError
from pydantic import BaseModel

from checking import ALL, GATEWAY, KEY, LOCAL, check, run


class City(BaseModel):
    """A city."""

    city: str
    people: int


@tool
def weather(city: str) -> str:
    """The weather in a city."""
    return f"{city} is cold"


def model(name="toy", **more):
    return ChatOpenAI(model=name, base_url=f"{GATEWAY}/v1", api_key=KEY, max_retries=0, **more)


@check
def a_whole_answer_has_text_and_usage():
    answer = model().invoke("Say hello.")
    assert answer.content == ALL
    assert answer.usage_metadata["total_tokens"] == 17
    assert answer.response_metadata["finish_reason"] == "stop"


@check
def a_stream_is_the_same():
    chunks = list(model(stream_usage=True).stream("Say hello."))
    assert "".join(c.content for c in chunks) == ALL
    assert sum(chunks[1:], chunks[0]).usage_metadata["total_tokens"] == 17


@check
async def an_async_stream_is_the_same():
    assert "".join([c.content async for c in model().astream("Say hello.")]) == ALL


@check
def a_tool_is_called_whole_and_streamed():
    bound = model().bind_tools([weather])
    assert [(c["name"], c["args"]) for c in bound.invoke("Weather?").tool_calls] == [("weather", {"city": "Oslo"})]
    chunks = list(bound.stream("Weather?"))
    assert sum(chunks[1:], chunks[0]).tool_calls[0]["args"] == {"city": "Oslo"}


@check
def structured_output_comes_by_each_of_its_ways():
    for method in ("function_calling", "json_schema"):
        assert model().with_structured_output(City, method=method).invoke("A city") == City(city="Oslo", people=7), (
            method
        )
    assert model().with_structured_output(None, method="json_mode").invoke("JSON: a city") == {"city": "Oslo"}


@check
def responses_are_spoken_too():
    answer = model(use_responses_api=True).invoke("Say hello.")
    assert answer.text == ALL
    assert "".join(c.text for c in model(use_responses_api=True).stream("Say hello.")) == ALL


@check
def a_stream_that_breaks_raises():
    got = ""
    try:
        for chunk in model("breaks").stream("Say hello."):
            got += chunk.content
    except APIError as error:
        assert "out of memory" in str(error)
        assert got == "Streams"
    else:
        raise AssertionError("nothing was raised")


@check
def the_real_engine_streams():
    local = ChatOpenAI(model="local", base_url=f"{LOCAL}/v1", api_key="none", max_tokens=8)
    assert "".join(c.content for c in local.stream("Say hello."))


run()
