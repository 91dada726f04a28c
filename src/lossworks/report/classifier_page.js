// The page: what is typed, and what `predict` says of it. All text is set as text, never as markup.
const MOST = 12;  // labels that keep their places; of more, the most probable are shown
const place = (id) => document.getElementById(id);
const cell = (tag, text) => {
  const element = document.createElement(tag);
  element.textContent = text;
  return element;
};

const row = ({ label, chance, said }) => {
  const line = document.createElement("tr"), name = cell("th", label), bar = cell("td", ""), value = cell("td", "");
  const exact = cell("data", `${(100 * chance).toFixed(1)} %`);
  name.scope = "row";
  name.dir = "auto";
  bar.className = "bar";
  bar.append(document.createElement("i"));
  bar.firstChild.style.width = `${100 * chance}%`;
  exact.value = chance;
  value.append(exact);
  line.className = said ? "said" : "";
  line.append(name, bar, value);
  return line;
};

const show = () => {
  const found = predict(place("text").value), said = found.labels ?? [found.label ?? found.value];
  const answer = found.labels ? said.join(", ") || "no label" : "value" in found ? String(Number(said[0].toPrecision(6))) : String(said[0]);
  if (place("answer").textContent !== answer) place("answer").textContent = answer;  // else it would be read out again
  if (!found.probabilities) return;
  const all = labels.map((label) => ({ label, chance: found.probabilities[label], said: said.includes(label) }));
  const shown = all.length > MOST ? all.sort((a, b) => b.chance - a.chance).slice(0, MOST) : all;
  place("more").textContent = shown.length < all.length ? `, the ${MOST} highest of ${all.length}` : "";
  place("chances").tBodies[0].replaceChildren(...shown.map(row));
};

place("text").addEventListener("input", show);
place("waiting").hidden = true;
for (const id of ["said", "chances"]) if (place(id)) place(id).hidden = false;
show();
