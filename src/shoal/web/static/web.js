"use strict";
// The little that pages need besides htmx: a slider says its value while it moves, and files are looked at before they
// are sent.

document.documentElement.classList.add("scripts");

document.addEventListener("input", (event) => {
  const field = event.target.closest(".field");
  const shown = field && field.querySelector("output");
  if (shown && event.target.type === "range") shown.textContent = event.target.value;
});
