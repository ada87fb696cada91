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


@pytest.mark.parametrize(
    "part",
    [
        {"type": "video_url", "video_url": {"url": "http://10.0.0.1/a.mp4"}},
        {"type": "audio_url", "audio_url": "https://example.com/a.wav"},
        {"type": "image", "image": "http://169.254.169.254/"},
        {"type": "image", "url": "https://example.com/a.png"},
        {"type": "file", "file": {"file_data": "file:///etc/passwd"}},
        {"type": "input_image", "source": {"deep": [{"url": "HTTP://localhost/"}]}},
        {"type": "video", "video": ["https://example.com/1.png", "https://example.com/2.png"]},
    ],
)
def test_by_default_no_part_of_any_kind_names_an_address(part: dict[str, Any]) -> None:
    said: list[dict[str, Any]] = [{"role": "user", "content": [{"type": "text", "text": "https://example.com/"}, part]}]

    assert "addresses" in refusal_of(said)
    if "file:" not in str(part):
        assert checked(said, Bounds(image_urls=True))


def test_an_address_is_found_however_deep_it_lies() -> None:
    deep: Any = "https://example.com/"
    for _ in range(5000):
        deep = [deep]

    assert "addresses" in refusal_of([{"role": "user", "content": [{"type": "file", "file": deep}]}])


def test_what_is_no_conversation_is_refused_by_its_place() -> None:
    assert refusal_of([{"role": "robot", "content": "Hi"}]).startswith("messages[0]['role']")


def test_parts_of_text_alone_become_one_text_and_pictures_stay_parts() -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    text, mixed = checked([{"role": "user", "content": parts}, *shown(DATA)], Bounds())
    assert text == {"role": "user", "content": "ab"}
    assert mixed == shown(DATA)[0]
