// What of the page is shown.
import { signal } from "@preact/signals";

export const tab = signal("chat"); // or "images"
export const panel = signal(null); // "settings" or "prompt" beside the chat
export const drawer = signal(false); // the kept conversations, where the page is narrow
export const dialog = signal(null); // "copies" or "keys"
export const editing = signal(null); // the turn whose question is being edited

export function toggle(place, name) {
  place.value = place.value === name ? null : name;
}
