"""A batch against the real engine: every row recorded once, and its answer the one that a single call gets."""

import json
from collections import Counter
from pathlib import Path

import pytest

from hfgen import HuggingFaceInference
from hfgen.batch import run
from hfgen.messages import Message

pytestmark = [pytest.mark.engine, pytest.mark.usefixtures("weights", "engines")]

PROMPTS = [f"What is {first} + {second}?" for first in range(10) for second in range(10)]
LONGEST = 6  # tokens


@pytest.mark.timeout(300)
async def test_a_hundred_rows_are_recorded_once_and_say_what_single_calls_say(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    async for result in run(PROMPTS, out=out, model="local", max_tokens=LONGEST, temperature=0):
        assert result.ok, result

    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert Counter(line["custom_id"] for line in lines) == Counter(f"row-{row}" for row in range(1, 101))
    for line in lines[::33]:
        choice = line["response"]["body"]["choices"][0]
        prompt = PROMPTS[int(line["custom_id"].removeprefix("row-")) - 1]
        messages: list[Message] = [{"role": "user", "content": prompt}]
        asked = HuggingFaceInference.create_async_generator("local", messages, max_tokens=LONGEST, temperature=0)
        assert "".join([event async for event in asked if isinstance(event, str)]) == choice["message"]["content"]
        assert choice["finish_reason"] in {"length", "stop"}
