// Makes times relative. The exact one stays in the title and in the datetime attribute.

const EVERY_MS = 15000;
const MINUTE = 60;
const HOUR = 3600;
const DAY = 86400;

export function relative(seconds) {
  const size = Math.abs(seconds);
  const words = (text) => (seconds < 0 ? `in ${text}` : `${text} ago`);
  if (size < 45) return seconds < 0 ? "in a moment" : "now";
  if (size < 50 * MINUTE) return words(`${Math.max(1, Math.round(size / MINUTE))} min`);
  if (size < 22 * HOUR) return words(`${Math.max(1, Math.round(size / HOUR))} h`);
  if (size < 7 * DAY) return words(`${Math.max(1, Math.round(size / DAY))} d`);
  return null;
}

function update(root) {
  const now = Date.now();
  for (const time of root.querySelectorAll("time[datetime]:not([data-exact])")) {
    const words = relative((now - Date.parse(time.dateTime)) / 1000);
    if (words !== null && time.textContent !== words) time.textContent = words;
  }
}

export function start() {
  update(document);
  setInterval(() => update(document), EVERY_MS);
  document.addEventListener("htmx:afterSwap", () => update(document));
}
