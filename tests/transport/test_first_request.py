"""What this process has to load first is no time that a server took."""

import subprocess
import sys
import textwrap
from pathlib import Path

PROGRAM = textwrap.dedent(
    """
    import asyncio, sys, time
    from importlib.abc import MetaPathFinder

    class Slow(MetaPathFinder):
        "An HTTP library on a slow disk."
        def find_spec(self, name, path=None, target=None):
            if name == "aiohttp":
                time.sleep(0.5)

    from hfgen.limits import Limits
    from hfgen.transport.session import Session
    from hfgen.wire import Target, WireRequest
    from loopback import serving

    assert "aiohttp" not in sys.modules
    sys.meta_path.insert(0, Slow())

    async def talk(visit):
        await asyncio.sleep(0.1)
        await visit.answer(b"[]")

    async def main():
        async with serving(talk) as server, Session() as session:
            request = WireRequest(server.url + "/", b"{}")
            body = await session.fetch(request, Target(server.url), Limits(connect=0.3, first_token=0.3, idle=0.3))
            print(body.data.decode())

    asyncio.run(main())
    """
)


def test_the_time_to_load_the_http_library_counts_against_no_limit() -> None:
    here = Path(__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={"PYTHONPATH": f"{here}:{here.parent / 'src'}"},
    )
    assert done.stdout == "[]\n", done.stderr
