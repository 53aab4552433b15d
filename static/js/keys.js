// Keys that work on every page: "g" then a letter, and "?" for the sheet.

const PLACES = { h: "/", a: "/approvals/", r: "/rooms/", b: "/agents/", c: "/costs/", s: "/settings/" };
const WAIT_MS = 1200;
let wentAt = -Infinity;

export function isTyping(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return true;
  const target = event.target;
  if (!(target instanceof Element)) return false;
  return target.closest("input, textarea, select, [contenteditable]") !== null;
}

export function isBusy() {
  return document.querySelector("dialog[open]") !== null;
}

document.addEventListener("keydown", (event) => {
  if (isTyping(event) || isBusy()) return;
  if (event.key === "?") {
    event.preventDefault();
    document.getElementById("help")?.showModal();
  } else if (event.key === "g") {
    wentAt = event.timeStamp;
  } else if (event.timeStamp - wentAt < WAIT_MS && event.key in PLACES) {
    wentAt = -Infinity;
    event.preventDefault();
    event.stopImmediatePropagation();
    location.assign(PLACES[event.key]);
  }
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.isComposing) return;
  const field = event.target;
  if (!(field instanceof HTMLTextAreaElement)) return;
  const sends = "submitWithEnter" in field.dataset && !event.shiftKey;
  const sendsEdited = "submitWithMetaEnter" in field.dataset && (event.metaKey || event.ctrlKey);
  if (!sends && !sendsEdited) return;
  event.preventDefault();
  // A click and not a submit: only so does the request carry the button's own value.
  const hasFiles = (field.form.elements.files?.files?.length ?? 0) > 0;
  if (field.value.trim() || hasFiles) field.form.querySelector(".button-main").click();
});
