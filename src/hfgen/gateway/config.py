"""`hfgen.toml`: names for models with the routes behind them, and the settings of `hfgen serve` by its flags' names.

[models]
fast = ["local", "meta-llama/Llama-3.1-8B-Instruct:cerebras"]

[server]
port = 9000
allow-host = ["ai.example.com"]
"""

import os
import stat
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, cast

from hfgen.errors import UsageError
from hfgen.gateway.names import route_of

FILE: Final = "hfgen.toml"
# What a file may set that nobody named.
_HARMLESS: Final = frozenset({"port", "model", "workers", "max-tokens", "max-streams", "rpm", "timeout", "drain"})
_TABLES: Final = ("models", "server")


@dataclass(frozen=True, slots=True)
class Config:
    """What a file says.

    Attributes:
        names: A caller's name for a model, and its routes, the preferred one first.
        server: Settings by the names of their flags, without the dashes in front.
    """

    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    server: Mapping[str, Any] = field(default_factory=dict[str, Any])


def find(given: str | None) -> Path | None:
    """The file that was given, else the one that HFGEN_CONFIG names; None where nobody named one."""
    named = given or os.environ.get("HFGEN_CONFIG")
    return Path(named) if named else None


def here() -> Path | None:
    """The file in this folder, which nobody named."""
    return Path(FILE) if Path(FILE).is_file() else None


def load(file: Path, flags: Iterable[str]) -> Config:
    """What a file says.

    Args:
        file: TOML.
        flags: The names that `[server]` may hold.

    Raises:
        UsageError: It cannot be read, or a key is not known; the nearest that is known is named.
    """
    try:
        said = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror or error}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{file} is no TOML: {error}") from error
    _check_known(file, "", said, _TABLES)
    server = _table(file, "server", said)
    _check_known(file, "server.", server, tuple(flags))
    names = {name: _routes(file, name, routes) for name, routes in _table(file, "models", said).items()}
    return Config(names, server)


def check_unnamed(file: Path, config: Config) -> None:
    """Let a file that merely lies in this folder say little: it may have come with somebody's project.

    Where prompts and tokens go, and who may call, is not for it to say.

    Raises:
        UsageError: It says such a thing, or belongs to another user.
    """
    if os.name == "posix":
        told = file.stat()
        if told.st_uid not in (0, os.getuid()) or told.st_mode & stat.S_IWOTH:
            raise _distrusted(file, "it is not yours alone to write")
    for name in config.server:
        if name not in _HARMLESS:
            raise _distrusted(file, f"server.{name} may not be set in it")
    for name, routes in config.names.items():
        for word in routes:
            if route_of(word).api_base:
                raise _distrusted(file, f"models.{name} may not lead to a server of its own ({word})")


def _distrusted(file: Path, why: str) -> UsageError:
    return UsageError(
        f"{file} lies in this folder and was not named: {why}",
        hint=f"If you trust it: hfgen serve --config {file}",
    )


def _table(file: Path, name: str, said: Mapping[str, object]) -> Mapping[str, object]:
    table = said.get(name, {})
    if not isinstance(table, dict):
        raise UsageError(f"{file}: {name} is no table", hint=f"Begin it with [{name}].")
    return cast("dict[str, object]", table)


def _routes(file: Path, name: str, routes: object) -> tuple[str, ...]:
    words = [routes] if isinstance(routes, str) else routes
    listed = cast("list[object]", words) if isinstance(words, list) else []
    if not listed or not all(isinstance(word, str) and word for word in listed):
        raise UsageError(
            f"{file}: models.{name} names no routes",
            hint='Such as ["local", "owner/name:provider", "owner/name@http://127.0.0.1:8080"].',
        )
    return tuple(map(str, listed))


def _check_known(file: Path, place: str, said: Iterable[str], known: tuple[str, ...]) -> None:
    for key in said:
        if key not in known:
            near = get_close_matches(key, known, n=1)
            hint = f"Did you mean {near[0]!r}?" if near else f"There is: {', '.join(sorted(known))}."
            raise UsageError(f"{file}: {place}{key} is not known", hint=hint)
