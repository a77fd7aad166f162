"""Datapoints of unit length: the dataset, how a table becomes one, and the catalogue of those that come along."""
