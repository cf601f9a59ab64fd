// The loss of a training as it comes: uPlot where it is there, a table anyway.

import { call, word } from "./api.js";

const library = import("/static/vendor/uplot.js").then((m) => m.default).catch(() => null);
const HEIGHT = 260;

export class Chart {
  /** @param {HTMLElement} figure where to draw. @param {string} job whose history comes first. */
  constructor(figure, job) {
    this.figure = figure;
    this.points = new Map();
    this.plot = null;
    figure.querySelector("[data-table]").addEventListener("click", () => this.toggle());
    document.addEventListener("theme", () => this.redraw());
    new ResizeObserver(() => this.plot?.setSize({ width: this.width(), height: HEIGHT })).observe(figure);
    this.ready = call("GET", `/api/v1/jobs/${job}/history?max_events=2000`)
      .then(({ events }) => events.forEach((e) => this.take(e.progress)))
      .then(() => this.draw())
      .catch(() => this.draw());
  }

  width() {
    return Math.max(240, this.figure.clientWidth);
  }

  take(progress) {
    const { loss, eval_loss: heldout } = progress?.metrics ?? {};
    if (loss === undefined && heldout === undefined) return false;
    const point = this.points.get(progress.completed) ?? {};
    if (loss !== undefined) point.loss = loss;
    if (heldout !== undefined) point.heldout = heldout;
    this.points.set(progress.completed, point);
    return true;
  }

  async add(progress) {
    await this.ready;
    if (this.take(progress)) await this.draw();
  }

  columns() {
    const steps = [...this.points.keys()].sort((a, b) => a - b);
    const of = (name) => steps.map((s) => this.points.get(s)[name] ?? null);
    return [steps, of("loss"), of("heldout")];
  }

  async draw() {
    this.figure.dataset.points = this.points.size;
    if (!this.points.size) return;
    this.figure.hidden = false;
    const data = this.columns();
    const at = data[1].findLastIndex((v) => v !== null);
    this.figure.querySelector("[data-summary]").textContent = word("chart.summary", {
      step: data[0][at] ?? "",
      loss: data[1][at]?.toFixed(3) ?? "",
    });
    this.fill(data);
    const uPlot = await library;
    if (!uPlot) {
      this.figure.querySelector("[data-rows]").hidden = false;
      return;
    }
    if (this.plot) this.plot.setData(data);
    else this.plot = new uPlot(this.options(), data, this.figure.querySelector(".plot"));
  }

  redraw() {
    this.plot?.destroy();
    this.plot = null;
    this.draw();
  }

  options() {
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(name).trim();
    const axis = { stroke: colour("--muted"), grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line") } };
    const line = (label, name) => ({ label, stroke: colour(name), width: 2, spanGaps: true, points: { show: this.points.size < 60 } });
    return {
      width: this.width(),
      height: HEIGHT,
      scales: { x: { time: false } },
      axes: [axis, { ...axis, size: 60 }],
      series: [{ label: word("chart.step") }, line(word("chart.loss"), "--accent"), line(word("chart.heldout"), "--warn")],
    };
  }

  fill([steps, loss, heldout]) {
    const place = this.figure.querySelector("[data-rows]");
    const table = document.createElement("table");
    const row = (cells, tag) => {
      const tr = document.createElement("tr");
      for (const text of cells) {
        const cell = document.createElement(tag);
        if (tag === "th") cell.scope = "col";
        cell.textContent = text;
        tr.append(cell);
      }
      return tr;
    };
    table.append(row([word("chart.step"), word("chart.loss"), word("chart.heldout")], "th"));
    steps.forEach((s, i) => table.append(row([s, loss[i]?.toFixed(4) ?? "", heldout[i]?.toFixed(4) ?? ""], "td")));
    place.replaceChildren(table);
  }

  toggle() {
    const rows = this.figure.querySelector("[data-rows]");
    rows.hidden = !rows.hidden;
  }
}
