// What a person chose, kept from visit to visit. Never the key.
import { effect, signal } from "@preact/signals";

const NAME = "hfgen.settings";
const kept = read();

export const model = signal(kept.model ?? "");
export const other = signal(kept.other ?? ""); // the model to compare with, "" for none
export const painter = signal(kept.painter ?? "");
export const system = signal(kept.system ?? "");
export const sampling = signal(kept.sampling ?? {});
export const picture = signal(kept.picture ?? { aspect_ratio: "1:1", n: "1" });
export const theme = signal(kept.theme ?? "auto"); // or "light", "dark"

/** Keeps every change from now on, and shows the theme. */
export function follow() {
  effect(() => {
    const chosen = { model, other, painter, system, sampling, picture, theme };
    const values = Object.fromEntries(Object.entries(chosen).map(([name, each]) => [name, each.value]));
    try {
      localStorage.setItem(NAME, JSON.stringify(values));
    } catch {
      // a private window: chosen for this visit only
    }
  });
  effect(() => {
    document.documentElement.dataset.theme = theme.value;
  });
}

function read() {
  try {
    return JSON.parse(localStorage.getItem(NAME)) ?? {};
  } catch {
    return {};
  }
}
