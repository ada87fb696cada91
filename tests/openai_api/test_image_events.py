"""Pictures and what is waited for, as events."""

import base64
import json
from typing import Any

from hfgen.events import FinishReason, ImageResponse, Progress, Resumed, Usage
from hfgen.media import Media
from hfgen.openai_api.image_events import ImageEvents

FOX = ImageResponse(Media(b"jpeg", "image/jpeg"), "a fox", model="painter", seed=7, width=64, height=32)


def heard(said: bytes) -> Any:
    name, data = said.decode().removesuffix("\n\n").split("\n")
    event = json.loads(data.removeprefix("data: "))
    assert name == f"event: {event['type']}"
    return event


def test_a_queue_is_told_of_with_what_is_known() -> None:
    event = heard(ImageEvents(1).chunk(Progress("queued", position=3)))
    assert event == {
        "type": "image_generation.progress",
        "status": "queued",
        "message": None,
        "progress": None,
        "position": 3,
    }


def test_a_picture_says_what_it_is_and_what_it_was_made_from() -> None:
    wording = ImageEvents(1)
    assert wording.chunk(Usage(3, 4)) == b""
    event = heard(wording.chunk(FOX))
    assert base64.b64decode(event["b64_json"]) == b"jpeg"
    assert (event["output_format"], event["size"], event["seed"]) == ("jpeg", "64x32", 7)
    assert event["usage"]["total_tokens"] == 7


def test_by_its_address_a_picture_has_no_bytes_with_it() -> None:
    wording = ImageEvents(1, lambda picture: f"http://here/{picture.seed}.jpg")
    whole = json.loads(wording.whole([Progress("queued"), FOX, FinishReason("stop")]))
    assert whole["data"] == [{"url": "http://here/7.jpg", "revised_prompt": None, "seed": 7, "model": "painter"}]
    assert "b64_json" not in heard(wording.chunk(FOX))


def test_what_there_is_no_word_for_is_not_said() -> None:
    assert ImageEvents(1).chunk(Resumed(2, "cut")) == b""
    assert ImageEvents(1).chunk(FinishReason("stop")) == b""
