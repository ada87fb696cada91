// The page by keyboard.
import { running, stop, turns } from "./conversation.js";
import { Dialog } from "./dialog.js";
import { html } from "./html.js";
import { picking } from "./models.js";
import { cancel } from "./painting.js";
import { dialog, drawer, editing, panel, tab } from "./view.js";

const KEYS = [
  ["Enter", "send"],
  ["Shift + Enter", "a new line"],
  ["Esc", "stop the answer; close what is open"],
  ["Ctrl + K", "choose the model"],
  ["Alt + ↑", "edit the last question"],
];

export function listen() {
  document.addEventListener("keydown", (event) => {
    if (document.querySelector("dialog[open]")) return; // it has keys of its own
    if (event.key === "Escape") escape();
    else if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") pick(event);
    else if (event.altKey && event.key === "ArrowUp") edit(event);
  });
}

export function KeyboardDialog() {
  return html`<${Dialog} open=${dialog.value === "keys"} title="Keyboard" onClose=${() => (dialog.value = null)}>
    <dl class="keys">${KEYS.map(([key, does]) => html`<dt><kbd>${key}</kbd></dt><dd>${does}</dd>`)}</dl>
    <p class="hint">The page is made with free software:
      <a href="playground/licences.txt" target="_blank" rel="noopener">its licences</a>.</p>
  <//>`;
}

function escape() {
  if (tab.value === "images") cancel();
  else if (running.value) stop();
  else if (drawer.value) drawer.value = false;
  else panel.value = null;
}

function pick(event) {
  event.preventDefault();
  picking.value = tab.value === "images" ? "painter" : "model";
}

function edit(event) {
  const last = turns.value.at(-1);
  if (tab.value !== "chat" || !last || running.value) return;
  event.preventDefault();
  editing.value = last;
}
