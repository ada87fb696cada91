// The conversation: the turns, and a voice for screen readers.
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import { Composer } from "./composer.js";
import { send, turns } from "./conversation.js";
import { html } from "./html.js";
import { TurnView } from "./message.js";
import { Voice } from "./voice.js";

const IDEAS = [
  "Explain how a chat template turns messages into one prompt.",
  "Write a Python function that merges two sorted lists.",
  "What is the difference between latency and throughput?",
];
const NEAR = 80; // pixels from the end that still count as reading along

export function Chat() {
  const box = useRef();
  const along = useRef(true);
  const all = turns.value;
  const noted = () => {
    const { scrollHeight, scrollTop, clientHeight } = box.current;
    along.current = scrollHeight - scrollTop - clientHeight < NEAR;
  };
  useLayoutEffect(() => {
    along.current = true;
    box.current.scrollTop = box.current.scrollHeight;
  }, [all]);
  useEffect(() => followGrowth(box.current, along), []);
  return html`<section class="chat" aria-label="Conversation">
    <div class="turns" ref=${box} onScroll=${noted} tabindex="0" role="region" aria-label="Messages">
      ${all.length === 0 && html`<${Welcome} />`}
      <ol>${all.map((turn) => html`<${TurnView} key=${turn.id} turn=${turn} last=${turn === all.at(-1)} />`)}</ol>
    </div>
    <${Voice} />
    <${Composer} />
  </section>`;
}

/** Keeps the end in sight while the text grows, unless the person scrolled away from it. */
function followGrowth(box, along) {
  const follow = () => {
    if (along.current) box.scrollTop = box.scrollHeight;
  };
  const growth = new MutationObserver(follow);
  growth.observe(box, { childList: true, subtree: true, characterData: true });
  const size = new ResizeObserver(follow);
  size.observe(box);
  return () => (growth.disconnect(), size.disconnect());
}

function Welcome() {
  return html`<div class="welcome">
    <h2>What shall it write?</h2>
    <p>Ask the model. See the exact prompt it gets, and how fast it answers.</p>
    <ul>${IDEAS.map((idea) => html`<li><button type="button" onClick=${() => send(idea)}>${idea}</button></li>`)}</ul>
  </div>`;
}
