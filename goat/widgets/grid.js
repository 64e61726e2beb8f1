// A table of any length: only the rows in view are in the page. All text is set as text, never as HTML.

const ROW_HEIGHT = 32;
const SPARE = 8;

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "text") element.textContent = value;
    else if (value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

const newId = () => `goat-${Math.random().toString(36).slice(2)}`;

/**
 * caption: the element that names the table. columns: [{ title, name (class), label (said in full),
 * header (it names its row), cell(row, element) }]; rows come by `show(rows, isOwn, key)`.
 * Keyboard: arrows, Page Up and Down, Home, End move the active row.
 */
function makeGrid(caption, columns) {
  const id = newId();
  caption.id ||= newId();
  const body = make("div", { role: "rowgroup", class: "goat-body" });
  const head = make("div", { role: "row", class: "goat-row goat-head", "aria-rowindex": "1" });
  const grid = make(
    "div",
    { role: "grid", class: "goat-grid", tabindex: "0", "aria-labelledby": caption.id },
    make("div", { role: "rowgroup", class: "goat-sticky" }, head),
    body,
  );
  // Where it is scrolled to and how high it is are kept: asking the page for them in the middle of changes
  // would have it laid out once more each time.
  const state = { rows: [], own: () => false, key: (row) => row, active: -1, changed: new Map(), top: 0, height: 0, clearing: 0 };
  const made = new Map(); // key → element, kept while in view so that focus and flashes survive

  const named = (list) => list.map((column) => `${column.title} ${column.name}`).join("|");
  function setColumns(wanted) {
    if (head.children.length && named(wanted) === named(columns)) return;
    columns = wanted;
    head.replaceChildren(...columns.map((column, at) => {
      const said = { "aria-label": column.label, title: column.label, "aria-colindex": at + 1 };
      return make("div", { role: "columnheader", class: `goat-cell ${column.name}`, text: column.title, ...said });
    }));
    grid.setAttribute("aria-colcount", columns.length);
    made.clear();
    body.replaceChildren();
  }
  setColumns(columns);

  function visible() {
    const top = Math.max(0, Math.floor(state.top / ROW_HEIGHT) - SPARE);
    const count = Math.ceil((state.height || 420) / ROW_HEIGHT) + 2 * SPARE;
    return [top, Math.min(state.rows.length, top + count)];
  }

  function paint() {
    const [from, to] = visible();
    body.style.height = `${state.rows.length * ROW_HEIGHT}px`;
    const wanted = new Set();
    for (let index = from; index < to; index += 1) {
      const row = state.rows[index];
      const key = state.key(row);
      wanted.add(key);
      let line = made.get(key);
      if (!line) {
        line = make("div", { role: "row", class: "goat-row" });
        columns.forEach((column, at) => {
          const role = column.header ? "rowheader" : "gridcell";
          line.append(make("div", { role, class: `goat-cell ${column.name}`, "aria-colindex": at + 1 }));
        });
        made.set(key, line);
        body.append(line);
      }
      if (line.goatRow !== row) {
        line.goatRow = row;
        columns.forEach((column, at) => column.cell(row, line.children[at]));
      }
      line.id = `${id}-${index}`;
      line.style.transform = `translateY(${index * ROW_HEIGHT}px)`;
      line.setAttribute("aria-rowindex", index + 2);
      const own = state.own(row);
      line.classList.toggle("goat-own", own);
      if (own) line.setAttribute("aria-current", "true");
      else line.removeAttribute("aria-current");
      line.classList.toggle("goat-odd", index % 2 === 1);
      line.classList.toggle("goat-active", index === state.active);
      line.setAttribute("aria-selected", index === state.active);
      const until = state.changed.get(key) ?? 0;
      line.classList.toggle("goat-flash", until > performance.now());
    }
    for (const [key, line] of made) {
      if (!wanted.has(key)) {
        line.remove();
        made.delete(key);
      }
    }
    grid.setAttribute("aria-rowcount", state.rows.length + 1);
  }

  function activate(index) {
    if (!state.rows.length) return;
    state.active = Math.max(0, Math.min(state.rows.length - 1, index));
    const top = state.active * ROW_HEIGHT;
    const room = grid.clientHeight - head.offsetHeight;
    if (top < grid.scrollTop) grid.scrollTop = top;
    else if (top + ROW_HEIGHT > grid.scrollTop + room) grid.scrollTop = top + ROW_HEIGHT - room;
    measure();
    grid.setAttribute("aria-activedescendant", `${id}-${state.active}`);
  }

  let waiting = 0;
  function measure() {
    state.top = grid.scrollTop;
    state.height = grid.clientHeight;
    paint();
  }
  grid.addEventListener("scroll", () => {
    waiting ||= requestAnimationFrame(() => {
      waiting = 0;
      measure();
    });
  });
  grid.addEventListener("keydown", (event) => {
    const page = Math.max(1, Math.floor(grid.clientHeight / ROW_HEIGHT) - 2);
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page };
    if (event.key in steps) activate(state.active + steps[event.key]);
    else if (event.key === "Home") activate(0);
    else if (event.key === "End") activate(state.rows.length - 1);
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  const resized = new ResizeObserver(measure);
  resized.observe(grid);

  return {
    element: grid,
    activate,
    setColumns,
    show(rows, own, key, changed = []) {
      const activeKey = state.rows[state.active] ? state.key(state.rows[state.active]) : null;
      Object.assign(state, { rows, own, key });
      state.active = activeKey === null ? -1 : rows.findIndex((row) => key(row) === activeKey);
      for (const one of changed) state.changed.set(one, performance.now() + 1600);
      paint();
      if (changed.length) {
        clearTimeout(state.clearing);
        state.clearing = setTimeout(paint, 1700);
      }
    },
    toTop() {
      grid.scrollTop = state.top = 0;
    },
    destroy() {
      clearTimeout(state.clearing);
      cancelAnimationFrame(waiting);
      resized.disconnect();
    },
  };
}

/** A metric's value: what has a unit with three digits that count. The twin of `amount` in text.py. */
function amount(value, unit) {
  if (value === null || value === undefined) return "–";
  if (!unit) return value.toFixed(4);
  const size = Math.abs(value);
  const whole = size >= 1 ? size.toFixed(0).length : size >= 0.1 ? 0 : -1;
  return value.toFixed(Math.max(0, 3 - whole));
}

/** Columns for [name, title, has a unit] of each metric; `values(row)` has them in this order. */
function metricColumns(metrics, values) {
  return metrics.map(([, title, unit, label], at) => ({
    title,
    label,
    name: `goat-metric goat-metric-${at}`,
    cell: (row, cell) => { cell.textContent = amount(values(row)[at], unit); },
  }));
}

const ASK_KERNEL_MS = 3000;
const GONE = "This table has lost its kernel, so it stands still. If it stays so, run the cell again.";

/**
 * Tell `show` whether the kernel is gone. When the page says that something has changed about it, it is asked until
 * it answers: a connection that breaks and comes back looks the same at first.
 */
function watchKernel(model, show) {
  let asking = 0;
  const here = () => {
    clearTimeout(asking);
    show(false);
  };
  const changed = () => {
    show(true);
    ask(ASK_KERNEL_MS);
  };
  const ask = (pause) => {
    clearTimeout(asking);
    asking = setTimeout(ask, pause, Math.min(2 * pause, 20 * ASK_KERNEL_MS));
    try {
      model.send({ want: "answer" });
    } catch {
      // nobody is there to be asked
    }
  };
  model.on("comm_live_update", changed);
  model.on("msg:custom", here);
  return () => {
    clearTimeout(asking);
    model.off("comm_live_update", changed);
    model.off("msg:custom", here);
  };
}

/** Tabs: one of several is chosen, by its name. Arrow keys, Home and End move between them. */
function makeTabs(label, panel, onChoose) {
  panel.id ||= newId();
  const bar = make("div", { role: "tablist", class: "goat-tabs", "aria-label": label });
  const state = { chosen: null };
  const index = () => [...bar.children].findIndex((tab) => tab.dataset.name === state.chosen);
  function choose(name, focus) {
    state.chosen = name;
    for (const tab of bar.children) {
      const chosen = tab.dataset.name === name;
      tab.setAttribute("aria-selected", chosen);
      tab.tabIndex = chosen ? 0 : -1;
      if (chosen && focus) tab.focus();
    }
  }
  bar.addEventListener("keydown", (event) => {
    const last = bar.children.length - 1;
    const next = { ArrowRight: index() + 1, ArrowLeft: index() - 1, Home: 0, End: last }[event.key];
    if (next === undefined) return;
    choose(bar.children[next > last ? 0 : next < 0 ? last : next].dataset.name, true);
    onChoose(state.chosen);
    event.preventDefault();
    event.stopPropagation();
  });
  return {
    element: bar,
    get chosen() { return state.chosen; },
    /** Offer [name, title] pairs; what was chosen stays chosen while it is offered. */
    set(offered) {
      const same = offered.length === bar.children.length
        && offered.every(([name, title], at) => bar.children[at].dataset.name === name && bar.children[at].textContent === title);
      if (same) return;
      bar.replaceChildren(
        ...offered.map(([name, title]) => {
          const tab = make("button", { type: "button", role: "tab", class: "goat-tab", text: title, "data-name": name, "aria-controls": panel.id });
          tab.addEventListener("click", () => {
            choose(name, false);
            onChoose(name);
          });
          return tab;
        }),
      );
      choose(offered.some(([name]) => name === state.chosen) ? state.chosen : offered[0]?.[0] ?? null, false);
    },
  };
}

/** A polite live region: what is said within a moment is said together, and nothing twice in a row. */
function makeHerald() {
  const element = make("div", { class: "goat-sr", role: "status", "aria-live": "polite", "aria-atomic": "true" });
  const waiting = new Map();
  let timer = 0;
  return {
    element,
    /** The latest sentence about each subject is said. */
    say(subject, sentence) {
      waiting.set(subject, sentence);
      timer ||= setTimeout(() => {
        timer = 0;
        element.textContent = [...waiting.values()].join(" ");
        waiting.clear();
      }, 700);
    },
    destroy: () => clearTimeout(timer),
  };
}
