"""What is asked of a toolkit that writes text, scene by scene."""

from collections.abc import Awaitable, Callable

from scenes import Stage, server

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
TALK = [
    {"role": "system", "content": "You are a helpful assistant."},
    {"role": "user", "content": "What is the capital of France?"},
]


async def prompt(stage: Stage) -> None:
    """A raw prompt, greedy"""
    await stage.paint(prompt="The capital of France is", max_tokens=8, temperature=0)


async def conversation(stage: Stage) -> None:
    """A conversation, which hfgen renders: the toolkit would not take its options"""
    await stage.paint(prompt=None, messages=TALK, chat_template=CHATML, max_tokens=12, temperature=0)


async def stop(stage: Stage) -> None:
    """A stop text, which hfgen matches: the toolkit refuses it"""
    await stage.paint(prompt="Count: 1, 2, 3,", stop="6", max_tokens=16, temperature=0)


async def seed(stage: Stage) -> None:
    """A seed, which no pipeline takes"""
    await stage.paint(prompt="Once", seed=7, max_tokens=2, temperature=0)


async def unknown(stage: Stage) -> None:
    """A parameter that the pipeline does not know"""
    await stage.paint(prompt="Once", max_tokens=2, extra_data={"parameters": {"bogus": 1}})


async def picture(stage: Stage) -> None:
    """A picture, of a model that writes"""
    await stage.paint(prompt="a red fox in snow", width=32, height=32, seed=7)


async def event_stream(stage: Stage) -> None:
    """By hand: an event stream is refused after the work"""
    body = b'{"inputs":"Once","parameters":{"max_new_tokens":2,"do_sample":false}}'
    await stage.post(body, Content_Type="application/json", Accept="text/event-stream")


TEXT_SCENES: tuple[Callable[[Stage], Awaitable[None]], ...] = (
    server,
    prompt,
    conversation,
    stop,
    seed,
    unknown,
    picture,
    event_stream,
)
