// Puts an interactive chart in the place of a static one, from the specification that the server gives for the same
// answer. The static one keeps its room, so that nothing moves; if anything fails, it stays.
//
// A pointer and the arrow keys move one cursor along the periods (or rows, classes, numbers), and both read out the same
// words.

/** The scripts of others are classic ones; each is loaded once, in order, and only where there is a chart. */
const LIBRARIES = ["vega.min.js", "vega-lite.min.js"];

/** Height of a row of a ranking, as the server draws it. */
const ROW_HEIGHT = 33.6;

const DARK = matchMedia("(prefers-color-scheme: dark)");

function load(name) {
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = new URL(name, import.meta.url);
    script.onload = resolve;
    script.onerror = () => reject(new Error(`${name} could not be loaded`));
    document.head.append(script);
  });
}

let loaded;

async function libraries() {
  loaded ??= (async () => {
    for (const name of LIBRARIES) await load(name);
    const { expressionInterpreter } = await import("./vega-interpreter.js");
    return { vega: globalThis.vega, vegaLite: globalThis.vegaLite, expressionInterpreter };
  })();
  return loaded;
}

/** The specification with the colours that the page has at this moment. */
function themed(spec) {
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(name).trim();
  const [text, quiet] = [colour("--text"), colour("--quiet")];
  const config = structuredClone(spec.config);
  config.background = "transparent";
  config.font = getComputedStyle(document.body).fontFamily;
  config.mark.color = colour("--series-1");
  Object.assign(config.axis, { labelColor: quiet, titleColor: quiet, domainColor: quiet, gridColor: quiet, tickColor: quiet });
  config.legend.labelColor = text;
  config.range.category = ["--series-1", "--series-2", "--series-3", "--series-4", "--series-rest"].map(colour);
  config.style.before.color = text;
  config.style.gap.color = text;
  config.style.whisker.color = text;
  config.style.cursor.color = colour("--alive");
  config.style.name.color = text;
  config.style.value.color = quiet;
  // The page has the question as its title, and the read-outs in place of tooltips.
  const { title, ...rest } = spec;
  return { ...rest, config };
}

class Chart {
  constructor(place, spec, parts) {
    this.place = place;
    this.spec = spec;
    this.parts = parts;
    this.stops = spec.usermeta.stops;
    this.at = null;
    this.canvas = document.createElement("div");
    this.canvas.className = "canvas";
    this.read = place.querySelector(".read-out");
    place.querySelector(".stage").append(this.canvas);
  }

  /** The specification with as many rows of a ranking as there is room for; all else always has room. */
  fitted(height) {
    const { stops, field, classes } = this.spec.usermeta;
    if (field || classes || stops.every((stop) => stop.from !== undefined)) return this.spec;
    const rows = Math.max(Math.floor(height / ROW_HEIGHT), 1);
    this.stops = this.spec.usermeta.stops.slice(0, rows);
    if (this.at !== null && this.at >= rows) this.at = rows - 1;
    return { ...this.spec, datasets: { figures: this.spec.datasets.figures.slice(0, rows) } };
  }

  async draw() {
    const { vega, vegaLite, expressionInterpreter } = this.parts;
    const { width, height } = this.place.querySelector(".drawing").getBoundingClientRect();
    const spec = {
      ...themed(this.fitted(height)),
      width: Math.floor(width),
      height: Math.floor(height),
      autosize: { type: "fit", contains: "padding" },
    };
    const compiled = vegaLite.compile(spec).spec;
    // The interpreter walks the expressions' trees: nothing is made into code.
    const runtime = vega.parse(compiled, null, { ast: true });
    const view = new vega.View(runtime, {
      container: this.canvas,
      renderer: "svg",
      hover: false,
      expr: expressionInterpreter,
      loader: { load: refuse, sanitize: refuse },
      logLevel: vega.Error,
      tooltip: () => {},
    });
    await view.runAsync();
    this.view?.finalize();
    this.view = view;
    const drawn = this.canvas.querySelector("svg");
    drawn.setAttribute("aria-hidden", "true");
    drawn.removeAttribute("role");
    this.place.classList.add("drawn");
    this.limits();
    if (this.at !== null) await this.go(this.at);
  }

  /** Reads out the stop `at`; null reads nothing. */
  async go(at) {
    this.at = at;
    const stop = at === null ? null : this.stops[at];
    this.read.textContent = stop?.read ?? "";
    this.place.setAttribute("aria-valuenow", at ?? 0);
    this.place.setAttribute("aria-valuetext", stop?.read ?? "Nothing is chosen");
    await this.view.signal("chosen", stop?.at ?? null).runAsync();
  }

  /** The stop under a pointer. */
  under(event) {
    const box = this.canvas.getBoundingClientRect();
    const [left, top] = this.view.origin();
    const { field, classes } = this.spec.usermeta;
    if (classes) {
      const at = Math.floor(((event.clientX - box.left - left) / this.view.width()) * classes);
      return at >= 0 && at < classes ? at : null;
    }
    if (field) {
      const place = Math.floor(((event.clientX - box.left - left) / this.view.width()) * field.places);
      const line = Math.floor(((event.clientY - box.top - top) / this.view.height()) * field.lines);
      return this.square(line, place);
    }
    const isAlong = this.stops[0]?.from !== undefined;
    if (!isAlong) {
      const share = (event.clientY - box.top - top) / this.view.height();
      const at = Math.floor(share * this.stops.length);
      return at >= 0 && at < this.stops.length ? at : null;
    }
    const place = Number(this.view.scale("x").invert(event.clientX - box.left - left));
    const at = this.stops.findIndex((stop) => stop.from <= place && place < stop.to);
    return at < 0 ? null : at;
  }

  /** The stop of a square; null where there is none. */
  square(line, place) {
    const at = this.stops.findIndex((stop) => stop.line === line && stop.place === place);
    return at < 0 ? null : at;
  }

  /** The stop one line away, at the same place if there is one; else the next one. */
  beside(at, lines) {
    const { line, place } = this.stops[at];
    return line === undefined ? at + lines : (this.square(line + lines, place) ?? at + lines);
  }

  limits() {
    this.place.setAttribute("aria-valuemax", Math.max(this.stops.length - 1, 0));
  }

  listen() {
    const { place } = this;
    place.tabIndex = 0;
    place.setAttribute("role", "slider");
    place.setAttribute("aria-label", `Read the chart: ${this.spec.description}`);
    place.setAttribute("aria-valuemin", 0);
    place.addEventListener("pointermove", (event) => {
      const at = this.under(event);
      if (at !== this.at) this.go(at);
    });
    place.addEventListener("pointerleave", () => {
      if (document.activeElement !== place) this.go(null);
    });
    place.addEventListener("focus", () => this.at === null && this.go(this.stops.length - 1));
    place.addEventListener("blur", () => this.go(null));
    place.addEventListener("keydown", (event) => this.key(event));
  }

  key(event) {
    const last = this.stops.length - 1;
    const at = this.at ?? last;
    const page = Math.max(Math.round(last / 10), 1);
    const to = {
      ArrowRight: at + 1, ArrowDown: this.beside(at, 1), ArrowLeft: at - 1, ArrowUp: this.beside(at, -1),
      PageDown: at + page, PageUp: at - page, Home: 0, End: last, Escape: null,
    }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    this.go(to === null ? null : Math.min(Math.max(to, 0), last));
  }

  /** Follows the width of the page and its colours. */
  follow() {
    let waiting = false;
    const again = () => {
      if (waiting) return;
      waiting = true;
      requestAnimationFrame(async () => {
        waiting = false;
        await this.draw();
      });
    };
    let width = this.place.clientWidth;
    new ResizeObserver(() => {
      if (this.place.clientWidth === width) return;
      width = this.place.clientWidth;
      again();
    }).observe(this.place);
    DARK.addEventListener("change", again);
  }
}

function refuse() {
  return Promise.reject(new Error("a chart loads nothing"));
}

async function enhance(place) {
  const [answer, parts] = await Promise.all([fetch(place.dataset.chart), libraries()]);
  if (!answer.ok) throw new Error(`status ${answer.status}`);
  const chart = new Chart(place, await answer.json(), parts);
  if (chart.stops.length === 0) return;
  await chart.draw();
  chart.listen();
  await chart.go(null);
  chart.follow();
}

async function enhanceAll() {
  for (const place of document.querySelectorAll("[data-chart]")) {
    try {
      await enhance(place);
    } catch (error) {
      // The static chart stays, and says the same.
      place.classList.remove("drawn");
      place.classList.add("static");
      console.info(`The chart stays as it was drawn: ${error.message}`);
    }
  }
}

if (document.readyState === "complete") enhanceAll();
else addEventListener("load", enhanceAll, { once: true });
