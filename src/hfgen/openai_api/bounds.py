"""What a request may ask for at most."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one request may hold.

    Attributes:
        messages: Messages of a conversation.
        pictures: Pictures in a conversation, and pictures asked for at once.
        max_tokens: The longest answer, in tokens; None for no ceiling.
        image_urls: Pictures in conversations may be named by an address, which the server behind then fetches.
    """

    messages: int = 2000
    pictures: int = 16
    max_tokens: int | None = None
    image_urls: bool = False
