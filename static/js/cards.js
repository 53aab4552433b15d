// The approval cards: which one is lit, the keys, the countdown of undo, selecting several.

import { isBusy, isTyping } from "./keys.js";
import { refresh } from "./live.js";

const MAX_PICKED = 25;
const seen = new WeakSet();
let page = null;
let lastTouched = "";

export function start() {
  startCountdowns();
  page = document.querySelector('[data-page="approvals"]');
  if (!page) return;
  document.addEventListener("keydown", onKey);
  document.addEventListener("htmx:afterSettle", settle);
  page.addEventListener("htmx:beforeRequest", (event) => {
    lastTouched = event.target.closest(".card")?.id ?? lastTouched;
  });
  page.addEventListener("focusin", (event) => light(event.target.closest(".card")));
  page.addEventListener("click", (event) => light(event.target.closest(".card")));
  startPicking();
  settle();
  const asked = document.getElementById(location.hash.slice(1));
  if (asked?.classList.contains("card")) go(asked);
}

function waiting() {
  return [...page.querySelectorAll('.card[data-state="waits"]')];
}

function current() {
  return page.querySelector(".card.is-current");
}

function light(card) {
  if (!card || card.dataset.state !== "waits") return;
  for (const other of page.querySelectorAll(".is-current")) other.classList.remove("is-current");
  card.classList.add("is-current");
}

function settle() {
  watchSeen();
  if (current()?.dataset.state === "waits") return;
  const left = document.getElementById(lastTouched);
  const cards = waiting();
  const after = cards.find(
    (card) =>
      !left ||
      card === left ||
      left.compareDocumentPosition(card) & Node.DOCUMENT_POSITION_FOLLOWING,
  );
  light(after ?? cards[0]);
}

function go(card) {
  if (!card) return;
  light(card);
  card.focus({ preventScroll: true });
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  card.scrollIntoView({ block: "nearest", behavior: calm ? "auto" : "smooth" });
}

function step(by) {
  const cards = waiting();
  const at = cards.indexOf(current());
  go(cards[Math.min(cards.length - 1, Math.max(0, at + by))]);
}

function press(card, key) {
  const control = card?.querySelector(`[data-key-action="${key}"]`);
  if (!control || control.disabled) return false;
  control.click();
  if (control.tagName === "SUMMARY") control.nextElementSibling.querySelector("button")?.focus();
  return true;
}

function undo() {
  const decided = document.getElementById(lastTouched);
  if (press(decided, "u")) return;
  press([...page.querySelectorAll('.card[data-state="leaving"]')].pop(), "u");
}

function choose(menu, key) {
  const buttons = [...menu.querySelectorAll("button")];
  const picked = key === "x" ? buttons.at(-1) : buttons[Number(key) - 1];
  picked?.click();
}

function onKey(event) {
  if (isTyping(event) || isBusy()) return;
  const menu = current()?.querySelector("details.menu[open]");
  if (menu && /^[1-9x]$/.test(event.key)) {
    event.preventDefault();
    choose(menu, event.key);
    return;
  }
  const acts = {
    j: () => step(1),
    k: () => step(-1),
    u: undo,
    w: () => current()?.querySelector("[data-why]")?.click(),
    a: () => press(current(), "a"),
    e: () => press(current(), "e"),
    x: () => press(current(), "x"),
    z: () => press(current(), "z"),
  };
  const act = acts[event.key];
  if (!act) return;
  event.preventDefault();
  act();
}

function startCountdowns() {
  document.addEventListener("htmx:afterSettle", arm);
  arm();
}

function arm() {
  for (const words of document.querySelectorAll("[data-countdown]:not([data-armed])")) {
    words.dataset.armed = "";
    const total = Number(words.dataset.countdown);
    const line = words.closest(".card-done")?.querySelector(".leave-line i");
    if (line) line.style.animationDuration = `${total}ms`;
    tick(words, performance.now() + total);
  }
}

function tick(words, end) {
  if (!words.isConnected) return;
  const left = end - performance.now();
  if (left <= 0) {
    words.textContent = "now";
    const frame = words.closest("[data-live]");
    if (frame) setTimeout(() => refresh(frame), 400);
    return;
  }
  words.textContent = `in ${Math.ceil(left / 1000)} s`;
  setTimeout(() => tick(words, end), 200);
}

let observer = null;

function watchSeen() {
  observer ??= new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      seen.add(entry.target);
      allow(entry.target);
    }
  });
  for (const card of waiting()) {
    if (seen.has(card)) allow(card);
    else observer.observe(card);
  }
}

function allow(card) {
  const box = card.querySelector(".card-pick input");
  if (box) box.disabled = false;
}

function picked() {
  return [...page.querySelectorAll(".card-pick input:checked")];
}

function count() {
  const boxes = picked();
  for (const extra of boxes.slice(MAX_PICKED)) extra.checked = false;
  const number = Math.min(boxes.length, MAX_PICKED);
  const bulk = document.getElementById("bulk");
  bulk.querySelector("[data-pick-count]").textContent = `${number} selected`;
  for (const button of bulk.querySelectorAll("[name=action]")) button.disabled = number === 0;
}

function picking(isOn) {
  page.classList.toggle("is-picking", isOn);
  document.getElementById("bulk").hidden = !isOn;
  if (!isOn) for (const box of picked()) box.checked = false;
  count();
}

function startPicking() {
  page.querySelector("[data-pick-start]")?.addEventListener("click", () => picking(true));
  page.querySelector("[data-pick-end]")?.addEventListener("click", () => picking(false));
  page.addEventListener("change", (event) => {
    if (event.target.closest(".card-pick")) count();
  });
}
