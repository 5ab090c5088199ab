/* The chart of a section: a metric of the rows that are ticked. */
function explore(section) {
  const figures = page.figures[section.dataset.kind];
  const chart = section.querySelector(".chart");
  const metric = section.querySelector(".metric");
  const log = section.querySelector(".log");
  const boxes = [...section.querySelectorAll(".legend input")];
  const ticked = (trace) => boxes.some((box) => box.value === trace.meta.row && box.checked);

  function draw() {
    const figure = figures[metric.value];
    const data = figure.data.map((trace) => ({ ...trace, visible: ticked(trace) }));
    const yaxis = { ...figure.layout.yaxis, type: log.checked ? "log" : "linear" };
    Plotly.react(chart, data, { ...figure.layout, yaxis, ...theme() }, CONFIG);
    const said = data.filter((trace) => trace.visible && trace.meta.said).map((trace) => trace.meta.said);
    section.querySelector(".chart-title").textContent = figure.layout.meta.title;
    section.querySelector(".chart-text").textContent = said.length
      ? `${figure.layout.meta.said}: ${said.join(", ")}.` : "Nothing is shown.";
  }

  function choose() {
    log.checked = figures[metric.value].layout.yaxis.type === "log";
    draw();
  }

  function emphasize(row) {
    const opacity = chart.data.map((trace) => (row === null || trace.meta.row === row ? 1 : 0.15));
    Plotly.restyle(chart, { opacity });
  }

  function tick(on) {
    for (const box of boxes) box.checked = on;
    draw();
  }

  metric.addEventListener("change", choose);
  log.addEventListener("change", draw);
  section.querySelector(".all").addEventListener("click", () => tick(true));
  section.querySelector(".none").addEventListener("click", () => tick(false));
  for (const box of boxes) {
    box.addEventListener("change", draw);
    for (const event of ["pointerenter", "focusin"]) {
      box.parentElement.addEventListener(event, () => emphasize(box.value));
    }
    for (const event of ["pointerleave", "focusout"]) {
      box.parentElement.addEventListener(event, () => emphasize(null));
    }
  }
  section.querySelector(".explorer").hidden = false;
  choose();
}

/* Headings become buttons that sort: best first, then the other way round. */
function makeSortable(table, announcement) {
  const headers = table.querySelectorAll("th[data-column]");
  for (const header of headers) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...header.childNodes);
    header.append(button);
    header.ariaSort = "none";
    button.addEventListener("click", () => {
      const { first, column, name } = header.dataset;
      const other = first === "ascending" ? "descending" : "ascending";
      const order = header.ariaSort === first ? other : first;
      for (const each of headers) each.ariaSort = "none";
      header.ariaSort = order;
      table.tBodies[0].append(...sorted([...table.tBodies[0].rows], column, order));
      announcement.textContent = `Sorted by ${name}, ${order}.`;
    });
  }
}

/* Rows in order of a column; those without a value last, whatever the order. */
function sorted(rows, column, order) {
  const value = (row) => row.cells[column].dataset.value ?? "";
  const sign = order === "ascending" ? 1 : -1;
  const compare = (a, b) => (a === "" || b === "" ? (a === "") - (b === "")
    : sign * (Number.isNaN(Number(a)) ? a.localeCompare(b) : a - b));
  return rows.sort((a, b) => compare(value(a), value(b)));
}

for (const section of document.querySelectorAll("section[data-kind]")) {
  explore(section);
  makeSortable(section.querySelector("table.sortable"), section.querySelector(".announcement"));
}
