// Acts go to the documented API. A press shows at once that it was asked for; what happened comes with the stream alone.

import { words } from "./live.js";

const PATIENCE_MS = 12000; // the server itself answers within ten seconds
const csrf = document.querySelector("meta[name=csrf]").content;
const underWay = new Set();
let happenings = 0;

/**
 * Send one act, and show on its button how far it got: `data-phase` is asked, accepted, refused or failed.
 * While it is under way a second one of the same button is nothing. Nothing is ever sent twice by itself.
 */
export async function act(button, path, body) {
  const id = button.id;
  if (underWay.has(id)) return;
  underWay.add(id);
  const before = happenings;
  say(id, "asked", words.asked);
  try {
    const [phase, text] = await send(path, body);
    const isOnScreen = phase === "accepted" && happenings > before;
    say(id, phase, text, isOnScreen ? 0 : phase === "accepted" ? 4000 : 8000);
  } finally {
    underWay.delete(id);
  }
}

async function send(path, body) {
  let response;
  try {
    response = await fetch(path, {
      method: "POST",
      headers: { "X-CSRF-Token": csrf, ...(body && { "Content-Type": "application/json" }) },
      body: body && JSON.stringify(body),
      redirect: "error",
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
  } catch (error) {
    return ["failed", error.name === "TimeoutError" ? words.silent : words.lost];
  }
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) return ["failed", problem(response.status, answer)];
  if (!answer.verdict || answer.verdict === "accepted") return ["accepted", words.taken];
  return ["refused", words.reasons[answer.reason] ?? answer.text];
}

function problem(status, answer) {
  const code = answer.type?.split(":").pop();
  return words.reasons[answer.reason] ?? words.problems[code] ?? words.problems[status] ?? words.lost;
}

// Kept apart from the page, which the stream draws anew at any time.
const marks = new Map();

function say(id, phase, text, forMs = Infinity) {
  marks.set(id, { phase, text, until: performance.now() + forMs });
  if (forMs > 0) mark(id);
  else forget(id);
}

function mark(id) {
  const button = document.getElementById(id);
  if (!button) return;
  const { phase, text } = marks.get(id);
  button.dataset.phase = phase;
  button.querySelector("[class$=said]").textContent = text;
}

/** The screen was drawn anew; `happened` when it shows another state than before, which is what was asked for. */
export function drawn(happened) {
  if (happened) happenings += 1;
  for (const [id, { phase }] of marks) {
    if (happened && phase === "accepted") forget(id);
    else mark(id);
  }
}

/** Take away marks whose time is over. */
export function tick() {
  const at = performance.now();
  for (const [id, { until }] of marks) if (at >= until) forget(id);
}

function forget(id) {
  marks.delete(id);
  const button = document.getElementById(id);
  if (!button) return;
  delete button.dataset.phase;
  button.querySelector("[class$=said]").textContent = "";
}
