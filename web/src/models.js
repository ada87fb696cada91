// The models that the gateway offers, and the dialog that picks one.
import { computed, signal } from "@preact/signals";
import { useEffect, useRef, useState } from "preact/hooks";
import { json } from "./api.js";
import { Dialog } from "./dialog.js";
import { html } from "./html.js";
import { model, other, painter } from "./settings.js";

const MOST = 200; // rows that are drawn; the search finds the rest
const PLACES = { model, other, painter };
const TITLES = { model: "Model", other: "Model to compare with", painter: "Model for pictures" };

export const offered = signal([]);
export const failed = signal("");
export const picking = signal(null); // "model", "other" or "painter" while the dialog is open

export const writers = computed(() => offered.value.filter((each) => each.makes !== "image"));
export const painters = computed(() => offered.value.filter((each) => each.makes === "image"));

/** Asks the gateway once; a model that was chosen before stays chosen, as it may be served though not listed. */
export async function load() {
  try {
    offered.value = (await json("v1/models")).data;
    failed.value = "";
  } catch (error) {
    failed.value = error.message;
  }
  model.value ||= writers.value[0]?.id ?? "";
  painter.value ||= painters.value[0]?.id ?? "";
}

export function ModelButton({ place, label }) {
  const name = PLACES[place].value;
  return html`<button type="button" class="model-button" aria-haspopup="dialog"
    onClick=${() => (picking.value = place)}>
    <span class="visually-hidden">${label}: </span>
    <span class="model-name">${shortName(name) || "Choose a model"}</span>
    <span class="model-owner">${ownerOf(name)}</span>
  </button>`;
}

export function ModelDialog() {
  const place = picking.value;
  return html`<${Dialog} open=${place !== null} title=${TITLES[place] ?? ""} onClose=${() => (picking.value = null)}>
    ${place && html`<${Choice} place=${place} />`}
  <//>`;
}

function Choice({ place }) {
  const [words, setWords] = useState("");
  const [at, setAt] = useState(0);
  const list = useRef();
  const rows = found(place === "painter" ? painters.value : writers.value, words);
  const choose = (id) => {
    PLACES[place].value = id;
    picking.value = null;
  };
  const keys = (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return;
    setAt((at + step + rows.length) % Math.max(1, rows.length));
    event.preventDefault();
  };
  const submit = (event) => {
    event.preventDefault();
    if (rows[at]) choose(rows[at].id);
  };
  useEffect(() => list.current?.children[at]?.scrollIntoView({ block: "nearest" }), [at]);
  return html`<form onSubmit=${submit}><input
      type="search" class="field" placeholder="Search, or type any model's name" aria-label="Search models" autofocus
      role="combobox" aria-expanded="true" aria-controls="model-list" aria-autocomplete="list"
      aria-activedescendant=${rows[at] ? `model-${at}` : undefined}
      value=${words} onKeyDown=${keys} onInput=${(event) => (setWords(event.target.value), setAt(0))}
    /></form>
    ${failed.value && html`<p class="failure" role="alert">${failed.value}</p>`}
    <ul id="model-list" class="model-list" role="listbox" aria-label="Models" ref=${list}>
      ${rows.map((row, index) => html`<${Row} key=${row.id} row=${row} index=${index} at=${at}
        chosen=${PLACES[place].value === row.id} choose=${choose} />`)}
    </ul>
    ${rows.length === 0 && html`<p class="hint">No model is listed. Type a name, as <code>owner/name</code>.</p>`}`;
}

function Row({ row, index, at, chosen, choose }) {
  return html`<li id=${`model-${index}`} role="option" aria-selected=${index === at} class=${chosen ? "chosen" : ""}
    onClick=${() => choose(row.id)}>
    <span>${row.id}</span><span class="model-owner">${row.typed ? "as typed" : row.owned_by}</span>
  </li>`;
}

function found(models, words) {
  const parts = words.toLowerCase().split(/\s+/).filter(Boolean);
  const rows = models.filter(({ id }) => parts.every((part) => id.toLowerCase().includes(part))).slice(0, MOST);
  const typed = words.trim();
  return typed && !rows.some(({ id }) => id === typed) ? [...rows, { id: typed, typed: true }] : rows;
}

export function shortName(name) {
  return name.slice(name.lastIndexOf("/") + 1);
}

function ownerOf(name) {
  return name.includes("/") ? name.slice(0, name.lastIndexOf("/")) : "";
}
