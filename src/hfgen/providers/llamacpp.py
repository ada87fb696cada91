"""The program that runs llama.cpp for hfgen, in a process of its own; `local.py` starts it.

It reads one line of JSON (`file`, `name`, `key`) from its standard input, writes one line back (`address`, or `error`
and `reason`), and serves until its standard input ends: so it never outlives the process that started it, however that
one died. It imports nothing of hfgen, which keeps its start short.
"""

import importlib
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any, Final

# One answer at a time. With several slots, a request that met in a batch with another one, such as one just given up,
# came out differently, and at times spoiled every answer after it (docs/decisions/0004-local-engine.md).
_SLOTS: Final = 1
_CONTEXT: Final = 8192  # what SmolLM2 was trained for, at 23 KiB a token
_BATCH: Final = 128  # a request that is given up in its prompt phase is noticed between two batches only
_MOST_THREADS: Final = 8  # one token of a small model is too little work to share among more
_PROMPT_CACHE_MIB: Final = 0  # the slots keep their own
_ERRORS_ONLY: Final = 1


def main() -> None:
    """Serve one model file until standard input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process in front, which closes its streams itself
    asked = json.loads(sys.stdin.readline())
    # OpenMP's default is to spin while it waits, which falls from 30 tokens/s to 2 as soon as another process wants
    # the core. libgomp reads this when it is loaded, so it must be set before the import.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    try:
        engine: Any = importlib.import_module("xllamacpp")
    except ImportError as error:
        _say({"error": "import", "reason": str(error)})
        return
    try:
        server = engine.Server(_params(engine.CommonParams(), asked["file"], asked["name"], asked["key"]))
    except RuntimeError as error:
        _say({"error": "load", "reason": str(error)})
        return
    _say({"address": server.listening_address})
    sys.stdin.read()
    # Not by deleting the server: that waits until every open stream has ended by itself (30 s were seen).
    os._exit(0)


def _params(params: Any, file: str, name: str, key: str) -> Any:
    """What was measured to be fast, private and silent."""
    params.model.path = file
    params.model_alias = {name}
    params.n_parallel = _SLOTS
    params.n_ctx = _CONTEXT
    params.n_batch = params.n_ubatch = _BATCH
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads()
    params.cache_ram_mib = _PROMPT_CACHE_MIB
    params.verbosity = _ERRORS_ONLY
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.api_keys = [key]
    params.cors_origins = ""
    params.cors_credentials = False
    params.ui = False
    params.endpoint_slots = True
    return params


def threads() -> int:
    """The cores that this process may really use: its affinity, and a container's quota."""
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    return max(1, min(cores, _quota() or cores, _MOST_THREADS))


def _quota() -> int | None:
    """Whole cores that the cgroup grants, None without a limit ("max 100000", cgroup v2's cpu.max)."""
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text(encoding="ascii").split()
        return -(-int(quota) // int(period))
    except (OSError, ValueError):
        return None


def _say(answer: dict[str, str]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
