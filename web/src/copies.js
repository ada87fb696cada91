// "Copy as": the dialog.
import { useState } from "preact/hooks";
import { address } from "./api.js";
import { copy } from "./clipboard.js";
import { requestNow } from "./conversation.js";
import { Dialog } from "./dialog.js";
import { html } from "./html.js";
import { FORMS, snippet } from "./snippets.js";
import { dialog } from "./view.js";

const HELLO = [{ role: "user", content: "Hello" }];

export function CopyDialog() {
  return html`<${Dialog} wide open=${dialog.value === "copies"} title="This request as a program"
    onClose=${() => (dialog.value = null)}><${Copies} /><//>`;
}

function Copies() {
  const [form, setForm] = useState(FORMS[0]);
  const body = requestNow();
  const text = snippet(form, body.messages.length ? body : { ...body, messages: HELLO }, address("v1"));
  return html`<div class="stack">
    <div class="row" role="group" aria-label="Form">
      ${FORMS.map((each) => html`<button type="button" aria-pressed=${each === form}
        onClick=${() => setForm(each)}>${each}</button>`)}
    </div>
    <pre class="exact" tabindex="0" aria-label=${`The request for ${form}`}>${text}</pre>
    <div class="row"><button type="button" class="primary" onClick=${() => copy(text)}>Copy</button></div>
  </div>`;
}
