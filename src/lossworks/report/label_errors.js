// One row at a time: an answer is kept in the browser and brings the next row; the answers are downloaded as a file.
"use strict";
(() => {
  const { check, rows } = JSON.parse(document.getElementById("check").textContent);
  const key = `lossworks ${JSON.stringify(check)}`;
  const place = (id) => document.getElementById(id);
  let answers = [];
  try {
    answers = (JSON.parse(localStorage.getItem(key)) || []).slice(0, rows.length);
  } catch { /* no storage, or none of ours in it: the answers last as long as the page */ }

  const show = () => {
    const at = answers.length, row = rows[at];
    place("asked").hidden = false;
    place("progress").value = at;
    place("back").disabled = at === 0;
    place("download").disabled = at === 0;
    place("count").textContent = row ? `Row ${at + 1} of ${rows.length}` : `All ${rows.length} rows are answered.`;
    place("where").textContent = row ? row.row : "";
    place("text").textContent = row ? row.text : "Download the answers.";
    place("label").parentElement.hidden = !row;
    place("label").textContent = row ? row.label : "";
    for (const button of document.querySelectorAll("[data-answer]")) button.disabled = !row;
  };
  const keep = (changed) => {
    answers = changed;
    try { localStorage.setItem(key, JSON.stringify(answers)); } catch { /* as above */ }
    show();
  };
  const answer = (said) => { if (answers.length < rows.length) keep([...answers, said]); };
  const back = () => keep(answers.slice(0, -1));
  const download = () => {
    const said = answers.map((answer, at) => ({ place: rows[at].place, row: rows[at].row, answer }));
    const file = { kind: "lossworks hand check of labels", check, answers: said };
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([JSON.stringify(file, null, 1)], { type: "application/json" }));
    link.download = "answers.json";
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  };

  for (const button of document.querySelectorAll("[data-answer]")) {
    button.addEventListener("click", () => answer(button.dataset.answer));
  }
  place("back").addEventListener("click", back);
  place("download").addEventListener("click", download);
  const keys = { r: () => answer("right"), w: () => answer("wrong"), t: () => answer("unsure"), b: back };
  document.addEventListener("keydown", (event) => {
    const act = keys[event.key.toLowerCase()];
    if (!act || event.repeat || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    act();
  });
  show();
})();
