// The images tab: what to paint, how, and the gallery.
import { useEffect, useMemo, useState } from "preact/hooks";
import { Dialog } from "./dialog.js";
import { download, downloadJson } from "./download.js";
import { html } from "./html.js";
import { cancel, failed, gallery, load, paint, progress, takeDown, wish } from "./painting.js";
import { described, suffixOf } from "./picturefile.js";
import { painter, picture } from "./settings.js";

const RATIOS = ["1:1", "4:3", "3:4", "3:2", "2:3", "16:9", "9:16"];
const FIGURES = [
  ["n", "Pictures", { min: 1, max: 8, step: 1 }],
  ["seed", "Seed", { min: 0, step: 1 }],
  ["num_inference_steps", "Steps", { min: 1, step: 1 }],
  ["guidance_scale", "Guidance", { min: 0, step: 0.5 }],
];

export function Images() {
  const [shown, setShown] = useState(null);
  useEffect(() => void load(), []);
  return html`<section class="images" aria-label="Images">
    <${Form} />
    <div class="gallery-box">
      <${Progress} />
      ${failed.value && html`<p class="failure" role="alert">${failed.value}</p>`}
      ${gallery.value.length === 0 && !progress.value && html`<p class="hint empty">
        Your pictures hang here, in this browser only.</p>`}
      <ul class="gallery" aria-label="Gallery">
        ${gallery.value.map((each) => html`<li key=${each.id}>
          <button type="button" onClick=${() => setShown(each)}><${Picture} shown=${each} /></button></li>`)}
      </ul>
    </div>
    <${Dialog} wide open=${shown !== null} title="Picture" onClose=${() => setShown(null)}>
      ${shown && html`<${Details} shown=${shown} leave=${() => setShown(null)} />`}
    <//>
  </section>`;
}

function Form() {
  const submit = (event) => {
    event.preventDefault();
    paint();
  };
  const keys = (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) submit(event);
  };
  return html`<form class="stack picture-form" onSubmit=${submit}>
    <label class="labelled">What to paint
      <textarea class="field" rows="4" placeholder="A lighthouse in the fog, gouache" value=${wish.value}
        onKeyDown=${keys}
        onInput=${(event) => (wish.value = event.target.value)}></textarea></label>
    <label class="labelled">What to leave out
      <input class="field" value=${picture.value.negative_prompt ?? ""}
        onInput=${(event) => set("negative_prompt", event.target.value)} /></label>
    <fieldset class="ratios"><legend>Aspect ratio</legend>
      ${RATIOS.map((ratio) => html`<label><input type="radio" name="ratio"
        checked=${picture.value.aspect_ratio === ratio}
        onChange=${() => set("aspect_ratio", ratio)} /><span>${ratio}</span></label>`)}
    </fieldset>
    <div class="fields">${FIGURES.map(([name, label, bounds]) => html`<label class="labelled">${label}
      <input class="field" type="number" placeholder="auto" ...${bounds} value=${picture.value[name] ?? ""}
        onInput=${(event) => set(name, event.target.value)} /></label>`)}</div>
    ${progress.value
      ? html`<button type="button" class="primary" onClick=${cancel}>Stop</button>`
      : html`<button type="submit" class="primary" disabled=${!wish.value.trim()}>Paint</button>`}
    ${!painter.value && html`<p class="hint">
      The gateway lists no model for pictures; choose one above by its name.</p>`}
  </form>`;
}

function Progress() {
  if (!progress.value) return null;
  const { share, text } = progress.value;
  const percent = share === null ? "" : ` ${Math.round(share * 100)} %`;
  return html`<div class="progress" role="status"><span>${text}${percent}</span>
    <progress aria-label="Progress" max="1" value=${share ?? undefined}></progress></div>`;
}

function Picture({ shown }) {
  const url = useMemo(() => URL.createObjectURL(shown.blob), [shown]);
  useEffect(() => () => URL.revokeObjectURL(url), [url]);
  return html`<img src=${url} alt=${shown.asked.prompt} />`;
}

function Details({ shown, leave }) {
  const rows = Object.entries(shown.asked).filter(([, value]) => value !== undefined && value !== "");
  const again = () => {
    const { model, prompt, ...rest } = shown.asked;
    wish.value = prompt;
    painter.value = model;
    picture.value = Object.fromEntries(Object.entries(rest).map(([name, value]) => [name, String(value ?? "")]));
    leave();
  };
  return html`<div class="stack"><${Picture} shown=${shown} />
    <dl class="facts">${rows.map(([name, value]) => html`<dt>${name}</dt><dd>${String(value)}</dd>`)}</dl>
    <div class="row">
      <button type="button" class="primary" onClick=${() => save(shown)}>Download</button>
      <button type="button" onClick=${again}>Use these settings</button>
      <button type="button" onClick=${() => (takeDown(shown), leave())}>Delete</button>
    </div></div>`;
}

/** The picture with what it was made from inside; for kinds that hold no text, beside it. */
async function save(shown) {
  const { id, blob, kind, asked } = shown;
  const bytes = new Uint8Array(await blob.arrayBuffer());
  const whole = described(bytes, kind, JSON.stringify(asked));
  download(`hfgen-${id.slice(0, 8)}.${suffixOf(kind)}`, new Blob([whole], { type: kind }));
  if (whole === bytes) downloadJson(`hfgen-${id.slice(0, 8)}.json`, asked);
}

function set(name, value) {
  picture.value = { ...picture.value, [name]: value };
}
