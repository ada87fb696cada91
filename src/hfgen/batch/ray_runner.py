"""Batches on Ray: an async actor for each worker. The one module that imports ray (extra `ray`).

Of Ray only Core is used. It places the actors, starts them anew when they die, and brings orders to them; which rows
they have, what they may take and what is recorded the driver decides (`cluster.py`).
"""

# It is an extra that need not be there to check the rest, and its decorators hide the types of what they wrap:
# pyright: reportMissingImports=false, reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

import asyncio
import os
import socket
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, Final

from hfgen import __version__
from hfgen.batch.cluster.cluster import Cluster, Lost
from hfgen.batch.cluster.orders import Brief, Order, Report
from hfgen.batch.cluster.worker import Worker
from hfgen.batch.opening import Opening
from hfgen.batch.pacing.budget import Budget
from hfgen.batch.runner import Engine
from hfgen.batch.setting import Setting
from hfgen.errors import HfgenError, UsageError
from hfgen.hub.client import find_token

try:
    import ray
    from ray import exceptions
except ImportError:
    raise UsageError("batches on many machines need Ray", hint="pip install 'hfgen[ray]'") from None

_CPUS: Final = 0.1  # an actor waits for the network; a whole processor each would keep others off the cluster
_STORE: Final = 100 * 2**20  # bytes; orders and reports are small
_PLACED: Final = 60.0  # seconds for an actor to be placed and started
_SILENT: Final = 60.0  # seconds without a report; they are due each second
_KNOCK: Final = 10.0  # seconds
_AGAIN: Final = 0.5  # seconds before an order is sent again that may not have been heard


def ray_engine(address: str | None = None, *, actors: int | None = None) -> Opening:
    """Answers a job's rows on the actors of a Ray cluster: `run(jobs, engine=ray_engine())`.

    The job's `concurrency` is what all actors together ask at once, at most; each finds its own pace below its share.

    Args:
        address: Of a cluster, as Ray writes it (`host:6379`, `auto`, `local`); None for `RAY_ADDRESS`, else for one
            that is begun on this machine and ended with the job. A Ray that this process is connected to already is
            used as it is.
        actors: How many; None for one on each machine.

    Raises:
        UsageError: `actors` is below 1. When the job begins: no cluster can be reached there, or its Python, Ray or
            hfgen is another.
    """
    if actors is not None and actors < 1:
        raise UsageError(f"actors={actors}: there is at least one")

    @asynccontextmanager
    async def opened(setting: Setting, budget: Budget) -> AsyncGenerator[Engine, None]:
        mine = await asyncio.to_thread(_connect, address or os.environ.get("RAY_ADDRESS") or "local")
        remotes: list[_Actor] = []
        try:
            setting_there = await _for_strangers(setting)
            count = min(actors or _machines(), budget.most)
            for index in range(count):
                share = budget.most // count + (index < budget.most % count)
                remotes.append(_Actor(index, _Employment(setting_there, budget, share, count)))
            yield Cluster(remotes, budget, setting.folder)
        finally:
            for remote in remotes:
                remote.kill()
            if mine:
                await asyncio.shield(asyncio.to_thread(ray.shutdown))

    return opened


def _connect(address: str) -> bool:
    """Connect to a cluster; whether it has to be left again. Blocking."""
    if ray.is_initialized():
        return False
    asked: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR", "include_dashboard": False}
    if address == "local":
        os.environ.setdefault(
            "RAY_USAGE_STATS_ENABLED", "0"
        )  # Ray tells its makers what it is used for, unless told not to
        asked["object_store_memory"] = _STORE
    else:
        del asked["include_dashboard"]
    _knock(address)
    try:
        ray.init(address=address, **asked)
    except (ConnectionError, RuntimeError, ValueError, OSError, exceptions.RayError) as error:
        raise UsageError(
            f"Ray at {address} cannot be used: {_first_line(error)}",
            hint=f"It has to run with Ray {ray.__version__} and Python {sys.version.split()[0]}, as here.",
        ) from error
    return True


def _knock(address: str) -> None:
    """See whether anybody is there; Ray itself tries for a minute and more."""
    host, _, port = address.rpartition(":")
    if "/" in address or not port.isdecimal():
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_KNOCK).close()
    except (OSError, OverflowError) as error:
        raise UsageError(
            f"Ray at {address} cannot be reached: {error}", hint="Is it running? `ray status` says so there."
        ) from error


def _machines() -> int:
    return max(1, sum(bool(node["Alive"]) for node in ray.nodes()))


async def _for_strangers(setting: Setting) -> Setting:
    """The setting as other machines take it: with this one's token for the router, and without its folders."""
    options = dict(setting.options)
    if not (options.get("api_key") or options.get("api_base")) and (token := await find_token()):
        options["api_key"] = token
    return replace(setting, options=options, folder=None)


@dataclass(frozen=True, slots=True)
class _Employment:
    """What a worker is told when it begins; not when it is created, for that stands in Ray's tables."""

    setting: Setting
    budget: Budget
    share: int
    workers: int


class _Actor:
    """A worker that is an actor."""

    def __init__(self, index: int, employment: _Employment) -> None:
        kind: Any = ray.remote(num_cpus=_CPUS, max_restarts=-1, max_task_retries=0, scheduling_strategy="SPREAD")(
            Worker
        )
        self._actor = kind.remote()
        self._employment = employment
        self.name = f"worker {index}"

    async def begin(self) -> str:
        """See `Remote`."""
        job = self._employment
        try:
            brief: Brief = await self._answer(
                self._actor.begin.remote(job.setting, job.budget, job.share, job.workers), _PLACED
            )
        except exceptions.ActorUnavailableError as error:
            await asyncio.sleep(_AGAIN)
            raise Lost(_first_line(error)) from error
        if brief.version != __version__:
            raise UsageError(
                f"the cluster has hfgen {brief.version}, and here is {__version__}: they have to be the same"
            )
        return brief.life

    async def carry_out(self, order: Order) -> Report:
        """See `Remote`."""
        while True:
            try:
                report: Report = await self._answer(self._actor.carry_out.remote(order), _SILENT)
            except exceptions.ActorUnavailableError:
                await asyncio.sleep(_AGAIN)  # it may live, and have what it would have told
            else:
                return report

    def kill(self) -> None:
        """See `Remote`."""
        if ray.is_initialized():
            ray.kill(self._actor)

    async def _answer(self, answer: Any, seconds: float) -> Any:
        try:
            async with asyncio.timeout(seconds):
                return await answer
        except TimeoutError:
            ray.kill(self._actor, no_restart=False)
            raise Lost(f"nothing was heard of it for {seconds:g} seconds") from None
        except exceptions.ActorUnavailableError:
            raise
        except exceptions.RayActorError as error:
            if error.actor_init_failed:
                raise UsageError(
                    f"a worker cannot begin: {_last_line(error)}",
                    hint=f"Every machine of the cluster needs hfgen {__version__}: pip install 'hfgen[ray]'",
                ) from error
            raise Lost(_first_line(error)) from error
        except exceptions.RayTaskError as error:
            raise HfgenError(f"a worker failed: {_last_line(error)}") from error
        except exceptions.RayError as error:
            raise HfgenError(f"Ray cannot go on: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _last_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[-1]
