"""One max-tree per neuron over the datapoints."""
