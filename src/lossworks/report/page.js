"use strict";
// Draws the figures with the page's own colours, and again whenever those change or the page goes to paper.
(() => {
  const figures = JSON.parse(document.getElementById("figures").textContent);
  const root = document.documentElement;

  const painted = (value, style) => {
    if (typeof value === "string") return value.startsWith("@") ? style.getPropertyValue("--" + value.slice(1)).trim() : value;
    if (Array.isArray(value)) return value.map((item) => painted(item, style));
    if (value === null || typeof value !== "object") return value;
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, painted(item, style)]));
  };

  const draw = () => {
    const style = getComputedStyle(root);
    for (const place of document.querySelectorAll("[data-figure]")) {
      const { data, layout } = painted(figures[place.dataset.figure], style);
      Plotly.react(place, data, layout, { displayModeBar: false, responsive: true });
    }
  };

  draw();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  addEventListener("beforeprint", () => { root.classList.add("paper"); draw(); });
  addEventListener("afterprint", () => { root.classList.remove("paper"); draw(); });
})();
