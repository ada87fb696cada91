"""On a real Ray, where it is installed. What needs no cluster is in test_cluster.py; kills are in scripts/ray."""

import contextlib
import importlib.util
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from answering_model import AnsweringModel, answer_to, answering
from hfgen import MissingAuth, UsageError
from hfgen.batch import Result, run

if importlib.util.find_spec("ray") is None:
    pytest.skip("ray is not installed: pip install 'hfgen[ray]'", allow_module_level=True)

import ray

from hfgen.batch.ray_runner import ray_engine

# What Ray leaves open and warns of is Ray's affair.
pytestmark = [
    pytest.mark.filterwarnings("default"),
    pytest.mark.timeout(180),
]


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False, object_store_memory=80 * 2**20)
    yield
    ray.shutdown()


def actors_below(root: int) -> list[int]:
    """The processes of actors that this one has begun."""
    found, parents = [], {}
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            if (entry / "cmdline").read_bytes().startswith(b"ray::Worker"):
                found.append(int(entry.name))

    def is_below(pid: int) -> bool:
        return pid == root or (pid in parents and is_below(parents[pid]))

    return [pid for pid in found if is_below(pid)]


async def every(results: Any) -> dict[str, Result]:
    found: dict[str, Result] = {}
    async for result in results:
        assert result.custom_id not in found
        found[result.custom_id] = result
    return found


@pytest.mark.usefixtures("cluster")
async def test_rows_are_answered_by_two_actors_once_each_and_recorded(tmp_path: Path) -> None:
    rows = [f"question {n}" for n in range(300)]
    model = AnsweringModel()
    async with answering(model) as server:
        asked = {"api_base": server.url, "out": tmp_path / "out.jsonl", "concurrency": 16}
        found = await every(run(rows, engine=ray_engine(actors=2), **asked))  # type: ignore[arg-type]
        again = await every(run(rows, engine=ray_engine(actors=2), **asked))  # type: ignore[arg-type]

    for n, prompt in enumerate(rows):
        response = found[f"row-{n + 1}"].response
        assert response is not None
        assert answer_to(prompt).encode() in bytes(response.body)
    assert again == {}
    assert sum(model.asked.values()) == 300
    assert model.most_at_once <= 16
    assert ray.is_initialized()  # it is not ours to end


@pytest.mark.usefixtures("cluster")
async def test_an_actor_that_is_killed_is_started_anew_and_no_row_is_lost() -> None:
    rows = [f"question {n}" for n in range(300)]
    killed: list[int] = []
    model = AnsweringModel()
    async with answering(model) as server:
        found = {}
        async for result in run(rows, api_base=server.url, engine=ray_engine(actors=1), concurrency=8):
            found[result.custom_id] = result
            if not killed and len(found) == 100:
                killed += actors_below(os.getpid())
                os.kill(killed[0], signal.SIGKILL)

    assert len(found) == 300
    assert 300 <= sum(model.asked.values()) <= 300 + 8 + 64


@pytest.mark.usefixtures("cluster")
async def test_a_refusal_of_everyone_stops_the_job_with_its_own_error() -> None:
    async with answering(AnsweringModel(faults={"locked": [401]})) as server:
        with pytest.raises(MissingAuth, match="401 for locked"):
            await every(run(["locked"], api_base=server.url, engine=ray_engine(actors=1)))


def test_there_is_at_least_one_actor() -> None:
    with pytest.raises(UsageError, match="at least one"):
        ray_engine(actors=0)


async def test_a_cluster_that_is_not_there_is_a_clear_error() -> None:
    if ray.is_initialized():
        ray.shutdown()
    with pytest.raises(UsageError, match=r"Ray at 127\.0\.0\.1:9 cannot be reached"):
        await every(run(["one"], api_base="http://127.0.0.1:9", engine=ray_engine("127.0.0.1:9")))
