"""A hundred calls at once in a process that may open forty descriptors; started by the scene of that name."""

import asyncio
import resource
import sys
from collections import Counter

from hfgen import HfgenError, HuggingFaceInference


async def one(base: str, prompt: str) -> str:
    try:
        answer = HuggingFaceInference.create_async_generator(
            "fault", [{"role": "user", "content": prompt}], api_base=base, api_key="k" * 9, timeout=10
        )
        return f"{len(''.join([event async for event in answer if isinstance(event, str)]))} characters"
    except HfgenError as error:
        return type(error).__name__


async def main(base: str, prompt: str) -> None:
    warm = await one(base, prompt)
    resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))
    seen = Counter(await asyncio.gather(*(one(base, prompt) for _ in range(100))))
    after = await one(base, prompt)
    print(dict(seen), after, "fine" if after == warm and warm.endswith("characters") else "broken")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
