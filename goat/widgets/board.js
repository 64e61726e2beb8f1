// The live board. The model's `tables` is the truth; changes are applied to it as they come.
// A row is [key, name, rank, score, entries, seconds after start, rank when opened].

const [KEY, NAME, RANK, SCORE, ENTRIES, TIME, WAS] = [0, 1, 2, 3, 4, 5, 6];

/** The rows after a change: the twin of `apply` in rows.py. */
function applyChange(rows, change) {
  const known = new Map(rows.map((row) => [row[KEY], row]));
  const names = new Map();
  for (let at = 0; at < (change.a ?? []).length; at += 2) names.set(change.a[at], change.a[at + 1]);
  const out = new Set(change.r ?? []);
  for (let at = 0; at < change.c.length; at += 5) out.add(change.c[at]);
  const next = rows.filter((row) => !out.has(row[KEY]));
  for (let at = 0; at < change.c.length; at += 5) {
    const [key, position, score, more, offset] = change.c.slice(at, at + 5);
    const old = known.get(key) ?? [key, names.get(key) ?? "?", 0, 0, 0, 0, 0];
    next.splice(position, 0, [key, old[NAME], 0, score, old[ENTRIES] + more, change.t + offset, old[WAS]]);
  }
  const ranks = [];
  next.forEach((row, at) => ranks.push(at && row[RANK] && next[at - 1][RANK] === row[RANK] ? ranks[at - 1] : at + 1));
  for (let at = 0; at < (change.x ?? []).length; at += 2) ranks[change.x[at]] = change.x[at + 1];
  return next.map((row, at) => (row[RANK] === ranks[at] ? row : row.with(RANK, ranks[at])));
}

function initialize({ model }) {
  model.on("msg:custom", (change) => {
    if (change?.b === undefined) return;
    const tables = model.get("tables");
    const table = tables[change.b];
    if (!table || change.n <= table.n) return; // the state that we were given has it already
    if (change.n !== table.n + 1) {
      model.send({ want: "tables" });
      return;
    }
    const rows = applyChange(table.rows, change);
    const touched = [];
    for (let at = 0; at < change.c.length; at += 5) touched.push(change.c[at]);
    const next = { ...table, n: change.n, rows, touched };
    model.set("tables", tables.with(change.b, next)); // not saved back: the kernel knows it
  });
}

function render({ model, el }) {
  el.classList.add("goat-widget", "goat-board");
  el.setAttribute("data-lm-suppress-shortcuts", "true"); // arrow keys are ours, not the notebook's
  const view = { board: 0, kind: 0, search: "", rank: null };

  const problem = make("div", { class: "goat-problem", role: "status", "aria-live": "polite" });
  const heard = make("div", { class: "goat-sr", role: "status", "aria-live": "polite" });
  const summary = make("div", { class: "goat-summary" });
  const search = make("input", { type: "search", class: "goat-search", placeholder: "Search teams", "aria-label": "Search teams" });
  const find = make("button", { type: "button", class: "goat-button", text: "Find my team" });
  const boards = makeTabs("Boards", (index) => {
    view.board = index;
    view.rank = null;
    refresh(false);
  });
  const kinds = makeTabs("Views", (index) => {
    view.kind = index;
    refresh(false);
  });
  const grid = makeGrid("Leaderboard", [
    { title: "#", name: "goat-rank", hint: "rank", cell: (row, cell) => { cell.textContent = row[RANK]; } },
    { title: "±", name: "goat-move", hint: "places gained since you opened the board", cell: showMove },
    { title: "Team", name: "goat-team", cell: showTeam },
    { title: "Score", name: "goat-score", cell: (row, cell) => { cell.textContent = row[SCORE].toFixed(4); } },
    { title: "Tries", name: "goat-tries", hint: "scored submissions", cell: (row, cell) => { cell.textContent = row[ENTRIES]; } },
    { title: "Submitted", name: "goat-time", hint: "in your time", cell: (row, cell) => { cell.textContent = when(row); } },
  ]);
  const empty = make("div", { class: "goat-empty", text: "Nobody is on the board yet. Be the first!" });
  const chart = make("div", { class: "goat-chart" });
  el.append(
    make("div", { class: "goat-bar" }, boards.element, summary),
    make("div", { class: "goat-bar" }, kinds.element, make("div", { class: "goat-tools" }, find, search)),
    problem, grid.element, empty, chart, heard,
  );

  const current = () => model.get("tables")[view.board];
  const isOwn = (row) => row[NAME] === model.get("team") && row[NAME] !== "";
  const when = (row) =>
    new Date((current().start + row[TIME]) * 1000).toLocaleString([], { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", hour12: false });

  function showMove(row, cell) {
    const gained = row[WAS] ? row[WAS] - row[RANK] : null;
    cell.textContent = gained === null ? "new" : gained > 0 ? `▲ ${gained}` : gained < 0 ? `▼ ${-gained}` : "·";
    cell.dataset.move = gained === null ? "new" : Math.sign(gained);
    cell.setAttribute("aria-label", gained === null ? "new" : gained ? `${gained > 0 ? "up" : "down"} ${Math.abs(gained)}` : "unchanged");
  }

  function showTeam(row, cell) {
    const parts = [make("span", { class: "goat-name", text: row[NAME], title: row[NAME] })];
    if (isOwn(row)) parts.push(make("span", { class: "goat-badge", text: "you" }));
    cell.replaceChildren(...parts);
  }

  function sentence(table) {
    const first = table.rows[0];
    const mine = table.rows.find(isOwn);
    const unit = table.unit ? ` ${table.unit}` : "";
    const lead = first ? `Best: ${first[NAME]}, ${first[SCORE].toFixed(4)}${unit}.` : "Nobody is on the board yet.";
    return mine ? `${lead} You: rank ${mine[RANK]} of ${table.rows.length}, ${mine[SCORE].toFixed(4)}${unit}.` : lead;
  }

  function drawChart(table) {
    const theme = colours(el);
    const own = model.get("own")[table.id] ?? [];
    const points = table.rows.map((row) => [table.start + row[TIME], row[SCORE]]);
    const mine = table.rows.find(isOwn);
    const names = { best: "best on the board", own: "your best", points: "your submissions" };
    const figure = view.kind === 1
      ? progressFigure(points, own, table.unit, table.up, theme, names)
      : distributionFigure(table.rows.map((row) => row[SCORE]), mine ? mine[SCORE] : null, table.unit, theme);
    const what = view.kind === 1 ? "Best score over time." : "Distribution of the teams' scores.";
    draw(model, chart, figure, `${what} ${sentence(table)}`);
  }

  function announce(table) {
    const mine = table.rows.find(isOwn);
    const rank = mine ? mine[RANK] : null;
    if (view.rank !== null && rank !== null && rank !== view.rank) {
      heard.textContent = `Your team is now at rank ${rank}.`;
    }
    view.rank = rank;
  }

  function refresh(changed) {
    const tables = model.get("tables");
    boards.element.hidden = tables.length < 2;
    const table = tables[view.board];
    problem.textContent = model.get("problem");
    problem.hidden = !model.get("problem");
    const asTable = view.kind === 0;
    const none = !table || !table.rows.length;
    grid.element.hidden = !asTable || none;
    chart.hidden = asTable || none;
    empty.hidden = !none;
    find.hidden = !asTable || none || !table.rows.some(isOwn);
    search.hidden = !asTable || none || table.rows.length < 8;
    if (!table) return;
    const title = tables.length < 2 ? `${table.title} · ` : "";
    summary.textContent = `${title}${table.rows.length} ${table.rows.length === 1 ? "team" : "teams"}${table.frozen ? " · frozen" : ""}${table.unit ? ` · score in ${table.unit}` : ""}`;
    if (none) return;
    announce(table);
    if (!asTable) {
      drawChart(table);
      return;
    }
    const wanted = view.search.trim().toLowerCase();
    const rows = wanted ? table.rows.filter((row) => row[NAME].toLowerCase().includes(wanted)) : table.rows;
    grid.show(rows, isOwn, (row) => row[KEY], changed ? table.touched ?? [] : []);
    if (wanted) summary.textContent = `${rows.length} of ${summary.textContent}`;
  }

  search.addEventListener("input", () => {
    view.search = search.value;
    grid.element.scrollTop = 0;
    refresh(false);
  });
  search.addEventListener("keydown", (event) => {
    event.stopPropagation();
    if (event.key === "Escape") {
      search.value = view.search = "";
      refresh(false);
    }
  });
  find.addEventListener("click", () => {
    search.value = view.search = "";
    refresh(false);
    grid.activate(current().rows.findIndex(isOwn));
    grid.element.focus();
  });

  const tablesChanged = () => {
    boards.set(model.get("tables").map((table) => table.title));
    refresh(true);
  };
  const otherChanged = () => refresh(false);
  model.on("change:tables", tablesChanged);
  model.on("change:team change:problem change:own", otherChanged);
  kinds.set(["Table", "Over time", "Distribution"]);
  boards.set(model.get("tables").map((table) => table.title));
  refresh(false);
  const themed = onTheme(otherChanged);
  return () => {
    model.off("change:tables", tablesChanged);
    model.off("change:team change:problem change:own", otherChanged);
    grid.destroy();
    themed();
  };
}

export default { initialize, render };
