// What callers hear from Bagvagt, when the simulated telephone system plays it to them; and what happens, line by line.

const LINES = 8;
const hears = document.getElementById("hears");
const told = document.getElementById("told");
const sound = document.getElementById("sound");
const line = new Audio();
const stream = new EventSource("/stream");

// A browser lets a page sound only after somebody has touched it.
const touched = () => (sound.hidden = navigator.userActivation?.hasBeenActive ?? true);
for (const touch of ["click", "keydown"]) addEventListener(touch, touched);

stream.addEventListener("hears", async (event) => {
  const { name, words } = JSON.parse(event.data);
  line.pause();
  document.body.toggleAttribute("data-hears", Boolean(name));
  hears.textContent = name ? `The ${name}: “${words}”` : "Nothing.";
  if (!name) return;
  line.src = `/prompts/${encodeURIComponent(name)}.wav`;
  try {
    await line.play();
    document.body.dataset.sounded = `${document.body.dataset.sounded ?? ""} ${name}`.trim();
  } catch (error) {
    if (error.name === "NotAllowedError") sound.hidden = false;
  }
});

stream.addEventListener("told", (event) => {
  const { at, who, what } = JSON.parse(event.data);
  const item = document.createElement("li");
  for (const text of [at, who, what]) item.append(Object.assign(document.createElement("span"), { textContent: text }));
  told.append(item);
  while (told.children.length > LINES) told.firstChild.remove();
});

stream.onerror = () => {
  line.pause();
  hears.textContent = "The demo is over.";
};
stream.onopen = () => {
  hears.textContent = "Nothing.";
  told.replaceChildren();
};
