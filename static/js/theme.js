// Light, dark, or as the system: kept with the account so that it follows to other devices.

const ORDER = ["auto", "light", "dark"];
const WORDS = { auto: "as the system", light: "light", dark: "dark" };
const root = document.documentElement;

function apply(theme) {
  if (theme === "auto") delete root.dataset.theme;
  else root.dataset.theme = theme;
  for (const button of document.querySelectorAll("[data-theme-switch]")) {
    button.setAttribute("aria-label", `Colours: ${WORDS[theme]}`);
  }
  document.dispatchEvent(new Event("greenroom:theme"));
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-theme-switch]");
  if (!button) return;
  const now = root.dataset.theme ?? "auto";
  const next = ORDER[(ORDER.indexOf(now) + 1) % ORDER.length];
  apply(next);
  window.htmx.ajax("POST", button.dataset.themeSwitch, { swap: "none", values: { theme: next } });
});
