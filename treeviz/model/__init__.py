"""The network and its settings: who fires where, its limit at infinite width, and the rules of counting operations."""
