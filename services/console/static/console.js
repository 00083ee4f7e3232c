/* Additions to pages that work without it: what changes is looked at again, a list can be paused, boxes are ticked together. */
(function () {
  "use strict";
  var address = document.body.dataset.live, button = document.querySelector("[data-pause]");
  var asOf = document.querySelector(".as-of"), paused = false, missed = false;

  function lookAgain() {
    if (paused || document.hidden) { missed = true; return; }
    var parts = document.querySelectorAll("[data-again]");
    if (!parts.length) { return; }
    missed = false;
    fetch(location.href, { headers: { "X-Look-Again": "1" }, credentials: "same-origin" }).then(function (response) {
      if (!response.ok) { throw new Error(String(response.status)); }
      return response.text();
    }).then(function (text) {
      var fresh = new DOMParser().parseFromString(text, "text/html"), found = fresh.querySelectorAll("[data-again]");
      parts.forEach(function (part, place) { if (found[place]) { replace(part, found[place]); } });
      asOf.replaceWith(asOf = document.importNode(fresh.querySelector(".as-of"), true));
    }).catch(function () { asOf.classList.add("stale"); });
  }

  /* The new rows in place of the old ones; what was ticked, opened or focused stays so. */
  function replace(part, fresh) {
    if (part.contains(document.activeElement) && /^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement.tagName) &&
        document.activeElement.type !== "checkbox") { return; }
    var ticked = keys(part, "input:checked"), opened = keys(part, "details[open] > summary"), focused = key(document.activeElement);
    var copy = document.importNode(fresh, true);
    copy.querySelectorAll("input[type=checkbox]").forEach(function (each) { if (ticked.has(key(each))) { each.checked = true; } });
    copy.querySelectorAll("details > summary").forEach(function (each) { if (opened.has(key(each))) { each.parentNode.open = true; } });
    part.replaceChildren.apply(part, Array.from(copy.childNodes));
    if (focused) { part.querySelectorAll("a,button,input,summary").forEach(function (each) { if (key(each) === focused) { each.focus({ preventScroll: true }); } }); }
  }

  function key(each) {
    return each && each !== document.body ? [each.tagName, each.name, each.value, each.getAttribute("href"), each.textContent.trim().slice(0, 80)].join("|") : "";
  }

  function keys(part, selector) { return new Set(Array.from(part.querySelectorAll(selector), key)); }

  if (address && window.EventSource && document.querySelector("[data-again]")) {
    var stream = new EventSource(address);
    stream.addEventListener("look", lookAgain);
    stream.addEventListener("error", function () { asOf.classList.add("stale"); });
    stream.addEventListener("open", function () { if (asOf.classList.contains("stale")) { lookAgain(); } });
    document.addEventListener("visibilitychange", function () { if (missed && !paused) { lookAgain(); } });
    button.hidden = false;
    button.addEventListener("click", function () {
      paused = !paused;
      button.setAttribute("aria-pressed", String(paused));
      button.textContent = paused ? "Go on" : "Pause";
      if (!paused && missed) { lookAgain(); }
    });
  }

  document.addEventListener("change", function (event) {
    if (event.target.matches("[data-all]")) {
      event.target.closest("table").querySelectorAll("tbody input[type=checkbox]").forEach(function (each) { each.checked = event.target.checked; });
    }
  });
})();
