
"use strict";
// What the scripts of all pages share.
const folded = (text) => text.normalize("NFKC").toLowerCase();
const wordsIn = (query) => [...folded(query).matchAll(/"([^"]*)"?|\S+/g)].map((word) => word[1] ?? word[0]).filter(Boolean);
const show = (node, wanted) => {
  if (node.hidden === wanted) node.hidden = !wanted;
  return wanted;
};
(() => {
  const root = document.documentElement;
  const theme = document.getElementById("theme");
  const system = matchMedia("(prefers-color-scheme: dark)");
  const dark = () => (root.dataset.theme ? root.dataset.theme === "dark" : system.matches);
  const remembered = (value) => {
    // A page opened from a file may have no storage.
    try { return value ? localStorage.setItem("theme", value) : localStorage.getItem("theme"); } catch { return null; }
  };
  const wear = (value) => {
    if (value === "dark" || value === "light") root.dataset.theme = value;
    theme.setAttribute("aria-pressed", String(dark()));
  };
  wear(remembered());
  theme.addEventListener("click", () => { wear(dark() ? "light" : "dark"); remembered(root.dataset.theme); });
  system.addEventListener("change", () => wear());
  theme.hidden = false;
})();
