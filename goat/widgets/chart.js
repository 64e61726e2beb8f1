// Charts with plotly.js, which comes once per page from the kernel (never from the network).

const ASK_AGAIN_MS = 8000;
const LOOK_MS = 100;

/** plotly.js of this page: asked from the kernel by whichever widget needs it first, and again until it is here. */
function loadPlotly(model) {
  const page = (globalThis[Symbol.for("goat.plotly")] ??= { script: null, asked: -Infinity, waiting: new Map() });
  if (page.script) return page.script;
  if (page.waiting.has(model)) return page.waiting.get(model);
  const loaded = new Promise((resolve, reject) => {
    const hear = (content, buffers) => {
      if (content?.plotly === "gzip") page.script ??= unpack(buffers[0]);
    };
    const look = () => {
      if (page.script) {
        clearInterval(looking);
        model.off("msg:custom", hear);
        page.waiting.delete(model);
        page.script.then(resolve, (error) => {
          page.script = null; // the next chart asks anew
          page.asked = -Infinity;
          reject(error);
        });
      } else if (performance.now() - page.asked > ASK_AGAIN_MS) {
        page.asked = performance.now(); // by any widget: the first one's kernel may be gone
        model.send({ want: "plotly" });
      }
    };
    model.on("msg:custom", hear);
    const looking = setInterval(look, LOOK_MS);
    look();
  });
  page.waiting.set(model, loaded);
  return loaded;
}

async function unpack(buffer) {
  const stream = new Blob([buffer]).stream().pipeThrough(new DecompressionStream("gzip"));
  const text = await new Response(stream).text();
  // As a module of its own: nothing becomes global, and a page's AMD loader is left alone.
  const module = `const module={exports:{}},exports=module.exports,define=undefined;${text}\nexport default module.exports;`;
  const url = URL.createObjectURL(new Blob([module], { type: "text/javascript" }));
  try {
    return (await import(/* @vite-ignore */ url)).default;
  } finally {
    URL.revokeObjectURL(url);
  }
}

/** The colours of the page, as it is now (light or dark). */
function colours(element) {
  const style = getComputedStyle(element);
  const read = (name) => style.getPropertyValue(name).trim();
  return {
    text: read("--goat-text"),
    soft: read("--goat-soft"),
    line: read("--goat-line"),
    own: read("--goat-own"),
    best: read("--goat-accent"),
    paper: "rgba(0,0,0,0)",
    wide: element.clientWidth > 500,
  };
}

function layout(theme, xTitle, yTitle) {
  const axis = { gridcolor: theme.line, zerolinecolor: theme.line, linecolor: theme.line, automargin: true };
  return {
    paper_bgcolor: theme.paper,
    plot_bgcolor: theme.paper,
    font: { color: theme.text, size: 12 },
    margin: { l: 52, r: 12, t: 8, b: 40 },
    height: 340,
    xaxis: { ...axis, title: { text: xTitle } },
    yaxis: { ...axis, title: { text: yTitle } },
    legend: { orientation: "h", yanchor: "bottom", y: 1.02, x: 0 },
    hoverlabel: { namelength: -1 },
    bargap: 0.06,
  };
}

/** plotly's labels read a subset of HTML: what people wrote is escaped. */
function escaped(text) {
  return String(text).replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);
}

function scoreTitle(unit) {
  return unit ? `score (${escaped(unit)})` : "score";
}

/** Points [seconds, score] → those that beat all before them, in time order. */
function bestSoFar(points, up) {
  const steps = [];
  for (const point of [...points].sort((a, b) => a[0] - b[0])) {
    if (!steps.length || (up ? point[1] > steps.at(-1)[1] : point[1] < steps.at(-1)[1])) steps.push(point);
  }
  return steps;
}

/** Keep how far this browser's clock is from the service's, whose time the kernel tells as `now`. */
function followClock(model) {
  const note = () => model.set("clock_ahead", Date.now() - 1000 * model.get("now"));
  model.on("change:now", note);
  note();
}

/** The service's time in seconds since 1970; 0 if it was never told. */
function serviceNow(model) {
  return model.get("now") ? (Date.now() - model.get("clock_ahead")) / 1000 : 0;
}

/** A line of [seconds, score] steps that only ever improves, and holds until now, so that the last step is seen. */
function stepLine(steps, now, name, color, width, more = {}) {
  const held = steps.length && now > steps.at(-1)[0] ? [...steps, [now, steps.at(-1)[1]]] : steps;
  const x = held.map((step) => new Date(step[0] * 1000));
  return { x, y: held.map((step) => step[1]), name, mode: "lines", line: { shape: "hv", color, width, ...more } };
}

/** Best over time until `now`: the board's, the leading teams', and the own team's submissions. All in [seconds, score]. */
function progressFigure({ best, leaders, own, now, unit, up, theme, names }) {
  const data = leaders.map(([name, steps], at) => ({
    ...stepLine(steps, now, escaped(name), theme.soft, 1, { dash: ["solid", "dash", "dot", "dashdot", "longdash"][at % 5] }),
    showlegend: theme.wide, // where there is no room, a touch on the line tells its name
    legendrank: 2000,
  }));
  if (best.length) data.push(stepLine(best, now, names.best, theme.best, 2.5));
  if (own.length) {
    const mine = bestSoFar(own, up);
    data.push(stepLine(mine, now, names.own, theme.own, 2));
    data.push({
      x: own.map((point) => new Date(point[0] * 1000)),
      y: own.map((point) => point[1]),
      name: names.points,
      mode: "markers",
      marker: { color: theme.own, size: 8 },
    });
  }
  return { data, layout: layout(theme, "submitted (your time)", scoreTitle(unit)) };
}

/** How many teams have which score, the own team's marked by a line. */
function distributionFigure(scores, mine, unit, theme) {
  const bins = Math.max(8, Math.min(40, Math.round(Math.sqrt(scores.length) * 1.6)));
  const data = [{ type: "histogram", x: scores, nbinsx: bins, marker: { color: theme.best }, name: "teams" }];
  const shape = layout(theme, scoreTitle(unit), "teams");
  if (scores.length <= 2 * bins) shape.yaxis.dtick = Math.ceil(scores.length / 10); // never half a team
  if (mine !== null) {
    shape.shapes = [
      { type: "line", x0: mine, x1: mine, yref: "paper", y0: 0, y1: 1, line: { color: theme.own, width: 3 } },
    ];
    shape.annotations = [
      { x: mine, yref: "paper", y: 1, text: "you", showarrow: false, font: { color: theme.own }, xshift: 16 },
    ];
  }
  shape.showlegend = false;
  return { data, layout: shape };
}

/** 1, 2 and 5 times powers of ten between two numbers, written out. */
function ticksBetween(from, to) {
  const tickvals = [];
  for (let power = 10 ** Math.floor(Math.log10(from)); power <= to; power *= 10) {
    tickvals.push(...[1, 2, 5].map((digit) => digit * power).filter((value) => value >= from && value <= to));
  }
  return { tickvals, ticktext: tickvals.map((value) => String(Number(value.toPrecision(3)))) };
}

/** Where a mark's name goes: away from the near edge. */
function placeOfName(surface, x) {
  if (!surface) return "top center";
  const scale = surface.logarithmic ? Math.log10 : (value) => value;
  const [from, to, at] = [surface.x[0], surface.x.at(-1), x].map(scale);
  const share = (at - from) / (to - from);
  return share < 0.2 ? "top right" : share > 0.8 ? "top left" : "top center";
}

/**
 * Teams { x, y, name, own, first, lines: [[title, value]] } over the lines of equal score of a surface
 * (see goat/surface.py); `titles` by the name of a metric.
 */
function speedFigure({ teams, surface, titles, theme }) {
  const data = [];
  if (surface) {
    data.push({
      type: "contour", x: surface.x, y: surface.y, z: surface.z, name: surface.said, showlegend: true,
      showscale: false, hoverinfo: "skip", ncontours: 12, line: { width: 1 },
      colorscale: [[0, theme.soft], [1, theme.soft]],
      contours: { coloring: "lines", showlabels: true, labelfont: { color: theme.soft, size: 11 } },
    });
  }
  for (const own of [false, true]) {
    const part = teams.filter((team) => team.own === own);
    if (!part.length) continue;
    data.push({
      type: "scatter", mode: "markers+text", cliponaxis: false, name: own ? "your team" : "teams",
      x: part.map((team) => team.x), y: part.map((team) => team.y),
      text: part.map((team) => (own ? "you" : team.first ? `best: ${escaped(team.name.slice(0, 24))}` : "")),
      textposition: part.map((team) => placeOfName(surface, team.x).replace("top", own ? "bottom" : "top")), textfont: { color: own ? theme.own : theme.text },
      marker: { color: own ? theme.own : theme.best, size: own ? 13 : 9, line: { color: theme.line, width: 1 } },
      customdata: part.map(({ name, lines }) => [`<b>${escaped(name)}</b>`, ...lines.map(([title, value]) => `${escaped(title)}: ${escaped(value)}`)].join("<br>")),
      hovertemplate: "%{customdata}<extra></extra>",
    });
  }
  const shape = layout(theme, surface ? escaped(titles[surface.across]) : "", surface ? escaped(titles[surface.up]) : "");
  if (surface) {
    const ends = [surface.x[0], surface.x.at(-1)];
    if (surface.logarithmic) Object.assign(shape.xaxis, { type: "log", range: ends.map(Math.log10), ...ticksBetween(...ends) });
    else shape.xaxis.range = ends;
    const [low, high] = [surface.y[0], surface.y.at(-1)];
    shape.yaxis.range = [low, high + 0.06 * (high - low)]; // room for a mark and its name
  }
  return { data, layout: shape };
}

/** Draw into `place`; `sentence` says the same to a screen reader. Only the latest figure is drawn. */
async function draw(model, place, figure, sentence) {
  place.setAttribute("role", "img");
  place.setAttribute("aria-label", sentence);
  place.goatFigure = figure;
  if (!place.dataset.drawn) place.textContent = "Loading the chart …";
  try {
    const Plotly = await loadPlotly(model);
    if (place.goatFigure !== figure) return;
    if (!place.dataset.drawn) place.replaceChildren();
    place.dataset.drawn = "yes";
    await Plotly.react(place, figure.data, figure.layout, { displaylogo: false, responsive: true, displayModeBar: false });
    // What was hidden while the page changed its width has not noticed.
    if (place.clientWidth && Math.abs(place._fullLayout.width - place.clientWidth) > 1) await Plotly.Plots.resize(place);
  } catch (error) {
    delete place.dataset.drawn;
    place.textContent = `The chart could not be drawn (${error.message}). ${sentence}`;
  }
}

/** Call `redraw` when the page changes between light and dark. */
function onTheme(redraw) {
  const watcher = new MutationObserver(redraw);
  watcher.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light", "data-jp-theme-name"] });
  return () => watcher.disconnect();
}
