"use strict";
// A file that is chosen is what is asked about: its radio button is set before the form is sent.

document.addEventListener("change", (event) => {
  const group = event.target.dataset.own;
  if (!group || !event.target.files.length) return;
  const own = event.target.form.querySelector(`input[name="${group}"][value="own"]`);
  if (own) own.checked = true;
}, true);
