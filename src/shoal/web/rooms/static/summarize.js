"use strict";
// A word of the summary that is chosen shades the text at once; without this the form is sent, and the page says it.

document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-shades]");
  if (!button) return;
  event.preventDefault();
  choose(button);
});

function choose(button) {
  const words = document.querySelectorAll("#text > span:not(.unread)");
  const steps = new Map(button.dataset.shades.split(",").map((pair) => pair.split(":")));
  words.forEach((word, place) => {
    const step = steps.get(String(place));
    word.className = step ? `heat-${step}` : "";
  });
  for (const other of document.querySelectorAll("button[data-shades]")) {
    other.setAttribute("aria-pressed", String(other === button));
    other.closest("tr").classList.toggle("chosen", other === button);
  }
  const address = new URL(location.href);
  address.searchParams.set("word", button.value);
  history.replaceState(history.state, "", address);
}
