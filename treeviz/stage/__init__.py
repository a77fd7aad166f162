"""The stage: one component that plays a trace in the browser, step by step.

`script` tells an iteration in small steps, `watch_script` the steps of watch lists, `script_parts` holds what both are
made of, `frames` packs them with the pictures' data, `exactness` says whether an iteration is exact, `moment` reads an
address, `component` mounts the page's part, which lives in `web/` and owns the cursor.
"""
