// The sound of an alarm, made on the spot: an acute page that nobody has answered sounds until somebody has.
// A browser lets a page sound only after somebody has touched it; until then the screen says that it is silent.

const EVERY_S = 3;
const MUTED = "bagvagt-muted";

const blocked = document.getElementById("sound-blocked");
const mutedNote = document.getElementById("sound-muted");
const muteButton = document.getElementById("sound-mute");
const audio = new AudioContext();

let muted = localStorage.getItem(MUTED) === "yes";
let alarming = new Set();
let seen = null; // pages that were there already; null before the first picture
let nextAt = 0;
let isPressed = false;

// The first touch is what lets the page sound. The note that says so must not go away under the finger: what is below
// it would move, and the press would miss its button.
addEventListener("pointerdown", () => (isPressed = true), true);
for (const end of ["pointerup", "pointercancel"]) addEventListener(end, () => setTimeout(() => (isPressed = false), 300), true);

export function show(alarms, pages) {
  const fresh = [...pages].filter((id) => seen !== null && !seen.has(id) && !alarms.has(id));
  alarming = alarms;
  seen = pages;
  if (fresh.length) chime();
  tick();
}

/** Sound again while an alarm stands. */
export function tick() {
  if (!isPressed) blocked.hidden = audio.state === "running" || muted;
  mutedNote.hidden = !muted;
  muteButton.setAttribute("aria-pressed", String(muted));
  if (!alarming.size || audio.currentTime < nextAt) return;
  if (sound([[880, 0, 0.25], [660, 0.3, 0.25], [880, 0.6, 0.25], [660, 0.9, 0.4]], 0.5)) {
    nextAt = audio.currentTime + EVERY_S;
    navigator.vibrate?.([250, 50, 250, 50, 250, 50, 400]);
  }
}

/** The screen can be believed no more. */
export function lost() {
  sound([[330, 0, 0.3], [220, 0.4, 0.5]], 0.4);
}

function chime() {
  sound([[660, 0, 0.15], [990, 0.18, 0.3]], 0.3);
}

/** Play tones, each [Hz, after s, for s]. Returns whether anybody can hear them. */
function sound(tones, volume, evenMuted = false) {
  if (audio.state !== "running" || (muted && !evenMuted)) return false;
  for (const [hz, after, length] of tones) {
    const start = audio.currentTime + after;
    const tone = new OscillatorNode(audio, { frequency: hz, type: "triangle" });
    const loud = new GainNode(audio, { gain: 0 });
    loud.gain.setValueAtTime(0, start); // from and to silence, or it clicks
    loud.gain.linearRampToValueAtTime(volume, start + 0.02);
    loud.gain.setValueAtTime(volume, start + length - 0.05);
    loud.gain.linearRampToValueAtTime(0, start + length);
    tone.connect(loud).connect(audio.destination);
    tone.start(start);
    tone.stop(start + length);
  }
  document.body.dataset.sounded = String(Number(document.body.dataset.sounded ?? 0) + 1);
  return true;
}

async function arm() {
  await audio.resume();
  tick();
}

audio.onstatechange = tick;
for (const touch of ["pointerdown", "keydown"]) addEventListener(touch, arm, { capture: true });
document.getElementById("sound-test").addEventListener("click", async () => {
  await arm();
  sound([[880, 0, 0.25], [660, 0.3, 0.25]], 0.5, true);
});
muteButton.addEventListener("click", () => {
  muted = !muted;
  localStorage.setItem(MUTED, muted ? "yes" : "no");
  nextAt = 0;
  tick();
});
tick();
