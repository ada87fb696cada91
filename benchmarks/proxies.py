"""What stands between callers and the server: each a process with its own files, ready when it is handed over."""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from load import Caller

HERE = Path(__file__).resolve().parent
# Each shape of stream is a model: its tokens, and milliseconds between two of them (0: as fast as it goes).
SHAPES = {"fast": (10_000, 0), "paced": (50, 40), "short": (8, 0), "slow": (4, 60_000)}
KEY = "sk-" + "0123456789abcdef" * 4  # litellm's proxy does not start without one
# uvicorn takes uvloop where it finds it.
ON_ASYNCIO = (
    "import runpy, sys; sys.modules['uvloop'] = None; runpy.run_module('hfgen', run_name='__main__', alter_sys=True)"
)


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
