"""Training on a cluster: the same as in one process, whatever the workers do."""

import os
import pickle
import signal
import subprocess
import sys
import threading
import time

import distributed
import numpy as np
import pytest
from click.testing import CliRunner

from treeviz import Dataset, TrainConfig, Trainer, load_dataset
from treeviz.cli import main
from treeviz.model.firing import FiringSets
from treeviz.search import firing_network
from treeviz.search.firing_network import FiringNetwork
from treeviz.search.sharded import shard, shards, worker
from treeviz.search.sharded import weights as sharded_weights
from treeviz.search.sharded.shards import ClusterError, Shards
from treeviz.search.watch import sums
from treeviz.search.watch import weights as watch_weights
from treeviz.training import cluster
from treeviz.training.cluster import connect

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")


def points(n, d, seed=0):
    X = np.random.default_rng(seed).normal(size=(n, d))
    return X / np.linalg.norm(X, axis=1, keepdims=True)


def data_of(n, d):
    return Dataset(points(n, d), np.linspace(-1.0, 1.0, n))


def config_of(**settings):
    return TrainConfig(
        **{"width": 1 << 15, "threshold": 2.2, "search": "watch", "solver": "exact", "draw": "firing", **settings}
    )


def in_threads(num_workers):
    """Start workers that are threads of this process: quick, and with its modules."""
    return distributed.Client(
        n_workers=num_workers, threads_per_worker=1, processes=False, dashboard_address="127.0.0.1:0"
    )


@pytest.fixture(autouse=True)
def small_blocks(request, monkeypatch):
    """Have small networks drawn in many blocks, so that there are many shards; processes of their own do not know."""
    if not request.node.get_closest_marker("slow"):
        monkeypatch.setattr(firing_network, "_PROPOSALS", 256)


@pytest.fixture(scope="module")
def client():
    with in_threads(2) as client:
        yield client


CASES = {
    "Gauss-Newton": ((8, 5), {}),
    "more dimensions than datapoints, clipped": ((5, 9), {"activation": "clipped"}),
    "promotions": ((8, 5), {"skin": 0.05}),
    "gradient descent": ((8, 5), {"method": "gradient-descent", "step_size": None, "solver": "sketch"}),
    "mini-batches": ((8, 5), {"method": "sgd", "step_size": None, "batch_size": 3}),
    "one shard": ((4, 3), {"width": 300, "threshold": 1.5}),
}


@pytest.mark.parametrize("case", CASES)
def test_the_records_are_those_of_one_process(case, client, monkeypatch):
    shape, settings = CASES[case]
    data, config = data_of(*shape), config_of(**settings)
    own, sharded = Trainer(data, config), Trainer(data, config, cluster=client)
    assert sharded.trace.network._drawn is None and sharded.trace.num_drawn == own.trace.num_drawn
    for _ in range(4):
        ours, theirs = own.step(), sharded.step()
        if ours.loss < 1e-8:
            break
        assert theirs.loss == pytest.approx(ours.loss, rel=1e-9)
        assert theirs.outputs == pytest.approx(ours.outputs, abs=1e-9)
        assert theirs.firing.counts.tolist() == ours.firing.counts.tolist()
        assert (theirs.num_touched, theirs.status) == (ours.num_touched, ours.status)
        for name in ("num_watched", "num_due", "num_changed"):
            assert getattr(theirs.watch, name) == getattr(ours.watch, name), name
        assert theirs.watch.promoted.tolist() == ours.watch.promoted.tolist()
        for phase, operations in ours.costs.items():  # neurons are woken in blocks of eight
            assert theirs.costs[phase] == pytest.approx(operations, rel=0.4 if phase == "repair" else 0.0)
    assert sharded.num_bytes == pytest.approx(own.num_bytes, rel=0.3, abs=4096)
    for ours, theirs in zip(own.trace.records, sharded.trace.records, strict=True):  # sent now, from moments gone by
        assert theirs.firing.equals(ours.firing) and theirs.touched.tolist() == ours.touched.tolist()
    if case == "promotions":
        assert sum(record.watch.promoted.size for record in own.trace.records) > 10
    new = points(70, shape[1], seed=1)
    assert sharded.predict(new) == pytest.approx(own.predict(new), abs=1e-8)
    assert sharded.undrawn_deviation(new[:2]).values == pytest.approx(own.undrawn_deviation(new[:2]).values)
    some = np.array([0, own.trace.num_drawn - 1, 7, 7])
    for neurons in (some, some[:0], None):
        assert np.allclose(sharded.weights(neurons), own.weights(neurons), rtol=0, atol=1e-8)
    monkeypatch.setattr(sharded_weights, "BLOCK_ROWS", 1000)
    monkeypatch.setattr(watch_weights, "_CHUNK_NEURONS", 300)
    blocks = list(sharded.weight_blocks())
    assert [first for first, _ in blocks] == list(range(0, own.trace.num_drawn, 1000))
    assert np.allclose(np.concatenate([rows for _, rows in blocks]), own.weights(), rtol=0, atol=1e-8)
    ours, theirs = own.scan(), sharded.scan()
    assert (ours.num_leaves, ours.heap_fault) == (theirs.num_leaves, theirs.heap_fault)
    for kind in ("firing", "ties"):
        for found, expected in zip(getattr(theirs, kind), getattr(ours, kind), strict=True):
            assert found.tolist() == expected.tolist()
    assert sum(map(len, ours.firing)) > 100 or case == "one shard"
    assert sharded.trace.network._drawn is None


def run_of(client, **settings):
    trainer = Trainer(data_of(8, 5), config_of(method="gradient-descent", step_size=None, **settings), cluster=client)
    return trainer


def test_outputs_are_summed_up_again_when_those_of_all_shards_are_noisy(client, monkeypatch):
    monkeypatch.setattr(sums, "_MAX_TURNOVER", 1.0)
    sharded = run_of(client, skin=0.05)
    own = Trainer(sharded.data, sharded.config)
    for _ in range(6):
        assert sharded.advance() == pytest.approx(own.advance(), rel=1e-9)
    events = sharded._engine.lists._shards._events
    assert sum(event is None for event in events) > 0 < sum(event is not None for event in events)
    assert sharded.step().watch.promoted.tolist() == own.step().watch.promoted.tolist()


def test_the_bits_are_the_same_whatever_the_number_of_workers(client):
    def losses_and_outputs(client):
        trainer = run_of(client)
        losses = trainer.run(6).losses.tolist()
        return losses + trainer.predict(points(20, 5, seed=1)).tolist()

    ours = [losses_and_outputs(client)]
    for num_workers in (1, 3):
        with in_threads(num_workers) as other:
            ours.append(losses_and_outputs(other))
    assert ours[0] == ours[1] == ours[2] and len(ours[0]) == 26


def test_shards_that_are_lost_are_made_again_with_the_same_bits(client):
    whole, torn = run_of(client), run_of(client)
    for place in range(6):
        if place in (2, 3):
            worker._RUNS[torn._engine.lists._shards._run].shards.clear()
        if place == 5:
            del worker._RUNS[torn._engine.lists._shards._run]
        assert torn.step().loss == whole.step().loss
    new, outputs = points(20, 5, seed=1), whole.predict(points(20, 5, seed=1)).tolist()
    worker._RUNS[torn._engine.lists._shards._run].shards.clear()
    assert torn.predict(new).tolist() == outputs == torn.predict(new).tolist()
    assert torn.trace.records[3].firing.equals(whole.trace.records[3].firing)


def test_workers_let_go_of_a_run_that_is_over(client):
    trainer = run_of(client)
    run = trainer._engine.lists._shards._run
    assert run in worker._RUNS
    del trainer
    deadline = time.monotonic() + 10
    while run in worker._RUNS and time.monotonic() < deadline:
        time.sleep(0.02)
    assert run not in worker._RUNS


def test_what_is_sent_in_an_iteration_does_not_grow_with_the_width(client, monkeypatch):
    sizes, sent, results = {}, Shards._task, Shards._result

    def task(self, *arguments, **options):
        made = sent(self, *arguments, **options)
        sizes.setdefault(self.plan.config.width, []).append(len(pickle.dumps(made)))
        return made

    def result(self, future):
        found = results(self, future)
        sizes[self.plan.config.width].append(len(pickle.dumps(found)))
        return found

    monkeypatch.setattr(Shards, "_task", task)
    monkeypatch.setattr(Shards, "_result", result)
    drawn = []
    monkeypatch.setattr(shard, "_MAX_SHARDS", 8)
    for width in (1 << 15, 1 << 18):
        trainer = run_of(client, width=width)
        drawn.append(trainer.trace.num_drawn)
        trainer.advance()
        sizes[width].clear()
        trainer.advance()
    small, large = sizes.values()
    assert drawn[1] > 7 * drawn[0] > 20_000
    assert len(small) == len(large) == 4  # two workers, a question and an answer each
    assert sum(large) == pytest.approx(sum(small), abs=100)  # whole numbers of more digits
    n, num_shards = 8, trainer._engine.lists._shards.plan.num_shards
    assert sum(large) < 8 * (2 * n * n + 2 * n * num_shards) + 250 * num_shards


def test_progress_of_building_is_told(client):
    told = []
    trainer = Trainer(data_of(8, 5), config_of(), cluster=client, on_shard=lambda done, of: told.append((done, of)))
    num_shards = trainer._engine.lists._shards.plan.num_shards
    assert len(told) > 4 and told == sorted(told) and told[-1] == (num_shards, num_shards) and num_shards == 16


def test_parts_of_a_network_are_those_of_the_whole():
    X = points(6, 3)
    whole = FiringNetwork(X, 2, 1 << 18, 2.0)
    parts = [FiringNetwork(X, 2, 1 << 18, 2.0, part=(place, 5)) for place in range(5)]
    assert sum(part.num_drawn for part in parts) == whole.num_drawn
    assert np.array_equal(np.concatenate([np.asarray(part.signs) for part in parts]), np.asarray(whole.signs))
    assert np.array_equal(np.concatenate([part.weights() for part in parts]), whole.weights())
    numbers = [part.numbers(np.arange(part.num_drawn)) for part in parts]
    assert np.array_equal(np.concatenate(numbers), whole.numbers(np.arange(whole.num_drawn)))
    blocks = [rows for part in parts for _, rows in part.leaf_blocks()]
    assert np.array_equal(np.concatenate(blocks), np.concatenate([rows for _, rows in whole.leaf_blocks()]))


def test_deferred_firing_sets_are_loaded_when_a_neuron_is_asked_for():
    sets, loads = FiringSets.from_sets([np.array([1, 4]), np.array([4]), np.array([0, 4])]), []

    def load():
        loads.append(1)
        return sets

    deferred = FiringSets.deferred(
        load, sets.counts, lambda some: (sets if some is None else sets.on(some)).num_neurons
    )
    part = deferred.on(np.array([1, 2]))
    assert (deferred.num_pairs, deferred.num_neurons, len(deferred)) == (5, 3, 3) and deferred.compact() is deferred
    assert part.counts.tolist() == [0, 1, 2] and part.num_neurons == 2 and "3 neurons" in repr(deferred)
    assert not loads
    assert part[2].tolist() == [0, 4] and deferred.equals(sets) and deferred[0].tolist() == [1, 4] and loads == [1]
    with pytest.raises(AttributeError):
        _ = deferred.nothing


# What cannot be, in words


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"search": "forest"}, "search='watch' and draw='firing'"),
        ({"draw": "all"}, "search='watch' and draw='firing'"),
        ({"fault": "small-skin"}, "without a planted fault"),
        ({"solver": "sketch"}, "solver='exact'"),
        ({"threshold": 0.5}, "choose a higher threshold"),
        ({"threshold": 39.0}, "none of the 32,768 neurons fires"),
    ],
)
def test_what_a_cluster_cannot_train_is_refused(settings, words, client):
    with pytest.raises(ValueError, match=words):
        Trainer(data_of(8, 5), config_of(**settings), cluster=client)


def test_memory_too_short_on_a_worker_is_told_before_anything_is_drawn(client, monkeypatch):
    small = {"tcp://one": shards._Worker(1, 0), "tcp://two": shards._Worker(1, 440_000_000)}
    monkeypatch.setattr(Shards, "_find_workers", lambda self: small)
    with pytest.raises(ValueError, match=r"short on the worker tcp://two.*about 0\.3 GB.*0\.3 of its 0\.4 GB may"):
        Trainer(data_of(8, 5), config_of(width=1 << 19), cluster=client)
    monkeypatch.setattr(Shards, "_find_workers", lambda self: {})
    with pytest.raises(ClusterError, match="no workers"):
        Trainer(data_of(8, 5), config_of(), cluster=client)


class Future:
    def __init__(self, status, error=None):
        self.status, self.error = status, error

    def result(self, timeout):
        raise self.error


@pytest.mark.parametrize(
    ("future", "words"),
    [
        (Future("lost"), "scheduler of the cluster is gone"),
        (Future("error", distributed.KilledWorker("task", None, 3)), "worker after worker was lost"),
        (Future("error", MemoryError()), "memory of a worker is too short"),
    ],
)
def test_what_ends_a_run_is_told(future, words, client):
    with pytest.raises(ClusterError, match=words):
        run_of(client)._engine.lists._shards._result(future)


def test_what_was_not_asked_in_time_is_told():
    with in_threads(1) as other:
        record = run_of(other).step()
    assert record.firing.num_pairs > 0
    with pytest.raises(ClusterError, match="the cluster that keeps this run is closed"):
        record.firing.sets()


def test_a_cluster_without_workers_is_given_up(client, monkeypatch):
    trainer = run_of(client)
    monkeypatch.setattr(Shards, "_find_workers", lambda self: {})
    monkeypatch.setattr(shards, "_PATIENCE", 0.1)
    monkeypatch.setattr(shards, "_PAUSE", 0.02)
    worker._RUNS.clear()
    with pytest.raises(ClusterError, match="had no workers for"):
        trainer.advance()


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "nowhere", "tcp://127.0.0.1:1/x"])
def test_no_scheduler_at_an_address_is_told(address, monkeypatch):
    monkeypatch.setattr(cluster, "PATIENCE", 0.2)
    with pytest.raises(ValueError, match=f"no scheduler answers at {address}: start one"), connect(address):
        pass


def test_a_scheduler_without_workers_is_told():
    class Empty:
        def wait_for_workers(self, count, timeout):
            assert (count, timeout) == (1, cluster.PATIENCE)
            raise TimeoutError

    with pytest.raises(ValueError, match="at tcp://here has no workers: start some with `dask worker tcp://here`"):
        cluster._require_workers(Empty(), "tcp://here")


def test_a_scheduler_that_is_gone_is_told(client, monkeypatch):
    trainer = run_of(client)
    monkeypatch.setattr(client, "status", "closed")
    with pytest.raises(ClusterError, match="the scheduler of the cluster is gone"):
        trainer._engine.lists._shards._find_workers()


def test_versions_that_differ_are_told(client):
    versions = client.get_versions(packages=["treeviz"])
    cluster._require_versions(versions)
    name = next(iter(versions["workers"]))
    versions["workers"][name]["packages"]["numpy"] = "1.0"
    with pytest.raises(ValueError, match=rf"versions differ: worker {name} has numpy 1\.0, and this process"):
        cluster._require_versions(versions)
    versions["scheduler"]["packages"]["distributed"] = None
    versions["workers"].clear()
    with pytest.raises(ValueError, match=r"the scheduler has distributed \(not installed\)"):
        cluster._require_versions(versions)


def test_the_extra_that_is_missing_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ValueError, match=r"pip install 'treeviz\[cluster\]'"), connect(num_workers=1):
        pass
    with pytest.raises(ValueError, match="one of the two"), connect():
        pass


ARGUMENTS = ["run", "--data", "sphere", "--points", "8", "--width", "100000", "--search", "watch", "--solver", "exact"]
ARGUMENTS += ["--draw", "firing", "--method", "gradient-descent", "--step-size", "auto", "--until-loss", "0"]


def losses_of(output):
    return [line.split()[1] for line in output.splitlines() if line[:9].strip().isdigit()]


def test_the_command_trains_on_a_cluster(client):
    address = client.scheduler.address
    alone = CliRunner().invoke(main, [*ARGUMENTS, "--iterations", "4"])
    done = CliRunner().invoke(main, [*ARGUMENTS, "--iterations", "4", "--cluster", address])
    assert done.exit_code == 0 == alone.exit_code, done.output
    assert losses_of(done.stdout) == losses_of(alone.stdout) and len(losses_of(done.stdout)) == 4
    for options, words in (
        (["--cluster", address, "--workers", "2"], "pass one of the two"),
        (["--workers", "2", "--search", "forest"], "--search watch --draw firing --solver exact"),
    ):
        refused = CliRunner().invoke(main, [*ARGUMENTS, *options])
        assert refused.exit_code == 1 and words in refused.stderr


# Processes that die


def wait_for_two_workers(client, killed):
    """Return the processes of two workers, none of them the one killed: what dask knows of workers may be old."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        alive = set(client.run(os.getpid, on_error="ignore").values()) - {killed}
        if len(alive) == 2:
            return sorted(alive)
        time.sleep(0.02)
    raise AssertionError("no second worker came")


@pytest.mark.slow
def test_a_worker_is_killed_ten_times_and_the_results_are_equal():
    data, config = load_dataset("sphere", num_points=8, seed=0), config_of(width=1 << 18, method="gradient-descent")
    with connect(num_workers=2) as client:
        expected = Trainer(data, config, cluster=client).run(8, 0.0).losses.tolist()
        victim = None
        for time_of_death in range(10):
            workers = wait_for_two_workers(client, victim)
            trainer, losses = Trainer(data, config, cluster=client), []
            victim = workers[time_of_death % 2]
            timer = threading.Timer(0.004 * max(0, time_of_death - 5), os.kill, (victim, signal.SIGKILL))
            for place in range(8):
                if place == 2 + time_of_death % 4:
                    timer.start()
                losses.append(trainer.step().loss)
            assert losses == expected
            assert trainer.trace.records[1].firing.num_pairs == trainer.trace.records[1].firing.points.size
            timer.join()


def is_alive(group):
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_an_end_of_the_command_leaves_a_checkpoint_and_no_processes(number, tmp_path):
    path, whole = tmp_path / "run.jsonl", tmp_path / "whole.jsonl"
    command = [sys.executable, "-m", "treeviz", *ARGUMENTS, "--workers", "2"]
    ended = subprocess.Popen(
        [*command, "--iterations", "100000", "--checkpoint", str(path)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + 60
    while (not path.exists() or path.read_bytes().count(b"\n") < 4) and time.monotonic() < deadline:
        time.sleep(0.02)
    group = [number == signal.SIGINT]
    os.killpg(ended.pid, number) if group[0] else os.kill(
        ended.pid, number
    )  # as a terminal does, or as a lack of memory
    ended.wait(timeout=30)
    assert ended.returncode == (130 if number == signal.SIGINT else -signal.SIGKILL)
    while is_alive(ended.pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not is_alive(ended.pid)
    num_done = path.read_bytes().count(b"\n") - 1
    until = str(num_done + 2)
    subprocess.run(
        [*command[:3], "run", "--resume", str(path), "--iterations", until, "--until-loss", "0", "--workers", "1"],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    subprocess.run([*command, "--iterations", until, "--checkpoint", str(whole)], check=True, stdout=subprocess.DEVNULL)
    assert num_done > 2 and path.read_bytes() == whole.read_bytes()
