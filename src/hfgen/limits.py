"""How long silence may last. A healthy stream has no longest duration unless the caller sets `total`."""

import msgspec

from hfgen.errors import UsageError


class Limits(msgspec.Struct, frozen=True):
    """Seconds; `None` means no limit.

    Attributes:
        connect: To open the connection, TLS included.
        first_token: From the request to the answer's whole head, and to the first payload.
        idle: Between two payloads. Bytes that carry nothing (comments) extend these two to at most twice.
        total: The deadline of everything: retries, waiting, the stream itself.
    """

    connect: float | None = 10.0
    first_token: float | None = 600.0
    idle: float | None = 600.0
    total: float | None = None

    @classmethod
    def of(
        cls,
        timeout: float | None = 600.0,
        *,
        connect: float | None = None,
        first_token: float | None = None,
        idle: float | None = None,
        total: float | None = None,
    ) -> "Limits":
        """One `timeout` for every silence, each of which can be given apart.

        Raises:
            UsageError: A limit that is not above zero.
        """
        named: dict[str, object] = {
            "timeout": timeout,
            "connect": connect,
            "first_token": first_token,
            "idle": idle,
            "total": total,
        }
        for name, seconds in named.items():
            if seconds is not None and not (isinstance(seconds, (int, float)) and seconds > 0):
                raise UsageError(f"{name}={seconds!r}: a time limit is a number of seconds above 0, or None for none")
        patience = 10.0 if timeout is None else min(10.0, timeout)
        return cls(
            connect=patience if connect is None else connect,
            first_token=timeout if first_token is None else first_token,
            idle=timeout if idle is None else idle,
            total=total,
        )
