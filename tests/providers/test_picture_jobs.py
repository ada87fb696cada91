"""Jobs end to end over loopback: queued, polled, fetched; and the token, which goes to the router alone."""

import json
import time
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from hfgen import HuggingFaceInference
from hfgen.errors import ContentFiltered, HfgenError, ServerError
from hfgen.events import FinishReason, Progress
from loopback import serving
from painters import (
    ASTRONAUT,
    MODEL,
    PNG,
    RECORD,
    TOKEN,
    House,
    Said,
    Store,
    answered,
    ask,
    at_home,
    pictures,
    recorded,
    said,
    stages,
    unseeded,
)


async def test_fal_s_recorded_answer_is_read_where_it_does_not_queue(
    shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, paint, _ = recorded(shared, "t2i_fal-ai.yaml")
    jpeg = (shared / "recordings/images/t2i_hf-inference.jpg").read_bytes()
    store = Store(jpeg)
    async with serving(store) as cdn:
        body = answered(paint).body.replace(b"https://v3.fal.media", cdn.url.encode())
        house = House(RECORD, {"POST /fal-ai/fal-ai/flux/dev?_subdomain=queue": [Said(body)]})
        async with at_home(house, monkeypatch):
            events = await ask(provider="fal-ai")
    (image,) = pictures(events)
    assert unseeded(house.visits[0]) == json.loads(paint["request"]["body"])
    assert (image.media.data, image.media.media_type, image.seed) == (jpeg, "image/jpeg", 3131504498)
    assert image.source_url.endswith("/files/koala/7EQDw9PT6pMiX2fm7bYOC.png")
    assert "authorization" not in store.visits[0].headers


# --- jobs ---------------------------------------------------------------------------------------------------------

FAL = "/fal-ai/fal-ai/flux/requests/r-1"
FAL_HOST = "https://queue.fal.run/fal-ai/flux/requests/r-1"


async def test_a_job_in_fal_s_queue_tells_its_place_and_ends_with_its_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    job = {"request_id": "r-1", "response_url": FAL_HOST, "status_url": "https://evil.example/x", "cancel_url": "x"}
    store = Store()
    async with serving(store) as cdn:
        house = House(
            RECORD,
            {
                "POST /fal-ai/fal-ai/flux/dev?_subdomain=queue": [said({"status": "IN_QUEUE", **job})],
                f"GET {FAL}/status?_subdomain=queue": [
                    said({"status": "IN_QUEUE", "queue_position": 1, **job}, "202 Accepted"),
                    said({"status": "IN_PROGRESS", **job}, "202 Accepted"),
                    said({"status": "COMPLETED", **job}),
                ],
                f"GET {FAL}?_subdomain=queue": [said({"images": [{"url": f"{cdn.url}/a.png"}] * 2, "seed": 5})],
            },
        )
        async with at_home(house, monkeypatch):
            events = await ask(provider="fal-ai", aspect_ratio="16:9", extra_data={"num_images": 2})
    assert [image.media.data for image in pictures(events)] == [PNG, PNG]
    assert ("queued", 1) in stages(events)
    assert ("running", None) in stages(events)
    assert json.loads(house.visits[0].body)["image_size"] == {"width": 1376, "height": 768}
    assert all(visit.headers["authorization"] == f"Bearer {TOKEN}" for visit in house.visits)
    assert not any("authorization" in visit.headers for visit in store.visits)


async def test_a_prediction_at_replicate_is_polled_until_it_has_its_output(monkeypatch: pytest.MonkeyPatch) -> None:
    job = {"id": "p", "urls": {"get": "https://api.replicate.com/v1/predictions/p", "cancel": ""}, "error": None}
    store = Store()
    async with serving(store) as cdn:
        house = House(
            RECORD,
            {
                "POST /replicate/v1/models/black-forest-labs/flux-dev/predictions": [
                    said({**job, "status": "starting", "output": None}, "201 Created")
                ],
                "GET /replicate/v1/predictions/p": [
                    said({**job, "status": "processing", "output": None}),
                    said({**job, "status": "processing", "output": [f"{cdn.url}/a.webp"]}),
                ],
            },
        )
        async with at_home(house, monkeypatch):
            events = await ask(provider="replicate", seed=3)
    (image,) = pictures(events)
    assert (image.media.data, image.seed) == (PNG, 3)
    assert house.asked[1:] == ["GET /replicate/v1/predictions/p"] * 2
    assert "authorization" not in store.visits[0].headers


async def test_a_job_at_wavespeed_is_polled_until_it_is_completed(monkeypatch: pytest.MonkeyPatch) -> None:
    job = {"id": "j", "urls": {"get": "https://api.wavespeed.ai/api/v3/predictions/j/result"}}
    store = Store()
    async with serving(store) as cdn:
        states = [
            {"status": "processing", **job},
            {"status": "completed", "outputs": [f"{cdn.url}/a.png"], **job},
        ]
        house = House(
            RECORD,
            {
                "POST /wavespeed/api/v3/wavespeed-ai/flux-dev": [
                    said({"code": 200, "message": "success", "data": {"status": "created", **job}})
                ],
                "GET /wavespeed/api/v3/predictions/j/result": [said({"code": 200, "data": state}) for state in states],
            },
        )
        async with at_home(house, monkeypatch):
            events = await ask(provider="wavespeed")
    assert len(pictures(events)) == 1
    assert stages(events)[-1] in {("running", None), ("fetching", None)}
    assert "authorization" not in store.visits[0].headers


async def test_a_task_at_z_ai_is_polled_at_its_own_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store()
    async with serving(store) as cdn:
        done = {"id": "t-1", "task_status": "SUCCESS", "image_result": [{"url": f"{cdn.url}/a.png"}]}
        house = House(
            RECORD,
            {
                "POST /zai-org/api/paas/v4/async/images/generations": [
                    said({"id": "t-1", "task_status": "PROCESSING"})
                ],
                "GET /zai-org/api/paas/v4/async-result/t-1": [said(done)],
            },
        )
        async with at_home(house, monkeypatch):
            start = time.monotonic()
            events = await ask(provider="zai-org")
    assert len(pictures(events)) == 1
    assert 5 <= time.monotonic() - start < 10
    assert all(visit.headers["x-source-channel"] == "hugging_face" for visit in house.visits)
    assert "authorization" not in store.visits[0].headers


async def test_a_task_at_z_ai_that_is_done_at_once_needs_no_polling(monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store()
    async with serving(store) as cdn:
        done = {"id": "t", "task_status": "SUCCESS", "image_result": [{"url": f"{cdn.url}/a.png"}]}
        house = House(RECORD, {"POST /zai-org/api/paas/v4/async/images/generations": [said(done)]})
        async with at_home(house, monkeypatch):
            events = await ask(provider="zai-org", aspect_ratio="1:1")
    assert len(pictures(events)) == 1
    assert house.visits[0].headers["x-source-channel"] == "hugging_face"
    assert json.loads(house.visits[0].body) == {"model": "glm-image", "prompt": ASTRONAUT, "size": "1024x1024"}


async def test_a_task_at_z_ai_without_an_id_is_an_error_and_is_not_asked_for_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    house = House(RECORD, {"POST /zai-org/api/paas/v4/async/images/generations": [said({"task_status": "PROCESSING"})]})
    async with at_home(house, monkeypatch):
        with pytest.raises(ServerError, match="no job"):
            await ask(provider="zai-org")
    assert len(house.visits) == 1


async def test_a_poll_of_z_ai_that_does_not_name_its_task_again_is_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store()
    async with serving(store) as cdn:
        house = House(
            RECORD,
            {
                "POST /zai-org/api/paas/v4/async/images/generations": [
                    said({"id": "t", "task_status": "PROCESSING"}, more="Retry-After-Ms: 10\r\n")
                ],
                "GET /zai-org/api/paas/v4/async-result/t": [
                    said({"task_status": "PROCESSING"}, more="Retry-After-Ms: 10\r\n"),
                    said({"task_status": "SUCCESS", "image_result": [{"url": f"{cdn.url}/a.png"}]}),
                ],
            },
        )
        async with at_home(house, monkeypatch):
            assert len(pictures(await ask(provider="zai-org"))) == 1
    assert house.asked[1:] == ["GET /zai-org/api/paas/v4/async-result/t"] * 2


@pytest.mark.parametrize(
    ("provider", "routes", "kind", "words"),
    [
        (
            "fal-ai",
            {
                "POST /fal-ai/fal-ai/flux/dev?_subdomain=queue": [{"status": "IN_QUEUE", "response_url": FAL_HOST}],
                f"GET {FAL}/status?_subdomain=queue": [{"status": "COMPLETED", "response_url": FAL_HOST}],
                f"GET {FAL}?_subdomain=queue": [{"images": [{"url": "https://x/a"}], "has_nsfw_concepts": [True]}],
            },
            ContentFiltered,
            "has_nsfw_concepts",
        ),
        (
            "replicate",
            {
                "POST /replicate/v1/models/black-forest-labs/flux-dev/predictions": [
                    {"status": "starting", "urls": {"get": "https://r/v1/predictions/p"}}
                ],
                "GET /replicate/v1/predictions/p": [{"status": "failed", "error": "CUDA out of memory"}],
            },
            ServerError,
            "CUDA out of memory",
        ),
        (
            "wavespeed",
            {
                "POST /wavespeed/api/v3/wavespeed-ai/flux-dev": [
                    {"code": 200, "data": {"status": "created", "urls": {"get": "https://w/api/v3/p/result"}}}
                ],
                "GET /wavespeed/api/v3/p/result": [
                    {"code": 200, "data": {"status": "failed", "error": "is sensitive"}}
                ],
            },
            ContentFiltered,
            "is sensitive",
        ),
    ],
)
async def test_a_job_that_comes_to_nothing_is_an_error_with_its_words_and_is_not_made_again(
    provider: str, routes: dict[str, list[Any]], kind: type[HfgenError], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = House(RECORD, {route: [said(answer) for answer in answers] for route, answers in routes.items()})
    async with at_home(house, monkeypatch):
        with pytest.raises(HfgenError, match=words) as caught:
            await ask(provider=provider)
    assert type(caught.value) is kind
    assert sum(line.startswith("POST") for line in house.asked) == 1


async def test_what_a_checker_lets_through_comes_and_the_end_says_that_some_did_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store = Store()
    async with serving(store) as cdn:
        two = [{"url": f"{cdn.url}/a.png"}, {"url": f"{cdn.url}/black.png"}]
        answer = said({"images": two, "seed": 5, "has_nsfw_concepts": [False, True]})
        house = House(RECORD, {"POST /fal-ai/fal-ai/flux/dev?_subdomain=queue": [answer]})
        async with at_home(house, monkeypatch):
            events = await ask(provider="fal-ai", extra_data={"num_images": 2})
    assert len(pictures(events)) == 1
    assert isinstance(events[-1], FinishReason)
    assert events[-1].reason == "content_filter"
    assert [visit.path for visit in store.visits] == ["/a.png"]


@pytest.mark.parametrize(
    ("provider", "post", "job", "cancel"),
    [
        (
            "fal-ai",
            "POST /fal-ai/fal-ai/flux/dev?_subdomain=queue",
            {"status": "IN_QUEUE", "response_url": FAL_HOST},
            f"PUT {FAL}/cancel?_subdomain=queue",
        ),
        (
            "replicate",
            "POST /replicate/v1/models/black-forest-labs/flux-dev/predictions",
            {
                "status": "starting",
                "urls": {"get": "https://r/v1/predictions/p", "cancel": "https://r/v1/predictions/p/cancel"},
            },
            "POST /replicate/v1/predictions/p/cancel",
        ),
    ],
)
async def test_who_leaves_early_calls_the_job_off(
    provider: str, post: str, job: object, cancel: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = House(RECORD, {post: [said(job)], cancel: [said({})]})
    async with at_home(house, monkeypatch):
        answer = HuggingFaceInference.create_async_generator(MODEL, [], prompt=ASTRONAUT, provider=provider)
        async with aclosing(answer):
            async for event in answer:
                assert event == Progress("queued")
                break
    assert house.asked == [post, cancel]
    assert house.visits[-1].headers["authorization"] == f"Bearer {TOKEN}"
