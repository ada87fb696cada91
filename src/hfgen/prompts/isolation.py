"""Rendering in a process of its own: the wall behind the bounds, for whoever renders templates of strangers.

One warm process, started at first use, fed plain JSON, killed when it takes too long and started anew. It gets none of
this process's environment but what Python needs to start, so no token is there to be read.
"""

import atexit
import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from typing import Any, Final

from hfgen import errors
from hfgen.errors import HfgenError, TemplateTooCostly

_SECONDS: Final = 10.0
_ENVIRONMENT: Final = ("PATH", "PYTHONPATH", "PYTHONHOME", "SYSTEMROOT", "TZ", "LANG", "LC_ALL", "LC_TIME")
_ERRORS: Final = {
    name: getattr(errors, name)
    for name in ("TemplateRefused", "TemplateBroken", "TemplateTooCostly", "ContinuationError", "UsageError")
}


class Renderer:
    """One worker process; safe to share between threads, which take turns.

    Args:
        seconds: Of wall time for one rendering, start not counted; then the process is killed.
    """

    def __init__(self, seconds: float = _SECONDS) -> None:
        self._seconds = seconds
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._owner = 0

    @property
    def pid(self) -> int | None:
        """The worker's process, None where none runs."""
        return self._process.pid if self._process else None

    def render(self, source: str, special_tokens: Mapping[str, str], asked: Mapping[str, Any] | None) -> str:
        """The prompt; with `asked` None the template is only compiled.

        Raises:
            PromptError: As in this process, and `TemplateTooCostly` where the worker had to be killed.
        """
        line = json.dumps({"source": source, "special_tokens": dict(special_tokens), "render": asked})
        with self._lock:
            answer = self._ask(line)
        if "error" in answer:
            raise _ERRORS.get(answer["error"], HfgenError)(answer["message"], hint=answer["hint"])
        return answer["prompt"]

    def close(self) -> None:
        """Kill the worker; the next rendering starts another. A fork of this process leaves it alone."""
        process, self._process = self._process, None
        if process is None or self._owner != os.getpid():
            return
        process.kill()
        for pipe in (process.stdin, process.stdout):
            with contextlib.suppress(OSError):
                if pipe:
                    pipe.close()
        process.wait()

    def _ask(self, line: str) -> dict[str, str]:
        process = self._started()
        if process.stdin is None or process.stdout is None:
            raise AssertionError("both are pipes")
        killer = threading.Timer(self._seconds, process.kill)
        killer.daemon = True
        killer.start()
        try:
            process.stdin.write(line + "\n")
            process.stdin.flush()
            said = process.stdout.readline()
        except OSError:
            said = ""
        finally:
            killer.cancel()
        if not said.endswith("\n"):
            self.close()
            raise TemplateTooCostly(
                "the chat template was stopped: its process took too long, or too much memory",
                hint="Look at this template before you trust its model.",
            )
        answer: dict[str, str] = json.loads(said)
        return answer

    def _started(self) -> subprocess.Popen[str]:
        if self._process is None or self._owner != os.getpid() or self._process.poll() is not None:
            self.close()
            environment = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "hfgen.prompts.isolated_worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                encoding="utf-8",
                env=environment | {"PYTHONUTF8": "1"},
                start_new_session=True,
            )
            self._owner = os.getpid()
        return self._process


RENDERER: Final = Renderer()
"""The worker that all isolated templates of this process share."""
atexit.register(RENDERER.close)
