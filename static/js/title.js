// Puts the number of waiting approvals into the tab's title.

const plain = document.title;

function update() {
  const waiting = Number(document.querySelector("[data-waiting]")?.dataset.waiting ?? 0);
  document.title = waiting ? `(${waiting}) ${plain}` : plain;
}

export function start() {
  update();
  document.addEventListener("htmx:oobAfterSwap", update);
}
