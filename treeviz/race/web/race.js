// The charts of a race: drawn in place when new laps arrive, and linked by one race clock. A contestant's lap at a moment
// is the last one whose seconds have passed. Pointing shows a moment, a click or the slider holds it, Escape lets it go.

const races = new WeakMap();
const HEIGHT = 250;
const SLIDER_STEPS = 1000;
const COLUMNS = {
  done: "iterations done",
  touched: "neurons moved",
  modified: "tree nodes changed",
  amortized_operations: "operations per iteration",
  amortized_seconds: "seconds per iteration",
};
// Outlines around (0, 0), of radius 1; the open ones are drawn as strokes.
const MARKERS = {
  circle: "M-1 0a1 1 0 1 0 2 0a1 1 0 1 0-2 0Z",
  square: "M-.9-.9H.9V.9H-.9Z",
  triangle: "M0-1.15L1.05 .8H-1.05Z",
  diamond: "M0-1.3L1.15 0L0 1.3L-1.15 0Z",
  cross: "M-1.2 0H1.2M0-1.2V1.2",
  saltire: "M-.95-.95L.95 .95M-.95 .95L.95-.95",
  wedge: "M0 1.15L1.05-.8H-1.05Z",
  star: "M0-1.4L.4-.45L1.35-.4L.6 .2L.85 1.15L0 .6L-.85 1.15L-.6 .2L-1.35-.4L-.4-.45Z",
};

const clamp = (value, low, high) => Math.max(low, Math.min(value, high));
const grouped = (value) => value.toLocaleString("en-US", { maximumFractionDigits: value < 100 ? 2 : 0 });
const superscript = (power) => String(power).replace(/./g, (sign) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[sign] ?? "⁻");
const escape = (text) => text.replace(/[&<>"]/g, (sign) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[sign]);

function scientific(value, digits) {
  if (value === 0 || (Math.abs(value) >= 1e-3 && Math.abs(value) < 1e6)) return String(Number(value.toPrecision(digits)));
  const [number, power] = value.toExponential(digits - 1).split("e");
  const ten = `10${superscript(Number(power))}`;
  return Number(number) === 1 ? ten : `${Number(number)}·${ten}`;
}

const FORMATS = {
  count: grouped,
  loss: (value) => scientific(value, 6),
  seconds: (value) => `${value >= 100 ? value.toFixed(1) : scientific(value, 4)} s`,
};

function compact(value) {
  const [limit, unit] = [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"]].find(([limit]) => value >= limit) ?? [1, ""];
  return `${Number((value / limit).toPrecision(3))}${unit}`;
}

function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

function marker(contestant, x, y, radius) {
  const isOpen = ["cross", "saltire"].includes(contestant.marker);
  const scale = `translate(${x.toFixed(1)} ${y.toFixed(1)}) scale(${radius})`;
  const paint = `fill="${isOpen ? "none" : contestant.color}" ${isOpen ? `style="stroke:${contestant.color}"` : ""}`;
  const path = `d="${MARKERS[contestant.marker]}" transform="${scale}" vector-effect="non-scaling-stroke"`;
  return `<path class="mark${isOpen ? " open" : ""}" ${path} ${paint}/>`;
}

// Index of the last lap at or before `moment`, -1 before the first; null stands for now.
function lapAt(contestant, moment) {
  const { seconds } = contestant.columns;
  if (moment === null) return seconds.length - 1;
  let [low, high] = [0, seconds.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (seconds[middle] <= moment) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

// A scale from the numbers of an axis to pixels, with its ticks as [position, text].
function makeScale(axis, values, pixels, maxTicks, isSnapped) {
  const finite = values.filter((value) => value !== null).map((value) => (axis.is_log && value <= 0 ? axis.floor : value));
  let low = finite.length ? finite.reduce((a, b) => Math.min(a, b)) : 0.1;
  let high = finite.length ? finite.reduce((a, b) => Math.max(a, b)) : 1;
  const ticks = [];
  if (axis.is_log) {
    [low, high] = [Math.log10(low), Math.log10(high)];
    if (isSnapped) [low, high] = [axis.floor_label ? low : Math.floor(low + 1e-9), Math.ceil(high - 1e-9)];
    if (high - low < 0.5) [low, high] = [low - 0.25, high + 0.25];
    const [first, last] = [Math.ceil(low - 1e-9), Math.floor(high + 1e-9)];
    const step = Math.max(1, Math.ceil((last - first + 1) / maxTicks));
    const isPlain = first >= -3 && last <= 3;
    const isFine = last - first < 1;
    for (let power = first - 1; power <= last + 1; power += 1) {
      if ((power - first) % step && !isFine) continue;
      for (const factor of isFine ? [1, 2, 5] : [1]) {
        const at = power + Math.log10(factor);
        if (at < low - 1e-9 || at > high + 1e-9 || (axis.floor_label && at < 0)) continue;
        const ten = `10${superscript(power)}`;
        ticks.push([at, isPlain ? String(Number((factor * 10 ** power).toPrecision(2))) : factor === 1 ? ten : `${factor}·${ten}`]);
      }
    }
    if (axis.floor_label && finite.includes(axis.floor)) ticks.push([Math.log10(axis.floor), axis.floor_label]);
  } else {
    low = Math.min(low, 0);
    if (high <= low) high = low + 1;
    const rough = (high - low) / maxTicks;
    const unit = 10 ** Math.floor(Math.log10(rough));
    let step = [1, 2, 5, 10].map((factor) => factor * unit).find((step) => step >= rough);
    if (axis.format === "count") step = Math.max(step, 1);
    for (let index = Math.ceil(low / step); index * step <= high; index += 1) {
      const value = index * step;
      ticks.push([value, axis.format === "count" && high >= 1e4 ? compact(value) : scientific(value, 4)]);
    }
  }
  const margin = 0.03 * (high - low);
  [low, high] = [low - (axis.is_log || low < 0 ? margin : 0), high + margin];
  const [start, end] = pixels;
  const place = (at) => start + ((at - low) / (high - low)) * (end - start);
  const scale = (value) => place(axis.is_log ? Math.log10(value > 0 ? value : axis.floor) : value);
  scale.ticks = ticks.map(([at, text]) => [place(at), text]);
  scale.invert = (pixel) => {
    const at = low + ((pixel - start) / (end - start)) * (high - low);
    return axis.is_log ? 10 ** at : at;
  };
  return scale;
}

class LineChart {
  constructor(race, chart) {
    this.race = race;
    this.figure = document.createElement("figure");
    this.figure.dataset.chart = chart.key;
    this.figure.innerHTML = `<figcaption><h3></h3><p class="y"></p></figcaption>
      <svg class="plot" role="img" height="${HEIGHT}"><g class="back"></g><g class="traces"></g><g class="here"></g></svg>`;
    const part = (selector) => this.figure.querySelector(selector);
    this.svg = part("svg");
    [this.back, this.traces, this.here, this.title, this.unit] = [".back", ".traces", ".here", "h3", ".y"].map(part);
    this.svg.addEventListener("pointermove", (event) => race.point(this, event));
    this.svg.addEventListener("pointerdown", (event) => race.point(this, event));
    this.svg.addEventListener("pointerleave", () => race.leave());
    this.svg.addEventListener("click", () => race.hold());
  }

  draw(chart, contestants) {
    const width = this.figure.clientWidth;
    if (!width) return;
    this.chart = chart;
    setText(this.title, chart.title);
    setText(this.unit, `↑ ${chart.y_axis.title}`);
    this.svg.setAttribute("aria-label", `${chart.title}. ${chart.about} The numbers are in the table above.`);
    const drawn = contestants.filter(({ columns, reference }) => columns[chart.y] && (chart.has_references || !reference));
    const valuesOf = (column) => (column ? drawn.flatMap(({ columns }) => columns[column]) : []);
    const yValues = [...valuesOf(chart.y), ...valuesOf(chart.bare), ...(chart.rule === null ? [] : [chart.rule])];
    const [top, bottom, right] = [12, HEIGHT - 44, width - 10];
    const y = makeScale(chart.y_axis, yValues, [bottom, top], 6, true);
    const left = 10 + 7 * Math.max(2, ...y.ticks.map(([, text]) => text.length));
    const x = makeScale(chart.x_axis, valuesOf(chart.x), [left, right], Math.max(3, Math.floor((right - left) / 62)), false);
    Object.assign(this, { x, y, left, right, top, bottom });
    this.lines = drawn.map((contestant) => ({
      contestant,
      points: contestant.columns[chart.x].map((value, lap) => {
        const height = contestant.columns[chart.y][lap];
        return value === null || height === null ? null : [x(value), y(height)];
      }),
    }));
    this.drawBack(chart, width);
    this.traces.innerHTML = this.lines.map((line, order) => this.trace(line, order, chart)).join("") + this.rule(chart);
    this.mark();
  }

  drawBack(chart, width) {
    const { x, y, left, right, top, bottom } = this;
    const parts = y.ticks.map(
      ([at, text]) => `<path class="grid" d="M${left} ${at.toFixed(1)}H${right}"/><text x="${left - 6}" y="${(at + 4).toFixed(1)}" text-anchor="end">${text}</text>`,
    );
    for (const [at, text] of x.ticks) {
      parts.push(`<path class="grid" d="M${at.toFixed(1)} ${top}V${bottom}"/>`);
      const anchor = at > right - 12 ? "end" : "middle";
      parts.push(`<text x="${(anchor === "end" ? right + 8 : at).toFixed(1)}" y="${bottom + 16}" text-anchor="${anchor}">${text}</text>`);
    }
    parts.push(`<text x="${((left + right) / 2).toFixed(1)}" y="${HEIGHT - 8}" text-anchor="middle">${escape(chart.x_axis.title)} →</text>`);
    this.svg.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
    this.back.innerHTML = parts.join("");
  }

  rule({ rule, rule_label }) {
    if (rule === null || this.y(rule) > this.bottom - 4) return ""; // on a linear axis it would lie on the axis
    const at = this.y(rule).toFixed(1);
    const label = `<text class="rule-label" x="${this.left + 4}" y="${at - 5}">${escape(rule_label)} ${scientific(rule, 3)}</text>`;
    return `<path class="rule" d="M${this.left} ${at}H${this.right}"/>${label}`;
  }

  trace({ contestant, points }, order, chart) {
    const { color, dash, columns, reference } = contestant;
    const path = (points) => points.reduce((d, point, index) => {
      if (!point) return d;
      const [px, py] = point.map((pixel) => pixel.toFixed(1));
      if (!d || !points[index - 1]) return `${d}M${px} ${py}`;
      return reference ? `${d}H${px}V${py}` : `${d}L${px} ${py}`;
    }, "");
    const parts = [`<path class="trace" d="${path(points)}" stroke="${color}" stroke-dasharray="${chart.bare ? "" : dash}"/>`]; // dots mean "without building" there
    if (chart.bare) {
      const bare = columns[chart.x].map((value, lap) => (columns[chart.bare][lap] === null ? null : [this.x(value), this.y(columns[chart.bare][lap])]));
      parts.push(`<path class="trace bare" d="${path(bare)}" stroke="${color}"/>`);
    }
    const last = points[points.length - 1];
    if (reference && last) parts.push(`<path class="trace level" d="M${last[0].toFixed(1)} ${last[1].toFixed(1)}H${this.right}" stroke="${color}"/>`);
    // A marker about every 70 pixels; neighbours in the list start at different places.
    let next = this.left + 12 * order;
    for (const point of points) {
      if (!point || point[0] < next) continue;
      parts.push(marker(contestant, ...point, 4));
      next = point[0] + 70;
    }
    return parts.join("");
  }

  // Show where every contestant is at the race's moment.
  mark() {
    if (!this.lines) return;
    const { moment } = this.race;
    const parts = [];
    if (moment !== null && this.chart.x === "seconds") {
      const at = clamp(this.x(moment), this.left, this.right);
      parts.push(`<path class="moment" d="M${at.toFixed(1)} ${this.top}V${this.bottom}"/>`);
    }
    for (const { contestant, points } of this.lines) {
      const point = points[lapAt(contestant, moment)];
      if (point) parts.push(marker(contestant, ...point, contestant.key === this.race.near ? 8.5 : 6.5));
    }
    this.here.innerHTML = parts.join("");
  }

  // The moment at a pixel, and the contestant nearest to it: on the time axis any moment, else that of the nearest lap.
  find(px, py) {
    let best = { distance: Infinity };
    const isTime = this.chart?.x === "seconds";
    const moment = isTime ? this.x.invert(clamp(px, this.left, this.right)) : null;
    for (const { contestant, points } of this.lines ?? []) {
      const lap = isTime ? lapAt(contestant, moment) : null;
      points.forEach((point, index) => {
        if (!point || (isTime && index !== lap)) return;
        const distance = Math.hypot(isTime ? 0 : point[0] - px, point[1] - py);
        if (distance < best.distance) best = { distance, contestant, lap: index, moment: moment ?? contestant.columns.seconds[index] };
      });
    }
    return isTime && !best.contestant ? { moment } : best;
  }
}

class PhaseChart {
  constructor(race, chart) {
    this.figure = document.createElement("figure");
    this.figure.className = "wide";
    this.figure.dataset.chart = chart.key;
    this.figure.innerHTML = `<figcaption><h3></h3><p class="y"></p></figcaption><div class="bars"></div><div class="key" aria-hidden="true"></div>`;
    [this.title, this.about, this.bars, this.key] = ["h3", ".y", ".bars", ".key"].map((part) => this.figure.querySelector(part));
  }

  draw(chart, contestants, phases) {
    setText(this.title, chart.title);
    setText(this.about, chart.about);
    const totals = contestants.map((contestant) => Object.values(contestant.phases).reduce((a, b) => a + b, 0));
    const most = Math.max(...totals, 1);
    const names = contestants.map(({ title }) => title).join("\n");
    if (this.names !== names) {
      this.names = names;
      const spans = phases.map(({ name, color, hatched }) => `<span class="${hatched ? "hatched" : ""}" style="--own:${color};background-color:${color}" data-phase="${name}"><i></i></span>`).join("");
      this.bars.innerHTML = contestants.map(({ title }) => `<div>${escape(title)}</div><div class="bar" role="img">${spans}</div><div></div>`).join("");
      this.key.innerHTML = phases.map(({ name, color, hatched }) => `<span data-phase="${name}"><i class="${hatched ? "hatched" : ""}" style="background-color:${color}"></i>${name}</span>`).join("");
    }
    const used = new Set(contestants.flatMap((contestant) => Object.keys(contestant.phases)));
    for (const entry of this.key.children) entry.hidden = !used.has(entry.dataset.phase);
    contestants.forEach((contestant, row) => {
      const [, bar, end] = [...this.bars.children].slice(3 * row, 3 * row + 3);
      const full = chart.is_share ? totals[row] || 1 : most;
      const shares = [];
      for (const span of bar.children) {
        const name = span.dataset.phase;
        const count = contestant.phases[name] ?? 0;
        const percent = Number(((100 * count) / (totals[row] || 1)).toPrecision(2));
        span.style.display = count ? "" : "none";
        span.style.flex = `0 1 ${(100 * count) / full}%`;
        span.title = `${contestant.title}, ${name}: ${grouped(count)} operations, ${percent} %`;
        const room = (bar.clientWidth * count) / full;
        setText(span.firstChild, room > 8 * name.length + 50 ? `${name} ${percent} %` : room > 8 * name.length + 8 ? name : "");
        if (count) shares.push(`${name} ${percent} %`);
      }
      bar.setAttribute("aria-label", `${contestant.title}: ${grouped(totals[row])} operations; ${shares.join(", ")}`);
      setText(end, totals[row] ? compact(totals[row]) : "–");
      end.title = `${grouped(totals[row])} operations`;
    });
  }

  mark() {}
}

class Race {
  constructor(element) {
    this.element = element;
    this.hovered = this.held = this.near = this.pointed = null;
    element.innerHTML = `
      <div class="clock"><output></output>
        <input type="range" min="0" max="${SLIDER_STEPS}" value="${SLIDER_STEPS}" aria-label="Race clock" />
        <button type="button" disabled>Back to now</button></div>
      <p class="hint">Point at a chart, or move the slider, to see where everybody was at that moment; a click holds it.</p>
      <div class="table" tabindex="0" role="region" aria-label="Everybody at that moment"><table><caption class="hidden">The contestants at the moment of the race clock</caption>
        <thead><tr><th scope="col">contestant</th><th scope="col">iteration</th><th scope="col">loss</th>
        <th scope="col">operations</th><th scope="col">time</th></tr></thead><tbody></tbody></table></div>
      <div class="charts"></div><div class="tip" hidden aria-hidden="true"></div>`;
    const part = (selector) => element.querySelector(selector);
    [this.output, this.slider, this.button, this.rows, this.grid, this.tip] = ["output", "input", "button", "tbody", ".charts", ".tip"].map(part);
    this.slider.addEventListener("input", () => this.holdAt(this.momentOf(Number(this.slider.value))));
    this.button.addEventListener("click", () => this.holdAt(null));
    this.onKey = (event) => event.key === "Escape" && this.holdAt(null);
    element.addEventListener("keydown", this.onKey);
    this.observer = new ResizeObserver(() => this.data && element.clientWidth !== this.width && this.draw());
    this.observer.observe(element);
    this.charts = [];
  }

  get moment() {
    return this.hovered ?? this.held;
  }

  receive(data) {
    this.element.hidden = !data.contestants.length; // there is nothing to see yet
    if (this.element.hidden) return;
    this.data = data;
    const keys = data.charts.map(({ key }) => key).join();
    if (keys !== this.keys) {
      this.keys = keys;
      this.charts = data.charts.map((chart) => new (chart.kind === "phases" ? PhaseChart : LineChart)(this, chart));
      this.grid.replaceChildren(...this.charts.map(({ figure }) => figure));
    }
    this.draw();
  }

  draw() {
    const { charts, contestants, phases } = this.data;
    this.width = this.element.clientWidth;
    const titles = contestants.map(({ key, title }) => `${key} ${title}`).join("\n");
    if (titles !== this.titles) {
      this.titles = titles;
      this.rows.innerHTML = contestants.map((contestant) => {
        const line = `<path class="trace" d="M0 8H46" stroke="${contestant.color}" stroke-dasharray="${contestant.dash}"/>`;
        const swatch = `<svg viewBox="0 0 46 16" aria-hidden="true">${line}${marker(contestant, 23, 8, 5)}</svg>`;
        return `<tr><th scope="row">${swatch}${escape(contestant.title)}</th>${"<td></td>".repeat(4)}</tr>`;
      }).join("");
    }
    const times = contestants.flatMap(({ columns }) => columns.seconds.filter((value) => value !== null));
    this.last = times.length ? times.reduce((a, b) => Math.max(a, b)) : 1;
    const positive = times.filter((value) => value > 0);
    this.first = positive.length ? positive.reduce((a, b) => Math.min(a, b)) : this.last / 1000;
    this.isLog = charts.some(({ x, x_axis }) => x === "seconds" && x_axis.is_log);
    this.charts.forEach((view, index) => view.draw(charts[index], contestants, phases));
    if (this.pointed) this.look();
    this.show();
  }

  momentOf(step) {
    if (step >= SLIDER_STEPS) return null;
    const share = step / SLIDER_STEPS;
    return this.isLog ? this.first * (this.last / this.first) ** share : this.last * share;
  }

  stepOf(moment) {
    if (moment === null) return SLIDER_STEPS;
    const share = this.isLog ? Math.log(moment / this.first) / Math.log(this.last / this.first) : moment / this.last;
    return Number.isFinite(share) ? clamp(Math.round(SLIDER_STEPS * share), 0, SLIDER_STEPS) : SLIDER_STEPS;
  }

  point(view, event) {
    this.pointed = { view, x: event.clientX, y: event.clientY };
    if (this.isDue) return;
    this.isDue = true;
    requestAnimationFrame(() => {
      this.isDue = false;
      this.look();
      this.show();
    });
  }

  leave() {
    this.pointed = this.hovered = this.near = null;
    this.tip.hidden = true;
    this.show();
  }

  // Read off what the pointer is at; done again when new laps move the lines under it.
  look() {
    if (!this.pointed) return;
    const { view, x, y } = this.pointed;
    const box = view.svg.getBoundingClientRect();
    const { contestant, lap, moment } = view.find(x - box.left, y - box.top);
    this.hovered = moment ?? null;
    this.near = contestant?.key ?? null;
    this.tip.hidden = !contestant;
    if (!contestant) return;
    const { columns, title } = contestant;
    const { chart } = view;
    const value = (column, format) => (columns[column][lap] === null ? "not finite" : format(columns[column][lap]));
    const lines = [`iteration ${value("iteration", grouped)}`, `loss ${value("loss", FORMATS.loss)}`, `${value("operations", grouped)} operations`, value("seconds", FORMATS.seconds)];
    if (COLUMNS[chart.y]) lines.push(`${COLUMNS[chart.y]}: ${value(chart.y, FORMATS[chart.y_axis.format])}`);
    if (chart.bare) lines.push(`without building: ${value(chart.bare, FORMATS[chart.y_axis.format])}`);
    this.tip.innerHTML = `<b>${escape(title)}</b>${lines.join("<br>")}`;
    const frame = this.element.getBoundingClientRect();
    const [width, height] = [this.tip.offsetWidth, this.tip.offsetHeight];
    const beside = x + 16 + width > frame.right ? x - 16 - width : x + 16;
    this.tip.style.left = `${clamp(beside - frame.left, 0, Math.max(0, frame.width - width))}px`;
    this.tip.style.top = `${y - frame.top + (y + 20 + height > innerHeight ? -height - 14 : 20)}px`;
  }

  hold() {
    this.held = this.held !== null && this.stepOf(this.held) === this.stepOf(this.hovered) ? null : this.hovered;
    this.show();
  }

  holdAt(moment) {
    this.held = moment;
    this.hovered = null;
    this.show();
  }

  show() {
    if (!this.data) return;
    const { moment } = this;
    const text = moment === null ? "now" : FORMATS.seconds(moment);
    setText(this.output, `Race clock: ${text}${this.held !== null && this.hovered === null ? ", held" : ""}`);
    const step = String(this.stepOf(moment));
    if (this.slider.value !== step) this.slider.value = step;
    this.slider.setAttribute("aria-valuetext", text);
    this.button.disabled = this.held === null;
    for (const view of this.charts) view.mark();
    this.data.contestants.forEach((contestant, index) => {
      const { columns, key } = contestant;
      const row = this.rows.children[index];
      const lap = lapAt(contestant, moment);
      row.classList.toggle("near", key === this.near);
      const cell = (column, format) => (lap < 0 ? "–" : columns[column][lap] === null ? "not finite" : format(columns[column][lap]));
      const texts = [cell("iteration", grouped), cell("loss", FORMATS.loss), cell("operations", grouped), cell("seconds", FORMATS.seconds)];
      texts.forEach((text, column) => setText(row.children[column + 1], text));
    });
  }

  close() {
    this.observer.disconnect();
  }
}

export default function ({ parentElement, data }) {
  const element = parentElement.querySelector(".race");
  let race = races.get(parentElement);
  if (race?.element !== element) {
    race?.close();
    races.set(parentElement, (race = new Race(element)));
  }
  if (data) race.receive(data);
  // Streamlit also cleans up after a call that newer data overtook: then the charts are still on the page, and go on.
  return () =>
    setTimeout(() => {
      if (element.isConnected) return;
      race.close();
      if (races.get(parentElement) === race) races.delete(parentElement);
    });
}
