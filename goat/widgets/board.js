// The live board. The model's `tables` is the truth; changes are applied to it as they come.
// A row is [key, name, rank, score, entries, seconds after start, rank that it is compared with,
// ...the table's `metrics`].

const [KEY, NAME, RANK, SCORE, ENTRIES, TIME, WAS, METRICS] = [0, 1, 2, 3, 4, 5, 6, 7];
const REDRAW_MS = 1000;
const NOBODY = "Nobody is on the board yet. Be the first!";
const LINES = 5; // leading teams whose way is drawn

/** The figures that a board may offer: a title, and what to draw of a table with the sentence that says it. */
const FIGURES = {
  time: { title: "Over time", make: timeFigure },
  distribution: { title: "Distribution", make: spreadFigure },
  speed: { title: "Accuracy and speed", make: speedPicture },
};

/** The rows after a change: the twin of `apply` in rows.py. */
function applyChange(rows, change) {
  const known = new Map(rows.map((row) => [row[KEY], row]));
  const names = new Map();
  for (let at = 0; at < (change.a ?? []).length; at += 2) names.set(change.a[at], change.a[at + 1]);
  const out = new Set(change.r ?? []);
  for (let at = 0; at < change.c.length; at += 5) out.add(change.c[at]);
  const next = rows.filter((row) => !out.has(row[KEY]));
  const width = (change.m ?? []).length / Math.max(1, change.c.length / 5);
  for (let at = 0; at < change.c.length; at += 5) {
    const [key, position, score, more, offset] = change.c.slice(at, at + 5);
    const old = known.get(key) ?? [key, names.get(key) ?? "?", 0, 0, 0, 0, 0];
    const metrics = (change.m ?? []).slice((at / 5) * width, (at / 5 + 1) * width);
    next.splice(position, 0, [key, old[NAME], 0, score, old[ENTRIES] + more, change.t + offset, old[WAS], ...metrics]);
  }
  const ranks = [];
  next.forEach((row, at) => ranks.push(at && row[RANK] && next[at - 1][RANK] === row[RANK] ? ranks[at - 1] : at + 1));
  for (let at = 0; at < (change.x ?? []).length; at += 2) ranks[change.x[at]] = change.x[at + 1];
  return next.map((row, at) => (row[RANK] === ranks[at] ? row : row.with(RANK, ranks[at])));
}

/** The board's course with what the new rows say: the twin of `_go_on` in rows.py. */
function goOn(table, rows) {
  if (!table.figures.includes("time")) return {};
  const known = new Map(table.rows.map((row) => [row[KEY], row[TIME]]));
  const fresh = rows.filter((row) => row[TIME] > (known.get(row[KEY]) ?? -1)).sort((a, b) => a[TIME] - b[TIME]);
  const best = [...table.best];
  const lines = { ...table.lines };
  const better = (score, line) => !line.length || (table.up ? score > line.at(-1)[1] : score < line.at(-1)[1]);
  for (const row of rows.slice(0, LINES)) lines[row[NAME]] ??= [];
  for (const row of fresh) {
    if (better(row[SCORE], best)) best.push([row[TIME], row[SCORE]]);
    const line = lines[row[NAME]];
    if (line && better(row[SCORE], line)) lines[row[NAME]] = [...line, [row[TIME], row[SCORE]]];
  }
  return { best, lines };
}

function initialize({ model }) {
  followClock(model);
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
    const next = { ...table, ...goOn(table, rows), n: change.n, rows, touched };
    model.set("tables", tables.with(change.b, next)); // not saved back: the kernel knows it
  });
}

const shown = (score) => score.toFixed(4);
const withUnit = (score, table) => `${shown(score)}${table.unit ? ` ${table.unit}` : ""}`;

/** Who leads, and where the own team stands, in words. */
function standing(table, isOwn) {
  const first = table.rows[0];
  const mine = table.rows.find(isOwn);
  const lead = first ? `Best: ${first[NAME]}, ${withUnit(first[SCORE], table)}.` : "Nobody is on the board yet.";
  return mine ? `${lead} You: rank ${mine[RANK]} of ${table.rows.length}, ${withUnit(mine[SCORE], table)}.` : lead;
}

function timeFigure({ table, own, now, isOwn, team, theme }) {
  const moved = (steps) => steps.map(([seconds, score]) => [table.start + seconds, score]);
  const first = new Set(table.rows.slice(0, LINES).map((row) => row[NAME]));
  const led = Object.entries(table.lines).filter(([name, steps]) => name !== team && first.has(name) && steps.length);
  const leaders = led.map(([name, steps]) => [name, moved(steps)]);
  const best = moved(table.best);
  const names = { best: "best on the board", own: "your best", points: "your submissions" };
  const figure = progressFigure({ best, leaders, own, now, unit: table.unit, up: table.up, theme, names });
  const from = best.length ? ` It improved ${best.length} times, from ${shown(best[0][1])} to ${shown(best.at(-1)[1])}.` : "";
  return [figure, `Best score over time.${from} ${standing(table, isOwn)}`];
}

function spreadFigure({ table, isOwn, theme }) {
  const scores = table.rows.map((row) => row[SCORE]).sort((a, b) => a - b);
  const mine = table.rows.find(isOwn);
  const middle = shown(scores[Math.floor(scores.length / 2)]);
  const said = `Distribution of the scores of ${scores.length} teams: from ${shown(scores[0])} to ${shown(scores.at(-1))}, the middle one ${middle}.`;
  return [distributionFigure(scores, mine ? mine[SCORE] : null, table.unit, theme), `${said} ${standing(table, isOwn)}`];
}

/** Teams by two of the metrics, over lines of equal score where the kernel has told them. */
function speedPicture({ table, isOwn, theme, surface }) {
  const at = (name) => METRICS + table.metrics.findIndex(([one]) => one === name);
  if (!surface || at(surface.across) < METRICS || at(surface.up) < METRICS) {
    return [speedFigure({ teams: [], surface: null, theme }), "No team has an accuracy and a speed yet."];
  }
  const placed = table.rows.filter((row) => row[at(surface.across)] !== null && row[at(surface.up)] !== null);
  const numbers = (row) => table.metrics.map(([, title, unit], index) => [title, amount(row[METRICS + index], unit)]);
  const teams = placed.map((row, index) => ({
    x: row[at(surface.across)],
    y: row[at(surface.up)],
    name: row[NAME],
    own: isOwn(row),
    first: index === 0,
    lines: [["Score", withUnit(row[SCORE], table)], ...numbers(row)],
  }));
  const titles = Object.fromEntries(table.metrics.map(([name, title]) => [name, title]));
  const mine = placed.find(isOwn);
  const spoken = (row) => numbers(row).map(([title, value]) => `${title} ${value}`).join(", ");
  const told = [
    `${titles[surface.up]} against ${titles[surface.across]} of ${placed.length} ${placed.length === 1 ? "team" : "teams"}; the lines are the ${surface.said}.`,
    placed.length ? `The best, ${placed[0][NAME]}: ${spoken(placed[0])}.` : "",
    mine && mine !== placed[0] ? `You: ${spoken(mine)}.` : "",
    standing(table, isOwn),
  ];
  return [speedFigure({ teams, surface, titles, theme }), told.filter(Boolean).join(" ")];
}

function noteOf(table) {
  const final = "The final ranking: private scores of the submissions that count. ± compares it with the public board.";
  const frozen = "Frozen: this board stands still until the final scores are shown. Your own scores go on in goat.history().";
  return [table.split === "private" ? final : table.frozen ? frozen : "", table.note].filter(Boolean).join(" ");
}

function render({ model, el }) {
  el.classList.add("goat-widget", "goat-board");
  el.setAttribute("data-lm-suppress-shortcuts", "true"); // arrow keys are ours, not the notebook's
  const view = { search: "", last: new Map(), drawn: 0, timer: 0, gone: false };

  const problem = make("div", { class: "goat-problem", role: "status", "aria-live": "polite" });
  const herald = makeHerald();
  const summary = make("div", { class: "goat-summary" });
  const note = make("div", { class: "goat-notice" });
  const search = make("input", { type: "search", class: "goat-search", placeholder: "Search teams", "aria-label": "Search teams" });
  const find = make("button", { type: "button", class: "goat-button", text: "Find my team" });
  const empty = make("div", { class: "goat-empty", text: NOBODY });
  const chart = make("div", { class: "goat-chart" });
  const panel = make("div", { role: "tabpanel" });
  const boards = makeTabs("Boards", panel, () => refresh(false));
  const kinds = makeTabs("Views", panel, () => refresh(false));
  const columns = (metrics) => [
    { title: "#", name: "goat-rank", label: "Rank", cell: (row, cell) => { cell.textContent = row[RANK]; } },
    { title: "±", name: "goat-move", label: "Places gained", cell: showMove },
    { title: "Team", name: "goat-team", header: true, cell: showTeam },
    { title: "Score", name: "goat-score", cell: (row, cell) => { cell.textContent = shown(row[SCORE]); } },
    ...metricColumns(metrics, (row) => row.slice(METRICS)),
    { title: "Tries", name: "goat-tries", label: "Scored submissions", cell: (row, cell) => { cell.textContent = row[ENTRIES]; } },
    { title: "Submitted", name: "goat-time", label: "Submitted (your time)", cell: (row, cell) => { cell.textContent = when(row); } },
  ];
  const grid = makeGrid(summary, columns([]));
  panel.append(note, grid.element, empty, chart);
  el.append(
    boards.element,
    make("div", { class: "goat-bar" }, kinds.element, make("div", { class: "goat-tools" }, find, search)),
    problem, summary, panel, herald.element,
  );

  const current = () => model.get("tables").find((table) => table.id === boards.chosen);
  const isOwn = (row) => row[NAME] === model.get("team") && row[NAME] !== "";
  const format = new Intl.DateTimeFormat([], { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", hour12: false });
  const when = (row) => format.format((current().start + row[TIME]) * 1000);

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

  function drawChart(table) {
    clearTimeout(view.timer);
    view.timer = 0;
    view.drawn = performance.now();
    const own = (model.get("own")[table.id] ?? []);
    const [figure, sentence] = FIGURES[kinds.chosen].make({
      table, own, now: serviceNow(model), isOwn, team: model.get("team"), theme: colours(el), surface: model.get("surfaces")[table.id],
    });
    draw(model, chart, figure, sentence);
  }

  /** Drawing takes tens of milliseconds: a board that moves many times a second is drawn once in it. */
  function drawSoon(table, changed) {
    const rest = view.drawn + REDRAW_MS - performance.now();
    if (!changed || rest <= 0) drawChart(table);
    else view.timer ||= setTimeout(() => refresh(false), rest);
  }

  /** Say what changed on the board that is shown, and for the own team on any. */
  function announce(table) {
    const [first, mine] = [table.rows[0], table.rows.find(isOwn)];
    const now = { first: `${first?.[KEY]} ${first?.[SCORE]}`, mine: `${mine?.[RANK]} ${mine?.[SCORE]}` };
    const last = view.last.get(table.id);
    view.last.set(table.id, now);
    if (!last) return;
    if (mine && now.mine !== last.mine) {
      herald.say(`${table.id} own`, `${table.title}: your team is at rank ${mine[RANK]} with ${withUnit(mine[SCORE], table)}.`);
    }
    if (first && now.first !== last.first && !isOwn(first) && table.id === boards.chosen) {
      herald.say(`${table.id} first`, `New best on ${table.title}: ${first[NAME]}, ${withUnit(first[SCORE], table)}.`);
    }
  }

  function summarise(table, found) {
    const all = `${table.rows.length} ${table.rows.length === 1 ? "team" : "teams"}`;
    const parts = [
      model.get("tables").length < 2 ? table.title : "",
      found === null ? all : `${found} of ${all}`,
      table.frozen ? "frozen" : "",
      table.unit ? `score in ${table.unit}` : "",
      table.up ? "" : "lower is better",
    ];
    summary.textContent = parts.filter(Boolean).join(" · ");
  }

  function refresh(changed) {
    const tables = model.get("tables");
    boards.set(tables.map((table) => [table.id, table.title]));
    boards.element.hidden = tables.length < 2;
    const table = current();
    problem.textContent = view.gone ? GONE : model.get("problem");
    problem.hidden = !problem.textContent;
    const none = !table || !table.rows.length;
    if (table) kinds.set([["table", "Table"], ...table.figures.filter((name) => FIGURES[name]).map((name) => [name, FIGURES[name].title])]);
    const asTable = !table || kinds.chosen === "table";
    kinds.element.hidden = !table;
    grid.element.hidden = !asTable || none;
    chart.hidden = asTable || none;
    empty.hidden = !none;
    empty.textContent = NOBODY;
    find.hidden = !asTable || none || !table.rows.some(isOwn);
    search.hidden = !asTable || none || table.rows.length < 8;
    note.textContent = table ? noteOf(table) : "";
    note.hidden = !note.textContent;
    tables.forEach(announce);
    if (!table) return;
    panel.setAttribute("aria-label", `${table.title}, ${asTable ? "table" : FIGURES[kinds.chosen].title}`);
    const wanted = view.search.trim().toLowerCase();
    const rows = wanted && asTable ? table.rows.filter((row) => row[NAME].toLowerCase().includes(wanted)) : table.rows;
    summarise(table, wanted && asTable ? rows.length : null);
    if (none) return;
    if (!rows.length) {
      empty.hidden = false;
      empty.textContent = `No team has “${view.search.trim()}” in its name. Escape shows all again.`;
    }
    el.classList.toggle("goat-with-metrics", table.metrics.length > 0);
    if (asTable) grid.setColumns(columns(table.metrics));
    if (asTable) grid.show(rows, isOwn, (row) => `${table.id} ${row[KEY]}`, changed ? (table.touched ?? []).map((key) => `${table.id} ${key}`) : []);
    else drawSoon(table, changed);
  }

  search.addEventListener("input", () => {
    view.search = search.value;
    grid.toTop();
    refresh(false);
    herald.say("search", `${summary.textContent}.`);
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

  const unwatch = watchKernel(model, (gone) => {
    if (gone === view.gone) return;
    view.gone = gone;
    refresh(false);
  });
  const tablesChanged = () => refresh(true);
  const otherChanged = () => refresh(false);
  model.on("change:tables", tablesChanged);
  model.on("change:team change:problem change:own change:surfaces", otherChanged);
  refresh(false);
  const themed = onTheme(otherChanged);
  return () => {
    model.off("change:tables", tablesChanged);
    model.off("change:team change:problem change:own change:surfaces", otherChanged);
    unwatch();
    clearTimeout(view.timer);
    herald.destroy();
    grid.destroy();
    themed();
  };
}

export default { initialize, render };
