"""The keys that callers bring: known by their digests alone, so that no key lies in the gateway's memory."""

import hashlib
import hmac
from collections.abc import Iterable
from typing import Final

from hfgen.errors import UsageError

_MARK: Final = "sha256:"


def digest(key: bytes) -> str:
    """What is kept and compared in place of a key: `sha256:` and 64 hexadecimal digits."""
    return f"{_MARK}{hashlib.sha256(key).hexdigest()}"


def as_digests(keys: Iterable[str]) -> tuple[str, ...]:
    """The digests of keys; what is a digest already stays as it is.

    Raises:
        UsageError: A key is empty, so that whoever brings none would bring it.
    """
    given = tuple(keys)
    if not all(given):
        raise UsageError("an API key is empty", hint="Leave it out, or check the variable that it comes from.")
    return tuple(key if _is_digest(key) else digest(key.encode("utf-8", "surrogateescape")) for key in given)


def any_equal(found: str, known: Iterable[str]) -> bool:
    """Compares with every digest to its end, so that the time tells nothing."""
    return bool(sum(hmac.compare_digest(found, each) for each in known))


def _is_digest(key: str) -> bool:
    return key.startswith(_MARK) and len(key) == len(_MARK) + 64
