// Own submissions: a table with the finals to choose, and a chart. Rows as in history.py.

const [ID, WHEN, CHALLENGE, MODE, STATE, POINTS, FINAL, NOTE, PLACE, METRICS] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];
const STATES = {
  QUEUED: "waiting", RUNNING: "being scored", EVALUATED: "scored",
  REJECTED: "rejected", FAILED: "failed (ours)", CANCELLED: "called back",
};

function initialize({ model }) {
  followClock(model);
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
  const view = { states: null, gone: false };
  const problem = make("div", { class: "goat-problem", role: "status", "aria-live": "polite" });
  const summary = make("div", { class: "goat-summary" });
  const empty = make("div", { class: "goat-empty", text: "No submissions yet. The first one appears here by itself." });
  const chart = make("div", { class: "goat-chart" });
  const herald = makeHerald();
  const panel = make("div", { role: "tabpanel", "aria-label": "Your submissions" });
  const kinds = makeTabs("Views", panel, refresh);
  const columns = (metrics) => [
    { title: "Submitted", name: "goat-when", label: "Submitted (your time)", header: true, cell: (row, cell) => { cell.textContent = time(row[WHEN]); } },
    { title: "Challenge", name: "goat-challenge", cell: (row, cell) => { cell.textContent = row[CHALLENGE]; } },
    { title: "Mode", name: "goat-mode", cell: (row, cell) => { cell.textContent = row[MODE]; } },
    { title: "State", name: "goat-state", cell: showState },
    { title: "Score", name: "goat-score", cell: (row, cell) => { cell.textContent = row[POINTS] === null ? "–" : row[POINTS].toFixed(4); } },
    ...metricColumns(metrics, (row) => row.slice(METRICS)),
    { title: "Final", name: "goat-final", label: "Final: choose what counts at the end", cell: showFinal },
    { title: "Note", name: "goat-note", cell: (row, cell) => { cell.textContent = cell.title = row[NOTE]; } },
  ];
  const grid = makeGrid(summary, columns([]));
  panel.append(grid.element, empty, chart);
  el.append(make("div", { class: "goat-bar" }, kinds.element, summary), problem, panel, herald.element);

  function time(seconds) {
    return new Date(seconds * 1000).toLocaleString([], { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", hour12: false });
  }

  function stateOf(row) {
    const said = STATES[row[STATE]] ?? row[STATE];
    return row[STATE] === "QUEUED" && row[PLACE] ? `${said}, ${row[PLACE]} in line` : said;
  }

  /** A result that came, or a verdict; not each step on the way. */
  function announce(rows) {
    const states = new Map(rows.map((row) => [row[ID], row[STATE]]));
    for (const row of view.states ? rows : []) {
      const last = view.states.get(row[ID]);
      if (last === undefined || row[STATE] === last || ["QUEUED", "RUNNING"].includes(row[STATE])) continue;
      const score = row[POINTS] === null ? "" : `, score ${row[POINTS].toFixed(4)}`;
      herald.say(row[ID], `Your submission of ${time(row[WHEN])} is ${stateOf(row)}${score}. ${row[NOTE]}`);
    }
    view.states = states;
  }

  function showState(row, cell) {
    cell.dataset.state = row[STATE];
    cell.textContent = stateOf(row);
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

  function scoresInWords(points) {
    const ends = points.length ? ` The first has ${points[0][1].toFixed(4)}, the last ${points.at(-1)[1].toFixed(4)}.` : "";
    return `Your scores over time: ${points.length} ranked submissions.${ends}`;
  }

  function drawChart(rows, about) {
    const theme = colours(el);
    const scored = rows.filter((row) => row[POINTS] !== null && row[MODE] === "ranked");
    const points = scored.map((row) => [row[WHEN], row[POINTS]]).reverse();
    const names = { own: "your best", points: "your ranked submissions" };
    const figure = progressFigure({ best: [], leaders: [], own: points, now: serviceNow(model), unit: about.unit, up: about.up, theme, names });
    draw(model, chart, figure, scoresInWords(points));
  }

  function refresh() {
    const rows = model.get("rows");
    const about = model.get("about");
    const said = view.gone ? GONE : model.get("notice") || model.get("problem");
    // Scores of several challenges have no common axis.
    const one = new Set(rows.map((row) => row[CHALLENGE])).size < 2;
    kinds.set(one ? [["table", "Table"], ["time", "Over time"]] : [["table", "Table"]]);
    kinds.element.hidden = !one;
    problem.textContent = said;
    problem.hidden = !said;
    empty.hidden = rows.length > 0;
    grid.element.hidden = kinds.chosen !== "table" || !rows.length;
    chart.hidden = kinds.chosen !== "time" || !rows.length;
    el.classList.toggle("goat-several", Boolean(about.several));
    el.classList.toggle("goat-with-metrics", Boolean(about.metrics?.length));
    const count = rows.filter((row) => row[FINAL]).length;
    const rest = count ? "" : " (without a choice your best count)";
    const finals = about.finals ? ` · ${count} of ${about.finals} finals chosen${rest}` : "";
    summary.textContent = rows.length ? `${rows.length} ${rows.length === 1 ? "submission" : "submissions"}${finals}` : "Your submissions";
    announce(rows);
    if (!rows.length) return;
    if (kinds.chosen === "time") drawChart(rows, about);
    else grid.setColumns(columns(about.metrics ?? []));
    if (kinds.chosen !== "time") grid.show(rows, () => false, (row) => row[ID], model.get("touched") ? [model.get("touched")] : []);
  }

  model.on("change:rows change:about change:problem change:notice", refresh);
  const themed = onTheme(refresh);
  const unwatch = watchKernel(model, (gone) => {
    if (gone === view.gone) return;
    view.gone = gone;
    refresh();
  });
  refresh();
  return () => {
    model.off("change:rows change:about change:problem change:notice", refresh);
    unwatch();
    herald.destroy();
    grid.destroy();
    themed();
  };
}

export default { initialize, render };
