// The system prompt and the sampling parameters, beside the chat.
import { html } from "./html.js";
import { sampling, system } from "./settings.js";

const FIELDS = [
  ["temperature", "Temperature", { min: 0, max: 2, step: 0.1 }, "0 always takes the likeliest word"],
  ["max_tokens", "Longest answer", { min: 1, step: 1 }, "in tokens"],
  ["top_p", "Top p", { min: 0, max: 1, step: 0.05 }, "the likeliest words that make up this share"],
  ["top_k", "Top k", { min: 0, step: 1 }, "only so many of the likeliest words"],
  ["min_p", "Min p", { min: 0, max: 1, step: 0.01 }, "words at least this likely beside the likeliest"],
  ["seed", "Seed", { min: 0, step: 1 }, "the same seed, the same answer, where the server can"],
  ["frequency_penalty", "Frequency penalty", { min: -2, max: 2, step: 0.1 }, "against words said often"],
  ["presence_penalty", "Presence penalty", { min: -2, max: 2, step: 0.1 }, "against words said at all"],
  ["repetition_penalty", "Repetition penalty", { min: 0.1, step: 0.05 }, "1 is none"],
];

export function Sampling() {
  return html`<div class="stack">
    <label class="labelled">System prompt
      <textarea class="field" rows="4" placeholder="None" value=${system.value}
        onInput=${(event) => (system.value = event.target.value)}></textarea></label>
    <div class="fields">
      ${FIELDS.map(([name, ...rest]) => html`<${Figure} key=${name} name=${name} rest=${rest} />`)}
    </div>
    <label class="labelled">Stop at
      <textarea class="field" rows="2" placeholder="One text a line" value=${sampling.value.stop ?? ""}
        onInput=${(event) => set("stop", event.target.value)}></textarea></label>
    <div class="row">
      <button type="button" onClick=${() => (sampling.value = {})}>Back to the server's choice</button>
    </div>
  </div>`;
}

function Figure({ name, rest: [label, bounds, hint] }) {
  return html`<label class="labelled" title=${hint}>${label}
    <input class="field" type="number" inputmode="decimal" placeholder="auto" ...${bounds}
      value=${sampling.value[name] ?? ""}
      onInput=${(event) => set(name, event.target.value)} /></label>`;
}

function set(name, value) {
  sampling.value = { ...sampling.value, [name]: value };
}
