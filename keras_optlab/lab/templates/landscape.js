/* Optimizers on their way down a surface: one chart, redrawn for each step. */
const SECONDS = 10;
const byId = (id) => document.getElementById(id);
const chart = byId("ways");
const slider = byId("step");
const boxes = [...document.querySelectorAll(".algorithms input")];
const rows = boxes.map((box) => box.closest("tr"));
let surface, timer;

/* The traces of the paths, in table order; a path ends where a number overflowed. */
const ways = () => boxes.map((box) => surface.chart.data.find((trace) => trace.name === box.value));
const reached = (way) => Math.min(Number(slider.value), way.x.length - 1);

function height(way) {
  if (slider.value >= way.x.length) return "diverged";
  const value = way.customdata[slider.value];
  return value !== 0 && Math.abs(value) < 1e-3 ? value.toExponential(1) : value.toPrecision(3);
}

/* Update everything that depends on the step and the boxes. Plotly sliders lack keyboard control. */
function show() {
  const all = ways();
  const shown = all.filter((way, number) => boxes[number].checked);
  const upTo = (way, axis) => way[axis].slice(0, reached(way) + 1);
  const data = surface.chart.data.map((trace) => all.includes(trace)
    ? { ...trace, x: upTo(trace, "x"), y: upTo(trace, "y"), visible: shown.includes(trace) }
    : { ...trace });
  const dots = data.at(-1);
  for (const axis of ["x", "y"]) dots[axis] = shown.map((way) => way[axis][reached(way)]);
  dots.marker = { ...dots.marker, color: shown.map((way) => way.line.color) };
  Plotly.react(chart, data, { ...structuredClone(surface.chart.layout), ...theme() }, CONFIG);
  rows.forEach((row, number) => { row.querySelector(".height").textContent = height(all[number]); });
  byId("count").textContent = `step ${slider.value} of ${slider.max}`;
  slider.setAttribute("aria-valuetext", byId("count").textContent);
}

function choose(name) {
  surface = page.surfaces.find((each) => each.name === name);
  for (const id of ["title", "formula", "lesson"]) byId(id).textContent = surface[id];
  ways().forEach((way, number) => {
    // A built-in has the same arguments as ours, in the row above.
    rows[number].querySelector(".setting")?.replaceChildren(way.meta.setting);
  });
  show();
}

function play(on) {
  clearInterval(timer);
  byId("play").textContent = on ? "Pause" : "Play";
  byId("play").ariaPressed = String(on);
  if (!on) return;
  if (slider.value === slider.max) slider.value = 0;
  timer = setInterval(() => {
    slider.value = Number(slider.value) + Math.max(1, Math.round(slider.max / 200));
    show();
    if (slider.value === slider.max) play(false);
  }, Math.max(50, 1000 * SECONDS / slider.max));
}

/* Pointing at a row, or focusing it, points at its dot. */
rows.forEach((row, number) => {
  const point = () => {
    const way = ways()[number];
    const curveNumber = surface.chart.data.indexOf(way);
    Plotly.Fx.hover(chart, [{ curveNumber, pointNumber: reached(way) }]);
  };
  const leave = () => Plotly.Fx.unhover(chart);
  for (const event of ["pointerenter", "focusin"]) row.addEventListener(event, point);
  for (const event of ["pointerleave", "focusout"]) row.addEventListener(event, leave);
});
for (const box of boxes) box.addEventListener("change", show);
for (const choice of document.querySelectorAll(".surfaces input")) {
  choice.addEventListener("change", () => choose(choice.value));
}
slider.addEventListener("input", () => { play(false); show(); });
byId("play").addEventListener("click", () => play(byId("play").ariaPressed === "false"));
choose(page.surfaces[0].name);
