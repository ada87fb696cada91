"""What can go wrong, as one tree.

HfgenError
├─ UsageError (ValueError)            before any I/O: the call itself is wrong
│  └─ UnknownOption (TypeError)       an option that does not exist
├─ PromptError                        no exact prompt can be made of these messages
│  ├─ TemplateRefused                 the template's own raise_exception, in its words
│  ├─ TemplateBroken                  the template does not parse or run
│  ├─ TemplateTooCostly               the template hit a bound of the sandbox
│  └─ ContinuationError               the last message cannot be continued
├─ ModelNotSupportedError             no such model, or no route to it
├─ ConnectionFailed                   no connection, or none that lasted to an answer
│  └─ SessionClosed                   the caller closed the session meanwhile
├─ TimedOut (TimeoutError)            silence beyond a limit, before the first payload
├─ OutputFailed                       a batch's output cannot be written: a full disk, a limit, a broken device
├─ ResponseError                      the answer was an error
│  ├─ BadRequest       400 422 …
│  │  └─ ContentFiltered  what was asked, or what came of it, is not allowed there
│  ├─ MissingAuth      401 403
│  ├─ PaymentRequired  402
│  ├─ RateLimited      429
│  ├─ ModelLoading     503 while the weights are loaded
│  ├─ EndpointPaused   the owner has switched the endpoint off
│  └─ ServerError      5xx, and answers that are not what they claim to be
│     └─ BadPicture    cut, damaged, too large, or where no picture may be fetched
└─ StreamError                        after the first byte; `partial` is the text so far
   ├─ GenerationError                 the server said that it gave up
   └─ TruncatedStream                 it fell silent without an end

Each class carries `exit_code` (the command line's) and `http_status` (the gateway's).
"""

from typing import ClassVar, Self

from hfgen.redaction import presentable


class HfgenError(Exception):
    """Base of every error that hfgen raises.

    Attributes:
        message: What happened, in one or two sentences, without any secret.
        hint: What to do next, or "".
        server: The server that was asked, as a person would name it, or "".
        model: The model that was asked for, or "".
        request_id: The server's own id of the request, or "".
        attempts: How many requests were sent, 0 when none was.
        partial: The text delivered before the error, "" when there was none.
        retry_after: Seconds that the server asks to wait, or None.
    """

    exit_code: ClassVar[int] = 1
    http_status: ClassVar[int] = 500

    def __init__(self, message: str, *, hint: str = "") -> None:
        self.message = presentable(message)
        super().__init__(self.message)
        self.hint = presentable(hint)
        self.server = ""
        self.model = ""
        self.request_id = ""
        self.attempts = 0
        self.partial = ""
        self.retry_after: float | None = None

    @property
    def cause(self) -> BaseException | None:
        """What led to it, of hfgen or of a library beneath, without any secret; None where it began here."""
        return self.__cause__

    def at(self, *, server: str = "", model: str = "", request_id: str = "", attempts: int = 0) -> Self:
        """Say where it happened; what is known already is kept."""
        self.server = self.server or presentable(server)
        self.model = self.model or presentable(model)
        self.request_id = self.request_id or presentable(request_id)
        self.attempts = max(self.attempts, attempts)
        return self

    def __str__(self) -> str:
        named = not self.server or self.server in self.message
        where = [
            "" if named else self.server if "server" in self.server else f"server {self.server}",
            f"model {self.model}" if self.model else "",
            f"request {self.request_id}" if self.request_id else "",
            f"after {self.attempts} attempts" if self.attempts > 1 else "",
        ]
        known = ", ".join(part for part in where if part)
        sentence = f"{self.message} ({known})" if known else self.message
        return f"{sentence}\n{self.hint}" if self.hint else sentence

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"


class UsageError(HfgenError, ValueError):
    """The call is wrong; raised before any I/O."""

    exit_code = 2
    http_status = 400


class UnknownOption(UsageError, TypeError):
    """An option that does not exist; also a `TypeError`, as a misspelt keyword is in Python."""


class PromptError(HfgenError):
    """No exact prompt can be made of these messages with this template."""

    exit_code = 2
    http_status = 400


class TemplateRefused(PromptError):
    """The template itself refused the conversation (`raise_exception`); the message is the template's."""


class TemplateBroken(PromptError):
    """The template does not parse, names something undefined, or failed while it ran."""


class TemplateTooCostly(PromptError):
    """The template hit a bound of the sandbox (time, steps, size)."""


class ContinuationError(PromptError):
    """The last message cannot be continued with this template."""


class ModelNotSupportedError(HfgenError):
    """There is no such model, or no route to it."""

    exit_code = 5
    http_status = 404


class ConnectionFailed(HfgenError):
    """No connection could be made, or it broke before an answer.

    Attributes:
        lasting: Whether trying again is pointless: a name that is not known, a certificate, a closed session.
    """

    exit_code = 7
    http_status = 502

    def __init__(self, message: str, *, hint: str = "", lasting: bool = False) -> None:
        super().__init__(message, hint=hint)
        self.lasting = lasting


class SessionClosed(ConnectionFailed):
    """The session was closed while an answer was on its way: asking again would open what was meant to be closed."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message, hint=hint, lasting=True)


class TimedOut(HfgenError, TimeoutError):
    """Nothing came within a time limit, before the first payload."""

    exit_code = 7
    http_status = 504


class OutputFailed(HfgenError):
    """What a batch has to record cannot be written; all that was recorded before is whole."""


class ResponseError(HfgenError):
    """The server answered with an error.

    Attributes:
        status: The HTTP status of the answer; the one that the error names where it came inside a 200.
    """

    exit_code = 7
    http_status = 502

    def __init__(self, message: str, *, hint: str = "", status: int = 0, retry_after: float | None = None) -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.retry_after = retry_after


class BadRequest(ResponseError):
    """The server refused what was asked."""

    exit_code = 1
    http_status = 400


class ContentFiltered(BadRequest):
    """The server's filter refused the prompt or its own picture; the message is the server's."""


class MissingAuth(ResponseError):
    """No token, a wrong one, or one without the right."""

    exit_code = 4
    http_status = 401


class PaymentRequired(ResponseError):
    """The account has no credit left."""

    exit_code = 6
    http_status = 402


class RateLimited(ResponseError):
    """Too many requests, or the server is full."""

    exit_code = 6
    http_status = 429


class ModelLoading(ResponseError):
    """The model is being loaded; `retry_after` is the server's estimate."""

    http_status = 503


class EndpointPaused(ResponseError):
    """The endpoint was switched off by its owner; waiting does not help."""

    http_status = 503


class ServerError(ResponseError):
    """The server failed, or its answer is not an answer.

    Attributes:
        lasting: Whether trying again is pointless: another kind of server answers there.
    """

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        status: int = 0,
        retry_after: float | None = None,
        lasting: bool = False,
    ) -> None:
        super().__init__(message, hint=hint, status=status, retry_after=retry_after)
        self.lasting = lasting


class BadPicture(ServerError):
    """A picture that is cut, damaged or too large, or that lies where none may be fetched; asking again costs anew."""

    def __init__(self, message: str, *, hint: str = "", status: int = 0) -> None:
        super().__init__(message, hint=hint, status=status, lasting=True)


class StreamError(HfgenError):
    """The stream broke after its first byte; `partial` holds the text delivered until then."""

    exit_code = 8
    http_status = 502

    def __init__(self, message: str, *, hint: str = "", partial: str = "") -> None:
        super().__init__(message, hint=hint)
        self.partial = partial


class GenerationError(StreamError):
    """The server said, inside the stream, that it gave up."""


class TruncatedStream(StreamError):
    """The stream went silent or closed without an end."""
