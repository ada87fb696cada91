"""The documented tables of providers, each row against what is sent and read."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hfgen.events import Progress
from hfgen.generation import Generation, Picture, Sampling
from hfgen.providers.routes import IMAGE_PROVIDERS, Row
from hfgen.sizes import Size, Wish
from hfgen.wire import Body, Target, WireRequest

DOCS = Path(__file__).parents[2] / "docs" / "images.md"
PICTURE = Picture(Size(1376, 768), 3, "blur", 20, 7.5, "euler", Wish("16:9"))
GENERATION = Generation(model="owner/painter", prompt="a fox", picture=PICTURE, sampling=Sampling(seed=7))
OPTIONS = ("num_inference_steps", "guidance_scale", "negative_prompt", "scheduler")
SIZES: dict[str, Any] = {
    "`image_size: {width, height}`": {"image_size": {"width": 1376, "height": 768}},
    "`parameters.width`, `height`": {"parameters.width": 1376, "parameters.height": 768},
    '`size: "WxH"`': {"size": "1376x768"},
    '`size: "W*H"`': {"size": "1376*768"},
    "`width`, `height`": {"width": 1376, "height": 768},
    "`input.width`, `height`, and `aspect_ratio`": {
        "input.width": 1376,
        "input.height": 768,
        "input.aspect_ratio": "16:9",
    },
}
# What a job says of itself while it runs, by provider.
RUNNING: dict[str, tuple[dict[str, Any], ...]] = {
    "fal-ai": (
        {"status": "IN_QUEUE", "queue_position": 2, "response_url": "https://q/m/requests/r"},
        {"status": "IN_PROGRESS", "response_url": "https://q/m/requests/r"},
    ),
    "replicate": tuple(
        {"status": status, "urls": {"get": "https://r/v1/predictions/p", "cancel": "https://r/v1/predictions/p/cancel"}}
        for status in ("starting", "processing")
    ),
    "wavespeed": tuple(
        {"code": 200, "data": {"status": status, "urls": {"get": "https://w/api/v3/predictions/p/result"}}}
        for status in ("created", "processing")
    ),
    "zai-org": ({"id": "t", "task_status": "PROCESSING"},),
}
SAID = {
    "queue position, running": [("queued", 2), ("running", None)],
    "queued, running": [("queued", None), ("running", None)],
    "running": [("running", None)],
    "none": [],
}


def table(title: str) -> dict[str, dict[str, str]]:
    """The rows of the table under a heading, by their first cell."""
    lines = iter(DOCS.read_text(encoding="utf-8").partition(f"## {title}\n")[2].splitlines())
    head = next(line for line in lines if line.startswith("|"))
    next(lines)
    rows: dict[str, dict[str, str]] = {}
    for line in lines:
        if not line.startswith("|"):
            break
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        rows[cells[0]] = dict(zip((cell.strip(" `") for cell in head.strip("|").split("|")), cells, strict=True))
    return rows


def flat(value: dict[str, Any], place: str = "") -> Iterator[tuple[str, Any]]:
    """Every key by its path; a size of two numbers stays whole."""
    for key, item in value.items():
        yield place + key, item
        if isinstance(item, dict):
            yield from flat(item, f"{place}{key}.")


def asked(row: Row, adapter: str = "") -> WireRequest:
    target = Target("http://router" + row.base, row.kind, "id", path=row.path.format(id="id"), adapter=adapter)
    return row.dialect.encode(GENERATION, target)


def test_the_tables_have_a_row_for_each_provider_that_paints() -> None:
    assert list(table("Providers")) == sorted(IMAGE_PROVIDERS)
    assert list(table("Options")) == sorted(IMAGE_PROVIDERS)
    assert f"| {', '.join(sorted(IMAGE_PROVIDERS))} |" in (DOCS.parents[1] / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("provider", sorted(IMAGE_PROVIDERS))
def test_what_is_sent_is_what_the_table_says(provider: str) -> None:
    said, row = table("Providers")[provider], IMAGE_PROVIDERS[provider]
    request = asked(row)
    method, path = said["submit"].split("`")[1].split(" ")
    sent = dict(flat(json.loads(request.body or b"")))
    assert (request.method, request.url) == (method, f"http://router/{provider}{path.format(id='id')}")
    assert ("Prefer: wait" in said["submit"]) == (request.headers.get("Prefer") == "wait")
    assert SIZES[said["size"]].items() <= sent.items()
    most, _, name = said["n in one request"].partition(", ")
    assert int(most) == row.dialect.most
    assert ("n" in request.dropped) == (row.dialect.most == 1)
    assert not name or sent[name.strip("`")] == 3
    assert ("seed" in request.dropped) == (said["seed"] == "not taken")
    assert said["seed"] == "not taken" or sent[said["seed"].strip("`")] == 7


@pytest.mark.parametrize("provider", sorted(IMAGE_PROVIDERS))
def test_what_a_running_job_says_is_what_the_table_says(provider: str) -> None:
    said, dialect = table("Providers")[provider], IMAGE_PROVIDERS[provider].dialect
    events: list[tuple[str, int | None]] = []
    cancels: set[str] = set()
    for answer in RUNNING.get(provider, ()):
        progress, again = dialect.decode(Body("application/json", json.dumps(answer).encode()))
        assert isinstance(progress, Progress)
        assert isinstance(again, WireRequest)
        events.append((progress.stage, progress.position))
        cancels.add(f"`{again.cancel.method} …/cancel`" if again.cancel else "none")
        assert not again.cancel or again.cancel.url.partition("?")[0].endswith("/cancel")
    assert events == SAID[said["progress"]]
    assert (cancels or {"none"}) == {said["cancel"]}


@pytest.mark.parametrize("provider", sorted(IMAGE_PROVIDERS))
def test_the_options_that_are_sent_are_those_of_the_table(provider: str) -> None:
    said, row = table("Options")[provider], IMAGE_PROVIDERS[provider]
    request = asked(row, adapter="lora.safetensors")
    places = {place.rpartition(".")[2] for place, _ in flat(json.loads(request.body or b""))}
    for option in OPTIONS:
        assert (option in request.dropped) == (said[option] == "no")
        assert said[option] == "no" or {option, said[option].strip("`")} & places
    assert said["LoRA"] == "no" or said["LoRA"].strip("`") in places
