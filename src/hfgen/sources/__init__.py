"""Models that lie on this machine: the same facts as the Hub's record gives, read from files."""

import re
from pathlib import Path
from typing import Final

from hfgen.facts import ModelFacts
from hfgen.sources.folder import facts_of_folder
from hfgen.sources.gguf import facts_of_gguf

__all__ = ["facts_of_folder", "facts_of_gguf", "facts_of_path", "is_path"]

_PATH: Final = re.compile(r"(?:\.{0,2}/|~|[A-Za-z]:[\\/]|\.{1,2}\\).*|\.{1,2}", re.DOTALL)


def is_path(model: str) -> bool:
    """Whether a model is named by a path: it begins with `/`, `./`, `../` or `~`, or ends in `.gguf`.

    `owner/name` is always the Hub's, even where a folder of that name exists: which model answers must not depend on
    the working directory.
    """
    return bool(_PATH.fullmatch(model)) or model.lower().endswith(".gguf")


def facts_of_path(model: str) -> ModelFacts:
    """The facts of a model's folder or of a GGUF file; blocking.

    Raises:
        ModelNotSupportedError: It is neither.
        UsageError: A file of it cannot be read.
    """
    path = Path(model).expanduser()
    return facts_of_folder(path) if path.is_dir() else facts_of_gguf(path)
