// A room being read and written in: stays at the end, shows who writes, sends each message once.

import { isBusy, isTyping } from "./keys.js";
import { refresh } from "./live.js";

const NEAR_END_PX = 80;
const TYPING_MS = 12000;
const writing = new Map();
let scroll = null;
let wasAtEnd = true;

export function start() {
  scroll = document.getElementById("room-scroll") ?? document.getElementById("demo-scroll");
  startTyping();
  if (!scroll) return;
  toEnd();
  scroll.addEventListener("scroll", onScroll, { passive: true });
  document.addEventListener("htmx:beforeSwap", rememberPlace);
  document.addEventListener("htmx:afterSettle", keepPlace);
  document.addEventListener("click", onClick);
  startComposer();
}

function isAtEnd() {
  return scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < NEAR_END_PX;
}

function toEnd() {
  scroll.scrollTop = scroll.scrollHeight;
}

function pill(isShown) {
  const button = document.querySelector("[data-to-end]");
  if (button) button.hidden = !isShown;
}

function onScroll() {
  wasAtEnd = isAtEnd();
  if (wasAtEnd) pill(false);
}

let heightBefore = 0;
let lastBefore = "";

function lastKey() {
  return scroll.querySelector(".messages:last-of-type")?.lastElementChild?.dataset.key ?? "";
}

function rememberPlace() {
  wasAtEnd = isAtEnd();
  heightBefore = scroll.scrollHeight;
  lastBefore = lastKey();
}

function keepPlace(event) {
  const source = event.detail.requestConfig?.elt;
  if (source?.matches?.("[data-keeps-place]")) {
    scroll.scrollTop += scroll.scrollHeight - heightBefore;
  } else if (wasAtEnd) {
    toEnd();
  } else if (lastKey() !== lastBefore) {
    pill(true);
  }
}

function onClick(event) {
  const reply = event.target.closest("[data-reply]");
  if (reply) startReply(reply.dataset);
  if (event.target.closest("[data-reply-end]")) endReply();
  if (event.target.closest("[data-to-end]")) {
    toEnd();
    pill(false);
  }
}

function composer() {
  return document.getElementById("composer");
}

function startReply(data) {
  const bar = document.getElementById("composer-reply");
  composer().elements.reply_to.value = data.reply;
  bar.querySelector("span").textContent = `To ${data.replyName}: ${data.replyText}`;
  bar.hidden = false;
  composer().elements.text.focus();
}

function endReply() {
  composer().elements.reply_to.value = "";
  document.getElementById("composer-reply").hidden = true;
}

function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

// To htmx an answer that is shown in its place is a success, also when it says what was wrong.
export function wasTaken({ successful, xhr }) {
  return successful && xhr.status < 400;
}

function startComposer() {
  const form = composer();
  if (!form) return;
  form.addEventListener("htmx:afterRequest", (event) => {
    if (event.detail.elt !== form || !wasTaken(event.detail)) return;
    // A new key only now: a message sent again after a lost answer is still the same message.
    form.elements.text.value = "";
    form.elements.client_key.value = newKey();
    document.getElementById("composer-error").textContent = "";
    endReply();
    wasAtEnd = true;
    toEnd();
    const frame = document.getElementById("messages").closest("[data-live]");
    refresh(frame);
    refresh(document.getElementById("asides"));
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "r" || isTyping(event) || isBusy()) return;
    event.preventDefault();
    form.elements.text.focus();
  });
}

function startTyping() {
  const line = document.getElementById("typing");
  if (!line) return;
  document.addEventListener("greenroom:typing", ({ detail }) => {
    const id = String(detail.typing);
    clearTimeout(writing.get(id));
    writing.delete(id);
    if (detail.on) writing.set(id, setTimeout(() => stopped(line, id), TYPING_MS));
    showTyping(line);
  });
}

function stopped(line, id) {
  writing.delete(id);
  showTyping(line);
}

function showTyping(line) {
  const names = [...writing.keys()]
    .map((id) => document.querySelector(`[data-agent="${CSS.escape(id)}"]`)?.dataset.name)
    .filter(Boolean);
  line.replaceChildren();
  if (names.length === 0) return;
  const dots = document.createElement("span");
  dots.className = "typing-dots";
  dots.setAttribute("aria-hidden", "true");
  dots.append(...[1, 2, 3].map(() => document.createElement("i")));
  const words = names.length === 1 ? `${names[0]} is writing` : `${names.join(", ")} are writing`;
  line.append(dots, words);
}
