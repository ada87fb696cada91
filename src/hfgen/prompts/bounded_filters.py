"""jinja2's filters and tests with a price on each, and transformers' own `tojson`."""

import json
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence, Sized
from functools import wraps
from typing import Any, Final, TypeAlias, cast

from hfgen.prompts.allowance import STEP, current, measure, spend, too_costly, weight
from hfgen.prompts.bounded_calls import LONGEST_SEARCHED, check_keys, checked_operation, integers, replaced

Filter: TypeAlias = Callable[..., Any]
Price: TypeAlias = Callable[[Any, Sequence[Any]], None]

_WIDEST_INDENT: Final = 1000
_LINE_ENDS: Final = "\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"  # where `splitlines` cuts
_WALKING: Final = frozenset(
    {"map", "select", "reject", "selectattr", "rejectattr", "batch", "slice", "list", "reverse", "random", "items"}
)
_DEEP: Final = frozenset(
    [
        "center",
        "e",
        "escape",
        "filesizeformat",
        "float",
        "forceescape",
        "format",
        "groupby",
        "indent",
        "int",
        "join",
        "max",
        "min",
        "pprint",
        "replace",
        "safe",
        "sort",
        "dictsort",
        "string",
        "striptags",
        "sum",
        "title",
        "capitalize",
        "lower",
        "upper",
        "trim",
        "truncate",
        "unique",
        "urlencode",
        "urlize",
        "wordcount",
        "wordwrap",
        "xmlattr",
    ]
)


_TEXTUAL: Final = frozenset({"trim", "string", "safe", "lower", "upper", "capitalize"})
_COUNTED: Final = frozenset({"join", "groupby", "unique"})
_COMPARING: Final = frozenset(
    ["==", "eq", "equalto", "!=", "ne", ">", "gt", "greaterthan", ">=", "ge", "<", "lt", "lessthan", "<=", "le", "in"]
)


def bounded_filters(filters: Mapping[str, Filter]) -> dict[str, Filter]:
    """The same filters, each of which charges before it works."""
    bounded = {name: _bounded(name, function) for name, function in filters.items()}
    return {**bounded, "tojson": tojson}


def bounded_tests(tests: Mapping[str, Filter]) -> MutableMapping[str, Filter]:
    """The same tests; those that compare measure what they compare."""
    return {name: _comparing(test) if name in _COMPARING else test for name, test in tests.items()}


def _comparing(test: Filter) -> Filter:
    @wraps(test)
    def bounded(value: Any, other: Any) -> Any:
        if type(value) is not str or type(other) is not str:
            measure(value)
        measure(other)
        return test(value, other)

    return bounded


def _bounded(name: str, function: Filter) -> Filter:
    # A filter that takes the context, the environment or so has its value in the second place.
    place = 1 if hasattr(function, "jinja_pass_arg") else 0
    price = _PRICES.get(name)
    deep = name in _DEEP
    walks = name in _WALKING
    if name in _TEXTUAL:
        return _textual(function, price)

    @wraps(function)
    def bounded(*args: Any, **kwargs: Any) -> Any:
        value = args[place]
        if type(value) is str:
            spend((STEP if walks else 1) * len(value) if value.isascii() else (STEP + 4 if walks else 4) * len(value))
        elif isinstance(value, Iterator):
            values = _counted(cast("Iterator[object]", value), measure if deep else _step)
            value = list(values) if name in _COUNTED else values  # what is made for each can be priced once counted
            args = (*args[:place], value, *args[place + 1 :])
        elif deep:
            measure(value)
        else:
            spend(STEP * len(value) if walks and isinstance(value, Sized) else STEP)
        if price is not None:
            price(value, (*args[place + 1 :], *kwargs.values()))
        return function(*args, **kwargs)

    return bounded


def _textual(function: Filter, price: Price | None) -> Filter:
    """For the filters of every template: one text in, one no longer than a few times that out."""

    @wraps(function)
    def bounded(value: Any, *args: Any, **kwargs: Any) -> Any:
        if type(value) is str:
            allowance = current()
            allowance.left -= len(value) if value.isascii() else 4 * len(value)
            if allowance.left < 0:
                allowance.settle()
        else:
            measure(value)
        if not (args or kwargs):
            return function(value)
        if price is not None:
            price(value, (*args, *kwargs.values()))
        return function(value, *args, **kwargs)

    return bounded


def _counted(values: Iterator[object], charge: Callable[[object], object]) -> Iterator[object]:
    for value in values:
        charge(value)
        yield value


def _step(value: object) -> None:
    del value
    spend(STEP)


def tojson(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | str | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    """JSON as transformers writes it: no HTML escapes, other scripts as they are."""
    size = measure(value)
    if separators:
        spend(size * sum(len(separator) for separator in separators))
    if indent is None:
        return json.dumps(value, ensure_ascii=ensure_ascii, separators=separators, sort_keys=sort_keys)
    if len(indent) > _WIDEST_INDENT if isinstance(indent, str) else indent > _WIDEST_INDENT:
        raise too_costly("JSON is indented to an absurd width")
    encoder = json.JSONEncoder(ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)
    return "".join(_charged_pieces(encoder.iterencode(value)))


def _charged_pieces(pieces: Iterator[str]) -> Iterator[str]:
    for piece in pieces:
        spend(STEP + weight(piece))
        yield piece


def _padded(value: Any, args: Sequence[Any]) -> None:
    del value
    spend(4 * integers(args))


def _indented(value: Any, args: Sequence[Any]) -> None:
    width = integers(args) + sum(weight(text) for text in args if isinstance(text, str)) + 4
    text = str(value)
    lines = 1 + sum(text.count(end) for end in _LINE_ENDS)
    spend((width + 2 * STEP) * lines)


def _replaced(value: Any, args: Sequence[Any]) -> None:
    spend(replaced(str(value), tuple(str(text) for text in args[:2])))


def _joined(value: Any, args: Sequence[Any]) -> None:
    separator = str(args[0]) if args else ""
    spend(weight(separator) * (len(value) if isinstance(value, Sized) else 0))


def _filled(value: Any, args: Sequence[Any]) -> None:
    del value
    fill = sum(measure(extra) for extra in args[1:])
    spend(integers(args[:1]) * (STEP + fill))


def _summed(value: Any, args: Sequence[Any]) -> None:
    del args
    if isinstance(value, (list, tuple)):
        items = cast("Sequence[object]", value)
        # Lists are copied again for each one that is added.
        held = sum(len(cast("Sequence[object]", item)) for item in items if isinstance(item, (list, tuple)))
        spend(4 * held * len(items))


def _searched(value: Any, args: Sequence[Any]) -> None:
    text = str(value)
    if len(text) > LONGEST_SEARCHED:
        raise too_costly("a filter searches a very long text")
    extra = sum(weight(part) for part in args if isinstance(part, str))
    spend(len(text) * (STEP + extra))


def _trimmed(value: Any, args: Sequence[Any]) -> None:
    spend(len(str(value)) * sum(len(text) for text in args if isinstance(text, str)))


def _grouped(value: Any, args: Sequence[Any]) -> None:
    """The default may be copied, in lower case, for each."""
    spend(sum(map(measure, args)) * (len(value) if isinstance(value, Sized) else 0))


def _told_apart(value: Any, args: Sequence[Any]) -> None:
    del args
    if isinstance(value, (list, tuple)):
        check_keys(list(cast("Sequence[object]", value)))


def _formatted(value: Any, args: Sequence[Any]) -> None:
    checked_operation("%", str(value), tuple(args))


_PRICES: Final[Mapping[str, Price]] = {
    "center": _padded,
    "indent": _indented,
    "replace": _replaced,
    "join": _joined,
    "batch": _filled,
    "slice": _filled,
    "sum": _summed,
    "format": _formatted,
    "trim": _trimmed,
    "groupby": _grouped,
    "unique": _told_apart,
    **dict.fromkeys(("striptags", "urlize", "wordwrap", "title", "wordcount", "truncate", "xmlattr"), _searched),
}
