"""A server that answers with what another one once said: each recorded request gets its recorded answer, byte for byte.

A recording is two files, `name.request.http` and `name.answer.http`: whole HTTP messages, as they went over the wire.
"""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from loopback import Server, Visit, serving

RECORDINGS = Path(__file__).with_name("recordings")
_TELLING = ("accept", "content-type")  # the headers that such servers answer by


@asynccontextmanager
async def replayed(server: str) -> AsyncIterator[Server]:
    """Serve the recordings of one server; a request that was never recorded is a 501 that says so."""
    answers = {_meaning(*_read(file)): _answer_of(file) for file in (RECORDINGS / server).glob("*.request.http")}
    assert answers, f"no recordings of {server}"

    async def talk(visit: Visit) -> None:
        known = answers.get(_meaning(visit.method, visit.path, visit.headers, visit.body))
        if known is None:
            asked = f"never recorded: {visit.method} {visit.path} {visit.body.decode()}"
            await visit.answer(json.dumps({"error": asked}).encode(), status="501 Not Recorded")
        else:
            await visit.say(known)

    async with serving(talk) as replaying:
        yield replaying


@asynccontextmanager
async def always(server: str, name: str) -> AsyncIterator[Server]:
    """Answer whatever is asked with one recorded answer: what comes when something between has changed the request."""
    answer = (RECORDINGS / server / f"{name}.answer.http").read_bytes()

    async def talk(visit: Visit) -> None:
        await visit.say(answer)

    async with serving(talk) as replaying:
        yield replaying


def body_of(server: str, name: str) -> bytes:
    """The body of a recorded answer."""
    return (RECORDINGS / server / f"{name}.answer.http").read_bytes().partition(b"\r\n\r\n")[2]


def _answer_of(request: Path) -> bytes:
    return request.with_name(request.name.replace(".request.", ".answer.")).read_bytes()


def _read(file: Path) -> tuple[str, str, dict[str, str], bytes]:
    head, _, body = file.read_bytes().partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    method, path, _ = first.split(" ", 2)
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return method, path, headers, body


def _meaning(method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[str, ...]:
    """What of a request its answer depends on; the order of keys in JSON does not count."""
    try:
        said = json.dumps(json.loads(body), sort_keys=True)
    except ValueError:
        said = body.decode("latin-1")
    telling = (headers.get(name, "") for name in _TELLING) if method == "POST" else ()
    return (method, path, said, *telling)
