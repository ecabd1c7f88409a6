// SPDX-License-Identifier: Apache-2.0
// Keeps live parts calm: a part in which a person is writing or has opened something is not replaced.
(() => {
  "use strict";
  const changed = (field) => field.matches("select")
    ? field.selectedIndex !== Math.max(0, [...field.options].findIndex((one) => one.defaultSelected))
    : field.value !== field.defaultValue || field.checked !== field.defaultChecked;
  const busy = (part) =>
    part.contains(document.activeElement) && /^(INPUT|TEXTAREA|SELECT)$/.test(document.activeElement.tagName)
    || part.querySelector("details[open]:not([data-calm])") !== null
    || part.querySelector("dialog[open]") !== null
    || [...part.querySelectorAll("input, textarea, select")].some(changed);

  document.addEventListener("htmx:beforeRequest", (event) => {
    const part = event.detail.elt;
    if (part.hasAttribute("data-live") && (busy(part) || document.hidden)) {
      event.preventDefault();
      part.dataset.stale = "1";
    }
  });
  const refresh = () => {
    if (document.hidden) return;
    for (const part of document.querySelectorAll("[data-live][data-stale]")) {
      if (!busy(part)) { delete part.dataset.stale; htmx.trigger(part, "refresh"); }
    }
  };
  document.addEventListener("toggle", () => setTimeout(refresh, 50), true);
  document.addEventListener("focusout", () => setTimeout(refresh, 50));
  // A browser that slept has missed events: the page asks again when it wakes.
  document.addEventListener("visibilitychange", () => {
    for (const part of document.querySelectorAll("[data-live]")) part.dataset.stale = "1";
    refresh();
  });
  document.addEventListener("htmx:sseOpen", (event) => {
    document.documentElement.removeAttribute("data-silent");
    if (document.documentElement.dataset.opened) {
      for (const part of document.querySelectorAll("[data-live]")) part.dataset.stale = "1";
      refresh();
    }
    document.documentElement.dataset.opened = "1";
  });
  document.addEventListener("htmx:sseError", () => document.documentElement.setAttribute("data-silent", ""));
  // A second click on a button that is being sent does nothing.
  document.addEventListener("submit", (event) => {
    if (event.target.dataset.sent) { event.preventDefault(); return; }
    event.target.dataset.sent = "1";
    setTimeout(() => { delete event.target.dataset.sent; }, 5000);
  });
  // Only one menu is open at a time, and Escape closes it.
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      for (const one of document.querySelectorAll("details[open][data-menu]")) one.open = false;
    }
  });
})();
