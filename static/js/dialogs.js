// Dialogs, hanging menus, copying. Everything is found by its data attribute.

function opens(event) {
  const opener = event.target.closest("[data-opens]");
  if (opener && opener.dataset.opens !== "panel") {
    document.getElementById(opener.dataset.opens)?.showModal();
  }
  if (event.target instanceof HTMLDialogElement) event.target.close();
}

function closeMenus(event) {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    const inside = menu.contains(event.target);
    const chose = inside && event.target.closest("[data-closes]");
    if (!inside || chose) menu.open = false;
  }
}

// A menu near the lower edge opens upwards, so that nobody has to scroll to reach it.
function place(event) {
  const menu = event.target;
  if (!menu.open || !menu.matches?.("details.menu")) return;
  const sheet = menu.querySelector(".menu-sheet");
  const frame = menu.closest(".room-scroll")?.getBoundingClientRect();
  const lowest = Math.min(frame?.bottom ?? innerHeight, innerHeight);
  if (sheet.getBoundingClientRect().bottom > lowest) menu.classList.add("menu-up");
}

document.addEventListener("toggle", place, true);

async function copy(event) {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const source = document.getElementById(button.dataset.copy);
  try {
    await navigator.clipboard.writeText(source.textContent);
    say("Copied");
    button.lastChild.textContent = "Copied";
  } catch {
    // Off localhost over plain http browsers refuse the clipboard: select it for the hand.
    getSelection().selectAllChildren(source);
    say("Press Ctrl C to copy");
  }
}

export function say(words) {
  const place = document.getElementById("said");
  if (place) place.textContent = words;
}

document.addEventListener("click", (event) => {
  opens(event);
  closeMenus(event);
  copy(event);
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  const menu = document.querySelector("details.menu[open]");
  if (!menu) return;
  menu.open = false;
  menu.querySelector("summary").focus();
});

document.addEventListener("htmx:afterSwap", (event) => {
  if (event.detail.target.id !== "panel-body") return;
  const panel = document.getElementById("panel");
  if (!panel.open) panel.showModal();
});

document.getElementById("panel")?.addEventListener("close", () => {
  document.getElementById("panel-body").replaceChildren();
  document.dispatchEvent(new Event("greenroom:topics"));
});

document.addEventListener("htmx:afterSettle", () => {
  const field = document.querySelector("[data-focus]:not([data-focused])");
  if (!field) return;
  field.dataset.focused = "";
  field.focus();
  field.setSelectionRange?.(field.value.length, field.value.length);
});
