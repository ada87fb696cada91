"""What is known of the cost, and what is not."""

import pytest

from hfgen.batch.pacing.allowance import Need
from hfgen.batch.pacing.spending import Cost, Prices, Spending
from hfgen.hub.offers import Offer, Pricing

CHEAP = Offer("cheap", pricing=Pricing(input=0.1, output=0.4))
DEAR = Offer("dear", pricing=Pricing(input=1.0, output=2.0))
SILENT = Offer("silent")
MILLION = Need(1_000_000, 1_000_000)


def test_a_provider_that_is_told_has_one_price() -> None:
    cost = Prices([CHEAP, DEAR]).cost(MILLION, "dear")
    assert cost == Cost(3.0, 3.0)
    assert cost is not None
    assert cost.exact == 3.0


@pytest.mark.parametrize("choice", ["", "fastest", "cheapest", "who"])
def test_where_the_router_chooses_the_cost_lies_between_the_offers(choice: str) -> None:
    cost = Prices([CHEAP, DEAR]).cost(MILLION, choice)
    assert cost == Cost(0.5, 3.0)
    assert cost is not None
    assert cost.exact is None


def test_an_unknown_price_is_unknown_and_never_nothing() -> None:
    assert Prices([CHEAP, SILENT]).cost(MILLION) is None
    assert Prices([CHEAP, SILENT]).cost(MILLION, "silent") is None
    assert Prices([CHEAP, SILENT]).cost(MILLION, "cheap") == Cost(0.5, 0.5)
    assert Prices([Offer("half", pricing=Pricing(input=1.0))]).cost(MILLION) is None
    assert Prices().cost(MILLION) is None
    assert Spending({}).cost("m", MILLION) is None


def test_what_is_free_costs_nothing_and_who_is_down_asks_nothing() -> None:
    assert Prices([Offer("free", is_free=True)]).cost(MILLION) == Cost(0, 0)
    down = Offer("down", status="error", pricing=Pricing(input=9.0, output=9.0))
    assert Prices([CHEAP, down]).cost(MILLION) == Cost(0.5, 0.5)


def test_the_name_of_a_model_may_choose_its_provider_and_the_header_wins() -> None:
    spending = Spending({"owner/m": Prices([CHEAP, DEAR])})
    assert spending.cost("owner/m:cheap", MILLION) == Cost(0.5, 0.5)
    assert spending.cost("owner/m:cheap", MILLION, "dear") == Cost(3, 3)
    assert spending.cost("owner/m:fastest", MILLION) == Cost(0.5, 3)


def test_one_row_of_unknown_cost_makes_the_bill_unknown() -> None:
    spending = Spending({"m": Prices([CHEAP])})
    spending.add(0.0, Cost(1, 2))
    assert spending.spent == Cost(1, 2)
    assert spending.projected(1, 10) == Cost(10, 20)
    spending.add(0.0, None)
    after = Spending({"m": Prices([CHEAP])})
    after.add(0.0, None)
    assert after.spent is None
    assert after.projected(2, 10) is None
    assert spending.unknown == 1
    assert (spending.low, spending.high) == (1, 2)


def test_with_a_bound_and_no_price_nothing_is_spent() -> None:
    spending = Spending({}, most=1.0)
    assert not spending.affordable("m", MILLION)
    assert not spending.fits("m", MILLION)
    assert Spending({}).fits("m", MILLION)


def test_rows_under_way_count_with_the_most_that_they_may_cost() -> None:
    spending = Spending({"m": Prices([DEAR])}, most=7.0)
    reserved = [spending.reserve("m", MILLION) for _ in range(2)]
    assert reserved == [3, 3]
    assert not spending.fits("m", MILLION)
    assert spending.affordable("m", MILLION)
    for each in reserved:
        spending.add(each, Cost(1, 1))
    assert spending.fits("m", MILLION)
    assert spending.spent == Cost(2, 2)
