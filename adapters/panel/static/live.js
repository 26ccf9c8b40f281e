// The stream of a screen: what the server sends, what time it is there, and whether any of it may be believed.
// Plain EventSource: it goes on in a hidden tab, and comes back by itself.

const SILENT_MS = 5000; // the server says something every two seconds
const AGAIN_MS = 1000 + 500 * Math.random(); // hundreds of screens do not come back in the same moment

export const words = JSON.parse(document.getElementById("words").textContent);
const screen = document.getElementById("screen");
const off = document.getElementById("off");
const stale = document.getElementById("stale");
const said = document.getElementById("said");
const shouted = document.getElementById("shouted");
const title = document.title;

let source = null;
let heardAt = performance.now(); // monotonic: the wall clock may be set
let triedAt = -Infinity;
let tickedAt = Date.now();
let serverAhead = null; // the server's time minus performance.now(), ms
let protection = null;
let isDrawn = false; // the stream that is open now has brought a picture
let refused = ""; // why the stream is not given: a key of words.why
let shown = "waiting";
let listeners = [];

/** Follow the screen's stream. `after` is called when the screen has changed; `ticked` four times a second. */
export function follow({ after = () => {}, ticked = () => {}, changed = () => {} } = {}) {
  listeners = [{ after, ticked, changed }];
  new Worker("/panel/static/ticker.js").onmessage = tick;
  // A page that holds a lock is not frozen in the background: an alarm must sound there too.
  navigator.locks?.request("bagvagt", { mode: "shared" }, () => new Promise(() => {}));
  document.addEventListener("visibilitychange", tick);
  addEventListener("pageshow", tick);
  connect();
}

/** The server's time in ms since 1970; null until it has said it. */
export const now = () => (serverAhead === null ? null : performance.now() + serverAhead);

function connect() {
  triedAt = performance.now();
  isDrawn = false;
  source?.close();
  source = new EventSource(screen.dataset.stream);
  source.addEventListener("screen", (event) => {
    heard();
    isDrawn = true;
    draw(event.data);
  });
  source.addEventListener("alive", (event) => {
    const told = JSON.parse(event.data);
    serverAhead = Date.parse(told.now) - performance.now();
    protection = told.protection;
    heard();
    tick();
  });
  source.onerror = (event) => failed(event.target);
}

function heard() {
  if (refused === "login") location.reload(); // somebody has logged in: another session, with another token
  refused = "";
  heardAt = performance.now();
}

// A stream that was refused is closed by the browser, which does not say why: ask.
async function failed(which) {
  if (which !== source) return;
  const wasRefused = which.readyState === EventSource.CLOSED;
  which.close(); // the next try is ours: browsers wait three seconds, or five
  if (!wasRefused) return;
  const asking = new AbortController();
  const answer = await fetch(screen.dataset.stream, { signal: asking.signal, redirect: "manual", cache: "no-store" }).catch(() => null);
  refused = { 401: "login", 403: "forbidden", 429: "many" }[answer?.status] ?? "";
  asking.abort();
  tick();
}

function draw(html) {
  htmx.swap({ text: html, target: screen, swap: "innerMorph", sourceElement: screen });
  listeners.forEach((l) => l.after());
  const state = screen.querySelector("[data-title]");
  document.title = state ? `${state.dataset.title} · ${title}` : title;
  announce(shouted, screen.querySelector("[data-shout]")?.dataset.shout ?? "");
  announce(said, [...screen.querySelectorAll("[data-say]")].map((e) => e.dataset.say).join(" "));
  tick();
}

function announce(region, text) {
  if (region.textContent !== text) region.textContent = text;
}

function tick() {
  const wall = Date.now();
  if (Math.abs(wall - tickedAt) > SILENT_MS) heardAt = -Infinity; // the machine slept, or the tab was frozen
  tickedAt = wall;
  const silent = performance.now() - heardAt > SILENT_MS;
  const isClosed = source.readyState === EventSource.CLOSED;
  if ((silent || isClosed) && performance.now() - triedAt > (isClosed ? AGAIN_MS : SILENT_MS)) connect();
  if (refused) show("lost", refused);
  else if (silent || (shown === "lost" && !isDrawn)) show("lost", "lost"); // a sign of life makes no old picture true
  else if (protection && !protection.on) show("off", protection.why[0] ?? "other");
  else if (protection) show("on", "");
  times();
  listeners.forEach((l) => l.ticked());
}

function show(state, why) {
  const text = state === "on" ? "" : (words.why[why] ?? words.why.other);
  if (document.body.dataset.live === state && document.getElementById("off-why").textContent === text) return;
  document.body.dataset.live = state;
  off.hidden = state === "on";
  stale.hidden = state !== "lost";
  document.getElementById("off-why").textContent = text;
  document.getElementById("off-login").hidden = why !== "login";
  if (state !== "on") {
    announce(shouted, `${words.off}. ${text}`);
    document.title = `${words.off} · ${title}`;
  } else if (shown === "lost" || shown === "off") {
    announce(shouted, "");
    announce(said, words.back);
    const mood = screen.querySelector("[data-title]");
    document.title = mood ? `${mood.dataset.title} · ${title}` : title;
  }
  const before = shown;
  shown = state;
  listeners.forEach((l) => l.changed(state, before));
}

// Times run on by the server's clock, and stand still when it is silent: nobody knows then.
function times() {
  const at = now();
  if (at === null) return;
  const known = shown !== "lost";
  for (const e of document.querySelectorAll("[data-until]")) write(e, known ? left(Date.parse(e.dataset.until) - at, e.dataset.form) : "–");
  if (!known) return;
  for (const e of document.querySelectorAll("[data-since]")) write(e, clock(Math.max(0, at - Date.parse(e.dataset.since))));
  for (const e of document.querySelectorAll("[data-fades]")) e.hidden = at - Date.parse(e.dataset.fades) > 20000;
}

function left(ms, form) {
  if (form === "clock") return clock(Math.max(0, Math.ceil(ms / 1000) * 1000));
  return ms > 0 ? words.wait.replace("{seconds}", Math.ceil(ms / 1000)) : "…";
}

function clock(ms) {
  const s = Math.floor(ms / 1000);
  const minutes = Math.floor(s / 60) % 60;
  const two = (n) => String(n).padStart(2, "0");
  return s >= 3600 ? `${Math.floor(s / 3600)}:${two(minutes)}:${two(s % 60)}` : `${minutes}:${two(s % 60)}`;
}

function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
