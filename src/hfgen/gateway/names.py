"""The names that callers use, and the routes that stand behind each.

A route is written as one word: `local`, `owner/name`, `owner/name:provider`, or `owner/name@http://host:port` for a
server of one's own.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from hfgen.sources import is_path


@dataclass(frozen=True, slots=True)
class Route:
    """One way to a model.

    Attributes:
        model: As `create_async_generator` takes it.
        api_base: The server that has it, "" for Hugging Face or the local engine.
    """

    model: str
    api_base: str = ""


def route_of(word: str) -> Route:
    """The route that a word of the configuration names."""
    model, at, base = word.partition("@http")
    return Route(model, f"http{base}" if at else "")


def routes_of(name: str, names: Mapping[str, tuple[str, ...]]) -> tuple[Route, ...]:
    """The routes behind a caller's name, the preferred one first.

    A name that the configuration does not have is a model's own and nothing more: an address in it would send the
    gateway, and its token, wherever a caller likes.
    """
    words = names.get(name)
    return (Route(name),) if words is None else tuple(map(route_of, words))


def is_foreign_path(name: str, names: Mapping[str, tuple[str, ...]]) -> bool:
    """Whether a caller's name is a path, which the waist would look for on this machine."""
    return name not in names and is_path(name)
