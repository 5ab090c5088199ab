/* The ways down a surface upon a chart of its levels, which would take too long to draw each step. */
const SECONDS = 10;
const byId = (id) => document.getElementById(id);
const ground = byId("ground");
const chart = byId("ways");
const slider = byId("step");
const boxes = [...document.querySelectorAll(".algorithms input")];
const rows = boxes.map((box) => box.closest("tr"));
let surface, timer = null;

/* The traces of the ways, in the order of the table; a way ends where a number overflowed. */
const ways = () => boxes.map((box) => surface.ways.data.find((trace) => trace.name === box.value));
const place = (way) => surface.ways.data.indexOf(way);
const reached = (way) => Math.min(Number(slider.value), way.x.length - 1);

function height(way) {
  if (slider.value >= way.x.length) return "diverged";
  const value = way.customdata[slider.value];
  return value !== 0 && Math.abs(value) < 1e-3 ? value.toExponential(1) : value.toPrecision(3);
}

/* All that depends on the step and the boxes. A slider of Plotly does not work by keyboard. */
function show() {
  const all = ways();
  const checked = boxes.map((box) => box.checked);
  const shown = all.filter((way, number) => checked[number]);
  const upTo = (axis) => all.map((way) => way[axis].slice(0, reached(way) + 1));
  const ends = (axis) => shown.map((way) => way[axis][reached(way)]);
  const changes = {
    x: [...upTo("x"), ends("x")],
    y: [...upTo("y"), ends("y")],
    visible: [...checked, true],
    "marker.color": [...all.map(() => undefined), shown.map((way) => way.line.color)],
  };
  Plotly.restyle(chart, changes, [...all.map(place), surface.ways.data.length - 1]);
  rows.forEach((row, number) => { row.querySelector(".height").textContent = height(all[number]); });
  byId("count").textContent = `step ${slider.value} of ${slider.max}`;
  slider.setAttribute("aria-valuetext", byId("count").textContent);
}

function choose(name) {
  surface = page.surfaces.find((each) => each.name === name);
  for (const id of ["title", "formula", "lesson"]) byId(id).textContent = surface[id];
  // A built-in has the arguments of ours, in the row above.
  ways().forEach((way, number) => rows[number].querySelector(".setting")?.replaceChildren(way.meta.setting));
  Plotly.react(ground, surface.levels.data, { ...surface.levels.layout, ...theme() }, { responsive: true });
  // A copy, since `restyle` writes into the traces.
  Plotly.react(chart, surface.ways.data.map((trace) => ({ ...trace })), { ...surface.ways.layout, ...theme() }, CONFIG);
  show();
}

function stop() {
  clearInterval(timer);
  timer = null;
  byId("play").textContent = "Play";
  byId("play").ariaPressed = "false";
}

function play() {
  if (timer !== null) return stop();
  if (slider.value === slider.max) slider.value = 0;
  byId("play").textContent = "Pause";
  byId("play").ariaPressed = "true";
  const stride = Math.max(1, Math.round(slider.max / 200));
  timer = setInterval(() => {
    slider.value = Number(slider.value) + stride;
    show();
    if (slider.value === slider.max) stop();
  }, Math.max(50, 1000 * SECONDS / slider.max));
}

/* Pointing at a row points at its dot. */
rows.forEach((row, number) => {
  const point = () => {
    const way = ways()[number];
    Plotly.Fx.hover(chart, [{ curveNumber: place(way), pointNumber: reached(way) }]);
  };
  for (const event of ["pointerenter", "focusin"]) row.addEventListener(event, point);
  for (const event of ["pointerleave", "focusout"]) row.addEventListener(event, () => Plotly.Fx.unhover(chart));
});
for (const box of boxes) box.addEventListener("change", show);
for (const choice of document.querySelectorAll(".surfaces input")) {
  choice.addEventListener("change", () => choose(choice.value));
}
slider.addEventListener("input", () => { if (timer !== null) stop(); show(); });
byId("play").addEventListener("click", play);
choose(page.surfaces[0].name);
/* What zooms or moves the ways does the same to the levels. */
chart.on("plotly_relayout", () => {
  const { xaxis, yaxis } = chart.layout;
  Plotly.relayout(ground, { "xaxis.range": [...xaxis.range], "yaxis.range": [...yaxis.range] });
});
