"""What importing hfgen costs over bare Python, in CPU time.

The programs take turns, so that a busy moment of the machine hits all of them alike; each figure is a median. Byte code
is kept in a folder of its own, so that nobody compiles while we look, whatever the machine's settings.

    python benchmarks/imports.py [TURNS]
"""

import os
import resource
import statistics
import subprocess
import sys
import tempfile

BARE = "pass"
PROGRAMS = (
    BARE,
    "import hfgen",
    "from hfgen import HuggingFaceInference",
    "import aiohttp",
    "import hfgen.cli",
)


def cpu_of(program: str, bytecode: str) -> float:
    """CPU milliseconds of a fresh interpreter that runs `program`."""
    settings = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", program], check=True, env={**settings, "PYTHONPYCACHEPREFIX": bytecode})
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return 1000 * (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def measure(turns: int, bytecode: str) -> dict[str, float]:
    """The median of each program; the first turn, which writes the byte code, does not count."""
    rounds = [{program: cpu_of(program, bytecode) for program in PROGRAMS} for _ in range(turns + 1)]
    return {program: statistics.median(one[program] for one in rounds[1:]) for program in PROGRAMS}


def main() -> None:
    turns = int(sys.argv[1]) if sys.argv[1:] else 21
    with tempfile.TemporaryDirectory() as bytecode:
        medians = measure(turns, bytecode)
    print(f"{'program':42} CPU ms   over bare Python   ({turns} turns, medians)")
    for program, median in medians.items():
        print(f"{program:42} {median:6.1f}   {median - medians[BARE]:+6.1f}")


if __name__ == "__main__":
    main()
