"""A caller's conversation stays within bounds, and names no address that the server behind would open for it."""

from typing import Any

import pytest

from hfgen.openai_api.bounds import Bounds
from hfgen.openai_api.conversation import checked
from hfgen.openai_api.refusal import Refusal

DATA = "data:image/png;base64,AAAA"


def shown(*urls: str) -> list[dict[str, Any]]:
    return [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}} for url in urls]}]


def refusal_of(conversation: list[dict[str, Any]], bounds: Bounds | None = None) -> str:
    with pytest.raises(Refusal) as refused:
        checked(conversation, bounds or Bounds())
    assert (refused.value.status, refused.value.param) == (400, "messages")
    return refused.value.message


def test_as_many_messages_as_the_limit_says_and_no_more() -> None:
    bounds = Bounds(messages=2)
    turn = {"role": "user", "content": "Hi"}
    assert len(checked([turn] * 2, bounds)) == 2
    assert "at most 2" in refusal_of([turn] * 3, bounds)


def test_as_many_pictures_as_the_limit_says_and_no_more() -> None:
    bounds = Bounds(pictures=1)
    assert checked(shown(DATA), bounds)
    assert "at most 1 pictures" in refusal_of(shown(DATA, DATA), bounds)


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data",
        "https://example.com/cat.png",
        "HTTP://[::ffff:127.0.0.1]/",
        "file:///etc/passwd",
        "data:text/html;base64,AAAA",
        "/etc/passwd",
        "",
    ],
)
def test_by_default_pictures_come_as_data_alone(url: str) -> None:
    assert refusal_of(shown(url)).startswith("messages: ")


def test_where_addresses_are_allowed_they_are_those_of_the_web() -> None:
    bounds = Bounds(image_urls=True)
    assert checked(shown("https://example.com/cat.png", DATA), bounds)
    refusal_of(shown("file:///etc/passwd"), bounds)


def test_what_is_no_conversation_is_refused_by_its_place() -> None:
    assert refusal_of([{"role": "robot", "content": "Hi"}]).startswith("messages[0]['role']")


def test_parts_of_text_alone_become_one_text_and_pictures_stay_parts() -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    text, mixed = checked([{"role": "user", "content": parts}, *shown(DATA)], Bounds())
    assert text == {"role": "user", "content": "ab"}
    assert mixed == shown(DATA)[0]
