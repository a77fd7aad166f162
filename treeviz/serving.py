"""The app for a class: several processes of it behind HAProxy, or one alone, kept alive until a signal stops them.

One interpreter keeps one processor busy, so a server with several processors runs several processes. A session lives in
one of them. HAProxy leads a new browser to the process with the fewest connections, and a cookie brings it back there.
Where that process is lost, HAProxy leads the browser to another one, and its session begins again.
"""

import ipaddress
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from click import echo

from treeviz.lesson.poll.store import VARIABLE as POLLS

MAX_UPLOAD_MB = 8  # a table of this length takes about 130 MB while it is read
FEW_STUDENTS = 15  # one process answers so many in time
_START_SECONDS, _STOP_SECONDS = 120, 5
_ADMINISTRATORS_PATH = "/usr/local/sbin:/usr/sbin"  # where packages put HAProxy, and few users look

_HAPROXY = """\
global
  maxconn 2000
  nbthread 1

defaults
  mode http
  timeout connect 5s
  timeout http-request 30s
  timeout client 1m
  timeout server 1m
  timeout tunnel 1h
  timeout check 10s

listen treeviz
  bind {host}:{port}
  balance leastconn
  cookie treeviz insert indirect nocache httponly
  option redispatch 1
  retry-on conn-failure empty-response
  option httpchk GET {base_path}/_stcore/health
  default-server check inter 2s fall 3 rise 1
"""


@dataclass(frozen=True, slots=True)
class Place:
    """Where an app is found: an IP address, a port and a path, which is empty or like `/treeviz`."""

    address: str
    port: int
    base_path: str = ""

    def __post_init__(self) -> None:
        """Refuse what is no address or path, and write the path with a slash before it and none behind."""
        try:
            ipaddress.ip_address(self.address)
        except ValueError:
            raise ValueError(
                f"--address must be an IP address, not {self.address!r}: pass 127.0.0.1, or 0.0.0.0 for all"
            ) from None
        if not re.fullmatch(r"[\w~./-]*", self.base_path, flags=re.ASCII):
            raise ValueError(
                f"--base-path may hold letters, digits and _ ~ . / - only, not {self.base_path!r}: pass, say, /treeviz"
            )
        path = self.base_path.strip("/")
        object.__setattr__(self, "base_path", f"/{path}" if path else "")

    @property
    def host(self) -> str:
        """The address as URLs write it."""
        return f"[{self.address}]" if ":" in self.address else self.address

    @property
    def url(self) -> str:
        """What to open in a browser, by the machine's name if the app listens on all of its addresses."""
        host = socket.gethostname() if ipaddress.ip_address(self.address).is_unspecified else self.host
        return f"http://{host}:{self.port}{self.base_path}/"

    def is_healthy(self) -> bool:
        """Return whether the app answers there."""
        host = self.host
        if ipaddress.ip_address(self.address).is_unspecified:  # not every system lets a client connect to it
            host = "[::1]" if ":" in self.address else "127.0.0.1"
        url = f"http://{host}:{self.port}{self.base_path}/_stcore/health"
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # another proxy would not find it
        try:
            opener.open(url, timeout=5).close()
        except OSError:
            return False
        return True

    def require_free(self) -> None:
        """Raise an OSError if something else listens there, or this process may not."""
        family = socket.AF_INET6 if ":" in self.address else socket.AF_INET
        socket.create_server((self.address, self.port), family=family).close()


def default_processes(num_students: int) -> int:
    """Return how many processes a class needs: one for a few students, else one a processor that may be used here."""
    from joblib import cpu_count  # slow to import

    return 1 if num_students <= FEW_STUDENTS else int(cpu_count())


def find_haproxy() -> str | None:
    """Return the path of HAProxy, None where it is not installed."""
    return shutil.which("haproxy", path=f"{os.environ.get('PATH', os.defpath)}:{_ADMINISTRATORS_PATH}")


def haproxy_configuration(place: Place, ports: Sequence[int]) -> str:
    """Return the text that lets HAProxy share out the browsers that come to `place` among these ports of 127.0.0.1."""
    text = _HAPROXY.format(host=place.host, port=place.port, base_path=place.base_path)
    return text + "".join(
        f"  server process-{number} 127.0.0.1:{port} cookie {number}\n" for number, port in enumerate(ports, 1)
    )


def keep_serving(place: Place, num_processes: int, haproxy: str | None) -> None:
    """Serve the app at `place` until SIGINT, SIGTERM or SIGHUP comes; then stop every process.

    Parameters
    ----------
    num_processes : processes of the app. With more than one, HAProxy listens at `place`.
    haproxy : path of HAProxy; None for one process alone.

    Raises
    ------
    RuntimeError : if a process does not start.
    """
    is_stopping = _stop_on_signals()
    started: list[_Process] = []
    with tempfile.TemporaryDirectory(prefix="treeviz-") as folder:
        try:
            if haproxy is None:
                started.append(_Process("the app", _app_command(place), place))
            else:
                ports = _free_ports(num_processes)
                shared = {**_share_of_machine(num_processes), POLLS: str(Path(folder) / "polls.sqlite")}
                for number, port in enumerate(ports, 1):
                    inner = Place("127.0.0.1", port, place.base_path)
                    started.append(_Process(f"process {number}", _app_command(inner), inner, shared))
                _wait_until_healthy(started, is_stopping)
                file = Path(folder) / "haproxy.cfg"
                file.write_text(haproxy_configuration(place, ports), encoding="utf-8")
                started.append(_Process("HAProxy", [haproxy, "-db", "-f", str(file)], place))
            _wait_until_healthy(started, is_stopping)
            if not is_stopping():
                _log(f"treeviz is at {place.url} with {num_processes} process{'es' * (num_processes > 1)}")
            while not is_stopping():
                time.sleep(0.2)
                for process in started:
                    if not is_stopping():  # else whoever stops this command has stopped its processes, too
                        process.revive()
        finally:
            _stop(started)


class _Process:
    """A process that is started again when it ends."""

    def __init__(
        self, name: str, command: Sequence[str], at: Place, variables: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        self.name, self.at = name, at
        self._command, self._environment = command, {**os.environ, **variables}
        self._start()

    def _start(self) -> None:
        # In a session of its own: Ctrl-C in a terminal reaches this command alone, which then stops all in order.
        self.running = subprocess.Popen(
            self._command,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )

    @property
    def ending(self) -> str:
        """How the process ended, in words; empty while it runs."""
        status = self.running.poll()
        if status is None:
            return ""
        return f"was ended by signal {-status}" if status < 0 else f"ended with status {status}"

    def revive(self) -> None:
        """Start the process again if it has ended."""
        if self.ending:
            _log(f"{self.name} {self.ending} and is started again")
            time.sleep(1.0)  # one that dies at once is not started without a pause
            self._start()


def _app_command(place: Place) -> list[str]:
    return [
        *(sys.executable, "-m", "treeviz", "app"),
        f"--server.address={place.address}",
        f"--server.port={place.port}",
        f"--server.baseUrlPath={place.base_path}",
        f"--server.maxUploadSize={MAX_UPLOAD_MB}",
        "--logger.hideWelcomeMessage=true",  # with it Streamlit would ask a public server for this machine's address
    ]


def _share_of_machine(num_processes: int) -> dict[str, str]:
    """Return environment variables that keep the processes from using each other's processors and memory."""
    from joblib import cpu_count

    from treeviz.training.memory import VARIABLE, usable_bytes

    threads = str(max(1, int(cpu_count()) // num_processes))
    shares = {name: os.environ.get(name, threads) for name in ("OMP_NUM_THREADS", "LOKY_MAX_CPU_COUNT")}
    return {**shares, VARIABLE: str(usable_bytes() / num_processes / 1e9)}


def _free_ports(count: int) -> list[int]:
    with ExitStack() as held:  # all at once, so that all are different
        servers = [held.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [server.getsockname()[1] for server in servers]


def _stop_on_signals() -> Callable[[], bool]:
    """From now on note signals that ask to stop, unless this process was started to ignore them."""
    received: list[int] = []
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)  # Windows has no SIGHUP
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, lambda number, _: received.append(number))
    return lambda: bool(received)


def _wait_until_healthy(processes: Sequence[_Process], is_stopping: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _START_SECONDS
    for process in processes:
        while not is_stopping() and not process.at.is_healthy():
            if process.ending:
                raise RuntimeError(f"{process.name} did not start: it {process.ending}")
            if time.monotonic() > deadline:
                raise RuntimeError(f"{process.name} did not answer within {_START_SECONDS} seconds of its start")
            time.sleep(0.1)


def _stop(processes: Sequence[_Process]) -> None:
    """Ask all to end, the last that was started first, and end those that take too long."""
    deadline = time.monotonic() + _STOP_SECONDS
    for process in reversed(processes):
        process.running.terminate()
    for process in reversed(processes):
        try:
            process.running.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.running.kill()
            process.running.wait()
    _log("treeviz has stopped")


def _log(sentence: str) -> None:
    echo(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {sentence}")
