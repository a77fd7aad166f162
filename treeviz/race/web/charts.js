// The charts of a race: lines against one another or time, and bars of the phases.

import { find, setText } from "../../style/web/dom.js";
import { clamp, compact, numeral, percent, things, total } from "../../style/web/numbers.js";
import { findLap, lapAt } from "./clock.js";
import { makeScale } from "./scale.js";
import { escapeText, linePath, markedPoints, markerAt, partLabel } from "./shapes.js";

/** @import { Found, Line } from "./clock.js" */
/** @import { Race } from "./race.js" */
/** @import { Scale } from "./scale.js" */
/** @import { Contestant, LineChart, PhaseChart, PhaseColor, Point } from "./types.js" */

const HEIGHT = 250;

/**
 * @typedef {object} Drawing what a line chart shows, and where
 * @property {LineChart} chart
 * @property {Line[]} lines
 * @property {Scale} x
 * @property {Scale} y
 * @property {number} left
 * @property {number} right
 * @property {number} top
 * @property {number} bottom
 */

export class LineView {
  /**
   * @param {Race} race
   * @param {LineChart} chart
   */
  constructor(race, chart) {
    this.race = race;
    /** @type {Drawing | null} */
    this.drawing = null;
    this.figure = document.createElement("figure");
    this.figure.dataset.chart = chart.key;
    this.figure.innerHTML = `<figcaption><h3></h3><p class="y"></p></figcaption>
      <svg class="plot" role="img" height="${HEIGHT}">
        <g class="back"></g><g class="traces"></g><g class="here"></g>
      </svg>`;
    this.svg = find(this.figure, "svg", SVGSVGElement);
    this.back = find(this.figure, ".back", SVGElement);
    this.traces = find(this.figure, ".traces", SVGElement);
    this.here = find(this.figure, ".here", SVGElement);
    this.title = find(this.figure, "h3", HTMLElement);
    this.unit = find(this.figure, ".y", HTMLElement);
    this.svg.addEventListener("pointermove", (event) => race.point(this, event));
    this.svg.addEventListener("pointerdown", (event) => race.point(this, event));
    this.svg.addEventListener("pointerleave", () => race.leave());
    this.svg.addEventListener("click", () => race.hold());
  }

  /**
   * @param {LineChart} chart
   * @param {Contestant[]} contestants
   */
  draw(chart, contestants) {
    const width = this.figure.clientWidth;
    if (!width) return;
    setText(this.title, chart.title);
    setText(this.unit, `↑ ${chart.y_axis.title}`);
    this.svg.setAttribute("aria-label", `${chart.title}. ${chart.about} The numbers are in the table above.`);
    const drawn = contestants.filter(
      ({ columns, reference }) => columns[chart.y] && (chart.has_references || !reference),
    );
    const valuesOf = (/** @type {string} */ column) => (column ? drawn.flatMap(({ columns }) => columns[column]) : []);
    const yValues = [...valuesOf(chart.y), ...valuesOf(chart.bare), chart.rule];
    const [top, bottom, right] = [12, HEIGHT - 44, width - 10];
    const y = makeScale(chart.y_axis, yValues, [bottom, top], 6, true);
    const left = 10 + 7 * Math.max(2, ...y.ticks.map(([, text]) => text.length));
    const maxTicks = Math.max(3, Math.floor((right - left) / 62));
    const x = makeScale(chart.x_axis, valuesOf(chart.x), [left, right], maxTicks, false);
    const lines = drawn.map((contestant) => ({ contestant, points: pointsOf(contestant, chart.x, chart.y, x, y) }));
    const drawing = { chart, lines, x, y, left, right, top, bottom };
    this.drawing = drawing;
    this.svg.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
    this.back.innerHTML = back(drawing);
    this.traces.innerHTML = lines.map((line, order) => trace(drawing, line, order)).join("") + rule(drawing);
    this.mark();
  }

  /** Show where every contestant is at the race's moment. */
  mark() {
    if (!this.drawing) return;
    const { chart, lines, x, left, right, top, bottom } = this.drawing;
    const { moment, near } = this.race;
    const parts = [];
    if (moment !== null && chart.x === "seconds") {
      const at = clamp(x.place(moment), left, right);
      parts.push(`<path class="moment" d="M${at.toFixed(1)} ${top}V${bottom}"/>`);
    }
    for (const { contestant, points } of lines) {
      const point = points[lapAt(contestant, moment)];
      if (point) parts.push(markerAt(contestant, point, contestant.key === near ? 8.5 : 6.5));
    }
    this.here.innerHTML = parts.join("");
  }

  /**
   * The moment at a pixel, and the contestant nearest to it: on the time axis any moment, else that of the nearest lap.
   * @param {Point} pixel
   * @returns {Found}
   */
  find(pixel) {
    if (!this.drawing) return { moment: null, lap: -1 };
    const { chart, lines, x, left, right } = this.drawing;
    return findLap(lines, pixel, chart.x === "seconds" ? x.invert(clamp(pixel[0], left, right)) : null);
  }
}

/**
 * @param {Contestant} contestant
 * @param {string} across
 * @param {string} up
 * @param {Scale} x
 * @param {Scale} y
 * @returns {(Point | null)[]}
 */
function pointsOf({ columns }, across, up, x, y) {
  return columns[across].map((value, lap) => {
    const height = columns[up][lap];
    return value === null || height === null ? null : [x.place(value), y.place(height)];
  });
}

/**
 * Grid, ticks and the title of the axis across.
 * @param {Drawing} drawing
 */
function back({ chart, x, y, left, right, top, bottom }) {
  const parts = y.ticks.map(
    ([at, text]) =>
      `<path class="grid" d="M${left} ${at.toFixed(1)}H${right}"/>` +
      `<text x="${left - 6}" y="${(at + 4).toFixed(1)}" text-anchor="end">${text}</text>`,
  );
  for (const [at, text] of x.ticks) {
    const isLast = at > right - 12;
    const place = `x="${(isLast ? right + 8 : at).toFixed(1)}" y="${bottom + 16}"`;
    parts.push(
      `<path class="grid" d="M${at.toFixed(1)} ${top}V${bottom}"/>`,
      `<text ${place} text-anchor="${isLast ? "end" : "middle"}">${text}</text>`,
    );
  }
  const middle = ((left + right) / 2).toFixed(1);
  const title = `${escapeText(chart.x_axis.title)} →`;
  parts.push(`<text x="${middle}" y="${HEIGHT - 8}" text-anchor="middle">${title}</text>`);
  return parts.join("");
}

/** @param {Drawing} drawing */
function rule({ chart, y, left, right, bottom }) {
  if (chart.rule === null || y.place(chart.rule) > bottom - 4) return ""; // on a linear axis it would lie on the axis
  const at = y.place(chart.rule).toFixed(1);
  const words = `${escapeText(chart.rule_label)} ${numeral(chart.rule, 3)}`;
  const label = `<text class="rule-label" x="${left + 4}" y="${Number(at) - 5}">${words}</text>`;
  return `<path class="rule" d="M${left} ${at}H${right}"/>${label}`;
}

/**
 * @param {Drawing} drawing
 * @param {Line} line
 * @param {number} order
 */
function trace({ chart, x, y, left, right }, { contestant, points }, order) {
  const { color, dash, reference } = contestant;
  const dashes = chart.bare ? "" : dash; // dots mean "without building" there
  const d = linePath(points, reference);
  const parts = [`<path class="trace" d="${d}" stroke="${color}" stroke-dasharray="${dashes}"/>`];
  if (chart.bare) {
    const bare = linePath(pointsOf(contestant, chart.x, chart.bare, x, y), reference);
    parts.push(`<path class="trace bare" d="${bare}" stroke="${color}"/>`);
  }
  const last = points.at(-1);
  if (reference && last) {
    const level = `M${last[0].toFixed(1)} ${last[1].toFixed(1)}H${right}`;
    parts.push(`<path class="trace level" d="${level}" stroke="${color}"/>`);
  }
  for (const point of markedPoints(points, left, order)) if (point) parts.push(markerAt(contestant, point, 4));
  return parts.join("");
}

export class PhaseView {
  /** @param {PhaseChart} chart */
  constructor(chart) {
    this.figure = document.createElement("figure");
    this.figure.className = "wide";
    this.figure.dataset.chart = chart.key;
    this.figure.innerHTML = `<figcaption><h3></h3><p class="y"></p></figcaption>
      <div class="bars"></div><div class="key" aria-hidden="true"></div>`;
    this.title = find(this.figure, "h3", HTMLElement);
    this.about = find(this.figure, ".y", HTMLElement);
    this.bars = find(this.figure, ".bars", HTMLElement);
    this.key = find(this.figure, ".key", HTMLElement);
    this.names = "";
  }

  /**
   * @param {PhaseChart} chart
   * @param {Contestant[]} contestants
   * @param {PhaseColor[]} phases
   */
  draw(chart, contestants, phases) {
    setText(this.title, chart.title);
    setText(this.about, chart.about);
    const totals = contestants.map((contestant) => total(Object.values(contestant.phases)));
    const most = Math.max(...totals, 1);
    const names = contestants.map(({ title }) => title).join("\n");
    if (this.names !== names) {
      this.names = names;
      const spans = phases.map(
        ({ name, color, hatched }) =>
          `<span class="${hatched ? "hatched" : ""}" style="--own:${color};background-color:${color}" ` +
          `data-phase="${name}"><i></i></span>`,
      );
      const bars = contestants.map(
        ({ title }) => `<div>${escapeText(title)}</div><div class="bar" role="img">${spans.join("")}</div><div></div>`,
      );
      const keys = phases.map(
        ({ name, color, hatched }) =>
          `<span data-phase="${name}"><i class="${hatched ? "hatched" : ""}" style="background-color:${color}"></i>` +
          `${name}</span>`,
      );
      this.bars.innerHTML = bars.join("");
      this.key.innerHTML = keys.join("");
    }
    const used = new Set(contestants.flatMap((contestant) => Object.keys(contestant.phases)));
    for (const entry of this.key.querySelectorAll("span")) entry.hidden = !used.has(entry.dataset.phase ?? "");
    contestants.forEach((contestant, row) => {
      const [, bar, end] = [...this.bars.children].slice(3 * row, 3 * row + 3);
      const full = chart.is_share ? totals[row] || 1 : most;
      const shares = [];
      for (const span of bar.querySelectorAll("span")) {
        const name = span.dataset.phase ?? "";
        const count = contestant.phases[name] ?? 0;
        const share = percent(count / (totals[row] || 1));
        span.style.display = count ? "" : "none";
        span.style.flex = `0 1 ${(100 * count) / full}%`;
        span.title = `${contestant.title}, ${name}: ${things(count, "operation")}, ${share}`;
        setText(find(span, "i", HTMLElement), partLabel(name, share, (bar.clientWidth * count) / full));
        if (count) shares.push(`${name} ${share}`);
      }
      bar.setAttribute("aria-label", `${contestant.title}: ${things(totals[row], "operation")}; ${shares.join(", ")}`);
      setText(end, totals[row] ? compact(totals[row]) : "–");
      end.setAttribute("title", things(totals[row], "operation"));
    });
  }
}
