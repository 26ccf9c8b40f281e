// Recordings: a file from the disk, or one that is spoken here. Whatever the browser records is turned into WAV before it
// is sent, since browsers record in formats that little else reads.

import { refresh, say, send, words } from "./admin.js";

const RATE_HZ = 16000; // twice what a telephone carries
const MOST_S = 60;
// What the service reads itself goes as it is.
const READ_THERE = /\.(wav|flac|ogg|oga|opus|mp3|aiff?)$/i;

const dialog = document.getElementById("recorder");
const part = (name) => document.getElementById(`recorder-${name}`);
let now = null; // what is being recorded: { path, name, stream, recorder, wav, timer, context }

document.addEventListener("change", async (event) => {
  if (!("upload" in (event.target.dataset ?? {})) || !event.target.files.length) return;
  const [file] = event.target.files;
  event.target.value = "";
  say(words.busy);
  let body = file;
  if (!READ_THERE.test(file.name)) body = await toWav(file).catch(() => file);
  await put(event.target.closest("[data-prompt]").dataset.prompt, body);
});

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-record]");
  if (!button) return;
  const place = button.closest("[data-prompt]");
  now = { path: place.dataset.prompt };
  part("name").textContent = `${place.dataset.name}, ${place.closest("section").querySelector("h2").textContent}`;
  show("start");
  part("said").textContent = "";
  dialog.showModal();
});

part("start").addEventListener("click", begin);
part("stop").addEventListener("click", () => now?.recorder?.stop());
part("close").addEventListener("click", () => dialog.close());
part("send").addEventListener("click", async () => {
  const { path, wav } = now;
  dialog.close();
  await put(path, wav);
});
dialog.addEventListener("close", silence);

async function put(path, body) {
  say(words.busy);
  const made = await send("PUT", path, body, body.type || "application/octet-stream");
  if (!made) return;
  const { seconds } = made.prompt;
  const text = fill(words.recorder.sent, { seconds, gain: made.gain_db, trimmed: made.trimmed_s });
  say([text, ...made.warnings].join(" "), made.warnings.length > 0);
  refresh();
}

async function begin() {
  const mine = now;
  let stream;
  try {
    // Nothing that a conference needs: it would pump up the noise between the words.
    const audio = { echoCancellation: false, noiseSuppression: false, autoGainControl: false, channelCount: 1 };
    stream = await navigator.mediaDevices.getUserMedia({ audio });
  } catch {
    part("said").textContent = words.recorder.no;
    return;
  }
  if (mine !== now || !dialog.open) return stream.getTracks().forEach((track) => track.stop());
  const parts = [];
  now.stream = stream;
  now.recorder = new MediaRecorder(stream);
  now.recorder.addEventListener("dataavailable", (event) => parts.push(event.data));
  now.recorder.addEventListener("stop", () => listen(mine, new Blob(parts)));
  now.recorder.start();
  watch(stream);
  show("stop");
}

/** Show how long it is, and how loud. */
function watch(stream) {
  const began = performance.now();
  const context = (now.context = new AudioContext());
  const meter = context.createAnalyser();
  const wave = new Float32Array(meter.fftSize);
  context.createMediaStreamSource(stream).connect(meter);
  now.timer = setInterval(() => {
    meter.getFloatTimeDomainData(wave);
    part("level").value = Math.max(...wave.map(Math.abs));
    const seconds = Math.floor((performance.now() - began) / 1000);
    part("said").textContent = fill(words.recorder.recording, { seconds });
    if (seconds >= MOST_S - 1) now?.recorder?.stop();
  }, 200);
}

async function listen(mine, blob) {
  stopListening();
  if (mine !== now) return; // closed meanwhile
  try {
    now.wav = await toWav(blob);
  } catch {
    part("said").textContent = words.recorder.unreadable;
    show("start");
    return;
  }
  part("audio").src = URL.createObjectURL(now.wav);
  part("said").textContent = words.recorder.listen;
  show("start", "send", "audio");
}

function stopListening() {
  clearInterval(now?.timer);
  now?.stream?.getTracks().forEach((track) => track.stop());
  now?.context?.close();
  if (now) now.context = now.stream = null;
  part("level").value = 0;
}

function silence() {
  const { recorder } = now ?? {};
  stopListening();
  now = null;
  if (recorder?.state === "recording") recorder.stop();
  if (part("audio").src) URL.revokeObjectURL(part("audio").src);
  part("audio").removeAttribute("src");
}

function show(...names) {
  for (const name of ["start", "stop", "send", "audio"]) part(name).hidden = !names.includes(name);
  (part(names.at(-1) === "audio" ? "send" : names[0])).focus();
}

/** Turn any sound that the browser can read into WAV: one channel, 16 bit. */
async function toWav(blob) {
  const reader = new OfflineAudioContext(1, 1, RATE_HZ); // what it decodes comes in this rate
  const sound = await reader.decodeAudioData(await blob.arrayBuffer());
  const mixer = new OfflineAudioContext(1, sound.length, RATE_HZ);
  const source = mixer.createBufferSource();
  source.buffer = sound;
  source.connect(mixer.destination);
  source.start();
  return encode((await mixer.startRendering()).getChannelData(0));
}

function encode(wave) {
  const view = new DataView(new ArrayBuffer(44 + 2 * wave.length));
  const text = (at, letters) => [...letters].forEach((letter, n) => view.setUint8(at + n, letter.charCodeAt(0)));
  text(0, "RIFF");
  view.setUint32(4, 36 + 2 * wave.length, true);
  text(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true); // PCM
  view.setUint16(22, 1, true);
  view.setUint32(24, RATE_HZ, true);
  view.setUint32(28, 2 * RATE_HZ, true);
  view.setUint16(32, 2, true);
  view.setUint16(34, 16, true);
  text(36, "data");
  view.setUint32(40, 2 * wave.length, true);
  wave.forEach((value, n) => view.setInt16(44 + 2 * n, Math.round(Math.max(-1, Math.min(1, value)) * 32767), true));
  return new Blob([view], { type: "audio/wav" });
}

function fill(text, values) {
  return text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}
