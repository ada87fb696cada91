"""Make fresh gold with the installed transformers: `python scripts/make_gold.py FOLDER > FOLDER/gold.jsonl`.

FOLDER holds `corpus/*.jinja`, `tokens.json` and `cases.json`. Needs transformers and tokenizers, which hfgen does not.
"""

import json
import sys
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


def main(folder: Path) -> None:
    templates_of_transformers.datetime = PinnedDate
    tokens = json.loads((folder / "tokens.json").read_text("utf-8"))
    cases = json.loads((folder / "cases.json").read_text("utf-8"))
    for path in sorted((folder / "corpus").glob("*.jinja")):
        source = path.read_text("utf-8")
        for name, case in cases.items():
            made = rendered(source, dict(tokens.get(path.stem, {})), case)
            print(json.dumps({"t": path.stem, "c": name, "kw": case["kwargs"], **made}, ensure_ascii=False))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
