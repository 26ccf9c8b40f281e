// The agent's screen: keys by mouse, finger and keyboard.

import { act, drawn, tick } from "./acts.js";
import { follow } from "./live.js";

const screen = document.getElementById("screen");

function press(button) {
  if (button.dataset.key) act(button, `/v1/keys/${encodeURIComponent(button.dataset.key)}`);
  else act(button, "/v1/calls/current/kind", { kind: button.dataset.kind });
}

screen.addEventListener("click", (event) => {
  const button = event.target.closest("button.key");
  if (button && event.detail < 2) press(button); // the second click of a double click is no second thought
});

// Wherever the focus is, also in a text field. A key that is held down repeats: that is one press.
addEventListener(
  "keydown",
  (event) => {
    if (event.isComposing) return;
    const name = ["Ctrl", "Alt", "Shift", "Meta"].filter((m) => event[`${m.toLowerCase()}Key`]).concat(event.key).join("+");
    const button = [...screen.querySelectorAll("button[data-hotkey]")].find(
      (b) => b.dataset.hotkey && b.dataset.hotkey.toLowerCase() === name.toLowerCase(),
    );
    if (!button) return;
    event.preventDefault();
    event.stopPropagation();
    if (!event.repeat) press(button);
  },
  { capture: true },
);

// Enter and the space bar press a focused button; held down they would press it again and again.
screen.addEventListener("keydown", (event) => event.repeat && event.key === "Enter" && event.preventDefault());

let mood = "";
follow({
  after: () => {
    const before = mood;
    mood = screen.querySelector("#state")?.dataset.mood ?? "";
    drawn(mood !== before);
  },
  ticked: tick,
});
