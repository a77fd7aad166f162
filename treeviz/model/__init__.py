"""The network and its settings: firing sets, the limit at infinite width, and the rules of counting operations."""
