"""A network whose weights a test names, so that every number that follows can be worked out by hand."""

from treeviz.model.network import InitialNetwork


class GivenNetwork(InitialNetwork):
    """Weights (m, d) and signs (m,), on datapoints (n, d); handed out in two blocks."""

    def __init__(self, weights, signs, X):
        self._W, self.signs, self._X = weights, signs, X
        self.width, self.num_drawn, self.draw_seconds = len(weights), len(weights), 0.0

    def sum_of_signs(self):
        return float(self.signs.sum())

    def weight_blocks(self, *, block_rows=None, first=0, last=None):
        middle = (len(self._W) + 1) // 2
        for low, rows in ((0, self._W[:middle]), (middle, self._W[middle:])):
            yield low, rows.copy()

    def leaf_blocks(self, drawing=None):
        for first, rows in self.weight_blocks():
            yield first, rows @ self._X.T

    def weights(self, neurons=None):
        return self._W.copy() if neurons is None else self._W[neurons]

    def leaf_rows(self, neurons):
        return self._W[neurons] @ self._X.T
