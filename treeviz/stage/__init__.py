"""The stage: one component that plays a trace in the browser, step by step.

`script` tells an iteration in small steps, `watch_script` what watch lists do otherwise, `telling` holds what both are
made of, `frames` packs them with the pictures' data, `moment` reads an address, `component` mounts the page's part,
which lives in `web/` and owns the cursor.
"""
