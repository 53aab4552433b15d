// The swap "keyed": children that did not change keep their node, so that focus, open menus and
// half-written words survive a refresh. Each child has data-key and data-version.

const LEAVE_MS = 280;

function isSame(old, fresh) {
  return old.dataset.version === fresh.dataset.version || "editing" in old.dataset;
}

function replace(old, fresh) {
  const hadFocus = old.contains(document.activeElement);
  if (old.classList.contains("is-current")) fresh.classList.add("is-current");
  old.replaceWith(fresh);
  if (hadFocus) (fresh.querySelector("[autofocus]") ?? fresh).focus({ preventScroll: true });
  return fresh;
}

function leave(node) {
  if (!node.classList.contains("card")) return node.remove();
  delete node.dataset.key;
  node.classList.add("card-going");
  setTimeout(() => node.remove(), LEAVE_MS);
}

export function reconcile(target, fragment) {
  const old = new Map();
  for (const child of target.children) if (child.dataset.key) old.set(child.dataset.key, child);
  const added = [];
  let place = null;
  for (const fresh of [...fragment.children]) {
    const known = old.get(fresh.dataset.key);
    old.delete(fresh.dataset.key);
    let node = known;
    if (!known || !isSame(known, fresh)) {
      node = known ? replace(known, fresh) : fresh;
      added.push(node);
    }
    const next = place === null ? target.firstElementChild : place.nextElementSibling;
    if (node !== next) target.insertBefore(node, next);
    place = node;
  }
  for (const gone of old.values()) if (!("editing" in gone.dataset)) leave(gone);
  return added;
}

function define() {
  window.htmx.defineExtension("keyed", {
    isInlineSwap: (style) => style === "keyed",
    handleSwap: (style, target, fragment) =>
      style === "keyed" ? reconcile(target, fragment) : false,
  });
}

define();
