"""The map of related work: one component that draws papers as a graph, to be searched, opened and rearranged."""
