"""Faults that the server cannot make alone: dead ports, names, leaving, and too few descriptors."""

import asyncio
import contextlib
import os
import socket
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, Final

from faults.catalogue import Demand, Entry
from faults.outcome import Ear, Outcome, Verdict, judge, leak
from faults.play import Case, call, listen, prompt_of
from faults.upstream import Upstream
from hfgen import HfgenError, HuggingFaceInference, Session

ASKED: Final = Demand()
_MOST_CONNECTING: Final = 5


class Scene:
    """One call, prepared; a scene changes the address, or what happens around it."""

    def __init__(self, upstream: Upstream, entry: Entry, dialect: str) -> None:
        self.upstream = upstream
        self.case = Case(entry.id, dialect)
        self.prompt = prompt_of(ASKED, f"s{self.case.number}")
        self.outcome = Outcome()

    def arguments(self, origin: str, spec: str = "ok", **more: Any) -> dict[str, Any]:
        base = self.case.base(self.upstream, spec=spec)
        return call(self.case, base.replace(self.upstream.url(), origin), self.prompt, ASKED, **more)

    async def ask(self, origin: str, **more: Any) -> None:
        await listen(self.arguments(origin, **more), self.outcome)

    def at_most(self, seconds: float) -> None:
        if self.outcome.seconds > seconds:
            self.outcome.notes.append(f"took {self.outcome.seconds:.1f} s, at most {seconds:g} are right")

    def few_attempts(self, said: str = "") -> None:
        """Beside other faults attempts are counted, each of which has its limit: the clock would measure the others."""
        error = self.outcome.error
        if not isinstance(error, HfgenError) or error.attempts > _MOST_CONNECTING or said not in str(error):
            self.outcome.notes.append(f"more than {_MOST_CONNECTING} attempts, or not each within its limit: {error!r}")


async def refused(scene: Scene) -> None:
    await scene.ask(scene.upstream.url("refused"))
    scene.few_attempts()


async def refused_then_up(scene: Scene) -> None:
    """A forwarder to the server that begins to listen late."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        port: int = reserved.getsockname()[1]
    asking = asyncio.create_task(scene.ask(f"http://127.0.0.1:{port}"))
    await asyncio.sleep(1.2)
    async with forwarding(port, scene.upstream.ports["main"]):
        await asking


async def blackhole(scene: Scene) -> None:
    await scene.ask(scene.upstream.url("blackhole"))
    scene.few_attempts("within 1 s")


async def shut_once(scene: Scene, port: str) -> None:
    """The server is known already, so it is the generation itself that meets the shut door."""
    origin = scene.upstream.url(port)
    await scene.upstream.arm(port, 0)
    await listen(scene.arguments(origin), Outcome())
    await scene.upstream.arm(port, 1)
    await scene.ask(origin)


async def banner(scene: Scene) -> None:
    await scene.upstream.arm("banner", 10**9)
    await scene.ask(scene.upstream.url("banner"))


async def https_on_plain(scene: Scene) -> None:
    await scene.ask(scene.upstream.url().replace("http:", "https:"))
    if scene.outcome.error is not None and "secure" not in str(scene.outcome.error):
        scene.outcome.notes.append(f"the message does not speak of TLS: {scene.outcome.error}")


async def named(scene: Scene, *answers: Any, most: float = 16.0) -> None:
    """A name whose resolution is played; the last answer stays."""
    name = f"played-{scene.case.number}.test"
    asked = 0
    real = socket.getaddrinfo

    def played(host: str | None, *args: Any, **kwargs: Any) -> list[Any]:
        nonlocal asked
        if host != name:
            return real(host, *args, **kwargs)
        answer = answers[min(asked, len(answers) - 1)]
        asked += 1
        if isinstance(answer, int):
            raise socket.gaierror(answer, os.strerror(0))
        found: list[Any] = []
        for address in answer:
            found += real(address, *args, **kwargs)
        return found

    with replaced_resolver(played):
        await scene.ask(f"http://{name}:{scene.upstream.ports['main']}")
    scene.at_most(most)


async def cancel(scene: Scene, how: str) -> None:
    """Leave after three pieces; the server has to see it within half a second, and hear no more of us."""
    arguments = scene.arguments(scene.upstream.url(), "cancel_probe")
    left, raised = await leave(arguments, how)
    scene.outcome.error, scene.outcome.expected = None, ""
    gone = await scene.upstream.gone(scene.case.name)
    if gone is None or gone - left > 0.5:
        scene.outcome.notes.append("the server did not see the client leave within 0.5 s")
    wanted = {"task": "CancelledError", "timeout": "TimeoutError", "break": "NoneType"}[how]
    if type(raised).__name__ != wanted:
        scene.outcome.notes.append(f"the caller got {raised!r}")
    scene.outcome.ends = ["stop"]
    await asyncio.sleep(0.3)


async def leave(arguments: dict[str, Any], how: str, pieces: int = 3) -> tuple[float, BaseException | None]:
    """Begin a call and leave it; when that was, and what the caller got. Nothing is collected, nothing closed."""
    task = asyncio.create_task(_reading(arguments, how, pieces))
    await asyncio.wait([task])
    if task.cancelled():
        return task_left.pop(task, time.monotonic()), asyncio.CancelledError()
    return task.result()


task_left: Final[dict["asyncio.Task[Any]", float]] = {}


async def _reading(arguments: dict[str, Any], how: str, pieces: int) -> tuple[float, BaseException | None]:
    answer = HuggingFaceInference.create_async_generator(**arguments)
    seen = 0
    me = asyncio.current_task()
    assert me is not None
    try:
        async with asyncio.timeout(None) as bound:
            async for event in answer:
                seen += isinstance(event, str)
                if seen < pieces:
                    continue
                if how == "break":
                    break
                if how == "aclose":
                    await answer.aclose()
                elif how == "task":
                    task_left[me] = time.monotonic()
                    me.cancel()
                elif how == "timeout":
                    bound.reschedule(asyncio.get_running_loop().time())
                seen = -(10**9)
    except TimeoutError as error:
        return time.monotonic(), error
    return time.monotonic(), None


async def cancel_connect(scene: Scene) -> None:
    before = open_sockets()
    task = asyncio.create_task(scene.ask(scene.upstream.url("blackhole"), connect_timeout=10.0))
    await asyncio.sleep(0.3)
    began = time.monotonic()
    task.cancel()
    await asyncio.wait([task])
    await asyncio.sleep(0.05)
    scene.outcome.error = None if task.cancelled() else AssertionError("not cancelled")
    if time.monotonic() - began > 0.2 or open_sockets() > before:
        scene.outcome.notes.append(f"left late, or left sockets: {open_sockets() - before}")
    scene.outcome.ends = ["stop"]


async def many_unread(scene: Scene) -> None:
    """Five answers held open and unread, and a sixth call on the same session."""
    async with Session() as session, contextlib.AsyncExitStack() as stack:
        for _ in range(5):
            arguments = scene.arguments(scene.upstream.url(), "cancel_probe", session=session)
            held = await stack.enter_async_context(
                contextlib.aclosing(HuggingFaceInference.create_async_generator(**arguments))
            )
            await anext(held)
        await scene.ask(scene.upstream.url(), session=session)


async def few_descriptors(scene: Scene) -> None:
    """A process with 40 descriptors and 100 streams; it says what it saw, and has to answer one call after."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "faults.few_descriptors", scene.case.base(scene.upstream, spec="ok"), scene.prompt),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )
    async with asyncio.timeout(40):
        said, errors = await process.communicate()
    if process.returncode or said.split()[-1:] != [b"fine"]:
        scene.outcome.notes.append(f"{said.decode()[-300:]} {errors.decode()[-300:]}")
    scene.outcome.expected = ""
    scene.outcome.ends = ["stop"]


SCENES: Final[dict[str, Callable[[Scene], Awaitable[None]]]] = {
    "conn_refused": refused,
    "conn_refused_then_up": refused_then_up,
    "conn_blackhole": blackhole,
    "accept_rst": lambda scene: shut_once(scene, "accept_rst"),
    "accept_close": lambda scene: shut_once(scene, "accept_close"),
    "banner": banner,
    "https_on_plain": https_on_plain,
    "dns_eai_again": lambda scene: named(scene, socket.EAI_AGAIN, ["127.0.0.1"]),
    "dns_nxdomain": lambda scene: named(scene, socket.EAI_NONAME, most=1.0),
    "dns_v6_dead": lambda scene: named(scene, ["::1", "127.0.0.1"]),
    "cancel_task": lambda scene: cancel(scene, "task"),
    "cancel_break": lambda scene: cancel(scene, "break"),
    "cancel_timeout": lambda scene: cancel(scene, "timeout"),
    "cancel_probe": lambda scene: cancel(scene, "break"),
    "cancel_connect": cancel_connect,
    "pool_exhaustion": many_unread,
    "fd_exhaustion": few_descriptors,
}

TEXTLESS: Final = frozenset(
    {"cancel_task", "cancel_break", "cancel_timeout", "cancel_probe", "cancel_connect", "fd_exhaustion"}
)
"""Scenes that are left before an answer is whole: what they find is in their notes."""

APART: Final = frozenset(name for name in SCENES if name.startswith(("dns_", "cancel_")))
"""Scenes that change the process, count what it has open, or measure time: nothing else may run beside them."""


async def stage(upstream: Upstream, entry: Entry, dialect: str, ear: Ear) -> Verdict:
    """Play a scene and judge it."""
    scene = Scene(upstream, entry, dialect)
    scene.outcome.expected = "" if entry.id in TEXTLESS else await upstream.expected(scene.prompt)
    await SCENES[entry.id](scene)
    outcome = scene.outcome
    outcome.requests = await upstream.log(scene.case.name)
    outcome.leaked = leak(scene.case.key, outcome.error, ear)
    if entry.id.startswith("cancel") and len(outcome.requests) > 1:
        outcome.notes.append(f"{len(outcome.requests)} requests: asked again after leaving")
    return judge(entry, dialect, ASKED, outcome)


def open_sockets() -> int:
    """Sockets that this process holds."""
    count = 0
    for link in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            count += str(link.readlink()).startswith("socket:")
    return count


@contextlib.contextmanager
def replaced_resolver(resolver: Callable[..., list[Any]]) -> Iterator[None]:
    real, socket.getaddrinfo = socket.getaddrinfo, resolver
    try:
        yield
    finally:
        socket.getaddrinfo = real


@contextlib.asynccontextmanager
async def forwarding(port: int, to: int) -> AsyncIterator[None]:
    """Pass every connection on."""
    tasks: set[asyncio.Task[Any]] = set()

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with contextlib.suppress(OSError):
                while data := await reader.read(65536):
                    writer.write(data)
                    await writer.drain()
        finally:
            writer.close()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", to)
        for pair in ((reader, back), (there, writer)):
            tasks.add(asyncio.create_task(pump(*pair)))

    server = await asyncio.start_server(accept, "127.0.0.1", port)
    try:
        yield
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
