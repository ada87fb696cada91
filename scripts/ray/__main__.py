"""Batches on Ray, killed: an actor, a node, the driver. Prints a report; fails where a row is lost, double or wrong.

    python scripts/ray [--rows N] [--only NAME]...

It needs the extra `ray`, some minutes and two processors. Whatever it began it ends.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import processes
import ray
from ray.cluster_utils import Cluster
from server import answer_to

import hfgen

KEY = "sk-proof-0123456789abcdef"
STORE = 80 * 2**20


class Server:
    """The model, in a process of its own."""

    def __init__(self) -> None:
        here = Path(__file__).with_name("server.py")
        self.process = subprocess.Popen(
            [sys.executable, str(here)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        self.url = f"http://127.0.0.1:{self.process.stdout.readline().strip()}"

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(self.url + path, timeout=30) as answer:
            said = answer.read()
        return json.loads(said) if said else None

    def close(self) -> None:
        self.process.communicate(timeout=30)


class Job:
    """`hfgen batch` over so many rows."""

    def __init__(self, place: Path, rows: int, server: Server, *flags: str) -> None:
        self.rows, self.server = rows, server
        self.input, self.out = place / "in.jsonl", place / "out.jsonl"
        with self.input.open("w", encoding="utf-8") as file:
            for row in range(rows):
                body = {"messages": [{"role": "user", "content": f"row {row}"}]}
                line = {"custom_id": f"r{row}", "method": "POST", "url": "/v1/chat/completions", "body": body}
                file.write(json.dumps(line) + "\n")
        self.command = [
            sys.executable, "-m", "hfgen", "batch", str(self.input), "--out", str(self.out), "-m", "m",
            "--api-base", server.url, "-q", *flags,
        ]  # fmt: skip
        self.process: subprocess.Popen[str] | None = None
        self.began = 0.0

    def begin(self) -> "Job":
        self.began = time.monotonic()
        self.process = subprocess.Popen(
            self.command, env={**os.environ, "HFGEN_API_KEY": KEY}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True,
        )  # fmt: skip
        return self

    def reach(self, lines: int) -> None:
        assert self.process is not None
        while self.recorded() < lines:
            if self.process.poll() is not None:
                raise SystemExit(f"it ended early: {self.process.communicate()[0]}")
            time.sleep(0.02)

    def recorded(self) -> int:
        return self.out.read_bytes().count(b"\n") if self.out.exists() else 0

    def end(self) -> tuple[float, float]:
        """Seconds that it took, and of its processor time."""
        assert self.process is not None
        assert self.process.stdout is not None
        said = self.process.stdout.read()
        _, status, usage = os.wait4(self.process.pid, 0)
        self.process.returncode = os.waitstatus_to_exitcode(status)
        if self.process.returncode:
            raise SystemExit(f"exit code {self.process.returncode}: {said}")
        if said.strip():
            print(f"  it said: {said.strip()[:400]}")
        return time.monotonic() - self.began, usage.ru_utime + usage.ru_stime

    def check(self) -> str:
        """Every row once, with its own text."""
        lines = [json.loads(line) for line in self.out.read_text(encoding="utf-8").splitlines()]
        names = [line["custom_id"] for line in lines]
        lost = self.rows - len(set(names))
        double = len(names) - len(set(names))
        wrong = 0
        for line in lines:
            body = (line["response"] or {}).get("body", {})
            text = body["choices"][0]["message"]["content"] if "choices" in body else None
            wrong += text != answer_to(f"row {line['custom_id'][1:]}")
        if lost or double or wrong:
            raise SystemExit(f"FAILED: {lost} lost, {double} double, {wrong} wrong")
        return f"{len(lines):,} rows: 0 lost, 0 double, 0 wrong"


class Machines:
    """A cluster of two nodes on this machine."""

    def __init__(self) -> None:
        began = time.monotonic()
        self.cluster = Cluster()
        self.nodes = [self._node(), self._node()]
        self.seconds = time.monotonic() - began

    def _node(self) -> Any:
        return self.cluster.add_node(num_cpus=1, object_store_memory=STORE, include_dashboard=False)

    def pids(self, node: Any) -> list[int]:
        roots = [info.process.pid for kind in node.all_processes.values() for info in kind]
        return processes.below(roots)

    @property
    def all(self) -> list[int]:
        return sorted({pid for node in self.nodes for pid in self.pids(node)})

    def actors(self, pids: list[int]) -> list[int]:
        return [pid for pid in pids if processes.title(pid).startswith("ray::Worker")]

    def lose(self, node: Any) -> None:
        """Kill a raylet and all that it has begun, as when the power fails."""
        raylets = [info.process.pid for info in node.all_processes["raylet"]]
        processes.kill(processes.below(raylets))
        self.cluster.remove_node(node, allow_graceful=False)
        self.nodes.remove(node)
        self.nodes.append(self._node())

    def close(self) -> None:
        left = self.all
        self.cluster.shutdown()
        processes.kill([pid for pid in left if processes.title(pid)])


@contextmanager
def processor_time(pids: Callable[[], list[int]]) -> Iterator[Callable[[], float]]:
    """What processes that come and go use meanwhile; looked at four times a second."""
    before = {pid: processes.seconds(pid) for pid in pids()}
    seen: dict[int, float] = {}
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.25):
            for pid in pids():
                seen[pid] = max(seen.get(pid, 0.0), processes.seconds(pid) - before.get(pid, 0.0))

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield lambda: sum(seen.values())
    finally:
        over.set()
        thread.join()


def on_ray(machines: Machines) -> tuple[str, ...]:
    return ("--engine", "ray", "--ray-address", machines.cluster.address, "--actors", "2", "--concurrency", "64")


def in_flight(job: Job) -> int:
    """Rows that were asked and are not recorded."""
    return int(job.server.get("/told")["rows"]) - job.recorded()


def verdict(job: Job, flight: int) -> str:
    twice = int(job.server.get("/told")["twice"])
    said = f"{job.check()}; {twice} calls paid twice, {flight} rows in flight at the kill"
    if twice > flight:
        raise SystemExit(f"FAILED: {said}")
    return said


def killed_actor(place: Path, rows: int, server: Server, machines: Machines) -> str:
    job = Job(place, rows, server, *on_ray(machines)).begin()
    job.reach(rows // 3)
    victim = machines.actors(machines.all)[0]
    flight = in_flight(job)
    processes.kill([victim])
    seconds, _ = job.end()
    return f"{verdict(job, flight)}; {seconds:.1f} s"


def killed_node(place: Path, rows: int, server: Server, machines: Machines) -> str:
    job = Job(place, rows, server, *on_ray(machines)).begin()
    job.reach(rows // 3)
    actors = len(machines.actors(machines.pids(machines.nodes[1])))
    flight = in_flight(job)
    machines.lose(machines.nodes[1])
    seconds, _ = job.end()
    return f"{actors} actor(s) on the node; {verdict(job, flight)}; {seconds:.1f} s"


def killed_driver(place: Path, rows: int, server: Server, machines: Machines) -> str:
    job = Job(place, rows, server, *on_ray(machines)).begin()
    job.reach(rows // 3)
    assert job.process is not None
    job.process.kill()
    job.process.communicate()
    while machines.actors(machines.all):  # Ray ends them, since their driver is gone
        time.sleep(0.05)
    flight, recorded = in_flight(job), job.recorded()
    seconds, _ = job.begin().end()
    return f"killed at {recorded:,} rows, the same command again: {verdict(job, flight)}; {seconds:.1f} s"


def limits(place: Path, rows: int, server: Server, machines: Machines) -> str:
    rpm, rows = 300, min(rows, 450)
    server.get("/forget?seconds=0.1")
    job = Job(place, rows, server, *on_ray(machines), "--rpm", str(rpm)).begin()
    seconds, _ = job.end()
    times = sorted(server.get("/told")["times"])
    worst = max(sum(end - 60 < each <= end for each in times) for end in times)
    took = times[-1] - times[0]
    said = f"{job.check()}; --rpm {rpm} over 2 actors: at most {worst} in any minute, {rows / took * 60:.0f} a minute"
    if worst > rpm:
        raise SystemExit(f"FAILED: {said}")
    return f"{said}; {seconds:.1f} s"


def cost(place: Path, rows: int, server: Server, machines: Machines) -> str:
    """Beside the local engine; a server that answers in 5 to 25 ms."""
    said = []
    for name, flags in (("here", ("--concurrency", "64")), ("ray", on_ray(machines))):
        folder = place / name
        folder.mkdir()
        server.get("/forget?seconds=0.025")
        small = Job(folder, 10, server, *flags)
        start, start_cpu = small.begin().end()
        small.out.unlink()
        server.get("/forget")
        job = Job(folder, rows, server, *flags)
        with processor_time(lambda: machines.all) as used:
            seconds, driver = job.begin().end()
            others = used() if name == "ray" else 0.0
        job.check()
        said.append(
            f"{name}: 10 rows in {start:.1f} s; {rows:,} rows in {seconds:.1f} s; CPU a row beyond the start "
            f"{(driver - start_cpu) / rows * 1e3:.2f} ms in the driver"
            + (f", {others / rows * 1e3:.2f} ms in the whole of the cluster" if others else "")
        )
    return "; ".join(said)


def own_cluster(place: Path, rows: int, server: Server, machines: Machines) -> str:  # noqa: ARG001 - its own
    """A cluster for one job, which is gone after it."""
    job = Job(place, 200, server, "--engine", "ray", "--ray-address", "local").begin()
    assert job.process is not None
    below: list[int] = []
    while not job.recorded():
        below = processes.below([job.process.pid])
        time.sleep(0.2)
    seconds, _ = job.end()
    time.sleep(2)
    left = [pid for pid in below if "ray" in processes.title(pid)]
    return f"{job.check()}; {seconds:.1f} s with its start and end; {len(left)} processes left behind"


def secrecy(place: Path, rows: int, server: Server, machines: Machines) -> str:
    """Where the key stands while a job runs."""
    job = Job(place, rows, server, *on_ray(machines)).begin()
    job.reach(rows // 3)
    shown = [pid for pid in machines.all if processes.says(pid, KEY.encode())]
    job.end()
    logs = [file for file in Path(machines.nodes[0].get_session_dir_path()).rglob("*") if file.is_file()]
    told = [file.name for file in logs if KEY.encode() in file.read_bytes()]
    return (
        f"the key stands in titles or environments of {len(shown)} processes, in {len(told)} of {len(logs)} log files"
    )


STAGES = (killed_actor, killed_node, killed_driver, limits, cost, secrecy, own_cluster)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=6000)
    parser.add_argument("--only", action="append", choices=[stage.__name__ for stage in STAGES])
    asked = parser.parse_args()
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    print(
        f"hfgen {hfgen.__version__}, ray {ray.__version__}, Python {platform.python_version()}, {os.cpu_count()} CPUs, "
        f"load {os.getloadavg()[0]:.1f}",
        flush=True,
    )
    server, machines = Server(), Machines()
    print(f"a cluster of two nodes in {machines.seconds:.1f} s", flush=True)
    try:
        for stage in STAGES:
            if asked.only and stage.__name__ not in asked.only:
                continue
            server.get("/forget?seconds=0.1")
            with tempfile.TemporaryDirectory() as place:
                print(f"{stage.__name__}: {stage(Path(place), asked.rows, server, machines)}", flush=True)
    finally:
        machines.close()
        server.close()


if __name__ == "__main__":
    main()
