"use strict";
// Besides the page's own script: what is shown stands in the address, so that it can be sent and reloaded.

const control = (id) => document.getElementById(id);

function remember() {
  const address = new URL(location.href);
  const sequence = control("sequence").value.replace(/[\s,]/g, "");
  const chosen = control("rule").selectedOptions[0];
  if (/^[A-Ca-c]{1,4}$/.test(sequence)) address.searchParams.set("sequence", sequence);
  if (chosen && control("rule").value !== "0") address.searchParams.set("rule", chosen.textContent);
  history.replaceState(history.state, "", address);
}

control("rule").addEventListener("change", remember);
control("sequence").addEventListener("input", remember);
