// The duty desk: one click for each act, and a sound for each alarm.

import { act, drawn, tick } from "./acts.js";
import * as alarm from "./alarm.js";
import { follow } from "./live.js";

const screen = document.getElementById("screen");

screen.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-do]");
  if (button && event.detail < 2) act(button, button.dataset.do);
});

const ids = (text) => new Set((text ?? "").split(" ").filter(Boolean));

follow({
  after: () => {
    const news = screen.querySelector("#news");
    alarm.show(ids(news?.dataset.alarm), ids(news?.dataset.pages));
    drawn(true);
  },
  ticked: () => {
    tick();
    alarm.tick();
  },
  changed: (state, before) => {
    if (state !== "on" && before === "on") alarm.lost();
  },
});
