"""What a checker of accessibility finds on a page, in windows of several widths and in both colours."""

from axe_playwright_python.sync_playwright import Axe


def serious_findings(page, part="stMain"):
    """Return the serious faults of the page's main part, or another, each with some of the elements concerned."""
    context, options = {"include": [[f"[data-testid={part}]"]]}, {"resultTypes": ["violations"]}  # no more is read
    found = Axe().run(page, context=context, options=options).response["violations"]
    return [
        (fault["id"], [node["html"][:160] for node in fault["nodes"][:3]])
        for fault in found
        if fault["impact"] in ("serious", "critical")
    ]


# Whether the page has the colours that the system asks for, and every chart the width of its place.
_IS_SHOWN = """scheme => {
    const ground = getComputedStyle(document.querySelector("[data-testid=stApp]")).backgroundColor;
    const isDark = Number(ground.match(/\\d+/)[0]) < 128;
    const charts = [...document.querySelectorAll("[data-testid=stMain] .js-plotly-plot")];
    const fits = (chart) => Math.abs(chart.clientWidth - (chart._fullLayout?.width ?? Infinity)) <= 1;
    return isDark === (scheme === "dark") && charts.every(fits);
}"""


def show_as(page, width, scheme):
    """Give the page's window another width, and the system other colours; return when the page has followed."""
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=scheme)
    page.wait_for_function(_IS_SHOWN, arg=scheme)
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => setTimeout(done, 100)))")
