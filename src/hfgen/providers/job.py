"""One request for pictures, and what follows from it: a job that is polled, pictures that lie somewhere.

What was accepted is paid for: from then on only the asking how it goes is repeated, never the request itself.
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from msgspec.structs import replace

from hfgen.errors import BadPicture, HfgenError, ModelLoading, ServerError, SessionClosed, TimedOut
from hfgen.events import Event, FinishReason, ImageResponse, Progress
from hfgen.generation import Generation
from hfgen.media import Media
from hfgen.picture import picture, scheme_of, unpacked
from hfgen.providers.notices import waiting
from hfgen.providers.places import Terms, aside, fetched, host_of
from hfgen.providers.routes import Route
from hfgen.transport.retry import retryable, wait_before
from hfgen.waits import asked_wait
from hfgen.wire import Again, Answer, Body, Frame, Item, Marker, Named, PictureAt, Whole, WireRequest, origin_of

_FIRST_POLL: Final = 0.5  # seconds between two polls where the server does not say; it grows
_GROWTH: Final = 1.3
_LONGEST_POLL: Final = 5.0
_MOST_ASKED: Final = 60.0  # seconds between two polls, however long the server would have us wait
_LOADING: Final = 20.0  # a model that is being loaded is asked for again after its estimate, but no later
_FAREWELL: Final = 1.0  # seconds for telling the server that nobody waits for the job any more


@dataclass(slots=True)
class _Turn:
    """What one answer says of the job: how to go on, and which pictures are ready."""

    follow: WireRequest | None = None
    delay: float | None = None
    pictures: list[PictureAt | ImageResponse] = field(default_factory=list[PictureAt | ImageResponse])


class Job:
    """Runs one request to its end, and says what it has to say as it comes.

    Attributes:
        sent: How often the request was sent.
        accepted: Whether the server took it: then it is never sent again.
        came: How many pictures came.
    """

    def __init__(
        self, asked: Generation, route: Route, request: WireRequest, terms: Terms, say: Callable[[Event], None]
    ) -> None:
        self.sent = 0
        self.accepted = False
        self.came = 0
        self._asked = asked
        self._route = route
        self._request = request
        self._terms = terms
        self._say = say
        self._cancel: WireRequest | None = None
        self._withheld = False
        self._told = False  # what failed did so in the server's own words
        self._failures = 0
        self._poll = _FIRST_POLL
        self._loop = asyncio.get_running_loop()
        self._since = self._loop.time()
        self._clock = asyncio.timeout_at(terms.deadline)

    @property
    def missing(self) -> int:
        """How many it did not bring though nothing failed, those apart that a filter withheld."""
        return 0 if self._withheld else max(0, self._asked.picture.n - self.came)

    async def run(self) -> None:
        """Until its pictures are there; left early, it cancels the job at the server.

        Raises:
            HfgenError: What went wrong, after all that came before was said.
        """
        try:
            async with self._clock:
                request: WireRequest | None = self._request
                while request is not None:
                    request = await self._step(request)
            self._cancel = None
        except SessionClosed:
            self._cancel = None  # nothing is to be opened any more
            raise
        except TimeoutError as error:
            raise (error if isinstance(error, HfgenError) else self._late()) from error
        finally:
            await self._farewell()

    async def _step(self, request: WireRequest) -> WireRequest | None:
        """Send it; what is to be sent next."""
        if request.delay:
            await asyncio.sleep(request.delay)
            request = replace(request, delay=0.0)
        try:
            turn = await self._turn(request)
        except HfgenError as error:
            if self.accepted and request.method != "GET":
                raise  # it is paid for, and how to ask for it is lost
            await self._wait_after(error)
            return request
        self._failures = 0
        if turn.pictures:
            self._cancel = None  # the job is done
            await self._bring_all(turn.pictures)
        if turn.follow is not None:
            self._cancel = turn.follow.cancel or self._cancel
            return replace(self._placed(turn.follow), delay=max(turn.follow.delay, turn.delay or 0.0))
        if turn.delay is not None:
            if request.method != "GET":
                raise ServerError("the server says that the job runs, and names no job to ask for")
            return replace(request, delay=turn.delay)
        if not self.came:
            raise ServerError("the server answered without a picture", hint="Try again, or ask another server.")
        return None

    async def _turn(self, request: WireRequest) -> _Turn:
        if request is self._request or not self.accepted:
            self.sent += 1
        turn = _Turn()
        target, limits = self._route.target, self._asked.limits
        async with self._terms.exchange.open(request, target, limits) as answer:
            while frames := await answer.read():
                for frame in frames:
                    for item in await self._decoded(frame):
                        self._take(item, turn, answer)
        if self.accepted and self._terms.deadline is None and self._clock.when() is None:
            self._clock.reschedule(self._loop.time() + self._terms.longest)
        return turn

    async def _decoded(self, frame: Frame) -> Sequence[Item]:
        data = frame.data if isinstance(frame, (Named, Body)) else frame
        try:
            return await aside(len(data), lambda: tuple(self._route.dialect.decode(frame)))
        except HfgenError as error:
            if self.accepted or isinstance(error, BadPicture):
                self._told, self._cancel = True, None
            raise

    def _take(self, item: Item, turn: _Turn, answer: Answer) -> None:
        match item:
            case WireRequest():
                self.accepted, turn.follow = True, item
                turn.delay = _told_wait(answer)
            case Again():
                self.accepted, turn.delay = True, self._until_next(item, answer)
            case PictureAt() | ImageResponse():
                self.accepted = True
                turn.pictures.append(item)
            case FinishReason():
                self._withheld = item.reason == "content_filter"
                self._say(item)
            case Marker() | Whole():
                pass
            case _:
                self._say(item)

    def _until_next(self, item: Again, answer: Answer) -> float:
        """Seconds until the next poll: the answer's own header, the server's interval, else ever a little longer."""
        told = _told_wait(answer) or item.delay
        if told > 0:
            return min(told, _MOST_ASKED)
        wait, self._poll = self._poll, min(self._poll * _GROWTH, _LONGEST_POLL)
        return wait

    async def _hand_over(self, image: ImageResponse) -> None:
        """Say a picture, once its bytes are seen to be one."""
        try:
            media, size = await aside(len(image.media.data), lambda: picture(image.media.data))
        except HfgenError:
            self._told = True
            raise
        asked, target = self._asked, self._route.target
        untold = "seed" in self._request.dropped
        self.came += 1
        self._say(
            replace(
                image,
                media=media,
                width=size.width,
                height=size.height,
                prompt=image.prompt or asked.text,
                model=image.model or asked.model,
                server=image.server or target.name,
                provider=image.provider or target.provider,
                left_out=self._request.dropped,
                seed=(None if untold else asked.sampling.seed) if image.seed is None else image.seed,
            )
        )

    async def _bring_all(self, pictures: Sequence[PictureAt | ImageResponse]) -> None:
        """All that can be had; what could not is said at the end."""
        failed: HfgenError | None = None
        for found in pictures:
            try:
                await self._hand_over(found if isinstance(found, ImageResponse) else await self._fetched(found))
            except HfgenError as error:
                failed = failed or error
        if failed is not None:
            raise failed

    async def _fetched(self, place: PictureAt) -> ImageResponse:
        url, source = place.url, ""
        if scheme_of(url) in ("", "data"):
            media = await aside(len(url), lambda: unpacked(url))
        else:
            host, source = host_of(url), url
            self._say(Progress("fetching", f"from {host}" if host else ""))
            data = await fetched(url, self._route.target, self._asked.limits, self._terms)
            media = Media(data, "")  # the bytes will show what it is
        return ImageResponse(media, seed=place.seed, revised_prompt=place.revised_prompt, source_url=source)

    async def _wait_after(self, error: HfgenError) -> None:
        """Wait until it makes sense to send the same again.

        Raises:
            HfgenError: It does not.
        """
        self._failures += 1
        if self._told or self.came or not retryable(error) or not (self.accepted or self._terms.repeats):
            raise error
        if isinstance(error, ModelLoading) and self._loop.time() - self._since < self._terms.longest:
            wait: float | None = min(error.retry_after or _FIRST_POLL * self._failures, _LOADING)
        else:
            wait = wait_before(error, self._failures, self._route.target.base, self._terms.budget)
        if wait is None or self._too_late(wait):
            raise error
        self._say(waiting(error))
        await asyncio.sleep(wait)

    def _too_late(self, wait: float) -> bool:
        return self._terms.too_late(self._loop.time() + wait)

    def _placed(self, request: WireRequest) -> WireRequest:
        """A follow-up stays at the server that was asked, whatever address the answer names.

        Raises:
            ServerError: It would go elsewhere.
        """
        target = self._route.target
        if request.url.startswith("/"):
            return replace(request, url=target.base + request.url, stays=True)
        try:
            here = origin_of(request.url) == target.origin
        except ValueError:
            here = False
        if not here:
            self._told = True
            raise BadPicture(f"{target.name} sends us on to another host to ask for the job: that is not followed")
        return replace(request, stays=True)

    def _late(self) -> TimedOut:
        limit = "the total time limit has passed"
        if self._terms.deadline is None:
            limit = f"the job was not done within {self._terms.longest:g} s"
        return TimedOut(limit, hint="Allow more with total_timeout=.")

    async def _farewell(self) -> None:
        """Tell the server, briefly and whatever comes of it, that nobody waits any more."""
        request, self._cancel = self._cancel, None
        if request is None:
            return
        with contextlib.suppress(HfgenError, TimeoutError):
            async with asyncio.timeout(_FAREWELL):
                placed = self._placed(request)
                async with self._terms.exchange.open(placed, self._route.target, self._asked.limits):
                    pass


def _told_wait(answer: Answer) -> float | None:
    wait = asked_wait({name.lower(): value for name, value in answer.headers.items()})
    return None if wait is None else min(wait, _MOST_ASKED)
