"""The paper's search: one max-tree per datapoint."""
