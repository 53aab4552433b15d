// A press is not lost because what is pressed changes under it: what comes in by itself while a
// finger or a button is down is shown once it is up.

import { refresh } from "./live.js";

const CLICK_MS = 50; // by touch, the click follows a moment after the finger
const MOST_MS = 3000; // a finger may leave without a word

let isDown = false;
let timer = 0;
const late = new Set();

export function start() {
  document.addEventListener("pointerdown", () => {
    isDown = true;
    release(MOST_MS);
  });
  document.addEventListener("pointerup", () => release(CLICK_MS));
  document.addEventListener("pointercancel", () => release(0));
  document.addEventListener("htmx:beforeSwap", hold);
}

function hold(event) {
  const asked = event.detail.requestConfig;
  if (!isDown || asked?.triggeringEvent?.type !== "live") return;
  event.detail.shouldSwap = false;
  late.add(asked.elt);
}

function release(after) {
  clearTimeout(timer);
  timer = setTimeout(() => {
    isDown = false;
    for (const frame of late) if (frame.isConnected) refresh(frame);
    late.clear();
  }, after);
}
