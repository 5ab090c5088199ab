/* Plotly's charts in the colours of the page, which follow the system's and the printer's. */
const page = JSON.parse(document.getElementById("data").textContent);
const dark = matchMedia("(prefers-color-scheme: dark)");
const print = matchMedia("print");
const PRINTED_WIDTH = 680;
const CONFIG = {
  displaylogo: false,
  responsive: true,
  modeBarButtons: [["zoom2d", "pan2d", "zoomIn2d", "zoomOut2d", "resetScale2d", "toImage"]],
};

function theme() {
  return {
    template: page.templates[dark.matches && !print.matches ? "dark" : "light"],
    width: print.matches ? PRINTED_WIDTH : null,
  };
}

for (const media of [dark, print]) {
  media.addEventListener("change", () => {
    for (const chart of document.querySelectorAll(".js-plotly-plot")) Plotly.relayout(chart, theme());
  });
}
