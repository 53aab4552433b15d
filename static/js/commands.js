// The list of commands that a slash opens above the composer. The field keeps the focus; the list
// only says which of its entries the next Enter takes.

let field = null;
let list = null;
let active = -1;

export function start() {
  field = document.querySelector("[data-takes-commands]");
  list = document.getElementById("commands");
  if (!field || !list) return;
  field.addEventListener("input", show);
  field.addEventListener("keydown", onKey);
  field.addEventListener("blur", close);
  // Before the field loses the focus, so that it keeps it.
  list.addEventListener("pointerdown", (event) => event.preventDefault());
  list.addEventListener("click", (event) => {
    const option = event.target.closest("[data-command]");
    if (option) take(option);
  });
}

function typed() {
  const found = /^\/([a-z]*)$/i.exec(field.value);
  return found ? found[1].toLowerCase() : null;
}

function fitting() {
  return [...list.querySelectorAll("[data-command]")].filter((option) => !option.hidden);
}

function show() {
  const begun = typed();
  if (begun === null) return close();
  for (const option of list.querySelectorAll("[data-command]")) {
    option.hidden = !option.dataset.names.split(" ").some((name) => name.startsWith(begun));
  }
  const count = fitting().length;
  if (count === 0) return close();
  const wasOpen = !list.hidden;
  list.hidden = false;
  mark(0);
  say(wasOpen ? `${count}` : `${count} ${count === 1 ? "command" : "commands"}, arrow keys choose`);
}

function mark(place) {
  const options = fitting();
  active = (place + options.length) % options.length;
  for (const option of list.querySelectorAll("[data-command]")) {
    option.setAttribute("aria-selected", String(option === options[active]));
  }
  field.setAttribute("aria-activedescendant", options[active].id);
  options[active].scrollIntoView({ block: "nearest" });
}

function close() {
  if (list.hidden) return;
  list.hidden = true;
  active = -1;
  field.removeAttribute("aria-activedescendant");
  say("");
}

function take(option) {
  field.value = `/${option.dataset.command}${"takes" in option.dataset ? " " : ""}`;
  close();
  field.focus();
  field.setSelectionRange(field.value.length, field.value.length);
}

function onKey(event) {
  if (list.hidden || event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
  const option = fitting()[active];
  const moves = { ArrowDown: 1, ArrowUp: -1 };
  if (event.key in moves) {
    mark(active + moves[event.key]);
  } else if (event.key === "Escape") {
    close();
  } else if (event.key === "Tab" && !event.shiftKey) {
    take(option);
  } else if (event.key === "Enter" && !event.shiftKey) {
    // What is written out in full is sent by this Enter, unless it is still to say more.
    if (option.dataset.command === typed() && !("needs" in option.dataset)) return close();
    take(option);
  } else {
    return;
  }
  event.preventDefault();
  event.stopPropagation();
}

function say(words) {
  document.getElementById("commands-said").textContent = words;
}
