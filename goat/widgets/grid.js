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

/**
 * columns: [{ title, name (class), cell(row, element) }]; rows come by `show(rows, isOwn, key)`.
 * Keyboard: arrows, Page Up and Down, Home, End move the active row.
 */
function makeGrid(label, columns) {
  const id = `goat-${Math.random().toString(36).slice(2)}`;
  const body = make("div", { role: "rowgroup", class: "goat-body" });
  const head = make("div", { role: "row", class: "goat-row goat-head", "aria-rowindex": "1" });
  for (const column of columns) {
    head.append(make("div", { role: "columnheader", class: `goat-cell ${column.name}`, text: column.title, title: column.hint }));
  }
  const grid = make(
    "div",
    { role: "grid", class: "goat-grid", tabindex: "0", "aria-label": label, "aria-colcount": columns.length },
    make("div", { role: "rowgroup", class: "goat-sticky" }, head),
    body,
  );
  const state = { rows: [], own: () => false, key: (row) => row, active: -1, changed: new Map() };
  const made = new Map(); // key → element, kept while in view so that focus and flashes survive

  function visible() {
    const top = Math.max(0, Math.floor(grid.scrollTop / ROW_HEIGHT) - SPARE);
    const count = Math.ceil((grid.clientHeight || 420) / ROW_HEIGHT) + 2 * SPARE;
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
        for (const column of columns) line.append(make("div", { role: "gridcell", class: `goat-cell ${column.name}` }));
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
      line.classList.toggle("goat-own", state.own(row));
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
    paint();
    grid.setAttribute("aria-activedescendant", `${id}-${state.active}`);
  }

  let waiting = 0;
  grid.addEventListener("scroll", () => {
    cancelAnimationFrame(waiting);
    waiting = requestAnimationFrame(paint);
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
  const resized = new ResizeObserver(paint);
  resized.observe(grid);

  return {
    element: grid,
    activate,
    show(rows, own, key, changed = []) {
      const activeKey = state.rows[state.active] ? state.key(state.rows[state.active]) : null;
      Object.assign(state, { rows, own, key });
      state.active = activeKey === null ? -1 : rows.findIndex((row) => key(row) === activeKey);
      for (const one of changed) state.changed.set(one, performance.now() + 1600);
      paint();
      if (changed.length) setTimeout(paint, 1700);
    },
    destroy: () => resized.disconnect(),
  };
}

/** Tabs or switches: one button of several is chosen. Arrow keys move between them. */
function makeTabs(label, onChoose) {
  const bar = make("div", { role: "tablist", class: "goat-tabs", "aria-label": label });
  let chosen = 0;
  function choose(index, focus) {
    chosen = index;
    [...bar.children].forEach((tab, at) => {
      tab.setAttribute("aria-selected", at === index);
      tab.tabIndex = at === index ? 0 : -1;
    });
    if (focus) bar.children[index]?.focus();
    onChoose(index);
  }
  bar.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    choose((chosen + step + bar.children.length) % bar.children.length, true);
    event.preventDefault();
    event.stopPropagation();
  });
  return {
    element: bar,
    set(titles) {
      if (titles.length === bar.children.length && titles.every((title, at) => bar.children[at].textContent === title)) return;
      bar.replaceChildren(
        ...titles.map((title, at) => {
          const tab = make("button", { type: "button", role: "tab", class: "goat-tab", text: title });
          tab.addEventListener("click", () => choose(at, false));
          return tab;
        }),
      );
      choose(Math.min(chosen, titles.length - 1), false);
    },
  };
}
