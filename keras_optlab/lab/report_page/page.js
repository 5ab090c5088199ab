"use strict";

const SVG = "http://www.w3.org/2000/svg";
const MARGIN = { left: 72, right: 14, top: 16, bottom: 56 };
const COLOURS = 7;
const METRICS = {
  validation_accuracy: { label: "validation accuracy", log: false, percent: true },
  validation_loss: { label: "validation loss", log: true, percent: false },
  training_loss: { label: "training loss", log: true, percent: false },
  sweep: { label: "final validation accuracy", log: false, percent: true },
};

function element(name, attributes, text) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

function stroke(number) {
  const dashes = ["none", "7 4", "2 4"];
  const dash = dashes[Math.floor(number / COLOURS) % dashes.length];
  return `stroke: var(--line-${number % COLOURS}); stroke-dasharray: ${dash}`;
}

function shown(value, percent) {
  if (value === null || value === undefined) return "–";
  return percent ? `${(100 * value).toFixed(1)} %` : Number(value.toPrecision(3)).toString();
}

/* Round numbers within a range, few enough to read. */
function ticks(low, high, log) {
  if (log) {
    const all = [];
    for (let power = Math.floor(Math.log10(low)); 10 ** power <= high; power += 1) {
      for (const factor of [1, 2, 5]) all.push(Number((factor * 10 ** power).toPrecision(3)));
    }
    const within = all.filter((value) => value >= low && value <= high);
    const tens = within.filter((value) => Number.isInteger(Math.round(1e9 * Math.log10(value)) / 1e9));
    return within.length > 8 && tens.length > 1 ? tens : within;
  }
  const rough = (high - low) / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((factor) => factor * power >= rough);
  const found = [];
  for (let n = Math.ceil(low / step - 1e-9); n * step <= high + 1e-9 * step; n += 1) {
    found.push(Number((n * step).toPrecision(12)));
  }
  return found;
}

function scale([low, high], [start, end], log) {
  const place = log ? Math.log : (value) => value;
  const span = place(high) - place(low) || 1;
  return (value) => start + ((place(value) - place(low)) / span) * (end - start);
}

/* The points of a row for a metric: [x, mean, lowest, highest], from after the first epoch on. */
function pointsOf(row, metric) {
  if (metric === "sweep") return row.sweep.filter((point) => point[1] !== null);
  const { mean, low, high } = row[metric];
  const skipped = metric === "training_loss" ? 0 : 1;
  return mean.map((value, n) => [n + 1 - skipped, value, low[n], high[n]]).slice(skipped);
}

/* What to show of the vertical axis: a loss far above the usual leaves the picture. */
function range(lists, metric, target) {
  const { log } = METRICS[metric];
  const values = lists.flat().flatMap((point) => point.slice(1)).filter((value) => !log || value > 0);
  if (!values.length) return log ? [0.1, 1] : [0, 1];
  if (metric === "validation_accuracy" && target !== null) values.push(target);
  const low = Math.min(...values);
  const high = Math.max(...values);
  if (log) {
    const middle = values.sort((a, b) => a - b)[Math.floor(values.length / 2)];
    return [0.85 * low, 1.2 * Math.max(low, Math.min(high, 30 * middle))];
  }
  const margin = 0.06 * (high - low) || 0.02;
  return [Math.max(0, low - margin), Math.min(1, high + margin)];
}

class Explorer {
  constructor(section, data) {
    this.rows = data.rows;
    this.data = data;
    this.name = section.querySelector("h2").textContent;
    this.svg = section.querySelector(".curves");
    this.metric = section.querySelector(".metric");
    this.legend = section.querySelector(".legend");
    this.rows.forEach((row, number) => this.legend.append(this.entry(row, number)));
    this.boxes = [...this.legend.querySelectorAll("input")];
    this.metric.addEventListener("change", () => this.draw());
    section.querySelector(".all").addEventListener("click", () => this.check(true));
    section.querySelector(".none").addEventListener("click", () => this.check(false));
    section.querySelector(".explorer").hidden = false;
    this.clip = element("rect", {});
    const clip = element("clipPath", { id: `${section.dataset.kind}-clip` });
    clip.append(this.clip);
    this.svg.append(clip);
    this.inside = `url(#${clip.id})`;
    new ResizeObserver(() => this.draw()).observe(this.svg.parentElement);
    this.draw();
  }

  entry(row, number) {
    const label = document.createElement("label");
    const box = document.createElement("input");
    box.type = "checkbox";
    box.checked = true;
    box.value = row.name;
    box.addEventListener("change", () => this.draw());
    for (const event of ["pointerenter", "focusin"]) {
      label.addEventListener(event, () => this.emphasize(row.name));
    }
    for (const event of ["pointerleave", "focusout"]) {
      label.addEventListener(event, () => this.emphasize(null));
    }
    const sample = element("svg", { viewBox: "0 0 28 12", "aria-hidden": "true" });
    sample.append(element("path", { d: "M1 6H27", fill: "none", "stroke-width": 2.5, style: stroke(number) }));
    const name = document.createElement("span");
    name.textContent = row.name;
    const value = document.createElement("span");
    value.className = "value";
    value.textContent = row.stopped || shown(row.accuracy, true);
    label.append(box, sample, name, value);
    return label;
  }

  check(on) {
    for (const box of this.boxes) box.checked = on;
    this.draw();
  }

  emphasize(name) {
    for (const part of this.svg.querySelectorAll("[data-row]")) {
      part.classList.toggle("faded", name !== null && part.dataset.row !== name);
    }
  }

  /* One unit of the drawing is a pixel, so that text keeps its size on a small screen. */
  fit() {
    const width = Math.max(260, Math.round(this.svg.getBoundingClientRect().width));
    const height = Math.round(Math.min(440, Math.max(260, 0.5 * width)));
    this.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    const area = {
      left: MARGIN.left, right: width - MARGIN.right, top: MARGIN.top, bottom: height - MARGIN.bottom,
    };
    const box = {
      x: area.left, y: area.top - 4, width: area.right - area.left + 4, height: area.bottom - area.top + 4,
    };
    for (const [key, value] of Object.entries(box)) this.clip.setAttribute(key, value);
    return area;
  }

  draw() {
    const area = this.fit();
    const metric = this.metric.value;
    const { label, log, percent } = METRICS[metric];
    const chosen = this.rows.map((row, number) => ({ row, number, points: pointsOf(row, metric) }))
      .filter(({ number }) => this.boxes[number].checked);
    const lists = chosen.map(({ points }) => points);
    const sweep = metric === "sweep";
    const rates = lists.flat().map((point) => point[0]);
    const across = sweep && rates.length ? [Math.min(...rates) / 1.3, Math.max(...rates) * 1.3]
      : [Math.min(1, this.data.epochs - 1), this.data.epochs];
    const logAcross = sweep && rates.length > 0;
    const up = range(lists, metric, this.data.target);
    const x = scale(across, [area.left, area.right], logAcross);
    const y = scale(up, [area.bottom, area.top], log);
    const drawing = element("g", {});
    this.drawAxes(drawing, area, { x, y, across, up, log, logAcross, percent, label, sweep });
    if (metric === "validation_accuracy" && this.data.target !== null) this.drawTarget(drawing, area, y);
    const clip = element("g", { "clip-path": this.inside });
    for (const one of chosen) this.drawRow(clip, one, { x, y, percent, sweep });
    drawing.append(clip);
    this.svg.querySelectorAll(":scope > g").forEach((old) => old.remove());
    this.svg.append(drawing);
    this.describe(label, chosen, percent, sweep);
  }

  drawAxes(drawing, area, { x, y, across, up, log, logAcross, percent, label, sweep }) {
    for (const value of ticks(up[0], up[1], log)) {
      drawing.append(element("line", { class: "grid", x1: area.left, x2: area.right, y1: y(value), y2: y(value) }));
      const text = percent ? `${Number((100 * value).toPrecision(6))} %` : String(value);
      drawing.append(element("text", { x: area.left - 8, y: y(value) + 4, "text-anchor": "end" }, text));
    }
    const along = ticks(across[0], across[1], logAcross).filter((value) => sweep || Number.isInteger(value));
    const room = Math.max(2, Math.floor((area.right - area.left) / 56));
    const every = Math.ceil(along.length / room);
    for (const value of along.filter((_, n) => n % every === 0)) {
      drawing.append(element("line", { class: "grid", x1: x(value), x2: x(value), y1: area.bottom, y2: area.bottom + 5 }));
      drawing.append(element("text", { x: x(value), y: area.bottom + 22, "text-anchor": "middle" }, String(value)));
    }
    const middle = (area.left + area.right) / 2;
    drawing.append(element("text", { x: middle, y: area.bottom + 46, "text-anchor": "middle" },
      sweep ? "learning rate" : "epoch"));
    const turned = `rotate(-90 14 ${(area.top + area.bottom) / 2})`;
    drawing.append(element("text", { x: 14, y: (area.top + area.bottom) / 2, "text-anchor": "middle", transform: turned }, label));
  }

  drawTarget(drawing, area, y) {
    const at = y(this.data.target);
    drawing.append(element("line", { class: "target", x1: area.left, x2: area.right, y1: at, y2: at }));
    drawing.append(element("text", { x: area.left + 4, y: at - 5 },
      `target ${shown(this.data.target, true)}`));
  }

  drawRow(drawing, { row, number, points }, { x, y, percent, sweep }) {
    if (!points.length) return;
    const place = (value) => Math.max(-1000, Math.min(2000, y(Math.max(value, 1e-12))));
    const upper = points.map((point) => `${x(point[0])},${place(point[3])}`);
    const lower = points.map((point) => `${x(point[0])},${place(point[2])}`).reverse();
    const line = points.map((point) => `${x(point[0])},${place(point[1])}`);
    const colour = `fill: var(--line-${number % COLOURS})`;
    if (points.some((point) => point[2] !== point[3])) {
      const band = { class: "band", d: `M${upper.concat(lower).join("L")}Z`, style: colour, "data-row": row.name };
      drawing.append(element("path", band));
    }
    const path = element("path", { class: "line", d: `M${line.join("L")}`, style: stroke(number), "data-row": row.name });
    path.append(element("title", {}, `${row.name}: ${shown(points[points.length - 1][1], percent)}`));
    drawing.append(path);
    if (!sweep && points.length > 1) return;
    for (const point of points) {
      const dot = element("circle", { cx: x(point[0]), cy: place(point[1]), r: 3.5, style: colour, "data-row": row.name });
      dot.append(element("title", {}, `${row.name}, ${shown(point[0], false)}: ${shown(point[1], percent)}`));
      drawing.append(dot);
    }
  }

  describe(label, chosen, percent, sweep) {
    this.svg.querySelector("title").textContent = `${this.name}: ${label} by ${sweep ? "learning rate" : "epoch"}`;
    const lines = chosen.filter(({ points }) => points.length).map(({ row, points }) => {
      const best = sweep ? points.reduce((a, b) => (b[1] > a[1] ? b : a)) : points[points.length - 1];
      return sweep ? `${row.name} ${shown(best[1], percent)} at ${shown(best[0], false)}`
        : `${row.name} ${shown(best[1], percent)}`;
    });
    const start = sweep ? "Best of each: " : "Last value of each: ";
    this.svg.querySelector("desc").textContent = lines.length ? `${start}${lines.join(", ")}.` : "Nothing is shown.";
  }
}

/* Headers become buttons that sort: best first, then the other way round. */
function makeSortable(table, announcement) {
  const body = table.tBodies[0];
  for (const header of table.querySelectorAll("th[data-column]")) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...header.childNodes);
    header.append(button);
    header.setAttribute("aria-sort", "none");
    button.addEventListener("click", () => {
      const now = header.getAttribute("aria-sort");
      const first = header.dataset.first;
      const order = now === "none" ? first : now === "ascending" ? "descending" : "ascending";
      for (const other of table.querySelectorAll("th[data-column]")) other.setAttribute("aria-sort", "none");
      header.setAttribute("aria-sort", order);
      body.append(...sorted([...body.rows], Number(header.dataset.column), order));
      announcement.textContent = `Sorted by ${header.dataset.name}, ${order}.`;
    });
  }
}

/* Rows in order of a column; those without a value last, whatever the order. */
function sorted(rows, column, order) {
  const value = (row) => row.cells[column].dataset.value ?? "";
  const sign = order === "ascending" ? 1 : -1;
  const compare = (a, b) => (a === "" || b === "" ? (a === "") - (b === "")
    : sign * (Number.isNaN(Number(a)) || Number.isNaN(Number(b)) ? a.localeCompare(b) : a - b));
  return rows.sort((a, b) => compare(value(a), value(b)));
}

const data = JSON.parse(document.getElementById("curves").textContent);
for (const section of document.querySelectorAll("section[data-kind]")) {
  const kind = section.dataset.kind;
  new Explorer(section, { ...data, rows: data.kinds[kind] });
  for (const table of section.querySelectorAll("table.sortable")) {
    makeSortable(table, section.querySelector(".announcement"));
  }
}
