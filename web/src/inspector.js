// The exact prompt that the model would get now, its special tokens coloured.
import { useSignalEffect } from "@preact/signals";
import { useState } from "preact/hooks";
import { json } from "./api.js";
import { copy } from "./clipboard.js";
import { asked, requestNow } from "./conversation.js";
import { html } from "./html.js";
import { shortName } from "./models.js";

const PAUSE = 250; // milliseconds of no typing before the server is asked

export function Inspector() {
  const [place, setPlace] = useState(0);
  return html`<div class="stack">
    ${asked.value.length > 1 && html`<div class="row" role="group" aria-label="Whose prompt">
      ${asked.value.map((name, index) => html`<button type="button" aria-pressed=${index === place}
        onClick=${() => setPlace(index)}>${shortName(name)}</button>`)}
    </div>`}
    <${Prompt} key=${place} place=${Math.min(place, asked.value.length - 1)} />
  </div>`;
}

function Prompt({ place }) {
  const [seen, setSeen] = useState({});
  useSignalEffect(() => {
    const body = requestNow(place); // read here, so that every change of it asks again
    if (!body.messages.length) return setSeen({}), undefined;
    const leaving = new AbortController();
    const timer = setTimeout(() => ask(body, leaving.signal).then((found) => found && setSeen(found)), PAUSE);
    return () => (clearTimeout(timer), leaving.abort());
  });
  if (seen.error) return html`<p class="failure" role="alert">${seen.error}</p>`;
  if (seen.prompt === undefined) return html`<p class="hint">
    The prompt shows up here with the first words you write.</p>`;
  return html`<p class="hint">${facts(seen)} Special tokens are <span class="special">coloured</span>.</p>
    <pre class="exact" tabindex="0" aria-label="The exact prompt">${seen.pieces.map(({ text, special }) =>
      special ? html`<span class="special">${text}</span>` : text)}</pre>
    <div class="row">
      <button type="button" onClick=${() => copy(seen.prompt, "Prompt copied")}>Copy the prompt</button>
    </div>`;
}

function facts({ prompt, token_count: tokens, template, template_name: name, family, trimmed }) {
  const size = tokens === null ? `${prompt.length} characters` : `${tokens} tokens, ${prompt.length} characters`;
  const named = name ? `“${name}” ` : "";
  const source = template ? `by the template ${named}from ${template}` : `in the layout of ${family}`;
  return `${size}, ${source}.${trimmed ? " The oldest turns are left out, as the context is too short for them." : ""}`;
}

async function ask(body, signal) {
  try {
    return await json("v1/prompt", body, signal);
  } catch (error) {
    return error.name === "AbortError" ? null : { error: error.message };
  }
}
