"""What a tree node counts as, in operations: chosen on the pages that compare operations."""

import streamlit as st

from treeviz.model.ledger import NODE_PRICES
from treeviz.model.numerals import count


def choose_node_price() -> int:
    """Ask how many operations a tree node counts as, 1 by the ledger's rules; return it."""
    price = st.segmented_control(
        "A tree node counts as",
        [str(price) for price in NODE_PRICES],
        default=str(NODE_PRICES[0]),
        required=True,
        key="node-price",
        bind="query-params",
        help="Operations that a tree node read or written counts as. A node is a place in memory that must be fetched, "
        "a multiply-add of a matrix product is not: on one machine reading a node took as long as 90 to 340 of them. "
        "The choice weighs the nodes in all operations on this page, and changes no run.",
    )
    return int(price or 1)


def describe_node_price(node_price: int) -> str:
    """Say what the choice does to the operations shown; empty where a node counts as one operation."""
    if node_price == 1:
        return ""
    return (
        f"Each tree node read or written counts as {count(node_price, 'operation')} here, and a multiply-add as one, "
        "wherever this page shows operations."
    )
