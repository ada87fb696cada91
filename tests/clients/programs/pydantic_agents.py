"""pydantic-ai's agents, over chat completions and over responses."""

from pydantic import BaseModel
from pydantic_ai import Agent
from pydantic_ai.exceptions import ModelHTTPError
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.openai import OpenAIProvider

from checking import ALL, GATEWAY, KEY, LOCAL, check, run

PROVIDER = OpenAIProvider(base_url=f"{GATEWAY}/v1", api_key=KEY)
MODELS = (OpenAIChatModel("toy", provider=PROVIDER), OpenAIResponsesModel("toy", provider=PROVIDER))


class City(BaseModel):
    city: str
    people: int


@check
async def a_run_has_text_and_usage():
    for model in MODELS:
        result = await Agent(model).run("Say hello.")
        assert result.output == ALL, model
        assert (result.usage.input_tokens, result.usage.output_tokens) == (11, 6), model


@check
async def a_run_is_streamed():
    for model in MODELS:
        async with Agent(model).run_stream("Say hello.") as result:
            pieces = [piece async for piece in result.stream_text(delta=True, debounce_by=None)]
        assert "".join(pieces) == ALL, model
        assert len(pieces) > 1, model


@check
async def a_tool_is_called_and_its_result_answered():
    asked = []

    def weather(city: str) -> str:
        """The weather in a city."""
        asked.append(city)
        return "cold"

    for model in MODELS:
        result = await Agent(model, tools=[weather]).run("Weather?")
        assert result.output == ALL, model
    assert asked == ["Oslo", "Oslo"]


@check
async def a_typed_output_is_filled():
    for model in MODELS:
        result = await Agent(model, output_type=City).run("A city")
        assert result.output == City(city="Oslo", people=7), model


@check
async def a_refusal_is_an_http_error():
    for kind in (OpenAIChatModel, OpenAIResponsesModel):
        try:
            await Agent(kind("refuses", provider=PROVIDER)).run("Say hello.")
        except ModelHTTPError as error:
            assert error.status_code == 400
        else:
            raise AssertionError("nothing was raised")


@check
async def the_real_engine_answers():
    provider = OpenAIProvider(base_url=f"{LOCAL}/v1", api_key="none")
    for kind in (OpenAIChatModel, OpenAIResponsesModel):
        result = await Agent(kind("local", provider=provider)).run("Say hello.", model_settings={"max_tokens": 8})
        assert result.output


run()
