"""Drive Hugging Face's inference toolkit, painting with random weights, through hfgen; print what happens.

    python scripts/toolkit /opt/hfit/bin/python > tests/recordings/toolkit/transcript.txt
    python scripts/toolkit /opt/hfit/bin/python --record tests/recordings/toolkit

    python scripts/toolkit /opt/hfit/bin/python --text FOLDER

How to install the toolkit stands in scripts/README.md. With `--record` the exchanges that the tests replay are written
anew. The pictures are noise, and good for nothing but this. With `--text` it serves the text
model of a folder in their place.
"""

import argparse
import asyncio
import platform
import sys
import tempfile
import warnings
from pathlib import Path

from recorder import recording
from scenes import SCENES, Stage
from server import toolkit
from text_scenes import TEXT_SCENES

from hfgen import __version__


async def main(python: Path, folder: Path | None, writer: Path | None) -> None:
    with tempfile.TemporaryDirectory() as place:
        log = Path(place) / "toolkit.log"
        async with toolkit(python, log, writer) as port, recording(port, folder) as recorder:
            task = "text-generation" if writer else "text-to-image"
            print(f"hfgen {__version__} against the toolkit's {task}, Python {platform.python_version()}")
            for scene in TEXT_SCENES if writer else SCENES:
                recorder.exchanges.clear()
                print(f"\n# {(scene.__doc__ or scene.__name__).strip()}")
                await scene(Stage(recorder, port))
                recorder.keep(scene.__name__)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="scripts/toolkit", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("python", type=Path, help="the interpreter of the environment that holds the toolkit")
    parser.add_argument("--record", type=Path, metavar="FOLDER", help="write the exchanges that the tests replay")
    parser.add_argument("--text", type=Path, metavar="FOLDER", help="serve this text model, and not the random painter")
    given = parser.parse_args()
    warnings.showwarning = lambda message, *_, **__: print(f"    warning {message}", file=sys.stdout)
    warnings.simplefilter("always")
    asyncio.run(main(given.python, given.record, given.text))
