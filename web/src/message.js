// One turn on the screen: the question, and the answer of each model.
import { useState } from "preact/hooks";
import { copy } from "./clipboard.js";
import { goOn, regenerate, resend, running } from "./conversation.js";
import { html } from "./html.js";
import { Icon, IconButton } from "./icons.js";
import { shortName } from "./models.js";
import { Prose } from "./prose.js";
import { editing } from "./view.js";

const ENDS = {
  stop: "",
  length: "cut at the longest length",
  stopped: "stopped",
  content_filter: "held back by the provider's filter",
  tool_calls: "asks for a tool",
};

export function TurnView({ turn, last }) {
  const columns = turn.columns.value;
  return html`<li class="turn">
    <${Question} turn=${turn} />
    <div class=${columns.length > 1 ? "answers compared" : "answers"}>
      ${columns.map((column, place) => html`<${AnswerView} ...${{ turn, column, place, last }} />`)}
    </div>
  </li>`;
}

function Question({ turn }) {
  if (editing.value === turn) return html`<${Editor} turn=${turn} />`;
  return html`<div class="question">
    <h2 class="visually-hidden">You</h2>
    <p class="asked" dir="auto">${turn.question}</p>
    <div class="tools">
      <${IconButton} icon="edit" label="Edit and ask again" disabled=${running.value}
        onClick=${() => (editing.value = turn)} />
      <${IconButton} icon="copy" label="Copy the question" onClick=${() => copy(turn.question, "Question copied")} />
    </div>
  </div>`;
}

function Editor({ turn }) {
  const [text, setText] = useState(turn.question);
  const leave = () => {
    editing.value = null;
    document.getElementById("question")?.focus();
  };
  const submit = (event) => {
    event?.preventDefault();
    leave();
    resend(turn, text);
  };
  const keys = (event) => {
    if (event.key === "Escape") event.stopPropagation(), leave();
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) submit(event);
  };
  return html`<form class="editor" onSubmit=${submit}>
    <textarea class="field" aria-label="Your question" rows=${Math.min(12, text.split("\n").length + 1)} value=${text}
      ref=${(area) => area && !area.dataset.ready && ((area.dataset.ready = "yes"), area.focus())}
      onInput=${(event) => setText(event.target.value)} onKeyDown=${keys}></textarea>
    <div class="row"><button type="submit" class="primary" disabled=${!text.trim()}>Ask again</button>
      <button type="button" onClick=${leave}>Leave it</button></div>
  </form>`;
}

function AnswerView({ turn, column, place, last }) {
  const answer = column.answer.value;
  if (!answer) return null;
  const busy = answer.running.value;
  return html`<article class="answer" aria-busy=${busy} aria-label=${`Answer of ${answer.model}`}>
    <h2 class="by">${shortName(answer.model) || "model"}</h2>
    <${Reasoning} answer=${answer} />
    ${answer.text.value && html`<${Prose} text=${answer.text} running=${answer.running} />`}
    ${busy && !answer.text.value && !answer.reasoning.value && html`<${Waiting} />`}
    ${answer.error.value && html`<p class="failure" role="alert">${answer.error.value}</p>`}
    <footer>
      <${Meters} answer=${answer} />
      ${!busy && html`<${Tools} turn=${turn} column=${column} place=${place} answer=${answer} last=${last} />`}
    </footer>
  </article>`;
}

function Waiting() {
  return html`<p class="waiting"><span class="visually-hidden">Waiting for the first word</span></p>`;
}

function Reasoning({ answer }) {
  const [open, setOpen] = useState(false); // what is folded costs nothing
  if (!answer.reasoning.value) return null;
  const thinking = answer.running.value && !answer.text.value;
  return html`<details class="reasoning" onToggle=${(event) => setOpen(event.target.open)}>
    <summary>${thinking ? "Thinking…" : "Thoughts"}</summary>
    ${open && html`<${Prose} text=${answer.reasoning} running=${answer.running} />`}
  </details>`;
}

function Meters({ answer }) {
  const meters = answer.meters.value;
  const end = ENDS[answer.finish.value] ?? answer.finish.value;
  const figures = meters
    ? [
        meters.speed && `${meters.speed.toFixed(meters.speed < 10 ? 1 : 0)} tokens/s`,
        `first after ${meters.first.toFixed(2)} s`,
        meters.prompt === null ? `${meters.answer} tokens` : `${meters.prompt} + ${meters.answer} tokens`,
      ]
    : [];
  const shown = [...figures, end].filter(Boolean);
  const hint = "Speed after the first token; time to the first token; tokens of the prompt + of the answer";
  return html`<p class="meters" title=${hint}>${shown.map((each) => html`<span>${each}</span>`)}</p>`;
}

function Tools({ turn, column, place, answer, last }) {
  const busy = running.value;
  return html`<div class="tools">
    <${Variants} column=${column} />
    <${IconButton} icon="copy" label="Copy the answer" onClick=${() => copy(answer.text.value, "Answer copied")} />
    ${last && html`<${IconButton} icon="again" label="Answer anew" disabled=${busy}
      onClick=${() => regenerate(turn, place)} />`}
    ${last && answer.text.value && html`<button type="button" class="quiet" disabled=${busy}
      title="Go on from the exact end of this answer" onClick=${() => goOn(turn, place)}>
      <${Icon} name="forward" /> Continue</button>`}
  </div>`;
}

function Variants({ column }) {
  const [count, at] = [column.variants.value.length, column.shown.value];
  if (count < 2) return null;
  const show = (place) => () => (column.shown.value = place);
  return html`<span class="variants">
    <${IconButton} icon="back" label="The answer before" disabled=${at === 0} onClick=${show(at - 1)} />
    <span>${at + 1} of ${count}</span>
    <${IconButton} icon="next" label="The next answer" disabled=${at === count - 1} onClick=${show(at + 1)} />
  </span>`;
}
