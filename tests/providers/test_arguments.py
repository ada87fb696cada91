"""What a caller may give: every shape of a conversation, and nothing that is of another type, before any I/O."""

import warnings
from collections.abc import Iterable
from typing import Any

import pytest

from hfgen import HuggingFaceInference, Session, UsageError
from loopback import Visit, serving

HELLO = {"role": "user", "content": "Hello"}


def part(**part: Any) -> list[dict[str, Any]]:
    return [{"role": "user", "content": [part]}]


async def test_a_conversation_may_be_a_list_a_tuple_or_any_iterable() -> None:
    bodies: list[bytes] = []

    async def talk(visit: Visit) -> None:
        if visit.method == "GET":
            await visit.answer(b'{"data":[{"id":"m","owned_by":"me"}]}')
            return
        bodies.append(visit.body)
        await visit.begin_stream()
        await visit.event('{"choices":[{"delta":{"content":"ok"},"finish_reason":"stop"}]}')
        await visit.end_stream()

    parts = {"role": "user", "content": ({"type": "text", "text": "Hello"},)}
    empty = {"role": "assistant", "content": None}
    forms: list[Iterable[Any]] = [[HELLO], (HELLO,), iter([HELLO]), [empty, HELLO], (parts,)]
    async with serving(talk) as server:
        for messages in forms:
            answer = HuggingFaceInference.create_async_generator("m", messages, api_base=server.url)  # type: ignore[arg-type]
            assert [event async for event in answer if isinstance(event, str)] == ["ok"]
    assert len(bodies) == len(forms)
    assert all(b"Hello" in body for body in bodies)


@pytest.mark.parametrize(
    ("messages", "words"),
    [
        (None, "messages is empty"),
        ("Hello", r"messages\[0\] is a str"),
        (HELLO, r"messages\[0\] is a str"),
        (5, "messages=5"),
        ([{"role": "user", "content": ["Hello"]}], r"messages\[0\]\['content'\]\[0\] is a str"),
        (part(type="text", text=None), r"\['text'\] is a NoneType"),
        (part(type="image_url", image_url={}), "holds no URL"),
        (part(type="image_url", image_url=None), "holds no URL"),
    ],
)
def test_what_is_no_conversation_is_refused_by_its_place(messages: Any, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        HuggingFaceInference.create_async_generator("m", messages)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_tokens", "10"),
        ("temperature", "hot"),
        ("seed", 1.5),
        ("timeout", "5"),
        ("idle_timeout", "5"),
        ("stop", [5]),
        ("stop", ""),
        ("stop", [""]),
        ("logprobs", -1),
        ("n", "2"),
        ("prompt", 5),
        ("extra_data", "x"),
        ("special_tokens_in_content", "loud"),
        ("api_base", 5),
        ("session", object()),
    ],
)
def test_a_value_of_another_type_is_refused_by_its_name_before_any_io(name: str, value: Any) -> None:
    with pytest.raises(UsageError, match=name.removesuffix("_timeout")):
        HuggingFaceInference.create_async_generator("m", [HELLO], **{name: value})  # type: ignore[list-item]


def test_a_prompt_needs_no_conversation() -> None:
    HuggingFaceInference.create_async_generator("m", None, prompt="Once")  # type: ignore[arg-type]


async def test_a_session_of_another_library_is_refused_with_ours_named() -> None:
    class ClientSession:
        """As users of the reference class have one."""

    with pytest.raises(UsageError, match=r"session is a ClientSession.*hfgen\.Session"):
        await HuggingFaceInference.get_model_data(ClientSession(), "gpt2")  # type: ignore[arg-type]


async def test_a_proxy_beside_a_session_is_used_for_this_call_and_the_session_stays_open() -> None:
    through: list[str] = []

    async def talk(visit: Visit) -> None:
        through.append(visit.path)
        if visit.method == "GET":
            await visit.answer(b'{"data":[{"id":"m","owned_by":"me"}]}')
        else:
            body = b'{"choices":[{"message":{"content":"ok"},"finish_reason":"stop"}]}'
            await visit.answer(body)

    async with serving(talk) as proxy, Session() as session:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            answer = HuggingFaceInference.create_async_generator(
                "m",
                [HELLO],  # type: ignore[list-item]
                api_base="http://127.0.0.1:9",
                session=session,
                proxy=proxy.url,
            )
            assert [event async for event in answer if isinstance(event, str)] == ["ok"]
    assert "http://127.0.0.1:9/v1/chat/completions" in through
