"""What a gateway costs, beside nginx and a bare pass-through as floors and litellm's proxy: one command, one run.

    python benchmarks/gateway.py [--litellm FOLDER] [--quick] [--json FILE]

All stand before one fast server on loopback and get the same streams. CPU is that of the proxy's processes alone, as
the kernel counts it, divided by the events that the server sent. They take turns within each round; figures are medians
of the rounds, ratios medians of the ratios within a round. nginx is Debian's package; `--litellm` is an environment
that has litellm[proxy], which runs on uvloop; bare and hfgen run on asyncio's own loop and, where uvloop is installed,
on that. What is not there is left out, and said.
"""

import argparse
import asyncio
import contextlib
import json
import os
import platform
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from load import Caller, first, held, requests, streams

HERE = Path(__file__).resolve().parent
# Each shape of stream is a model: its tokens, and milliseconds between two of them (0: as fast as it goes).
SHAPES = {"fast": (10_000, 0), "paced": (50, 40), "short": (8, 0), "slow": (4, 60_000)}
KEY = "sk-" + "0123456789abcdef" * 4  # litellm's proxy does not start without one
# uvicorn takes uvloop where it finds it.
ON_ASYNCIO = (
    "import runpy, sys; sys.modules['uvloop'] = None; runpy.run_module('hfgen', run_name='__main__', alter_sys=True)"
)
RIVALS = ("bare", "bare+uvloop", "hfgen", "hfgen+uvloop")
Figures = dict[str, float]
Measure = Callable[["Proxy"], Coroutine[Any, Any, Figures]]


@dataclass
class Proxy:
    """A process between callers and the server."""

    name: str
    port: int
    process: "subprocess.Popen[bytes] | None" = None
    by_model: bool = True

    def caller(self, shape: str) -> Caller:
        tokens, pace = SHAPES[shape]
        path = "/v1/chat/completions" if self.by_model else f"/chat/{tokens}/{pace}/v1/chat/completions"
        return Caller(self.port, path, shape, KEY)

    def processes(self) -> list[Path]:
        assert self.process is not None
        own = Path(f"/proc/{self.process.pid}")
        children = (own / "task" / own.name / "children").read_text().split()
        return [own, *(Path("/proc") / child for child in children)]

    def cpu(self) -> float:
        """Seconds on a processor, of all threads."""
        if self.process is None:
            return 0.0
        spent = (task / "schedstat" for each in self.processes() for task in (each / "task").iterdir())
        return sum(int(one.read_text().split()[0]) for one in spent) / 1e9

    def memory(self) -> float:
        """MiB that are resident."""
        pages = sum(int((each / "statm").read_text().split()[1]) for each in self.processes())
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


@contextlib.contextmanager
def proxies(litellm: Path | None, upstream: int, home: Path) -> Iterator[list[Proxy]]:
    """All that can be had here, each ready."""
    started: list[Proxy] = []
    try:
        for name, start in STARTS.items():
            port = _free_port()
            words = start(port, upstream, home, litellm)
            if words is None:
                print(f"{name} is left out: it is not installed here", flush=True)
                continue
            with (home / f"{name}.log").open("wb") as log:
                process = subprocess.Popen(words, stdout=log, stderr=log, env=_environment(), cwd=home)
            try:
                _wait(port, process)
            except RuntimeError as error:
                last = (home / f"{name}.log").read_text(errors="replace").strip().splitlines()[-1:]
                print(f"{name} is left out: {error}: {last}", flush=True)
                process.kill()
                continue
            started.append(Proxy(name, port, process, by_model=name.startswith(("hfgen", "litellm"))))
        yield started
    finally:
        for proxy in started:
            assert proxy.process is not None
            proxy.process.terminate()
        for proxy in started:
            assert proxy.process is not None
            with contextlib.suppress(subprocess.TimeoutExpired):
                proxy.process.wait(3)
            proxy.process.kill()


def _environment() -> dict[str, str]:
    own = {"PYTHONPATH": str(HERE.parent / "src"), "LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_MASTER_KEY": KEY}
    return {**os.environ, **own}


def _nginx(port: int, upstream: int, home: Path, _: Path | None) -> list[str] | None:
    nginx = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    said = f"""daemon off; worker_processes 1; pid {home}/nginx.pid; error_log stderr crit; worker_rlimit_nofile 16384;
events {{ worker_connections 8192; }}
http {{ access_log off; keepalive_requests 1000000;
  client_body_temp_path {home}/nginx-body; proxy_temp_path {home}/nginx-proxy; fastcgi_temp_path {home}/nginx-f;
  uwsgi_temp_path {home}/nginx-u; scgi_temp_path {home}/nginx-s;
  upstream server {{ server 127.0.0.1:{upstream}; keepalive 1024; }}
  server {{ listen 127.0.0.1:{port} backlog=4096; location / {{ proxy_pass http://server; proxy_buffering off;
    proxy_http_version 1.1; proxy_set_header Connection ""; proxy_read_timeout 300s; }} }} }}"""
    (home / "nginx.conf").write_text(said)
    return [nginx, "-c", str(home / "nginx.conf"), "-p", str(home)] if nginx else None


def _bare(port: int, upstream: int, _home: Path, _: Path | None) -> list[str]:
    return [sys.executable, str(HERE / "passthrough.py"), str(port), f"http://127.0.0.1:{upstream}"]


def _bare_on_uvloop(port: int, upstream: int, home: Path, _: Path | None) -> list[str] | None:
    return [*_bare(port, upstream, home, _), "uvloop"] if find_spec("uvloop") else None


def _hfgen(port: int, upstream: int, home: Path, _: Path | None) -> list[str]:
    return [sys.executable, "-c", ON_ASYNCIO, *_serve(port, upstream, home)]


def _hfgen_on_uvloop(port: int, upstream: int, home: Path, _: Path | None) -> list[str] | None:
    return [sys.executable, "-m", "hfgen", *_serve(port, upstream, home)] if find_spec("uvloop") else None


def _serve(port: int, upstream: int, home: Path) -> list[str]:
    routes = (f'{name} = "m@http://127.0.0.1:{upstream}{_base(name)}/v1/chat/completions"' for name in SHAPES)
    (home / "hfgen.toml").write_text("[models]\n" + "\n".join(routes) + "\n")
    return ["serve", "--port", str(port), "--config", str(home / "hfgen.toml")]


def _litellm(port: int, upstream: int, home: Path, folder: Path | None) -> list[str] | None:
    if folder is None or not (folder / "bin" / "litellm").exists():
        return None
    listed = [
        {
            "model_name": name,
            "litellm_params": {
                "model": "openai/m",
                "api_base": f"http://127.0.0.1:{upstream}{_base(name)}/v1",
                "api_key": "none",
            },
        }
        for name in SHAPES
    ]
    (home / "litellm.yaml").write_text(json.dumps({"model_list": listed, "litellm_settings": {"telemetry": False}}))
    words = [str(folder / "bin" / "litellm"), "--config", str(home / "litellm.yaml"), "--port", str(port)]
    return [*words, "--host", "127.0.0.1", "--num_workers", "1"]


STARTS: dict[str, Callable[[int, int, Path, Path | None], list[str] | None]] = {
    "nginx": _nginx,
    "bare": _bare,
    "bare+uvloop": _bare_on_uvloop,
    "hfgen": _hfgen,
    "hfgen+uvloop": _hfgen_on_uvloop,
    "litellm": _litellm,
}


def _base(shape: str) -> str:
    tokens, pace = SHAPES[shape]
    return f"/chat/{tokens}/{pace}"


def _free_port() -> int:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        port: int = reserved.getsockname()[1]
        return port


def _wait(port: int, process: "subprocess.Popen[bytes]") -> None:
    """Until it answers anything."""
    last = time.monotonic() + 90
    while time.monotonic() < last:
        if process.poll() is not None:
            raise RuntimeError("it ended")
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health/liveliness", timeout=5):
                return
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError("it does not answer")


class Bench:
    """One run."""

    def __init__(self, there: list[Proxy], direct: Proxy, *, quick: bool) -> None:
        self.there, self.direct, self.quick = there, direct, quick
        self.results: dict[str, Any] = {}

    def rounds(self, name: str, count: int, measure: Measure, who: list[Proxy]) -> dict[str, list[Figures]]:
        """Each proxy's figures; one that does not do it is left out, and said."""
        left = list(who)
        seen: dict[str, list[Figures]] = {proxy.name: [] for proxy in who}
        for _ in range(count):
            for proxy in tuple(left):
                try:
                    seen[proxy.name].append(asyncio.run(_within(measure(proxy))))
                except (RuntimeError, OSError, TimeoutError) as error:
                    left.remove(proxy)
                    said = f"{proxy.name} is left out of {name}: {type(error).__name__} {str(error)[:200]}"
                    self.results.setdefault("left out", []).append(said)
                    print(f"    {said}", flush=True)
        return {proxy.name: seen[proxy.name] for proxy in left}

    def cost(self, name: str, shape: str, count: int, turns: int) -> None:
        """CPU for each event that the server sent."""
        tokens = SHAPES[shape][0]

        async def measure(proxy: Proxy) -> Figures:
            caller = proxy.caller(shape)
            seen = await streams(caller, count, proxy.cpu)
            caller.close()
            return {"us": 1e6 * seen["cpu"] / (tokens * count), **seen}

        seen = self.rounds(name, turns, measure, self.there)
        self.table(name, {"CPU µs an event": "us"}, seen, "us", tokens=tokens * count)

    def requests(self, turns: int) -> None:
        async def measure(proxy: Proxy) -> Figures:
            caller = proxy.caller("short")
            seen = await requests(caller, 32, 1.0 if self.quick else 3.0, proxy.cpu)
            caller.close()
            return seen

        name = "Requests of 8 events, 32 at a time"
        self.table(name, {"a second": "rate", "CPU ms each": "ms"}, self.rounds(name, turns, measure, self.there), "ms")

    def first(self, turns: int) -> None:
        async def measure(proxy: Proxy) -> Figures:
            caller = proxy.caller("short")
            seen = await first(caller, 50 if self.quick else 200)
            caller.close()
            return seen

        name = "Time to the first event, ms"
        self.table(name, {"ms": "median"}, self.rounds(name, turns, measure, [self.direct, *self.there]), "")

    def memory(self) -> None:
        count = 100 if self.quick else 1000

        async def measure(proxy: Proxy) -> Figures:
            await proxy.caller("short").whole()
            return await held(proxy.caller("slow"), count, proxy.memory)

        name = f"Memory of {count} open streams"
        self.table(name, {"MiB": "mib"}, self.rounds(name, 1, measure, self.there), "")

    def table(
        self, name: str, columns: dict[str, str], seen: dict[str, list[Figures]], ratio: str, **also: float
    ) -> None:
        rivals = [name for name in RIVALS if name in seen] if ratio else []
        heads = [*columns, *(f"/ {name}" for name in rivals)]
        print(f"\n**{name}**\n\n| | {' | '.join(heads)} |\n| --- |{' ---: |' * len(heads)}")
        rows: dict[str, Any] = {}
        for proxy, figures in seen.items():
            row = {head: statistics.median(one[key] for one in figures) for head, key in columns.items()}
            for other in rivals:
                pairs = zip(figures, seen[other], strict=False)
                row[f"/ {other}"] = statistics.median([a[ratio] / b[ratio] for a, b in pairs] or [float("nan")])
            rows[proxy] = {**row, **also, "rounds": figures}
            print(f"| {proxy} | {' | '.join(f'{row[head]:.2f}' for head in heads)} |", flush=True)
        self.results[name] = rows


async def _within(measuring: Coroutine[Any, Any, Figures], seconds: float = 60.0) -> Figures:
    async with asyncio.timeout(seconds):
        return await measuring


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--litellm", type=Path, help="an environment with litellm[proxy]")
    parser.add_argument("--quick", action="store_true", help="little of everything, once")
    parser.add_argument("--only", default="", help="of fast, paced, requests, first, memory; with commas")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    turns, only = 1 if given.quick else 3, set(filter(None, given.only.split(",")))
    with tempfile.TemporaryDirectory(prefix="hfgen-gateway-") as home:
        server = subprocess.Popen([sys.executable, str(HERE / "token_server.py")], stdout=subprocess.PIPE)
        assert server.stdout is not None
        try:
            port = int(server.stdout.readline())
            with proxies(given.litellm, port, Path(home)) as there:
                print(f"{platform.platform()}, Python {platform.python_version()}, load {os.getloadavg()[0]:.1f}")
                bench = Bench(there, Proxy("direct", port, by_model=False), quick=given.quick)
                measures: dict[str, Callable[[], None]] = {
                    "fast": lambda: bench.cost("One stream of 10,000 events as fast as it goes", "fast", 1, turns),
                    "paced": lambda: bench.cost("64 streams of 25 events/s", "paced", 16 if given.quick else 64, turns),
                    "requests": lambda: bench.requests(turns),
                    "first": lambda: bench.first(turns),
                    "memory": bench.memory,
                }
                for name, measure in measures.items():
                    if not only or name in only:
                        measure()
                print(f"\nload {os.getloadavg()[0]:.1f}")
        finally:
            server.kill()
            server.wait()
    if given.json:
        given.json.write_text(json.dumps(bench.results, indent=1))


if __name__ == "__main__":
    main()
