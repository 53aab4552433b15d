// Says so when a request failed: what happened and what to do, never silence.

const SHOWN_MS = 8000;

function toast(words, kind = "") {
  const place = document.getElementById("toasts");
  if (!place) return;
  const note = document.createElement("p");
  note.className = `toast ${kind}`;
  note.textContent = words;
  place.append(note);
  setTimeout(() => note.remove(), SHOWN_MS);
}

function wordsOf(request) {
  const type = request.getResponseHeader("Content-Type") ?? "";
  if (type.startsWith("text/plain") && request.responseText) return request.responseText;
  if (request.status === 403) return "You may not do that. If you signed out elsewhere, reload.";
  if (request.status === 404) return "That is gone. Reload to see what is here now.";
  if (request.status === 429) return "Too fast. Wait a minute and try again.";
  return "That did not work here. Nothing was changed; try again in a moment.";
}

document.addEventListener("greenroom:said", (event) => toast(event.detail.value, "toast-good"));

document.addEventListener("greenroom:problem", (event) => toast(event.detail.value));

function isRefresh(event) {
  return event.detail.requestConfig?.triggeringEvent?.type === "live";
}

document.addEventListener("htmx:responseError", (event) => {
  if (!isRefresh(event)) toast(wordsOf(event.detail.xhr));
});

document.addEventListener("htmx:sendError", (event) => {
  if (!isRefresh(event)) toast("Greenroom did not answer. What you wrote is still here.");
});

document.addEventListener("htmx:timeout", (event) => {
  if (!isRefresh(event)) toast("No answer for a while. Look whether it happened, then try again.");
});
