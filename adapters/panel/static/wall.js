// The wallboard: nothing to press, and a clock.

import { follow, now } from "./live.js";

const zone = document.documentElement.dataset.zone;
const form = new Intl.DateTimeFormat(document.documentElement.lang, { hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZone: zone });

follow({
  ticked: () => {
    const clock = document.querySelector("[data-clock]");
    const at = now();
    if (clock && at !== null && document.body.dataset.live !== "lost") clock.textContent = form.format(at);
  },
});
