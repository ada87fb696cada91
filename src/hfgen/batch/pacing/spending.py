"""What a job costs, in US dollars, by the router's prices; what nobody tells is unknown, never nothing.

The router chooses the provider unless the model's name does (`owner/name:provider`), and falls over to another. Its
answers name it in a header (`x-inference-provider`, which Hugging Face's own chat-ui reads; it is not documented). So a
row costs one price where that is told, and else lies between the lowest and the highest of the model's live offers.
"""

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from hfgen.batch.pacing.allowance import Need
from hfgen.hub.offers import Offer

PROVIDER_HEADER: Final = "x-inference-provider"
_MILLION: Final = 1e6


class Cost(NamedTuple):
    """US dollars: at least, and at most; the same where the price is known."""

    low: float
    high: float

    def plus(self, other: "Cost") -> "Cost":
        """Both."""
        return Cost(self.low + other.low, self.high + other.high)

    def times(self, share: float) -> "Cost":
        """So many times as much."""
        return Cost(self.low * share, self.high * share)

    @property
    def exact(self) -> float | None:
        """The one figure, None where there is but a range."""
        return self.high if self.low == self.high else None


NOTHING: Final = Cost(0.0, 0.0)


class _Price(NamedTuple):
    """US dollars a million tokens."""

    input: float
    output: float

    def of(self, used: Need) -> float:
        return (used.input * self.input + used.output * self.output) / _MILLION


class Prices:
    """What a model's tokens cost.

    Args:
        offers: Of the providers that serve it; none where nobody tells, as of a server of one's own.
    """

    def __init__(self, offers: Iterable[Offer] = ()) -> None:
        live = [offer for offer in offers if offer.status != "error"]
        self._by_provider = {offer.provider: _price(offer) for offer in live}

    @property
    def known(self) -> bool:
        """Whether every answer has a price."""
        return self.cost(Need()) is not None

    def cost(self, used: Need, provider: str = "") -> Cost | None:
        """Of so many tokens, None where it is not known.

        Args:
            used: Tokens.
            provider: Who answers, "" where the router chose and did not say; so is a name without an offer, as the
                router's policies are (`fastest`).
        """
        named = provider in self._by_provider
        prices = [self._by_provider[provider]] if named else list(self._by_provider.values())
        costs = [price.of(used) for price in prices if price is not None]
        if not costs or len(costs) < len(prices):
            return None
        return Cost(min(costs), max(costs))


class Spending:
    """The bill of a job, and the rows under way at the most that they may cost.

    Args:
        prices: By the models' names as the rows give them; `owner/name:provider` is looked up without its ending.
        most: US dollars that may be spent, None for no bound.

    Attributes:
        low: At least so much was spent, the rows of unknown cost apart.
        high: At most so much.
        unknown: Rows of unknown cost.
    """

    def __init__(self, prices: Mapping[str, Prices], most: float | None = None) -> None:
        self._prices = prices
        self._most = most
        self._reserved = 0.0
        self.low = 0.0
        self.high = 0.0
        self.unknown = 0

    @property
    def spent(self) -> Cost | None:
        """All of it, None where a row's cost is not known."""
        return None if self.unknown else Cost(self.low, self.high)

    def projected(self, done: int, rows: int) -> Cost | None:
        """The cost of all rows, should the rest cost as those that are done."""
        if self.unknown or not done:
            return None
        return Cost(self.low * rows / done, self.high * rows / done)

    def cost(self, model: str, used: Need, provider: str = "") -> Cost | None:
        """Of one answer, None where it is not known."""
        name, _, suffix = model.partition(":")
        prices = self._prices.get(name)
        return None if prices is None else prices.cost(used, provider or suffix)

    def affordable(self, model: str, need: Need) -> bool:
        """Whether a row could be paid, were nothing else under way; not, where there is a bound and no price."""
        if self._most is None:
            return True
        cost = self.cost(model, need)
        return cost is not None and self.high + cost.high <= self._most

    def why_not(self, model: str, need: Need) -> str:
        """What to say of a row that is not affordable."""
        name = model or "the server's model"
        if self.cost(model, need) is None:
            return f"the price of {name} is not known, so the limit of cost cannot be kept"
        return f"one more row of {name} may cost more than the limit leaves"

    def fits(self, model: str, need: Need) -> bool:
        """Whether it can be paid beside what is under way."""
        if self._most is None:
            return True
        cost = self.cost(model, need)
        return cost is not None and self.high + self._reserved + cost.high <= self._most

    def reserve(self, model: str, need: Need) -> float:
        """A row starts: the most that it may cost, for `add`."""
        cost = None if self._most is None else self.cost(model, need)
        reserved = 0.0 if cost is None else cost.high
        self._reserved += reserved
        return reserved

    def add(self, reserved: float, cost: Cost | None) -> None:
        """A row ended, and costs so much; None where nobody knows."""
        self._reserved -= reserved
        if cost is None:
            self.unknown += 1
        else:
            self.low += cost.low
            self.high += cost.high


def _price(offer: Offer) -> _Price | None:
    if offer.is_free:
        return _Price(0.0, 0.0)
    told = offer.pricing
    if told is None or told.input is None or told.output is None:
        return None
    return _Price(told.input, told.output)
