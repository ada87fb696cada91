// The request as a program of one's own. The key is never in it: programs read it from the environment.

const WORDS = new Map([[true, "True"], [false, "False"], [null, "None"]]);

export const FORMS = ["curl", "Python", "openai"];

/** @param base The gateway's `/v1`, complete. */
export function snippet(form, body, base) {
  return { curl, Python: python, openai }[form](body, base);
}

function curl(body, base) {
  const json = JSON.stringify({ ...body, stream: true }, null, 2).replaceAll("'", "'\\''");
  return [
    `curl --no-buffer ${base}/chat/completions \\`,
    `  -H 'Content-Type: application/json' \\`,
    `  -H "Authorization: Bearer $HFGEN_API_KEY" \\`,
    `  -d '${json}'`,
  ].join("\n");
}

function python(body, base) {
  const { model, messages, ...rest } = body;
  return `import asyncio
import os

from hfgen import HuggingFaceInference


async def main():
    answer = HuggingFaceInference.create_async_generator(
${given({ model, messages, api_base: base, ...rest }, 8)}
        api_key=os.environ.get("HFGEN_API_KEY"),
    )
    async for event in answer:
        if isinstance(event, str):
            print(event, end="", flush=True)


asyncio.run(main())`;
}

function openai(body, base) {
  const { top_k, min_p, repetition_penalty, ...known } = body;
  const unknown = Object.entries({ top_k, min_p, repetition_penalty }).filter(([, value]) => value !== undefined);
  const extra = unknown.length ? { extra_body: Object.fromEntries(unknown) } : {};
  return `import os

from openai import OpenAI

client = OpenAI(base_url=${literal(base, 0)}, api_key=os.environ.get("HFGEN_API_KEY", "none"))
stream = client.chat.completions.create(
${given({ ...known, ...extra, stream: true }, 4)}
)
for chunk in stream:
    if chunk.choices:
        print(chunk.choices[0].delta.content or "", end="", flush=True)`;
}

function given(values, indent) {
  const space = " ".repeat(indent);
  return Object.entries(values).map(([name, value]) => `${space}${name}=${literal(value, indent)},`).join("\n");
}

/** A value as Python writes it; JSON's strings are Python's too. */
function literal(value, indent) {
  const inner = " ".repeat(indent + 4);
  if (Array.isArray(value)) {
    return `[\n${value.map((each) => `${inner}${literal(each, indent + 4)},`).join("\n")}\n${" ".repeat(indent)}]`;
  }
  if (value && typeof value === "object") {
    const items = Object.entries(value).map(([name, each]) => `${JSON.stringify(name)}: ${literal(each, indent)}`);
    return `{${items.join(", ")}}`;
  }
  return typeof value === "string" ? JSON.stringify(value) : (WORDS.get(value) ?? String(value));
}
