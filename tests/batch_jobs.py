"""Jobs as Python callers give them, and what came of them."""

import json
from pathlib import Path
from typing import Any

from hfgen.batch import run


def row(name: str, prompt: str, **more: Any) -> dict[str, Any]:
    return {"custom_id": name, "body": {"messages": [{"role": "user", "content": prompt}], **more}}


def lines(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.read_text().splitlines()]


def texts(out: Path) -> list[tuple[str, str]]:
    """The answers that are recorded, as they stand there."""
    found = lines(out)
    return [(line["custom_id"], line["response"]["body"]["choices"][0]["message"]["content"]) for line in found]


async def finished(jobs: Any, **how: Any) -> list[str]:
    """Run a job to its end; the names of the rows in the order in which they ended."""
    return [result.custom_id async for result in run(jobs, **how)]
