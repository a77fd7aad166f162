"""What a checker of accessibility finds on a page."""

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
