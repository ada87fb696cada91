"""How one form of an answer says its events."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

from hfgen.events import Event, Usage


class Wording(ABC):
    """Says one answer, event by event, as server-sent events."""

    usage: Usage | None = None

    @abstractmethod
    def chunk(self, event: Event) -> bytes:
        """The bytes that say this event, none where the form has no word for it."""

    def chunks(self, events: Sequence[Event]) -> bytes:
        """The bytes that say all of these events."""
        return b"".join(map(self.chunk, events))
