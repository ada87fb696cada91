"""Errors as OpenAI's server words them: `{"error": {"message", "type", "param", "code"}}`."""

import re
from typing import Final

import msgspec

from hfgen.errors import HfgenError, RateLimited, ResponseError, UsageError

# OpenAI's words for each status (platform.openai.com, Error codes; openai-python _exceptions.py picks by status alone).
_TYPES: Final = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "insufficient_quota",
    403: "permission_error",
    404: "invalid_request_error",
    413: "invalid_request_error",
    421: "invalid_request_error",
    429: "rate_limit_error",
}
# How the waist's errors begin where an argument is at fault, which has the same name in a request.
_ARGUMENT: Final = re.compile(r"([a-z_]+)=")


class Refusal(Exception):
    """A request that is answered with an error.

    Args:
        status: The HTTP status.
        message: What is wrong, and what to do.
        param: The field of the request that is at fault, or None.
        code: A short name of the error for programs, or None.
        retry_after: Seconds after which the caller may try again, or None.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.param = param
        self.code = code
        self.retry_after = retry_after

    def body(self, request_id: str = "") -> bytes:
        """The JSON body."""
        return msgspec.json.encode({"error": self.said(request_id)})

    def said(self, request_id: str = "") -> dict[str, str | None]:
        """The error itself; the request's id helps whoever runs the gateway to find it in the log."""
        kind = _TYPES.get(self.status, "server_error" if self.status >= 500 else "invalid_request_error")  # noqa: PLR2004
        error: dict[str, str | None] = {"message": self.message, "type": kind, "param": self.param, "code": self.code}
        if request_id:
            error["request_id"] = request_id
        return error


STOPPED: Final = Refusal(503, "the gateway was stopped before the answer was complete", code="stopped")


def refusal(error: HfgenError) -> Refusal:
    """What an error of hfgen is to the caller of the gateway.

    What the upstream server refused the gateway itself (its token, its account) is not the caller's own 401: the
    status stays, as a caller that is told 500 would try again.
    """
    retry_after = error.retry_after if isinstance(error, ResponseError) else None
    named = _ARGUMENT.match(error.message) if isinstance(error, UsageError) else None
    return Refusal(
        error.http_status,
        f"{error.message}. {error.hint}" if error.hint else error.message,
        param=named[1] if named else None,
        code=_code(error),
        retry_after=retry_after,
    )


def _code(error: HfgenError) -> str:
    if isinstance(error, RateLimited):
        return "rate_limit_exceeded"
    name = type(error).__name__
    return "".join(f"_{char.lower()}" if char.isupper() else char for char in name).lstrip("_")
