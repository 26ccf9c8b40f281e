// The admin's forms go to the documented API as JSON. What came of one is said at the top, and what it changed is fetched anew.

export const words = JSON.parse(document.getElementById("admin-words").textContent);
const PATIENCE_MS = 60000;
const POLL_MS = 2000;
const csrf = document.querySelector("meta[name=csrf]").content;
const said = document.getElementById("said");

/** Say how far it got, where a screen reader reads it out, too. */
export function say(text, isBad = false) {
  said.textContent = text;
  said.classList.toggle("bad", isBad);
  if (text) said.scrollIntoView({ block: "nearest" });
}

/** Send something to the API. Gives what it answers; null when it refused, which has been said. */
export async function send(method, path, body, type) {
  const headers = { "X-CSRF-Token": csrf, ...(type && { "Content-Type": type }) };
  let response;
  try {
    response = await fetch(path, { method, headers, body, redirect: "error", signal: AbortSignal.timeout(PATIENCE_MS) });
  } catch (error) {
    say(error.name === "TimeoutError" ? words.silent : words.lost, true);
    return null;
  }
  const answer = await response.json().catch(() => ({}));
  if (response.ok) return answer;
  say(refusal(response.status, answer), true);
  return null;
}

function refusal(status, answer) {
  const code = (answer.type ?? "").split(":").pop();
  const text = words.problems[code] ?? words.problems[status] ?? words.lost;
  const where = (answer.errors ?? []).map((error) => labelOf(error.where)).join(", ");
  const more = answer.detail ? `${answer.detail}${answer.remedy ? `. ${answer.remedy}.` : ""}` : "";
  return [text, where, more].filter(Boolean).join(" ");
}

function labelOf(field) {
  const name = field.split(".")[0];
  const input = document.querySelector(`form[data-busy] [name="${CSS.escape(name)}"]`);
  return (input?.closest("fieldset")?.querySelector("legend") ?? input?.labels?.[0])?.textContent.trim() ?? name;
}

/** Fetch anew whatever on this screen shows what is so now. */
export function refresh() {
  for (const part of document.querySelectorAll('[hx-trigger="refresh"]')) part.dispatchEvent(new Event("refresh"));
}

// What is no screen takes no screen's place: a session may be over, or the service away for a moment.
document.addEventListener("htmx:before:response", async (event) => {
  const { status, raw, headers } = event.detail.ctx.response;
  if (status < 400 || headers.get("Content-Type")?.startsWith("text/html")) return;
  event.preventDefault();
  say(refusal(status, await raw.json().catch(() => ({}))), true);
});
document.addEventListener("htmx:error", () => say(words.lost, true));

function bodyOf(form) {
  const body = {};
  for (const input of form.elements) {
    if (!input.name) continue;
    if ("list" in input.dataset) {
      body[input.name] ??= [];
      if (input.checked) body[input.name].push(input.value);
    } else {
      body[input.name] = "bool" in input.dataset ? input.value === "true" : input.value;
    }
  }
  return Object.keys(body).length ? JSON.stringify(body) : undefined;
}

document.addEventListener("submit", async (event) => {
  const form = event.target.closest("form[data-send]");
  if (!form) return;
  event.preventDefault();
  if ("busy" in form.dataset || (form.dataset.confirm && !confirm(form.dataset.confirm))) return;
  form.dataset.busy = "";
  say(words.busy);
  const [method, path] = form.dataset.send.split(" ");
  const body = bodyOf(form);
  const answer = await send(method, path, body, body && "application/json");
  delete form.dataset.busy;
  if (!answer) return;
  say(form.dataset.done ?? words.done);
  if ("clear" in form.dataset) form.reset();
  if (answer.secret ?? answer.link) showOnce(answer.secret ?? answer.link);
  refresh();
});

const once = document.getElementById("once");

function showOnce(text) {
  document.getElementById("once-text").textContent = text;
  once.hidden = false;
  once.focus();
}

once?.addEventListener("click", async (event) => {
  if (event.target.id === "once-copy") {
    await navigator.clipboard.writeText(document.getElementById("once-text").textContent);
    say(words.copied);
  } else if (event.target.id === "once-close") {
    document.getElementById("once-text").textContent = "";
    once.hidden = true;
    said.focus();
  }
});

// A file that becomes a field's text is read here, and not sent by itself.
document.addEventListener("change", async (event) => {
  const into = event.target.dataset?.into;
  if (into && event.target.files.length) document.getElementById(into).value = await event.target.files[0].text();
});

setInterval(() => {
  if (document.hidden) return;
  for (const part of document.querySelectorAll("[data-poll]")) part.dispatchEvent(new Event("refresh"));
}, POLL_MS);
