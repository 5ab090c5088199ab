/* The chart of a section: the chosen figure, with the ticked rows. */
function explore(section) {
  const find = (selector) => section.querySelector(selector);
  const [chart, metric, log, legend] = [".chart", ".metric", ".log", ".legend"].map(find);
  const boxes = [...legend.querySelectorAll("input")];
  const figure = () => page.figures[section.dataset.kind][metric.value];

  function draw() {
    const { data, layout } = figure();
    const ticked = boxes.filter((box) => box.checked).map((box) => box.value);
    const traces = data.map((trace) => ({ ...trace, visible: ticked.includes(trace.meta.row) }));
    const yaxis = { ...layout.yaxis, type: log.checked ? "log" : "linear" };
    Plotly.react(chart, traces, { ...layout, yaxis, ...theme() }, CONFIG);
    const said = traces.flatMap(({ visible, meta }) => (visible && meta.said) || []);
    find(".chart-title").textContent = layout.meta.title;
    find(".chart-text").textContent = said.length
      ? `${layout.meta.said}: ${said.join(", ")}.` : "Nothing is shown.";
  }

  function choose() {
    log.checked = figure().layout.yaxis.type === "log";
    draw();
  }

  function tick(on) {
    for (const box of boxes) box.checked = on;
    draw();
  }

  function emphasize({ target, type }) {
    const row = ["pointerover", "focusin"].includes(type) && target.closest("label")?.control.value;
    Plotly.restyle(chart, { opacity: chart.data.map(({ meta }) => (!row || meta.row === row ? 1 : 0.15)) });
  }

  metric.addEventListener("change", choose);
  log.addEventListener("change", draw);
  legend.addEventListener("change", draw);
  find(".all").addEventListener("click", () => tick(true));
  find(".none").addEventListener("click", () => tick(false));
  for (const event of ["pointerover", "pointerleave", "focusin", "focusout"]) {
    legend.addEventListener(event, emphasize);
  }
  find(".explorer").hidden = false;
  choose();
}

/* Turn headings into buttons that sort: best first, then reversed; missing values come last.
   Written by hand: DataTables, as `itables` bundles it, would add over half a megabyte per page. */
function makeSortable(table, announcement) {
  const headers = table.querySelectorAll("th[data-column]");
  for (const header of headers) {
    const { first, column, name } = header.dataset;
    const value = (row) => row.cells[column].dataset.value ?? "";
    const button = document.createElement("button");
    button.type = "button";
    button.append(...header.childNodes);
    header.append(button);
    header.ariaSort = "none";
    button.addEventListener("click", () => {
      const order = header.ariaSort === "ascending" ? "descending"
        : header.ariaSort === "descending" ? "ascending" : first;
      const sign = order === "ascending" ? 1 : -1;
      for (const each of headers) each.ariaSort = "none";
      header.ariaSort = order;
      table.tBodies[0].append(...[...table.tBodies[0].rows].sort((one, other) => {
        const [a, b] = [value(one), value(other)];
        if (a === "" || b === "") return (a === "") - (b === "");
        return sign * (Number.isNaN(Number(a)) ? a.localeCompare(b) : a - b);
      }));
      announcement.textContent = `Sorted by ${name}, ${order}.`;
    });
  }
}

for (const section of document.querySelectorAll("section[data-kind]")) {
  explore(section);
  makeSortable(section.querySelector("table.sortable"), section.querySelector(".announcement"));
}
