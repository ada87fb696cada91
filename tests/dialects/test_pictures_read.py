"""What each provider answers, its jobs included, and what becomes of it."""

import base64
import json
from types import ModuleType
from typing import Any

import pytest

from hfgen.dialects import fal, hf_image, nscale, openai_images, replicate, together, wavespeed, zai
from hfgen.errors import BadRequest, ContentFiltered, HfgenError, ServerError
from hfgen.events import FinishReason, ImageResponse, Progress
from hfgen.media import Media
from hfgen.wire import END, Again, Body, Named, PictureAt, WireRequest

PNG = b"\x89PNG\r\n\x1a\n not much of one"
PACKED = base64.b64encode(PNG).decode()
HERE = "https://cdn.example/a.png"
DONE = [FinishReason("stop"), END]
QUEUE = "https://queue.fal.run/fal-ai/flux/requests/80e7-32af"
LISTS = [nscale, openai_images, together]
ALL = [fal, hf_image, *LISTS, replicate, wavespeed, zai]


def named(module: ModuleType) -> str:
    return module.__name__.rpartition(".")[2]


def read(dialect: ModuleType, value: object) -> list[Any]:
    return list(dialect.decode(Body("application/json", json.dumps(value).encode())))


def painted(**more: Any) -> ImageResponse:
    return ImageResponse(Media(PNG, "image/png"), **more)


# --- lists of pictures --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dialect", LISTS, ids=named)
def test_pictures_come_as_base64_or_by_their_address(dialect: ModuleType) -> None:
    data = [{"b64_json": PACKED, "revised_prompt": "a red fox"}, {"url": HERE, "b64_json": None}]
    assert read(dialect, {"created": 1, "data": data}) == [
        painted(revised_prompt="a red fox"),
        PictureAt(HERE),
        *DONE,
    ]


@pytest.mark.parametrize(
    "value",
    [
        PACKED,
        {"data": [{"b64_json": PACKED}]},
        {"output": [PACKED]},
        {"images": [{"image": PACKED}]},
        {"output": [f"data:image/png;base64,{PACKED}"]},
    ],
)
def test_hf_inference_and_the_toolkit_wrap_a_picture_in_json_at_times(value: object) -> None:
    assert read(hf_image, value) == [painted(), *DONE]


def test_bytes_are_a_picture_whatever_their_label() -> None:
    assert list(hf_image.decode(Body("text/html", PNG))) == [painted(), *DONE]


@pytest.mark.parametrize("dialect", ALL, ids=named)
@pytest.mark.parametrize(
    "data",
    [b"", b"{}", b"null", b"[]", b"<html><title>502</title></html>", b'{"data":[]}', b'{"data":[{"b64_json":""}]}',
     b'{"data":[{"b64_json":"bm8gcGljdHVyZQ=="}]}', b'{"data":[{"b64_json":"%%%"}]}', b'{"images":[]}',
     b'{"output":[]}', b'{"status":"succeeded","output":null}', b'{"data":{"status":"completed","outputs":[]}}',
     b'{"task_status":"SUCCESS","image_result":[]}', b'{"images":[{"url":"file:///etc/passwd"}]}', b"\xff\xd8"],
)  # fmt: skip
def test_no_picture_where_one_should_be_is_an_error_that_says_so(dialect: ModuleType, data: bytes) -> None:
    with pytest.raises(ServerError, match=r"picture|body"):
        list(dialect.decode(Body("application/json", data)))


@pytest.mark.parametrize("dialect", ALL, ids=named)
def test_an_error_inside_a_success_wins(dialect: ModuleType) -> None:
    said = {"error": {"message": "no such size", "type": "invalid_request_error"}}
    with pytest.raises(HfgenError, match="no such size") as caught:
        read(dialect, said)
    assert isinstance(caught.value, BadRequest | ServerError)
    with pytest.raises(HfgenError, match="it broke"):
        list(dialect.decode(Named("error", b'{"message":"it broke"}')))


# --- fal ----------------------------------------------------------------------------------------------------------


def test_fal_answers_at_once_where_it_does_not_queue() -> None:
    recorded = {
        "images": [{"url": HERE, "width": 1024, "height": 768, "content_type": "image/jpeg"}],
        "timings": {"inference": 2.1},
        "seed": 3131504498,
        "has_nsfw_concepts": [False],
        "prompt": "An astronaut riding a horse on the moon.",
    }
    assert read(fal, recorded) == [PictureAt(HERE, seed=3131504498), *DONE]


def test_fal_s_sync_mode_carries_the_picture_itself() -> None:
    assert read(fal, {"images": [{"url": f"data:image/jpeg;base64,{PACKED}"}], "seed": 1}) == [painted(seed=1), *DONE]


@pytest.mark.parametrize(
    ("state", "progress"),
    [
        ({"status": "IN_QUEUE", "queue_position": 3}, Progress("queued", position=3)),
        ({"status": "IN_QUEUE", "request_id": "80e7-32af"}, Progress("queued")),
        ({"status": "IN_PROGRESS", "logs": []}, Progress("running")),
    ],
)
def test_a_job_at_fal_is_asked_for_by_its_path_and_can_be_called_off(state: dict[str, Any], progress: Progress) -> None:
    said, again = read(fal, {**state, "response_url": QUEUE, "status_url": "https://evil.example/steal"})
    assert said == progress
    assert isinstance(again, WireRequest)
    assert (again.method, again.body, again.delay) == ("GET", None, 0.5)
    assert again.url == "/fal-ai/flux/requests/80e7-32af/status?_subdomain=queue"
    assert again.cancel is not None
    assert (again.cancel.method, again.cancel.url) == (
        "PUT",
        "/fal-ai/flux/requests/80e7-32af/cancel?_subdomain=queue",
    )


def test_a_finished_job_at_fal_is_fetched_from_its_path() -> None:
    (fetch,) = read(fal, {"status": "COMPLETED", "response_url": QUEUE})
    assert (fetch.method, fetch.url) == ("GET", "/fal-ai/flux/requests/80e7-32af?_subdomain=queue")


def test_a_job_that_failed_at_fal_is_an_error_in_its_words() -> None:
    with pytest.raises(ServerError, match="Runner disconnected"):
        read(fal, {"status": "COMPLETED", "response_url": QUEUE, "error": "Runner disconnected"})


def test_what_fal_s_checker_flags_is_left_out_and_nothing_at_all_is_an_error() -> None:
    two = [{"url": HERE}, {"url": "https://cdn.example/black.png"}]
    assert read(fal, {"images": two, "has_nsfw_concepts": [False, True]}) == [
        PictureAt(HERE),
        FinishReason("content_filter"),
        END,
    ]
    with pytest.raises(ContentFiltered, match="has_nsfw_concepts"):
        read(fal, {"images": two, "has_nsfw_concepts": [True, True]})


# --- replicate ----------------------------------------------------------------------------------------------------

URLS = {
    "get": "https://api.replicate.com/v1/predictions/abc",
    "cancel": "https://api.replicate.com/v1/predictions/abc/cancel",
    "stream": "https://stream.replicate.com/x",
}


@pytest.mark.parametrize("status", ["processing", "succeeded"])
@pytest.mark.parametrize("output", [HERE, [HERE]])
def test_replicate_s_output_counts_whatever_its_status(status: str, output: object) -> None:
    assert read(replicate, {"id": "abc", "status": status, "output": output, "urls": URLS, "error": None}) == [
        PictureAt(HERE),
        *DONE,
    ]


@pytest.mark.parametrize(("status", "stage"), [("starting", "queued"), ("processing", "running")])
def test_a_prediction_is_polled_by_its_path_and_can_be_called_off(status: str, stage: Any) -> None:
    progress, again = read(replicate, {"status": status, "output": None, "urls": URLS})
    assert progress == Progress(stage)
    assert (again.method, again.url, again.delay) == ("GET", "/v1/predictions/abc", 0.5)
    assert (again.cancel.method, again.cancel.url) == ("POST", "/v1/predictions/abc/cancel")


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        ({"status": "failed", "error": "CUDA out of memory"}, ServerError, "CUDA out of memory"),
        ({"status": "failed", "error": "NSFW content detected. Try again."}, ContentFiltered, "NSFW content detected"),
        ({"status": "canceled"}, ServerError, "canceled"),
        ({"status": "failed"}, ServerError, "does not say why"),
    ],
)
def test_a_prediction_that_came_to_nothing(answer: object, kind: type[HfgenError], words: str) -> None:
    with pytest.raises(HfgenError, match=words) as caught:
        read(replicate, answer)
    assert type(caught.value) is kind


# --- WaveSpeed ----------------------------------------------------------------------------------------------------

JOB = {"id": "j", "urls": {"get": "https://api.wavespeed.ai/api/v3/predictions/j/result"}}


@pytest.mark.parametrize(("status", "stage"), [("created", "queued"), ("processing", "running")])
def test_a_job_at_wavespeed_is_polled_by_its_path(status: str, stage: Any) -> None:
    progress, again = read(wavespeed, {"code": 200, "message": "success", "data": {**JOB, "status": status}})
    assert progress == Progress(stage)
    assert (again.method, again.url, again.delay) == ("GET", "/api/v3/predictions/j/result", 0.5)


def test_a_job_at_wavespeed_ends_with_pictures_or_its_words() -> None:
    done = {"code": 200, "message": "success", "data": {**JOB, "status": "completed", "outputs": [HERE]}}
    assert read(wavespeed, done) == [PictureAt(HERE), *DONE]
    with pytest.raises(ServerError, match="worker lost"):
        read(wavespeed, {"code": 200, "data": {**JOB, "status": "failed", "error": "worker lost"}})
    with pytest.raises(ContentFiltered, match="sensitive"):
        read(wavespeed, {"code": 200, "data": {**JOB, "status": "failed", "error": "Prompt is sensitive"}})
    with pytest.raises(BadRequest, match="size is wrong"):
        read(wavespeed, {"code": 400, "message": "size is wrong", "data": None})


# --- Z.ai ---------------------------------------------------------------------------------------------------------


def test_a_task_at_z_ai_is_polled_by_its_id_every_five_seconds() -> None:
    progress, again = read(zai, {"id": "20-7", "request_id": "r", "task_status": "PROCESSING"})
    assert progress == Progress("running")
    assert (again.method, again.url, again.delay) == ("GET", "/api/paas/v4/async-result/20-7", 5.0)
    assert again.headers["x-source-channel"] == "hugging_face"
    assert read(zai, {"task_status": "PROCESSING"})[1] == Again(5.0)


def test_a_task_at_z_ai_ends_with_a_picture_or_its_words() -> None:
    assert read(zai, {"id": "t", "task_status": "SUCCESS", "image_result": [{"url": HERE}]}) == [
        PictureAt(HERE),
        *DONE,
    ]
    with pytest.raises(ServerError, match="the job failed"):
        read(zai, {"id": "t", "task_status": "FAIL"})
    with pytest.raises(ContentFiltered, match="unsafe or sensitive"):
        read(zai, {"task_status": "FAIL", "error": {"code": "1301", "message": "may hold unsafe or sensitive content"}})


# --- addresses that came over the wire ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    ["", "https://evil.example", "https://evil.example/", "/a/../b", "/a/./b", "/a/%2e%2e/b", "//evil.example//x",
     "/a\\b", "/a b", "http://[::1", "/a/\ud83d", "javascript:alert(1)"],
)  # fmt: skip
def test_an_odd_address_of_a_job_is_never_asked(url: str) -> None:
    for dialect, answer in (
        (fal, {"status": "IN_QUEUE", "response_url": url}),
        (fal, {"status": "COMPLETED", "response_url": url}),
        (replicate, {"status": "processing", "urls": {"get": url, "cancel": ""}}),
        (wavespeed, {"code": 200, "data": {"status": "created", "urls": {"get": url}}}),
    ):
        with pytest.raises(ServerError):
            read(dialect, answer)


@pytest.mark.parametrize("task", ["../x", "a/../../b", "..", "a%2fb"])
def test_an_odd_id_of_a_task_is_never_asked(task: str) -> None:
    with pytest.raises(ServerError):
        read(zai, {"id": task, "task_status": "PROCESSING"})
