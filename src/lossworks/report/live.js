"use strict";
// Polls the state of the run once a second and shows what has changed. All text is set as text, never as markup.
(() => {
  const EVERY = 1000;  // milliseconds
  const place = (id) => document.getElementById(id);
  const made = (tag, text, attributes = {}) => {
    const element = document.createElement(tag);
    if (text !== undefined) element.textContent = text;
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    return element;
  };
  const put = (element, text) => { if (element.textContent !== text) element.textContent = text; };  // or it is read out again
  let seen = "", last = null;

  const status = (tone, headline, sentence) => {
    place("status").className = "verdict " + tone;
    put(place("headline"), headline);
    put(place("sentence"), sentence);
  };

  const table = (told) => {
    place("arms").hidden = !told;
    if (!told) return;
    const whole = place("arms").querySelector("table");
    put(whole.caption, told.caption);
    const kind = (column) => (column ? { class: "n" } : {});
    whole.tHead.rows[0].replaceChildren(...told.columns.map((name, at) => made("th", name, { scope: "col", ...kind(at) })));
    whole.tBodies[0].replaceChildren(...told.rows.map((row) => {
      const line = made("tr");
      line.append(...row.map((value, at) => (at ? made("td", value, kind(at)) : made("th", value, { scope: "row" }))));
      return line;
    }));
  };

  const charts = (told, figures) => {
    place("empty").hidden = told.length > 0;
    const wanted = told.map(({ id }) => id);
    for (const figure of [...place("charts").children]) if (!wanted.includes(figure.dataset.of)) figure.remove();
    for (const { id, title, label } of told) {
      if (place("chart-" + id)) continue;
      const figure = made("figure", undefined, { "data-of": id });
      const drawn = { class: "chart", id: "chart-" + id, "data-figure": id, role: "img", "aria-label": label };
      figure.append(made("figcaption", title), made("div", undefined, drawn));
      place("charts").append(figure);
    }
    dispatchEvent(new CustomEvent("figures", { detail: figures }));
  };

  const show = (state) => {
    last = state;
    status(state.tone, state.headline, state.sentence);
    place("report").hidden = !state.report;
    document.querySelector(".facts").replaceChildren(...state.facts.map((fact) => made("span", fact)));
    const progress = place("progress"), share = state.of ? Math.min(1, state.done / state.of) : null;
    progress.hidden = share === null;
    progress.value = share ?? 0;
    document.title = (state.status === "running" && share !== null ? Math.floor(100 * share) + " % · " : "") + state.name;
    const pairs = state.numbers.map(([name, value]) => {
      const pair = made("div");
      pair.append(made("dt", name), made("dd", value));
      return pair;
    });
    place("numbers").replaceChildren(...pairs);
    table(state.table);
    charts(state.charts, state.figures);
  };

  const ask = async () => {
    try {
      const answer = await fetch("state.json?seen=" + encodeURIComponent(seen), { cache: "no-store" });
      const state = answer.status === 200 ? await answer.json() : last;
      if (answer.status === 200 || place("status").dataset.lost) {
        seen = state.seen;
        show(state);
      }
      delete place("status").dataset.lost;
    } catch (error) {
      place("status").dataset.lost = "yes";
      status("bad", "Not connected", "The server does not respond; the page shows the last known state. `lossworks report --serve` starts it again.");
    }
    setTimeout(ask, EVERY);
  };
  ask();
})();
