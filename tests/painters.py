"""A Hub, a router and a store of pictures on loopback, which say what a test tells them to."""

import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # it ships no types

from hfgen import HuggingFaceInference, ImageResponse
from hfgen.events import Event, Progress
from loopback import Visit, serving

TOKEN = "hf_a_token_for_tests_only"
MODEL = "black-forest-labs/FLUX.1-dev"
ASTRONAUT = "An astronaut riding a horse on the moon."
# What the Hub answers for this model (recorded), which serves it with whoever still exists.
SERVED = {
    "fal-ai": {"status": "live", "providerId": "fal-ai/flux/dev", "task": "text-to-image"},
    "replicate": {"status": "live", "providerId": "black-forest-labs/flux-dev", "task": "text-to-image"},
    "together": {"status": "live", "providerId": "black-forest-labs/FLUX.1-dev", "task": "text-to-image"},
    "hf-inference": {"status": "live", "providerId": "black-forest-labs/FLUX.1-dev", "task": "text-to-image"},
    "nscale": {"status": "live", "providerId": "black-forest-labs/FLUX.1-dev", "task": "text-to-image"},
    "wavespeed": {"status": "live", "providerId": "wavespeed-ai/flux-dev", "task": "text-to-image"},
    "zai-org": {"status": "live", "providerId": "glm-image", "task": "text-to-image"},
    "groq": {"status": "live", "providerId": "no-painter", "task": "conversational"},
    "nebius": {"status": "error", "providerId": "black-forest-labs/flux-dev", "task": "text-to-image"},
}
RECORD = {"pipeline_tag": "text-to-image", "inferenceProviderMapping": SERVED}
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
PACKED = base64.b64encode(PNG).decode()


@dataclass
class Said:
    """One answer of a provider."""

    body: bytes
    status: str = "200 OK"
    kind: str = "application/json"
    more: str = ""


def said(value: object, status: str = "200 OK", more: str = "") -> Said:
    return Said(json.dumps(value).encode(), status, more=more)


@dataclass
class House:
    """The Hub and the router at one address; each route answers as it was told, the last answer again and again."""

    record: dict[str, Any]
    answers: dict[str, list[Said]]
    visits: list[Visit] = field(default_factory=list)

    async def __call__(self, visit: Visit) -> None:
        if visit.path.startswith("/api/models/"):
            name = visit.path.partition("?")[0].removeprefix("/api/models/")
            await visit.answer(json.dumps({"id": name, **self.record}).encode())
            return
        self.visits.append(visit)
        queue = self.answers.get(f"{visit.method} {visit.path}")
        if not queue:
            await visit.answer(b'{"error":"no such route"}', status="404 Not Found")
            return
        answer = queue.pop(0) if len(queue) > 1 else queue[0]
        await visit.answer(answer.body, answer.kind, answer.status, answer.more)

    @property
    def asked(self) -> list[str]:
        return [f"{visit.method} {visit.path}" for visit in self.visits]


@dataclass
class Store:
    """Where pictures lie: another origin, which no token may reach."""

    picture: bytes = PNG
    visits: list[Visit] = field(default_factory=list)

    async def __call__(self, visit: Visit) -> None:
        self.visits.append(visit)
        await visit.answer(self.picture, "image/jpeg")


@asynccontextmanager
async def at_home(house: House, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    async with serving(house) as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        monkeypatch.setenv("HF_INFERENCE_ENDPOINT", server.url)
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        yield


async def ask(model: str = MODEL, prompt: str = ASTRONAUT, **options: Any) -> list[Event]:
    answer = HuggingFaceInference.create_async_generator(model, [], prompt=prompt, **options)
    return [event async for event in answer]


def pictures(events: list[Event]) -> list[ImageResponse]:
    return [event for event in events if isinstance(event, ImageResponse)]


def stages(events: list[Event]) -> list[tuple[str, int | None]]:
    return [(event.stage, event.position) for event in events if isinstance(event, Progress)]


def unseeded(visit: Visit) -> dict[str, Any]:
    """The body of a request without the seed that hfgen draws where none is given, which no recording has."""
    body: dict[str, Any] = json.loads(visit.body)
    for place in (body, body.get("parameters", {})):
        place.pop("seed", None)
    return body


def recorded(shared: Path, name: str) -> list[dict[str, Any]]:
    tape = yaml.safe_load((shared / "recordings" / "huggingface_hub" / name).read_text(encoding="utf-8"))
    interactions: list[dict[str, Any]] = tape["interactions"]
    return interactions


def answered(interaction: dict[str, Any]) -> Said:
    body = interaction["response"]["body"]["string"]
    return Said(
        body if isinstance(body, bytes) else body.encode(),
        kind=interaction["response"]["headers"]["Content-Type"][0],
    )
