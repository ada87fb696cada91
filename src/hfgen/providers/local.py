"""The local engine: llama.cpp behind its own HTTP server on a loopback port, one for each model file.

It is started on first use in a process of its own, shared by all calls and event loops of this one, and killed with it.
Everything else sees an ordinary `Target`. Why a process: docs/decisions/0004-local-engine.md.
"""

import asyncio
import atexit
import contextlib
import importlib.util
import json
import logging
import os
import platform
import re
import secrets
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import IO, Final

from msgspec.structs import replace

from hfgen.errors import HfgenError, ModelNotSupportedError
from hfgen.generation import Generation
from hfgen.messages import Message
from hfgen.providers.weights import GGUF_NAME, LOCAL_MODEL, check_gguf, find_weights, pull_weights
from hfgen.redaction import conceal
from hfgen.wire import Target

# With the system prompt of its own template the model says that the capital of France is "L'Étoile, la Marseillaise".
LOCAL_SYSTEM_PROMPT: Final = "You are a helpful assistant."
# llama.cpp's default of 0.8 is too much for 135M parameters: "Harry Potter" wrote Hamlet.
LOCAL_TEMPERATURE: Final = 0.0

_PROGRAM: Final = Path(__file__).with_name("llamacpp.py")
_CPU_FEATURES: Final = ("avx2", "fma", "f16c", "bmi2")  # compiled into xllamacpp's x86-64 wheels, no choice at run time
_CPUINFO: Final = Path("/proc/cpuinfo")
_QUOTED: Final = 3  # lines of llama.cpp's own words in an error; the first ones name the cause
_LOG_STAMP: Final = re.compile(r"^[\d.]+ [A-Z] ")
_WAYS_OUT: Final = "set HF_TOKEN to ask the Hugging Face router, or give api_base= for a server of yours"
_INSTALL: Final = "pip install 'hfgen[local]'"

_log: Final = logging.getLogger("hfgen.local")


class LocalEngine:
    """One llama.cpp process; `ready` holds its address, or why there is none."""

    def __init__(self, file: Path) -> None:
        self.ready: Future[Target] = Future()
        self.ready.set_running_or_notify_cancel()  # a caller who gives up waiting must not cancel it for the others
        self._file = file
        self._owner = os.getpid()
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._stopped = False
        # A daemon thread and not asyncio's pool, which would hold the interpreter's exit until a large file is loaded.
        threading.Thread(target=self._run, name="hfgen-local-start", daemon=True).start()

    @property
    def alive(self) -> bool:
        """Whether it starts or serves."""
        with self._lock:
            return not self._stopped and (self._process is None or self._process.poll() is None)

    def stop(self) -> None:
        """Kill it, open streams and all: they were ours. A fork of this process leaves it alone."""
        if os.getpid() != self._owner:
            return
        with self._lock:
            self._stopped = True
            if self._process is None:
                return
            self._process.kill()
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout):
                with contextlib.suppress(OSError):
                    if pipe:
                        pipe.close()

    def _run(self) -> None:
        try:
            self.ready.set_result(self._start())
        except BaseException as error:  # noqa: BLE001 - it is raised again, in the callers that wait
            self.stop()
            self.ready.set_exception(error)

    def _start(self) -> Target:
        name = LOCAL_MODEL if self._file.name == GGUF_NAME else self._file.stem
        key = secrets.token_urlsafe(24)
        conceal(key)
        with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as said:
            process = self._spawn(said)
            # Through the pipe: arguments and environment of a process can be read by others on the machine.
            answer = _ask(process, {"file": str(self._file), "name": name, "key": key})
            if "address" not in answer:
                raise _failure(self._file, answer, process.wait(), said)
        return Target(f"{answer['address']}/v1", "llamacpp", name, key, label="local llama.cpp")

    def _spawn(self, said: IO[str]) -> subprocess.Popen[str]:
        with self._lock:
            if self._stopped:
                raise HfgenError("the local engine was stopped while it started")
            # -P keeps this folder's modules from hiding others of the same name. A session of its own, so that a
            # terminal's Ctrl-C reaches only us.
            self._process = subprocess.Popen(  # noqa: S603 - our own program
                [sys.executable, "-P", str(_PROGRAM)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=said,
                encoding="utf-8",
                start_new_session=True,
            )
            return self._process


_lock: Final = threading.Lock()
_engines: Final[dict[Path, LocalEngine]] = {}


async def local_target(model_file: str | Path | None = None, *, report: Callable[[str], None] = _log.info) -> Target:
    """Where the local engine serves a model file; it is started if it does not run yet.

    Args:
        model_file: A GGUF file; None for the model that comes with hfgen, fetched if it is not here.
        report: Called, in a thread, with one line when something has to be fetched.

    Raises:
        ModelNotSupportedError: The engine is not installed or cannot run here, or the file is no model.
        HfgenError: The model's file is not here and could not be fetched.
    """
    file = await asyncio.to_thread(_model_file, model_file, report)
    return await asyncio.wrap_future(_engine(file).ready)


def with_local_defaults(generation: Generation) -> Generation:
    """Ask the small model the way that it answers best, in all that the caller left open.

    Only the model that comes with hfgen: a file of the user's own has defaults of its own, and its template may refuse
    a system message.
    """
    if generation.model not in {"", "local", LOCAL_MODEL}:
        return generation
    if generation.sampling.temperature is None:
        generation = replace(generation, sampling=replace(generation.sampling, temperature=LOCAL_TEMPERATURE))
    if generation.prompt is not None or any(message["role"] == "system" for message in generation.messages):
        return generation
    system = Message(role="system", content=LOCAL_SYSTEM_PROMPT)
    return replace(generation, messages=(system, *generation.messages))


def stop_local_engines() -> None:
    """Stop every engine of this process; the next call starts anew."""
    with _lock:
        engines = list(_engines.values())
        _engines.clear()
    for engine in engines:
        engine.stop()


atexit.register(stop_local_engines)


def missing_cpu_features(cpuinfo: str) -> tuple[str, ...]:
    """What xllamacpp's wheel needs and /proc/cpuinfo does not list; without them it would die of an illegal opcode."""
    flags = re.search(r"^flags\s*:(.*)$", cpuinfo, re.MULTILINE)
    known = flags[1].split() if flags else _CPU_FEATURES
    return tuple(feature for feature in _CPU_FEATURES if feature not in known)


def _engine(file: Path) -> LocalEngine:
    """The engine of this file; a dead one is replaced."""
    with _lock:
        engine = _engines.get(file)
        if engine is None or not engine.alive:
            if engine is not None:
                engine.stop()
            engine = _engines[file] = LocalEngine(file)
        return engine


def _model_file(model_file: str | Path | None, report: Callable[[str], None]) -> Path:
    """All that can be checked, and fetched, before anything starts."""
    check_engine()
    file = Path(model_file).expanduser() if model_file else find_weights() or pull_weights(report)
    check_gguf(file)
    return file.absolute()  # not resolve(): in the Hub's cache the name is a link's, its target is a bare hash


def check_engine() -> None:
    """See that the engine is installed and can run here, before anything is fetched for it.

    Raises:
        ModelNotSupportedError: It is not, or cannot.
    """
    if importlib.util.find_spec("xllamacpp") is None:
        raise ModelNotSupportedError(
            "the local engine is not installed", hint=f"Install it: {_INSTALL}\nOr {_WAYS_OUT}."
        )
    if sys.platform == "linux" and platform.machine() == "x86_64" and _CPUINFO.exists():
        missing = missing_cpu_features(_CPUINFO.read_text(encoding="utf-8", errors="replace"))
        if missing:
            raise _unfit_cpu(" ".join(missing))


def _unfit_cpu(what: str) -> ModelNotSupportedError:
    return ModelNotSupportedError(
        f"the local engine cannot run on this processor: it lacks {what}",
        hint=f"It needs an x86-64 processor of 2013 or later (Haswell). Else {_WAYS_OUT}.",
    )


def _ask(process: subprocess.Popen[str], question: dict[str, str]) -> dict[str, str]:
    """The program's one answer; empty when it died without one."""
    if process.stdin is None or process.stdout is None:
        raise AssertionError("both are pipes")
    with contextlib.suppress(OSError):
        process.stdin.write(json.dumps(question) + "\n")
        process.stdin.flush()
    line = process.stdout.readline()
    answer: dict[str, str] = json.loads(line) if line else {}
    return answer


def _failure(file: Path, answer: dict[str, str], code: int, said: IO[str]) -> HfgenError:
    said.seek(0)
    lines = [_LOG_STAMP.sub("", line) for line in said.read().strip().splitlines()]
    reason = answer.get("reason", "")
    if answer.get("error") == "import":
        return _not_importable(reason)
    if sys.platform != "win32" and code == -signal.SIGILL:
        return _unfit_cpu("an instruction that the engine uses")
    words = "\n".join(lines[:_QUOTED]) or reason or f"it ended with exit code {code}"
    hint = f"Is it whole, and a kind of model that llama.cpp knows? A newer engine knows more: {_INSTALL} --upgrade"
    return ModelNotSupportedError(f"llama.cpp could not load {file}: {words}", hint=hint)


def _not_importable(reason: str) -> ModelNotSupportedError:
    if "libgomp" in reason:
        hint = "It needs the GNU OpenMP library: apt-get install libgomp1 (dnf install libgomp)."
    else:
        hint = f"Install it anew: {_INSTALL}\nOr {_WAYS_OUT}."
    return ModelNotSupportedError(f"the local engine cannot be loaded: {reason}", hint=hint)
