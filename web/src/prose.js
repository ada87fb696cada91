// A text in Markdown on the screen, which may still grow.
import { useLayoutEffect, useMemo, useRef } from "preact/hooks";
import { Blocks } from "./blocks.js";
import { copyButton } from "./clipboard.js";
import { html } from "./html.js";
import { rendered } from "./markdown.js";

/** The text of a signal; each block is drawn once, the open one again with each frame. */
export function Prose({ text, running }) {
  const blocks = useMemo(() => new Blocks(), [text]);
  const tokens = running.value ? blocks.of(text.value) : blocks.whole(text.value);
  return html`<div class="prose" dir="auto">
    ${tokens.map((token, place) => html`<${Block} key=${place} token=${token} />`)}
  </div>`;
}

function Block({ token }) {
  const place = useRef();
  const drawn = useRef();
  useLayoutEffect(() => {
    const sign = `${token.linked ?? false}:${token.raw}`;
    if (drawn.current === sign) return;
    drawn.current = sign;
    const fragment = rendered(token);
    fragment.querySelectorAll("pre").forEach((pre) => pre.append(copyButton(codeOf(token, pre))));
    place.current.replaceChildren(fragment);
  }, [token]);
  return html`<div class="block" ref=${place}></div>`;
}

/** The code as the model wrote it, also the characters that the page only marks. */
function codeOf(token, pre) {
  return token.type === "code" ? token.text : (pre.querySelector("code")?.textContent ?? "");
}
