// A few words on what was done, which fade by themselves.
import { signal } from "@preact/signals";
import { html } from "./html.js";

const LASTS = 2500; // milliseconds
const words = signal("");
let fading = 0;

export function tell(what) {
  clearTimeout(fading);
  words.value = what;
  fading = setTimeout(() => (words.value = ""), LASTS);
}

/** Stands in the page, and in a dialog while it is open: what lies below a dialog is neither seen nor heard. */
export function Notice() {
  return html`<p class=${words.value ? "notice" : "notice gone"} role="status">${words.value}</p>`;
}
