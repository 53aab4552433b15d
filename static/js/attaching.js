// Files in the composer: chosen, pasted or dropped, listed before they go, shown while they go.

import { wasTaken } from "./room.js";

const MOST_FILES = 4;
const MOST_BYTES = 10_000_000;
let form = null;
let kept = [];

export function start() {
  form = document.querySelector("form[data-takes-files]");
  if (!form) return;
  input().addEventListener("change", () => take([...input().files]));
  form.addEventListener("paste", onPaste);
  startDropping(document.querySelector(".room-talk") ?? form);
  form.addEventListener("htmx:xhr:progress", showProgress);
  form.addEventListener("htmx:afterRequest", (event) => {
    if (event.detail.elt !== form) return;
    progress().hidden = true;
    if (wasTaken(event.detail)) put([]);
  });
  document.getElementById("composer-files").addEventListener("click", (event) => {
    const button = event.target.closest("[data-remove-file]");
    if (!button) return;
    put(kept.filter((_, n) => n !== Number(button.dataset.removeFile)));
    form.elements.text.focus();
  });
  put([...input().files]);
}

function input() {
  return form.elements.files;
}

function progress() {
  return document.getElementById("composer-progress");
}

function say(words) {
  document.getElementById("composer-error").textContent = words;
}

// The form holds the files itself, so that it sends them without any script of ours.
function put(files) {
  kept = files;
  const held = new DataTransfer();
  for (const file of files) held.items.add(file);
  input().files = held.files;
  list(files);
}

function take(more) {
  say("");
  const fitting = [];
  for (const file of [...kept, ...more]) {
    if (file.size > MOST_BYTES) say(`${file.name} is larger than 10 MB.`);
    else if (file.size === 0) say(`${file.name} is empty.`);
    else if (fitting.length === MOST_FILES) say(`A message takes at most ${MOST_FILES} files.`);
    else fitting.push(file);
  }
  put(fitting);
}

function onPaste(event) {
  const files = [...(event.clipboardData?.files ?? [])];
  if (files.length === 0) return;
  event.preventDefault();
  take(files);
}

function startDropping(place) {
  const isFiles = (event) => event.dataTransfer?.types.includes("Files");
  place.addEventListener("dragover", (event) => {
    if (!isFiles(event)) return;
    event.preventDefault();
    form.classList.add("is-dropping");
  });
  for (const name of ["dragleave", "drop"]) {
    place.addEventListener(name, () => form.classList.remove("is-dropping"));
  }
  place.addEventListener("drop", (event) => {
    if (!isFiles(event)) return;
    event.preventDefault();
    take([...event.dataTransfer.files]);
    form.elements.text.focus();
  });
}

function showProgress({ detail }) {
  if (input().files.length === 0 || !detail.lengthComputable) return;
  progress().hidden = false;
  progress().value = Math.round((100 * detail.loaded) / detail.total);
}

function size(bytes) {
  if (bytes >= 1_000_000) return `${(bytes / 1_000_000).toFixed(1)} MB`;
  return bytes >= 1000 ? `${Math.floor(bytes / 1000)} kB` : `${bytes} bytes`;
}

function list(files) {
  const place = document.getElementById("composer-files");
  place.hidden = files.length === 0;
  place.replaceChildren(...files.map(row));
}

function row(file, n) {
  const item = document.createElement("li");
  item.className = "file";
  const name = document.createElement("bdi");
  name.className = "file-name";
  name.textContent = file.name;
  const words = document.createElement("small");
  words.textContent = size(file.size);
  const button = document.createElement("button");
  button.type = "button";
  button.className = "file-remove";
  button.dataset.removeFile = n;
  button.setAttribute("aria-label", `Remove ${file.name}`);
  button.textContent = "×";
  item.append(name, words, button);
  return item;
}
