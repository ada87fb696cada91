// Asks for the API key when the server wants one.
import { Dialog } from "./dialog.js";
import { html } from "./html.js";
import { answer, asking, wrong } from "./key.js";

export function KeyDialog() {
  const submit = (event) => {
    event.preventDefault();
    answer(event.target.elements.key.value);
  };
  return html`<${Dialog} open=${asking.value} title="This gateway wants an API key" onClose=${() => answer("")}>
    <form class="stack" onSubmit=${submit}>
      <p class="hint">It is the one that the gateway was started with. This tab keeps it until it is closed.</p>
      ${wrong.value && html`<p class="failure" role="alert">The gateway does not know the key that was given.</p>`}
      <input class="field" name="key" type="password" autocomplete="off" aria-label="API key" required autofocus />
      <button class="primary" type="submit">Use it</button>
    </form>
  <//>`;
}
