// Texts to the clipboard.
import { tell } from "./notice.js";

export async function copy(text, what = "Copied") {
  tell((await written(text)) ? what : "The browser does not let this page copy");
}

/** A button outside of Preact's tree, for blocks that are drawn by hand. */
export function copyButton(text) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "copy-code";
  button.textContent = "Copy";
  button.addEventListener("click", () => copy(text, "Code copied"));
  return button;
}

async function written(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return selected(text); // without TLS, on another machine than the gateway's, there is no clipboard API
  }
}

function selected(text) {
  const area = document.createElement("textarea");
  area.value = text;
  (document.querySelector("dialog[open]") ?? document.body).append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  return done;
}
