"use strict";
// Draws the figures in the page's colours, and again whenever those change or the page is printed.
(() => {
  let figures = JSON.parse(document.getElementById("figures").textContent);
  const root = document.documentElement;

  const painted = (value, style) => {
    if (typeof value === "string") {
      if (!value.startsWith("@")) return value;
      const [name, alpha = ""] = value.slice(1).split("/");
      return style.getPropertyValue("--" + name).trim() + alpha;
    }
    if (Array.isArray(value)) return value.map((item) => painted(item, style));
    if (value === null || typeof value !== "object") return value;
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, painted(item, style)]));
  };

  // The library is packed, for a small page; unpacked it is a script of the page's own, which its security policy allows.
  const unpack = async () => {
    const packed = Uint8Array.from(atob(document.getElementById("plotly").textContent), (letter) => letter.charCodeAt(0));
    const plain = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
    const script = document.createElement("script");
    script.textContent = await new Response(plain).text();
    document.head.append(script);
  };

  const draw = () => {
    if (!window.Plotly) return;  // not yet unpacked
    const style = getComputedStyle(root);
    for (const place of document.querySelectorAll("[data-figure]")) {
      if (!figures[place.dataset.figure]) continue;
      const { data, layout } = painted(figures[place.dataset.figure], style);
      const eye = layout.scene?.camera.eye;
      if (eye && place.clientWidth < 500) for (const axis of "xyz") eye[axis] *= 1.35;  // a narrow screen needs more distance
      Plotly.react(place, data, layout, { displayModeBar: false, responsive: true, scrollZoom: false });
    }
  };

  // The arrow keys rotate the camera around a surface, and up and down.
  const turns = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
  for (const group of document.querySelectorAll(".turn")) {
    group.addEventListener("keydown", (event) => {
      const turn = turns[event.key], place = group.querySelector("[data-figure]");
      if (!turn || event.altKey || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      const { eye } = place._fullLayout.scene._scene.getCamera();
      const far = Math.hypot(eye.x, eye.y, eye.z);
      const around = Math.atan2(eye.y, eye.x) + turn[0] * 0.12;
      const up = Math.min(1.5, Math.max(-1.5, Math.asin(eye.z / far) + turn[1] * 0.1));
      const flat = far * Math.cos(up);
      Plotly.relayout(place, { "scene.camera.eye": { x: flat * Math.cos(around), y: flat * Math.sin(around), z: far * Math.sin(up) } });
    });
  }

  unpack().then(draw, () => {
    const places = document.querySelectorAll("[data-figure]");
    for (const place of places) place.textContent = "The charts need a browser that has DecompressionStream (those since 2023 do).";
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  addEventListener("beforeprint", () => { root.classList.add("paper"); draw(); });
  addEventListener("afterprint", () => { root.classList.remove("paper"); draw(); });
  addEventListener("figures", (event) => { figures = event.detail; draw(); });  // of a run in progress
})();
