// One websocket for the page. A notice only says that something changed; the element that cares
// fetches its own fragment again, so a lost notice costs time and nothing else.

const COALESCE_MS = 100;
const FIRST_RETRY_MS = 500;
const LAST_RETRY_MS = 15000;
const POLL_MS = 4000;
const WATCH_MS = 5000;
const LOGGED_OUT = 4401;
const WORDS = { joining: "Connecting", open: "Live", lost: "Reconnecting" };

let socket = null;
let attempts = 0;
let cursor = "";
let subscribed = "";
let wasOpen = false;
let flushTimer = 0;
const dirty = new Set();

export function start() {
  if (!document.querySelector("[data-live], [data-tokens]")) return;
  connect();
  setInterval(pollWhenDown, POLL_MS);
  setInterval(watch, WATCH_MS);
  document.addEventListener("htmx:afterSettle", subscribe);
  document.addEventListener("greenroom:topics", subscribe);
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && !isOpen()) connect();
  });
}

export function refreshAll() {
  for (const element of document.querySelectorAll("[data-live]")) refresh(element);
}

export function refresh(element) {
  window.htmx?.trigger(element, "live");
}

function isOpen() {
  return socket !== null && socket.readyState === WebSocket.OPEN;
}

function topics() {
  const wanted = new Set();
  for (const element of document.querySelectorAll("[data-live]")) {
    for (const topic of element.dataset.live.split(/\s+/)) if (topic) wanted.add(topic);
  }
  for (const element of document.querySelectorAll("[data-tokens]")) {
    wanted.add(element.dataset.tokens);
  }
  return [...wanted].sort();
}

function subscribe() {
  if (!isOpen()) return;
  const wanted = topics();
  const key = wanted.join(" ");
  if (key === subscribed) return;
  subscribed = key;
  socket.send(JSON.stringify({ op: "subscribe", topics: wanted, since: cursor }));
}

// The demo goes on only while somebody looks.
function watch() {
  if (!isOpen() || document.hidden || !document.querySelector("[data-watches]")) return;
  socket.send(JSON.stringify({ op: "watch" }));
}

function show(state) {
  for (const element of document.querySelectorAll("[data-live-state]")) {
    element.dataset.liveState = state;
    const words = element.querySelector("[data-live-words]");
    if (words) words.textContent = WORDS[state];
  }
}

function connect() {
  if (socket !== null && socket.readyState <= WebSocket.OPEN) return;
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  socket = new WebSocket(`${scheme}://${location.host}/live/`);
  socket.addEventListener("open", opened);
  socket.addEventListener("message", received);
  socket.addEventListener("close", closed);
}

function opened() {
  attempts = 0;
  subscribed = "";
  show("open");
  subscribe();
  watch();
  if (wasOpen) refreshAll();
  wasOpen = true;
}

function closed(event) {
  socket = null;
  // Signed out elsewhere: the page itself leads to the way back in.
  if (event.code === LOGGED_OUT) return location.reload();
  show("lost");
  const ceiling = Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** attempts);
  attempts += 1;
  setTimeout(connect, ceiling / 2 + Math.random() * (ceiling / 2));
}

function received(event) {
  const frame = JSON.parse(event.data);
  if (frame.c) cursor = frame.c;
  if (frame.op === "ping") socket.send(JSON.stringify({ op: "pong" }));
  else if (frame.op === "resync") refreshAll();
  else if (frame.tokens !== undefined) addTokens(frame);
  else if (frame.typing !== undefined) tell("greenroom:typing", frame);
  else if (frame.t) changed(frame.t);
}

function tell(name, detail) {
  document.dispatchEvent(new CustomEvent(name, { detail }));
}

function addTokens(frame) {
  for (const element of document.querySelectorAll(`[data-tokens="${CSS.escape(frame.t)}"]`)) {
    const have = Number(element.dataset.have ?? 0);
    const fresh = Array.from(frame.tokens);
    const at = frame.at ?? have;
    // Hints may be lost or come twice; `at` says where these characters belong.
    if (at > have) element.append("… ");
    element.append(fresh.slice(Math.max(0, have - at)).join(""));
    element.dataset.have = String(Math.max(have, at + fresh.length));
  }
}

function changed(topic) {
  dirty.add(topic);
  if (flushTimer === 0) flushTimer = setTimeout(flush, COALESCE_MS);
}

function flush() {
  flushTimer = 0;
  const now = new Set(dirty);
  dirty.clear();
  for (const element of document.querySelectorAll("[data-live]")) {
    if (element.dataset.live.split(/\s+/).some((topic) => now.has(topic))) refresh(element);
  }
}

function pollWhenDown() {
  if (!isOpen() && !document.hidden) refreshAll();
}
