/* Plotly charts in the page's colours, which follow the system's colour scheme and printing. */
const page = JSON.parse(document.getElementById("data").textContent);
const dark = matchMedia("(prefers-color-scheme: dark)");
const print = matchMedia("print");
const PRINTED_WIDTH = 680;
const CONFIG = {
  displaylogo: false,
  responsive: true,
  modeBarButtons: [["zoom2d", "pan2d", "zoomIn2d", "zoomOut2d", "resetScale2d", "toImage"]],
};

/* The template and width that all charts share. */
function theme() {
  const { ink, muted, ours, panel, paper, rule, valley } = page.themes[dark.matches && !print.matches ? "dark" : "light"];
  const font = { color: muted, family: getComputedStyle(document.body).fontFamily, size: 13 };
  const axis = {
    automargin: true, gridcolor: rule, linecolor: rule, ticklabelstandoff: 6, zeroline: false,
    title: { font: { size: 13 }, standoff: 12 },
  };
  const layout = {
    font, xaxis: axis, yaxis: axis, margin: { l: 60, r: 10, t: 30, b: 50 }, showlegend: false,
    hoverlabel: { align: "left", bgcolor: panel, font: { ...font, color: ink } },
    modebar: { bgcolor: "transparent", color: muted, activecolor: ours },
    paper_bgcolor: "transparent", plot_bgcolor: "transparent",
  };
  const data = {
    contour: [{ colorscale: [[0, valley], [1, paper]] }],
    scatter: [{ marker: { color: ink, line: { color: paper } } }],
  };
  return { template: { layout, data }, width: print.matches ? PRINTED_WIDTH : null };
}

for (const media of [dark, print]) {
  media.addEventListener("change", () => {
    for (const chart of document.querySelectorAll(".js-plotly-plot")) Plotly.relayout(chart, theme());
  });
}
