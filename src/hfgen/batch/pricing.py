"""The prices of a job that goes through the router: its list of models tells them, and is asked once."""

from collections.abc import Mapping

from hfgen.batch.pacing.spending import Prices
from hfgen.batch.setting import Setting
from hfgen.errors import HfgenError, UsageError
from hfgen.hub.catalogue import DEFAULT_MODEL, LOCAL_NAMES, MODEL_ALIASES, router_endpoint
from hfgen.hub.client import find_token, hub_offline
from hfgen.hub.offers import router_models
from hfgen.providers.huggingface import is_local
from hfgen.transport.session import Session
from hfgen.wire import origin_of


def check_bound(setting: Setting, prices: Mapping[str, Prices] | None, most: float | None) -> None:
    """Refuse a bound on what nobody tells the price of, before anything is asked.

    Raises:
        UsageError: The server is one of the caller's own, and nobody gives prices.
    """
    if most is not None and prices is None and not _may_be_routed(setting):
        raise _unpriced(setting.model, most, "it has one at Hugging Face's router alone")


async def prices_for(setting: Setting, session: Session, most: float | None) -> Mapping[str, Prices]:
    """What the router asks for each model, by every name that a row may give it; none where it does not answer.

    Args:
        setting: Of the job.
        session: Asks the router.
        most: The bound of what is spent, None for none.

    Raises:
        UsageError: There is a bound, and no price for the job's model.
    """
    if not _may_be_routed(setting):
        return {}
    token = setting.options.get("api_key") or await find_token()
    if setting.model and not token:  # which the first row will be told
        return {}
    offered: dict[str, Prices] = {}
    why = "the local model has none"
    if not is_local(setting.model, token):
        offered, why = await _offered(session, token)
    prices = {alias: offered[name] for alias, name in MODEL_ALIASES.items() if name in offered} | offered
    if DEFAULT_MODEL in offered:
        prices[""] = offered[DEFAULT_MODEL]
    priced = prices.get(setting.model.partition(":")[0])
    unpriced = priced is None or not priced.known
    if most is not None and (unpriced if setting.model else not prices):
        raise _unpriced(setting.model, most, why)
    return prices


def _may_be_routed(setting: Setting) -> bool:
    if setting.options.get("model_file") or setting.model in LOCAL_NAMES or hub_offline():
        return False
    router = origin_of(router_endpoint())
    return all(origin_of(base) == router for base in setting.bases)


async def _offered(session: Session, token: str | None) -> tuple[dict[str, Prices], str]:
    try:
        models = await router_models(session, token)
    except HfgenError as error:
        return {}, error.message
    return {model.id: Prices(model.providers) for model in models}, "the router does not tell it"


def _unpriced(model: str, most: float, why: str) -> UsageError:
    return UsageError(
        f"max_cost={most:g} cannot be kept: the price of {model or 'the model'} is not known ({why})",
        hint="Leave it out; a limit of tokens a minute and one of time bound a job as well.",
    )
