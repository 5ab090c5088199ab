"""The report as one HTML page that fetches nothing."""

import re
from collections.abc import Sequence
from html import escape

from keras_optlab.lab.compare import Comparison, Results
from keras_optlab.lab.network import HIDDEN_UNITS

STYLE = """
:root {
  color-scheme: light dark;
  --paper: #ffffff; --panel: #f6f7f9; --ink: #1f2329; --muted: #5c646e; --rule: #d5dae0;
  --context: #b9c1ca; --ours: #0072b2; --built-in: #f0b040;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #14171b; --panel: #1c2026; --ink: #e7eaee; --muted: #a2abb6; --rule: #363d46;
    --context: #4d5661; --ours: #56b4e9; --built-in: #9a6a0b;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; padding: 2.5rem 1.5rem 4rem; max-width: 72rem;
  background: var(--paper); color: var(--ink);
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif;
}
h1 { font-size: 1.75rem; line-height: 1.2; margin: 0 0 .5rem; }
h2 { font-size: 1.25rem; margin: 2.75rem 0 .5rem; }
p { max-width: 46rem; margin: .5rem 0; }
.lead, figcaption, .setting, caption { color: var(--muted); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; margin: 1rem 0; font-size: .9rem; }
caption { text-align: left; padding-bottom: .5rem; max-width: 46rem; }
th, td { padding: .4rem .7rem; text-align: right; border-bottom: 1px solid var(--rule); }
th, td { vertical-align: baseline; }
th { font-weight: 600; }
thead th { vertical-align: bottom; }
th[scope=row], td.setting, th.text { text-align: left; }
th[scope=colgroup] { text-align: center; }
td { font-variant-numeric: tabular-nums; white-space: nowrap; }
td.setting { white-space: normal; font-size: .8rem; min-width: 12rem; }
tbody tr:hover { background: var(--panel); }
figure { margin: 1.25rem 0; }
figcaption { font-size: .9rem; max-width: 46rem; margin-bottom: .5rem; }
svg { display: block; max-width: 100%; height: auto; }
svg text { font-family: inherit !important; }
pre { background: var(--panel); padding: .8rem 1rem; overflow-x: auto; border-radius: .4rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1.25rem; }
dt { color: var(--muted); } dd { margin: 0; }
"""

KINDS = {
    "optimizer": (
        "Algorithms",
        "Validation loss of each algorithm, ours (thin) upon the built-in's (wide): where both "
        "compute the same, one line covers the other. Gray: the other algorithms.",
    ),
    "schedule": (
        "Schedules and 1cycle",
        "Above, the learning rate of each step; below, the validation loss of SGD with momentum "
        "at that rate. Gray: the constant rate.",
    ),
}


def page(results: Results, drawings: dict[str, str], command: str) -> str:
    """The whole page.

    Args:
        results: `Results`.
        drawings: For each kind of comparison its SVG.
        command: What to type to get the same again.
    """
    data, settings = results.data, results.settings
    sections = "".join(section(kind, results.of_kind(kind), svg) for kind, svg in drawings.items())
    versions = "".join(
        f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>"
        for name, value in results.versions.items()
    )
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>optlab compare: {escape(data["name"])}</title>
<style>{STYLE}</style>
</head>
<body>
<main>
<h1>keras-optlab beside Keras</h1>
<p class="lead">{escape(data["name"])}: {data["training_rows"]:,} rows to train on,
{data["validation_rows"]:,} to validate, {data["features"]} features, {len(data["classes"])}
classes. A network with one hidden layer of {HIDDEN_UNITS} units, {settings.epochs} epochs of
{data["steps_per_epoch"]} batches of {settings.batch_size}, on
{escape(results.versions["backend"])}.</p>
<p>Each row is trained twice by <code>compile</code> and <code>fit</code>: with keras-optlab and
with the built-in, from the same initial weights, on the same batches, with the same arguments.
One seed and one learning rate each: this shows that both compute the same and what a step costs,
not which algorithm is best.</p>
{sections}
<section aria-labelledby="again">
<h2 id="again">The same again</h2>
<pre><code>{escape(command)}</code></pre>
<dl>{versions}<dt>time</dt><dd>{results.seconds:.0f} s</dd></dl>
</section>
</main>
</body>
</html>
"""


def section(kind: str, comparisons: Sequence[Comparison], svg: str) -> str:
    """Heading, picture and table of one kind of comparison."""
    title, explanation = KINDS[kind]
    drawing = svg.replace("<svg", f'<svg role="img" aria-label="Learning curves: {title}"', 1)
    notes = "".join(
        f"<p><strong>{escape(one.name)}.</strong> {prose(one.note)}</p>"
        for one in comparisons
        if one.note
    )
    rows = "".join(row(comparison) for comparison in comparisons)
    return f"""<section aria-labelledby="{kind}">
<h2 id="{kind}">{title}</h2>
<figure><figcaption>{explanation}</figcaption>{drawing}</figure>
<div class="scroll" tabindex="0" role="region" aria-label="{title}, results">
<table>
<caption>Weights differ: the largest difference between two final weights, relative to the
distance that the weights of that variable travelled. Time: median of all steps but the first;
the ratio is ours to the built-in's.</caption>
<thead>
<tr><th rowspan="2" scope="col" class="text">Name</th>
<th rowspan="2" scope="col" class="text">Arguments</th>
<th colspan="2" scope="colgroup">Validation accuracy</th>
<th rowspan="2" scope="col">Weights differ</th>
<th colspan="3" scope="colgroup">Time of a step (ms)</th></tr>
<tr><th scope="col">ours</th><th scope="col">built-in</th>
<th scope="col">ours</th><th scope="col">built-in</th><th scope="col">ratio</th></tr>
</thead>
<tbody>{rows}</tbody>
</table>
</div>
{notes}
</section>
"""


def prose(text: str) -> str:
    """Text with its `code` marked as such."""
    return re.sub("`(.+?)`", r"<code>\1</code>", escape(text))


def row(comparison: Comparison) -> str:
    """One row of the table."""
    cells = "".join(f"<td>{cell}</td>" for cell in figures(comparison))
    return (
        f'<tr><th scope="row">{escape(comparison.name)}</th>'
        f'<td class="setting">{escape(comparison.setting)}</td>{cells}</tr>'
    )


def figures(comparison: Comparison) -> list[str]:
    """The figures of a comparison, as both the page and the terminal show them."""
    ours, built_in = comparison.ours, comparison.built_in
    difference = comparison.weight_difference
    return [
        f"{ours.validation_accuracy[-1]:.1%}",
        f"{built_in.validation_accuracy[-1]:.1%}" if built_in else "–",
        "–" if difference is None else "none" if difference == 0 else f"{difference:.0e}",
        f"{1e3 * ours.step_seconds:.2f}",
        f"{1e3 * built_in.step_seconds:.2f}" if built_in else "–",
        f"{comparison.time_ratio:.2f}" if comparison.time_ratio is not None else "–",
    ]
