"""Watch lists of a network in shards, each a part of its neurons, kept by the workers of a cluster.

A shard (`shard.py`) draws its own neurons and keeps their lists. It is made from what all shards share and the *events*
so far: the dual steps, and the moments at which outputs were summed up again. So one that is lost is made again
anywhere, with the same bits. A worker (`worker.py`) keeps shards between the tasks that it is sent, and says so if it
lacks one. The process that trains (`lists.py`, through `shards.py`) sends the last event and gets the sums back, n
numbers a shard and n x n a worker whatever the width, solves the n x n system, and sends all events to those that
must make shards again.

How a network is cut into shards depends on the network alone, and their sums are added up in their order. So the
results have the same bits whatever the number of workers, and whether or not some were lost, on machines of one kind.
"""
