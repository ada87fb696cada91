"""What a job may take: requests at once, requests and tokens a minute, dollars."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from hfgen.batch.pacing.allowance import Allowance, Rates
from hfgen.batch.pacing.concurrency import MOST
from hfgen.batch.pacing.pace import Pace
from hfgen.batch.pacing.spending import Prices, Spending


@dataclass(frozen=True, slots=True)
class Budget:
    """The limits of a job, wherever it runs.

    Attributes:
        concurrency: Requests at once; None finds out how many the servers take well.
        rates: Requests and tokens a minute.
        prices: Of each model; None asks the router before the job begins.
        max_cost: US dollars, None for no bound.
        ceiling: Requests at once, never more, where `concurrency` does not say.

    Raises:
        UsageError: One of the rates lets nothing pass.
    """

    concurrency: int | None = None
    rates: Rates = field(default_factory=Rates)
    prices: Mapping[str, Prices] | None = None
    max_cost: float | None = None
    ceiling: int = MOST

    def __post_init__(self) -> None:
        """Whoever gives an impossible rate hears of it at once."""
        Allowance(self.rates)

    @property
    def most(self) -> int:
        """Requests at once, never more."""
        return self.concurrency or self.ceiling

    @property
    def bounded(self) -> bool:
        """Whether there is anything that several machines would have to share out among them."""
        return self.max_cost is not None or any(rate is not None for rate in self.rates)

    def pace(self) -> Pace:
        """The pace of one machine that has all of it."""
        return Pace(
            most=self.most,
            fixed=self.concurrency is not None,
            allowance=Allowance(self.rates),
            spending=Spending(self.prices or {}, self.max_cost),
        )
