"""Many requests as one job: answered at the pace that the servers allow, each recorded once, none asked twice.

The public names are loaded when they are first used, as those of `hfgen` are.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from hfgen.batch.ends import JobStopped as JobStopped
    from hfgen.batch.job import Job as Job
    from hfgen.batch.ray_data import map_batches_udf as map_batches_udf
    from hfgen.batch.result import Result as Result
    from hfgen.batch.running import run as run
    from hfgen.batch.tally import Tally as Tally

_HOME_OF: Final = {
    "Job": "hfgen.batch.job",
    "JobStopped": "hfgen.batch.ends",
    "Result": "hfgen.batch.result",
    "Tally": "hfgen.batch.tally",
    "map_batches_udf": "hfgen.batch.ray_data",
    "run": "hfgen.batch.running",
}

__all__ = ["Job", "JobStopped", "Result", "Tally", "map_batches_udf", "run"]


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module 'hfgen.batch' has no attribute {name!r}")
    value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
