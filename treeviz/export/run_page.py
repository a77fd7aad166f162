"""What a replay says of a whole run below the stage: its data and settings, its charts, and a table of iterations."""

import html

from treeviz.export.chart_svg import draw_chart
from treeviz.model.numerals import numeral
from treeviz.style.run_charts import RUN_CHARTS, RunChart
from treeviz.style.searches import describe_search
from treeviz.style.sentences import compare_losses
from treeviz.training.finished import ShownRun

_COLUMNS = ("iteration", "loss", "firing pairs", "neurons touched", "operations", "of the dense method")


def describe_run_page(run: ShownRun) -> str:
    """Return it as HTML. The charts are those of the app, with the cursor at the first iteration."""
    trace, dense = run.trace, run.dense_trace
    data, config, method = run.data, run.config, describe_search(run.config.search).title
    sizes = (
        f"n = {data.num_points} datapoints in {data.dimension} dimensions, m = {config.width:,} neurons, "
        f"b = {numeral(config.resolved_threshold, 5)}, seed {config.seed}"
    )
    about = f"{data.description} {sizes}; {config.method}, solver {config.solver}, search through the {method}."
    compared = compare_losses(trace, dense) if dense else run.dense_refusal
    figures = _figure(RUN_CHARTS["loss"], run, compared) + _figure(RUN_CHARTS["operations"], run)
    return f'<h2>The whole run</h2><p>{html.escape(about)}</p><div class="charts">{figures}</div>{_table(run)}'


def _figure(chart: RunChart, run: ShownRun, more: str = "") -> str:
    """Return a chart with its caption; where it does not fit, it scrolls."""
    figure = chart.build(run.trace, run.dense_trace, 0)
    words = chart.describe(run.trace, run.dense_trace)
    return (
        f'<figure><div class="scrolls" tabindex="0" role="region" aria-label="Chart; scrolls sideways">'
        f"{draw_chart(figure, words)}</div><figcaption>{html.escape(f'{words} {more}'.strip())}</figcaption></figure>"
    )


def _table(run: ShownRun) -> str:
    trace = run.trace
    rows = [
        (
            str(record.iteration),
            numeral(record.loss, 4),
            f"{int(record.firing.counts.sum()):,}",
            f"{record.touched.size:,}",
            f"{sum(record.costs.values()):,}",
            f"{sum(trace.dense_costs(record).values()):,}",
        )
        for record in trace.records
    ]
    head = "".join(f'<th scope="col">{column}</th>' for column in _COLUMNS)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return (
        f"<details><summary>Table of all iterations</summary><table><thead><tr>{head}</tr></thead>"
        f"<tbody>{body}</tbody></table></details>"
    )
