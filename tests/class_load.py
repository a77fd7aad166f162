"""A class in front of one server: `python tests/class_load.py own` measures how long its students wait.

Each student is a websocket that opens the app as a browser does, and steps to a frame it does not have once a second.
Scenarios: `own` and `same` settings at 65,536 neurons, `light` ones at 4,096, `greedy`: light students beside thirty
sessions that ask for the largest settings. `soak`: students come and go, with mixed settings and lost connections;
memory is read every minute. Linux only: from /proc. The server is one that this script starts, or `--url`.
"""

import argparse
import asyncio
import json
import os
import random
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
import zlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from pathlib import Path

import websockets
from server import ROOT, running_server
from server_memory import find_server
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

SETTINGS = {
    "own": "data=digits&width=65536&seed={seed}",
    "same": "data=digits&width=65536",
    "light": "data=digits&width=4096&seed={seed}",
}
LARGEST = "data=digits&width=1048576&digits-n=100&seed={seed}"
MIXED = (
    "data=circle&width=64&seed={seed}",
    "data=digits&width=4096&seed={seed}",
    "data=moons&width=1024&seed={seed}",
    "data=sphere&width=16384&search=watch+lists&seed={seed}",
    "data=digits&width=65536",
)
PATIENCE = 120  # seconds for an answer


class Student:
    """One tab: opens an address, asks the stage's questions, and keeps what Streamlit tells a browser to keep."""

    def __init__(self, url, query):
        self.url, self.query = url, query
        self.stage = self.fragment = self.answer = self.socket = None
        self.known = {}  # messages that the server may refer to by their hash
        self.num_asked = 0

    async def open(self):
        """Open the page and return the seconds until the first frame is there."""
        start = time.monotonic()
        with urllib.request.urlopen(f"{self.url}/_stcore/health", timeout=PATIENCE) as response:
            cookies = [value.split(";")[0] for value in response.headers.get_all("Set-Cookie") or []]
        self.socket = await websockets.connect(
            f"{self.url.replace('http', 'ws', 1)}/_stcore/stream",
            subprotocols=["streamlit"],
            origin=re.match(r"https?://[^/]+", self.url)[0],
            additional_headers={"Cookie": "; ".join(cookies)} if cookies else None,
            max_size=None,
            open_timeout=PATIENCE,
            ping_interval=None,
        )
        await self._send()
        await self._read(lambda: self.answer is not None)
        return time.monotonic() - start

    async def step(self, tree, iteration):
        """Go to an iteration of a tree, rest there, and return the seconds until its frame is there."""
        start = time.monotonic()
        self.num_asked += 1
        header = self.answer["header"]
        view = {"tree": tree, "detail": header["detail"], "opened": [], "pinned": None}
        question = {"run": header["run"], "nonce": self.num_asked, "view": view, "wanted": [iteration], "fields": []}
        await self._send(question | {"cursor": iteration})
        await self._read(lambda: self.answer["nonce"] == self.num_asked)
        return time.monotonic() - start

    async def close(self):
        """Close the tab."""
        await self.socket.close()

    def lose(self):
        """Lose the connection without a word."""
        self.socket.transport.abort()

    async def _send(self, question=None):
        message = BackMsg()
        rerun = message.rerun_script
        rerun.query_string = self.query
        rerun.cached_message_hashes.extend(self.known)
        if question is not None:
            rerun.fragment_id = self.fragment
            state = rerun.widget_states.widgets.add()
            state.id, state.json_value = self.stage, json.dumps({"asked": question})
        await self.socket.send(message.SerializeToString())

    async def _read(self, is_done):
        """Read messages until a script has finished and `is_done` says so."""
        while True:
            message = ForwardMsg.FromString(await asyncio.wait_for(self.socket.recv(), PATIENCE))
            kind = message.WhichOneof("type")
            if kind == "ref_hash":
                message = self.known[message.ref_hash]
                kind = message.WhichOneof("type")
            elif message.metadata.cacheable:
                self.known[message.hash] = message
            if kind == "delta" and message.delta.new_element.WhichOneof("type") == "bidi_component":
                component = message.delta.new_element.bidi_component
                if component.component_name.endswith("treeviz-stage"):
                    self.stage, self.fragment = component.id, message.delta.fragment_id
                elif component.bytes:
                    self.answer = json.loads(zlib.decompress(component.bytes))
            elif kind == "script_finished" and is_done():
                return


async def study(student, seconds, waits, rng):
    """Step once a second: through the iterations of a tree, then to the next."""
    number = rng.randrange(1000)
    end = time.monotonic() + seconds
    while (start := time.monotonic()) < end:
        computed, num_trees = student.answer["status"]["computed"], student.answer["header"]["points"]
        waits.append(await student.step(number // computed % num_trees, number % computed))
        number += 1
        await asyncio.sleep(max(0.0, start + 1.0 - time.monotonic()))


async def attend(url, query, number, pause, seconds, openings, waits):
    """Come as the student of this number, `pause` seconds after the one before, study and go."""
    rng = random.Random(number)
    await asyncio.sleep(number * pause)
    student = Student(url, query)
    openings.append(await student.open())
    await asyncio.sleep(rng.random())
    await study(student, seconds, waits, rng)
    await student.close()


async def hold(url, query, seconds):
    """Ask for large settings and stay, whether they are granted or not."""
    student = Student(url, query)
    try:
        await asyncio.wait_for(student.open(), seconds)
        await asyncio.sleep(seconds)
    except TimeoutError:
        pass  # it waited in line all the time
    if student.socket is not None:
        student.lose()


async def soak(url, num_students, seconds, waits):
    """Have students come and go; some lose their connection, and some of these come back to their moment."""
    end = time.monotonic() + seconds
    lost_moments = []

    async def chair(number):
        rng = random.Random(number)
        await asyncio.sleep(rng.random() * min(30, seconds / 4))
        while time.monotonic() < end:
            query = rng.choice(MIXED).format(seed=rng.randrange(10))
            student = Student(url, query)
            await student.open()
            await study(student, min(rng.uniform(5, 60), max(1.0, end - time.monotonic())), waits, rng)
            if rng.random() < 0.5:
                await student.close()
                continue
            student.lose()
            iteration = student.answer["frames"][0]["iteration"] if student.answer["frames"] else 0
            back = Student(url, f"{query}&tree=1&it={iteration}&phase=search")
            await back.open()
            if (back.answer["start"]["iteration"], back.answer["start"]["tree"]) != (iteration, 1):
                lost_moments.append(query)
            await back.close()

    await asyncio.gather(*(chair(number) for number in range(num_students)))
    return lost_moments


@contextmanager
def lone_server(log):
    """Yield the address of one server that writes to the file `log`, and its number."""
    with running_server(log) as url:
        yield url, int(find_server())


@contextmanager
def class_server(log, num_processes):
    """Yield the address of `treeviz serve` with so many processes, which writes to the file `log`, and its number."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "treeviz", "serve", "--processes", str(num_processes), "--address", "127.0.0.1"]
    with (
        Path(log).open("w") as output,
        subprocess.Popen([*command, "--port", str(port)], stdout=output, stderr=output, cwd=ROOT) as process,
    ):
        try:
            while " is at http" not in Path(log).read_text():
                if process.poll() is not None:
                    raise RuntimeError(f"the server did not start: {Path(log).read_text()}")
                time.sleep(0.1)
            yield f"http://127.0.0.1:{port}", process.pid
        finally:
            process.terminate()
            process.wait(30)


def processes_of(pid):
    """Return a process and all that it started, also by way of others."""
    found = [pid]
    for parent in found:  # grows meanwhile
        for children in Path(f"/proc/{parent}/task").glob("*/children"):
            found += map(int, children.read_text().split())
    return found


def memory_of(pids):
    """Return the resident megabytes of some processes."""
    sizes = [re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text()) for pid in pids]
    return sum(int(size[1]) / 1024 for size in sizes if size)


def seconds_of(pids):
    """Return the processor seconds that some processes have used."""
    ticks = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


async def watch(pids, readings, pause):
    """Read the memory every `pause` seconds."""
    while True:
        readings.append(memory_of(pids))
        await asyncio.sleep(pause)


def describe(values):
    """Say the middle and the 95th percentile of some seconds."""
    ordered = sorted(values)
    middle, high = ordered[len(ordered) // 2], ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))]
    return f"p50 {1e3 * middle:,.0f} ms, p95 {1e3 * high:,.0f} ms, longest {1e3 * ordered[-1]:,.0f} ms"


async def measure(url, pids, options):
    """Run a scenario and print what was measured; return whether nothing was lost."""
    openings, waits, readings, lost = [], [], [], []
    pause = min(60, options.seconds / 10) if options.scenario == "soak" else 1
    used = seconds_of(pids)
    watching = asyncio.create_task(watch(pids, readings, pause)) if pids else None
    if options.scenario == "soak":
        lost = await soak(url, options.students, options.seconds, waits)
    else:
        query = SETTINGS.get(options.scenario, SETTINGS["light"])
        crowd = [
            attend(url, query.format(seed=number), number, options.pause, options.seconds, openings, waits)
            for number in range(options.students)
        ]
        if options.scenario == "greedy":
            crowd += [hold(url, LARGEST.format(seed=number), options.seconds) for number in range(30)]
        await asyncio.gather(*crowd)
        print(f"opening: {describe(openings)}")
    print(f"{len(waits):,} steps of {options.students} students: {describe(waits)}")
    if watching:
        watching.cancel()
        print(f"memory: at most {max(readings):,.0f} MB")
        print(f"processor: {seconds_of(pids) - used:,.0f} s, and {time.process_time():,.0f} s for the students")
        if options.scenario == "soak":
            settled = readings[len(readings) // 6 :]
            print(f"every {pause:.0f} s: {' '.join(f'{size:,.0f}' for size in readings)}")
            print(f"after a sixth of the time between {min(settled):,.0f} and {max(settled):,.0f} MB")
    if lost:
        print(f"lost moments: {lost}")
    return not lost


def run_apart(coroutine):
    """Run a coroutine in a thread of its own: a browser that tests drive leaves its event loop in the main one."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, coroutine).result()


def main(arguments=None):
    """Measure on this machine; the exit status is 1 if a moment was lost or the server wrote a traceback."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scenario", choices=[*SETTINGS, "greedy", "soak"])
    parser.add_argument("--students", type=int, default=60)
    parser.add_argument("--seconds", type=float, default=60, help="how long each student studies, or the soak lasts")
    parser.add_argument("--pause", type=float, default=0.5, help="seconds between two students who come")
    parser.add_argument("--processes", type=int, help="of `treeviz serve`; without it one server is started alone")
    parser.add_argument("--url", help="a server that runs already; its memory is not measured")
    options = parser.parse_args(arguments)
    with tempfile.NamedTemporaryFile() as log:
        if options.url:
            started = nullcontext((options.url, None))
        else:
            started = class_server(log.name, options.processes) if options.processes else lone_server(log.name)
        with started as (url, pid):
            is_whole = run_apart(measure(url, processes_of(pid) if pid else [], options))
        said = Path(log.name).read_text()
        is_whole &= "Traceback" not in said
    print("nothing was lost" if is_whole else f"something was lost; the server said:\n{said[-5000:]}")
    return 0 if is_whole else 1


if __name__ == "__main__":
    sys.exit(main())
