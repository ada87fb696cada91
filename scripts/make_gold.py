"""Make fresh gold with the installed transformers, or compare it with what hfgen makes.

`python scripts/make_gold.py FOLDER > FOLDER/gold.jsonl` writes it; `python scripts/make_gold.py FOLDER --check` prints
each line that differs, and the counts. FOLDER holds `corpus/*.jinja`, `cases.json` and, where the templates need any,
`tokens.json`. Needs transformers and tokenizers, which hfgen does not; `--check` needs hfgen too.
"""

import json
import sys
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

import jinja2
import transformers.utils.chat_template_utils as templates_of_transformers
from tokenizers import Tokenizer, models
from transformers import PreTrainedTokenizerFast


class PinnedDate(datetime):
    """The date of every recorded prompt."""

    @classmethod
    def now(cls, tz: Any = None) -> "PinnedDate":
        return cls(2025, 3, 7, 9, 5, 3, tzinfo=tz)


def kind_of(error: Exception) -> str:
    if isinstance(error, jinja2.exceptions.SecurityError):
        return "security"
    if isinstance(error, jinja2.UndefinedError):
        return "undefined"
    if type(error) is jinja2.TemplateError:
        return "template_raise"
    if isinstance(error, jinja2.TemplateError):
        return "other"
    return "continue_final" if "continue_final_message" in str(error) else "runtime"


def rendered(source: str, tokens: dict[str, str], case: dict[str, Any]) -> dict[str, Any]:
    extra = tokens.pop("other", {})
    named = {name: token for name, token in tokens.items() if name.endswith("_token") and token}
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(models.BPE()), extra_special_tokens=extra, chat_template=source, **named
    )
    try:
        made = tokenizer.apply_chat_template(
            case["messages"], tools=case["tools"], documents=case["documents"], tokenize=False, **case["kwargs"]
        )
    except Exception as error:  # noqa: BLE001 - a refusal is gold too
        return {"err": {"kind": kind_of(error), "type": type(error).__name__, "msg": str(error)}}
    return {"out": made}


def by_hfgen(source: str, tokens: dict[str, Any], case: dict[str, Any]) -> dict[str, Any]:
    """The same with hfgen; its errors are told by the kinds that the gold tells apart."""
    from hfgen.errors import ContinuationError, HfgenError, TemplateRefused  # noqa: PLC0415 - for --check only
    from hfgen.prompts import ChatTemplate  # noqa: PLC0415

    named = {name: token for name, token in tokens.items() if name.endswith("_token")}
    try:
        template = ChatTemplate(source, {**named, **tokens.get("other", {})})
        given = {"tools": case["tools"], "documents": case["documents"], "now": PinnedDate.now(), **case["kwargs"]}
        return {"out": template.render(case["messages"], **given)}
    except TemplateRefused as error:
        return {"err": {"kind": "template_raise", "msg": error.message}}
    except HfgenError as error:
        return {"err": {"kind": "continue_final" if isinstance(error, ContinuationError) else "", "msg": str(error)}}


def equal(gold: dict[str, Any], made: dict[str, Any]) -> bool:
    """The same text, the template's own words, or an error of the same kind; of other errors any will do."""
    if "out" in gold or "out" in made:
        return gold == made
    kind = gold["err"]["kind"]
    if kind not in ("template_raise", "continue_final"):
        return True
    return made["err"]["kind"] == kind and (kind != "template_raise" or made["err"]["msg"] == gold["err"]["msg"])


def main(folder: Path, *, check: bool) -> int:
    templates_of_transformers.datetime = PinnedDate
    named = folder / "tokens.json"
    tokens = json.loads(named.read_text("utf-8")) if named.exists() else {}
    cases = json.loads((folder / "cases.json").read_text("utf-8"))
    counts: Counter[str] = Counter()
    for path in sorted((folder / "corpus").glob("*.jinja")):
        source, own = path.read_text("utf-8"), tokens.get(path.stem, {})
        for name, case in cases.items():
            gold = rendered(source, dict(own), case)
            line = json.dumps({"t": path.stem, "c": name, "kw": case["kwargs"], **gold}, ensure_ascii=False)
            if not check:
                print(line)
                continue
            same = equal(gold, by_hfgen(source, own, case))
            counts[f"{gold['err']['kind'] if 'err' in gold else 'out'} {'equal' if same else 'WRONG'}"] += 1
            if not same:
                print(line)
    if check:
        print(dict(sorted(counts.items())))
    return int(any(name.endswith("WRONG") for name in counts))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), check="--check" in sys.argv[2:]))
