"""The figures of `faults.goals` against what is promised; each is measured in a fresh process."""

import asyncio
import json
import os
import sys

import pytest

# They measure time: not beside the faults, in whichever process those are.
pytestmark = pytest.mark.xdist_group("faults")

_MOST: dict[str, dict[str, float]] = {
    "resume": {"after_reset_ms": 50, "after_silence_ms": 100},
    "storm": {"requests_per_call": 1.5},
    "leaving": {"sockets_left": 0, "tasks_left": 0},
    "memory": {"endless_line_mib": 32, "bomb_mib": 32, "firehose_mib": 8},
}


@pytest.mark.parametrize("goal", _MOST)
async def test_a_promised_figure_is_kept(goal: str) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "faults.goals", goal),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )
    said, _ = await process.communicate()
    figures = json.loads(said)
    assert figures.get("seen_in_time", 200) == 200
    assert {name: figures[name] for name, most in _MOST[goal].items() if figures[name] > most} == {}


async def test_a_short_soak_ends_with_no_wrong_text_and_no_descriptor_left() -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "faults.soak", "30", "16"),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )
    figures = json.loads((await process.communicate())[0])
    assert figures["wrong"] == 0
    assert figures["broken"] == 0, "every fault of the soak can be healed"
    assert figures["descriptors"] < 16
