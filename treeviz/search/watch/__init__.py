"""Watch lists: the pairs that may fire before their neuron has moved far."""
