"use strict";
(() => {
  const svg = document.querySelector("svg.paths");
  const lines = [...svg.querySelectorAll("path[data-a]")];
  const boxes = [...svg.querySelectorAll("g[data-n]")];
  let held = null;
  const walk = (from, a, b) => {
    const seen = new Set([from]);
    const waiting = [from];
    const passed = new Set();
    while (waiting.length) {
      const at = waiting.pop();
      for (const line of lines) {
        if (line.dataset[a] !== at) continue;
        passed.add(line);
        const next = line.dataset[b];
        if (!seen.has(next)) { seen.add(next); waiting.push(next); }
      }
    }
    return [seen, passed];
  };
  const show = (number) => {
    svg.classList.toggle("asks", number !== null);
    if (number === null) return;
    const [down, out] = walk(number, "a", "b");
    const [up, into] = walk(number, "b", "a");
    for (const box of boxes) box.classList.toggle("lit", down.has(box.dataset.n) || up.has(box.dataset.n));
    for (const line of lines) line.classList.toggle("lit", out.has(line) || into.has(line));
  };
  for (const box of boxes) {
    box.addEventListener("mouseenter", () => { if (held === null) show(box.dataset.n); });
    box.addEventListener("mouseleave", () => { if (held === null) show(null); });
    box.addEventListener("click", (event) => {
      held = held === box.dataset.n ? null : box.dataset.n;
      show(held);
      event.stopPropagation();
    });
  }
  document.addEventListener("click", () => { held = null; show(null); });
})();
