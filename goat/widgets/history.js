// Own submissions: a table with the finals to choose, and a chart. Rows as in history.py.

const [ID, WHEN, CHALLENGE, MODE, STATE, POINTS, FINAL, NOTE] = [0, 1, 2, 3, 4, 5, 6, 7];
const STATES = {
  QUEUED: "waiting", RUNNING: "being scored", EVALUATED: "scored",
  REJECTED: "rejected", FAILED: "failed (ours)", CANCELLED: "called back",
};

function initialize({ model }) {
  model.on("msg:custom", (content) => {
    if (!content?.row) return;
    const rows = model.get("rows").filter((row) => row[ID] !== content.row[ID]);
    const place = rows.findIndex((row) => row[WHEN] <= content.row[WHEN]);
    model.set("touched", content.row[ID]);
    model.set("rows", rows.toSpliced(place < 0 ? rows.length : place, 0, content.row));
  });
}

function render({ model, el }) {
  el.classList.add("goat-widget", "goat-history");
  el.setAttribute("data-lm-suppress-shortcuts", "true");
  const view = { kind: 0 };
  const problem = make("div", { class: "goat-problem", role: "status", "aria-live": "polite" });
  const summary = make("div", { class: "goat-summary" });
  const empty = make("div", { class: "goat-empty", text: "No submissions yet. The first one appears here by itself." });
  const chart = make("div", { class: "goat-chart" });
  const kinds = makeTabs("Views", (index) => {
    view.kind = index;
    refresh();
  });
  const grid = makeGrid("Your submissions", [
    { title: "Submitted", name: "goat-when", hint: "in your time", cell: (row, cell) => { cell.textContent = time(row[WHEN]); } },
    { title: "Challenge", name: "goat-challenge", cell: (row, cell) => { cell.textContent = row[CHALLENGE]; } },
    { title: "Mode", name: "goat-mode", cell: (row, cell) => { cell.textContent = row[MODE]; } },
    { title: "State", name: "goat-state", cell: showState },
    { title: "Score", name: "goat-score", cell: (row, cell) => { cell.textContent = row[POINTS] === null ? "–" : row[POINTS].toFixed(4); } },
    { title: "Final", name: "goat-final", hint: "choose what counts at the end", cell: showFinal },
    { title: "", name: "goat-note", cell: (row, cell) => { cell.textContent = cell.title = row[NOTE]; } },
  ]);
  el.append(make("div", { class: "goat-bar" }, kinds.element, summary), problem, grid.element, empty, chart);

  function time(seconds) {
    return new Date(seconds * 1000).toLocaleString([], { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", hour12: false });
  }

  function showState(row, cell) {
    cell.dataset.state = row[STATE];
    cell.textContent = STATES[row[STATE]] ?? row[STATE];
    cell.title = row[NOTE];
  }

  function showFinal(row, cell) {
    cell.replaceChildren();
    if (row[STATE] === "QUEUED") {
      const back = make("button", { type: "button", class: "goat-small", text: "call back", "aria-label": `Call back the submission of ${time(row[WHEN])}` });
      back.addEventListener("click", () => model.send({ do: "cancel", id: row[ID] }));
      cell.append(back);
    } else if (row[MODE] === "ranked" && row[STATE] === "EVALUATED") {
      const box = make("input", { type: "checkbox", "aria-label": `Final: the submission of ${time(row[WHEN])}` });
      box.checked = row[FINAL];
      box.addEventListener("change", () => model.send({ do: "select", id: row[ID], on: box.checked }));
      cell.append(box);
    }
  }

  function drawChart(rows, about) {
    const theme = colours(el);
    const scored = rows.filter((row) => row[POINTS] !== null && row[MODE] === "ranked");
    const points = scored.map((row) => [row[WHEN], row[POINTS]]).reverse();
    const names = { own: "your best", points: "your ranked submissions" };
    const figure = progressFigure([], points, about.unit, about.up, theme, names);
    draw(model, chart, figure, `Your scores over time: ${scored.length} ranked submissions.`);
  }

  function refresh() {
    const rows = model.get("rows");
    const about = model.get("about");
    const said = model.get("notice") || model.get("problem");
    problem.textContent = said;
    problem.hidden = !said;
    empty.hidden = rows.length > 0;
    grid.element.hidden = view.kind !== 0 || !rows.length;
    chart.hidden = view.kind !== 1 || !rows.length;
    el.classList.toggle("goat-several", Boolean(about.several));
    const finals = about.finals ? ` · ${rows.filter((row) => row[FINAL]).length} of ${about.finals} finals chosen (without a choice your best count)` : "";
    summary.textContent = rows.length ? `${rows.length} ${rows.length === 1 ? "submission" : "submissions"}${finals}` : "";
    if (!rows.length) return;
    if (view.kind === 1) drawChart(rows, about);
    else grid.show(rows, () => false, (row) => row[ID], model.get("touched") ? [model.get("touched")] : []);
  }

  kinds.set(["Table", "Over time"]);
  model.on("change:rows change:about change:problem change:notice", refresh);
  const themed = onTheme(refresh);
  refresh();
  return () => {
    model.off("change:rows change:about change:problem change:notice", refresh);
    grid.destroy();
    themed();
  };
}

export default { initialize, render };
