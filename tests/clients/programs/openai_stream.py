"""Streams through openai's async client: a job in JSON on each line of stdin, its outcome on a line of stdout."""

import asyncio
import json
import sys
import time

import openai

AT_ONCE = 24
PATIENCE = 90.0


async def ask(client, job):
    form = {"messages": [{"role": "user", "content": job["prompt"]}]} if job["chat"] else {"prompt": job["prompt"]}
    route = client.chat.completions if job["chat"] else client.completions
    said = {"id": job["id"], "text": "", "ends": [], "error": "", "message": "", "status": 0, "retry_after": ""}
    began = time.monotonic()
    try:
        async with asyncio.timeout(PATIENCE):
            asked = {"model": job["model"], "max_tokens": job["max_tokens"], "temperature": 0, "stream": True}
            async for chunk in await route.create(**form, **asked):
                for choice in chunk.choices:
                    said["text"] += (choice.delta.content if job["chat"] else choice.text) or ""
                    said["ends"] += [choice.finish_reason] if choice.finish_reason else []
    except Exception as error:  # noqa: BLE001 - whatever reaches the caller is the finding
        own = isinstance(error, openai.APIError)
        said["error"] = type(error).__name__ if own or isinstance(error, TimeoutError) else f"raw {error!r}"
        said["message"] = repr(error) + repr(getattr(error, "body", ""))
        if isinstance(error, openai.APIStatusError):
            said["status"] = error.status_code
            said["retry_after"] = error.response.headers.get("retry-after", "")
    return {**said, "seconds": time.monotonic() - began}


async def main():
    places = asyncio.Semaphore(AT_ONCE)

    async def placed(job):
        async with places, openai.AsyncOpenAI(base_url=job["base"], api_key="a-caller", max_retries=0) as client:
            if job["twice"]:
                await ask(client, job)
                await asyncio.sleep(0.03)
            print(json.dumps(await ask(client, job)), flush=True)

    await asyncio.gather(*[placed(json.loads(line)) for line in sys.stdin])


asyncio.run(main())
