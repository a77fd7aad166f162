"""`treeviz serve`: what it writes for HAProxy, what it refuses, and a class that is served."""

import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import ExitStack, contextmanager
from http.cookiejar import CookieJar
from pathlib import Path
from urllib.parse import urlsplit

import joblib
import pytest
from click.testing import CliRunner
from debian import find_program
from stage_driver import StageDriver
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from treeviz import cli, serving
from treeviz.cli import main
from treeviz.pages import csv_choice
from treeviz.serving import MAX_UPLOAD_MB, Place, default_processes, haproxy_configuration

ROOT = Path(__file__).parent.parent
HOSTING = (ROOT / ".github" / "HOSTING.md").read_text()


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", HOSTING, flags=re.DOTALL)


# Configuration


def test_haproxy_is_told_to_keep_a_browser_at_its_process():
    text = haproxy_configuration(Place("0.0.0.0", 8501, "/class/treeviz/"), [4001, 4002, 4003])
    settings = [line.strip() for line in text.splitlines()]
    for line in (
        "bind 0.0.0.0:8501",
        "balance leastconn",
        "cookie treeviz insert indirect nocache httponly",
        "option redispatch 1",
        "retry-on conn-failure empty-response",
        "option httpchk GET /class/treeviz/_stcore/health",
        "timeout tunnel 1h",
    ):
        assert line in settings
    assert [line for line in settings if line.startswith("server ")] == [
        f"server process-{number} 127.0.0.1:400{number} cookie {number}" for number in (1, 2, 3)
    ]


def test_a_place_is_written_in_one_way():
    assert Place("127.0.0.1", 80, "a/b").url == Place("127.0.0.1", 80, "/a/b/").url == "http://127.0.0.1:80/a/b/"
    assert Place("::1", 8501).url == "http://[::1]:8501/"
    assert Place("0.0.0.0", 8501).url == Place("::", 8501).url == f"http://{socket.gethostname()}:8501/"
    assert "bind [::]:8501" in haproxy_configuration(Place("::", 8501), [1])
    assert "GET /_stcore" in haproxy_configuration(Place("::", 8501, "/"), [1])


def test_a_small_class_has_one_process_and_a_large_one_all_processors(monkeypatch):
    monkeypatch.setattr(joblib, "cpu_count", lambda: 6)
    assert [default_processes(num) for num in (1, 15, 16, 60)] == [1, 1, 6, 6]


def test_processes_share_the_processors(monkeypatch):
    monkeypatch.setattr(joblib, "cpu_count", lambda: 6)
    monkeypatch.delenv("LOKY_MAX_CPU_COUNT", raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    monkeypatch.setenv("TREEVIZ_MEMORY", "6")
    assert serving._share_of_machine(4) == {
        "OMP_NUM_THREADS": "5",
        "LOKY_MAX_CPU_COUNT": "1",
        "TREEVIZ_MEMORY": "1.5",
    }
    assert serving._share_of_machine(2)["LOKY_MAX_CPU_COUNT"] == "3"
    assert serving._share_of_machine(7)["LOKY_MAX_CPU_COUNT"] == "1"


def test_a_server_takes_smaller_files_where_it_is_told_to(monkeypatch):
    offered = []
    monkeypatch.setattr(csv_choice.st, "file_uploader", lambda *_, **options: offered.append(options))
    csv_choice.choose_csv()
    monkeypatch.setattr(csv_choice.st, "get_option", {"server.maxUploadSize": MAX_UPLOAD_MB}.get)
    csv_choice.choose_csv()
    assert [options["max_upload_size"] for options in offered] == [64, MAX_UPLOAD_MB]
    assert f"--server.maxUploadSize={MAX_UPLOAD_MB}" in serving._app_command(Place("127.0.0.1", 1))


# The command


@pytest.fixture
def asked(monkeypatch):
    """What the command would serve."""
    calls = []
    monkeypatch.setattr(cli, "keep_serving", lambda *arguments: calls.append(arguments))
    monkeypatch.setattr(joblib, "cpu_count", lambda: 4)
    return calls


def call(*arguments):
    return CliRunner().invoke(main, ["serve", "--address", "127.0.0.1", "--port", str(free_port()), *arguments])


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def test_without_haproxy_one_process_serves_or_an_error_says_what_to_install(monkeypatch, asked):
    monkeypatch.setattr(cli, "find_haproxy", lambda: None)
    done = call("--processes", "2")
    assert done.exit_code == 1 and asked == []
    assert "--processes 2 needs HAProxy: install the package haproxy, or pass --processes 1" in done.output
    done = call()
    assert done.exit_code == 0 and asked.pop()[1] == 1
    assert done.output == "One process serves all: install the package haproxy, and 4 share the work.\n"
    for arguments in (["--processes", "1"], ["--students", "15"]):
        done = call(*arguments)
        assert done.exit_code == 0 and asked.pop()[1] == 1 and done.output == ""


def test_haproxy_serves_as_many_processes_as_asked(monkeypatch, asked):
    monkeypatch.setattr(cli, "find_haproxy", lambda: "/usr/sbin/haproxy")
    for arguments, number in ([[], 4], [["--students", "15"], 1], [["--processes", "3", "--students", "2"], 3]):
        assert call("--base-path", "tree", *arguments).exit_code == 0
        place, processes, haproxy = asked.pop()
        assert place.base_path == "/tree" and processes == number
        assert haproxy == (None if number == 1 else "/usr/sbin/haproxy")


def test_what_cannot_be_served_is_refused_in_one_line(asked):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        for arguments, words in (
            (["--port", str(taken.getsockname()[1])], "choose another --port or --address"),
            (["--address", "localhost"], "--address must be an IP address, not 'localhost'"),
            (["--base-path", "/a\n  server evil"], "--base-path may hold letters"),
            (["--base-path", "/a b"], "--base-path may hold letters"),
            (["--port", "0"], "--port"),
            (["--students", "0"], "--students"),
            (["--processes", "0"], "--processes"),
        ):
            done = call("--processes", "1", *arguments)
            assert done.exit_code in (1, 2) and words in done.output, arguments
            assert done.output.count("Error: ") == 1 and asked == []


def test_a_process_that_does_not_start_ends_the_command(monkeypatch):
    monkeypatch.setattr(serving, "_app_command", lambda place: [sys.executable, "-c", "raise SystemExit(3)"])
    monkeypatch.setattr(serving, "_stop_on_signals", lambda: lambda: False)
    done = call("--processes", "1")
    assert done.exit_code == 1 and "Error: the app did not start: it ended with status 3" in done.output


# The hosting document


def test_the_commands_of_the_hosting_document_are_understood():
    # A unit, the shell and the container's entry point.
    commands = re.findall(r"^(?:ExecStart=)?\S*bin/treeviz (.*)$", HOSTING, flags=re.MULTILINE)
    commands += [f"serve {rest}" for rest in re.findall(r"^docker run .* treeviz (.*)$", HOSTING, flags=re.MULTILINE)]
    recipe = (ROOT / ".docker" / "Dockerfile").read_text()
    entry, options = (
        json.loads(re.search(rf"^{word} (.*)$", recipe, re.MULTILINE)[1]) for word in ("ENTRYPOINT", "CMD")
    )
    assert entry == ["treeviz", "serve"] and len(commands) == 3
    for name, *arguments in [shlex.split(command) for command in commands] + [["serve", *options]]:
        assert name == "serve"
        assert main.commands[name].make_context(name, arguments).params["students"] == 60


def test_the_proxy_lets_uploads_through_and_the_document_says_how_large():
    (proxy,) = blocks("nginx")
    assert int(re.search(r"client_max_body_size (\d+)m;", proxy)[1]) > MAX_UPLOAD_MB
    assert f"An uploaded file may have {MAX_UPLOAD_MB} MB." in HOSTING


# A class


@pytest.fixture
def haproxy():
    return require("haproxy")


@pytest.fixture
def nginx():
    return require("nginx")


def require(name):
    path = find_program(name)
    if path is None:
        reason = f"no {name} found: run python tests/debian.py {name} to install one"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return path


def wait_for(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.05)
    return found


@contextmanager
def served(log, *options):
    """Yield a running `treeviz serve` and its address; it is stopped afterwards."""
    command = [sys.executable, "-m", "treeviz", "serve", "--address", "127.0.0.1", "--port", str(free_port()), *options]
    with (
        log.open("w") as output,
        subprocess.Popen(command, stdout=output, stderr=output, start_new_session=True) as process,
    ):
        try:
            wait_for(lambda: "treeviz is at " in log.read_text() or process.poll() is not None)
            yield process, re.search(r"treeviz is at (\S+) with", log.read_text())[1].rstrip("/")
        finally:
            process.terminate()
            process.wait(30)


def children(process):
    """Return the numbers of the processes that a process has started; Linux only."""
    return list(map(int, Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()))


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


class Browser:
    """Cookies, and one session of the app, as a browser has them."""

    def __init__(self, url):
        self.url, self.cookies = url, CookieJar()
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self.cookies))
        self.session = None
        self.get("/")
        self.get("/_stcore/health")
        self.connect()

    def get(self, path):
        self.opener.open(self.url + path, timeout=30).close()

    def cookie(self, name):
        return next((cookie.value for cookie in self.cookies if cookie.name == name), None)

    @property
    def home(self):
        """The process that the cookie names."""
        return self.cookie("treeviz")

    def connect(self):
        """Open the websocket; return whether the session is the one there was."""
        from websockets.sync.client import connect

        before = self.session
        opening = connect(
            f"{self.url.replace('http', 'ws', 1)}/_stcore/stream",
            origin="http://" + urlsplit(self.url).netloc,
            subprotocols=["streamlit", self.cookie("_streamlit_xsrf"), *([before] if before else [])],
            additional_headers={"Cookie": "; ".join(f"{one.name}={one.value}" for one in self.cookies)},
            max_size=None,
        )
        self.tab = ExitStack()
        self.socket = self.tab.enter_context(opening)
        for header in self.socket.response.headers.get_all("Set-Cookie"):
            name, value = header.split(";")[0].split("=", 1)
            next(cookie for cookie in self.cookies if cookie.name == name).value = value
        self.draw()
        return self.session == before

    def draw(self):
        """Ask for the page, and wait until all of it has come."""
        message = BackMsg()
        message.rerun_script.query_string = "data=circle&width=64"
        self.socket.send(message.SerializeToString())
        while True:
            answer = ForwardMsg.FromString(self.socket.recv(timeout=60))
            kind = answer.WhichOneof("type")
            if kind == "new_session":
                self.session = answer.new_session.initialize.session_id
            elif kind == "script_finished":
                return

    def upload(self):
        """Send a file for this session, and return the status: 204 from the process that has it, 400 from others."""
        body = (
            b'--edge\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n'
            b"Content-Type: text/plain\r\n\r\n1\r\n--edge--\r\n"
        )
        request = urllib.request.Request(f"{self.url}/_stcore/upload_file/{self.session}/f", body, method="PUT")
        request.add_header("Content-Type", "multipart/form-data; boundary=edge")
        request.add_header("X-Xsrftoken", self.cookie("_streamlit_xsrf"))
        try:
            with self.opener.open(request, timeout=30) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code

    def wait_until_cut_off(self):
        from websockets.exceptions import ConnectionClosed

        with pytest.raises(ConnectionClosed):
            for _ in iter(lambda: self.socket.recv(timeout=30), None):
                pass


@pytest.mark.slow
def test_a_class_is_served_by_two_processes(tmp_path, haproxy):
    log = tmp_path / "log.txt"
    with served(log, "--processes", "2") as (process, url):
        first, second, balancer = children(process)
        browsers = [Browser(url) for _ in range(4)]
        assert sorted(browser.home for browser in browsers) == ["1", "1", "2", "2"]
        for browser in browsers:
            assert [browser.upload() for _ in range(3)] == [204] * 3
            browser.tab.close()
            assert browser.connect(), "another process has begun a new session"
            assert browser.upload() == 204
        lost, kept = sorted(browsers[:2], key=lambda browser: browser.home)
        session, kept.session = kept.session, lost.session
        assert kept.upload() == 400  # the other process has that session: uploads do tell processes apart
        kept.session = session

        os.kill(first, signal.SIGKILL)
        new = Browser(url)
        assert new.home == "2" and new.upload() == 204
        lost.wait_until_cut_off()
        assert not lost.connect()
        assert lost.home == "2" and lost.upload() == 204
        kept.draw()
        assert kept.session == session and kept.upload() == 204

        wait_for(lambda: "process 1 was ended by signal 9 and is started again" in log.read_text())
        wait_for(lambda: Browser(url).home == "1")
        started = children(process)
        assert len(started) == 3 and {second, balancer} < set(started)
        process.terminate()
        assert process.wait(30) == 0
        assert not any(map(is_alive, {first, *started}))
    lines = log.read_text().splitlines()
    assert lines[-1].endswith(" treeviz has stopped")
    assert all(re.match(r"20\d\d-\d\d-\d\d |\[(WARNING|NOTICE)\]", line) for line in lines), lines
    assert not any("restart streamlit" in line or "Traceback" in line for line in lines)


@pytest.mark.slow
def test_ctrl_c_in_a_terminal_stops_all_in_order(tmp_path, haproxy):
    log = tmp_path / "log.txt"
    with served(log, "--processes", "2") as (process, url):
        started = children(process)
        Browser(url)
        os.killpg(process.pid, signal.SIGINT)  # a terminal interrupts all of its processes
        assert process.wait(30) == 0
        assert len(started) == 3 and not any(map(is_alive, started))
    assert "again" not in log.read_text() and "Traceback" not in log.read_text()


@pytest.mark.slow
@pytest.mark.browser
def test_a_page_is_driven_through_the_proxy_of_the_hosting_document(tmp_path, haproxy, nginx, chromium):
    key, certificate, port = tmp_path / "key.pem", tmp_path / "certificate.pem", free_port()
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=127.0.0.1"]
    subprocess.run([*command, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    with served(tmp_path / "log.txt", "--processes", "2", "--base-path", "/treeviz") as (_, url):
        (text,) = blocks("nginx")
        for old, new in (
            ("listen 443 ssl", f"listen 127.0.0.1:{port} ssl"),
            ("/etc/ssl/certs/treeviz.pem", str(certificate)),
            ("/etc/ssl/private/treeviz.key", str(key)),
            ("http://127.0.0.1:8501", f"http://{urlsplit(url).netloc}"),
        ):
            assert text.count(old) == 1
            text = text.replace(old, new)
        names = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        folders = "".join(f"{name}_temp_path {tmp_path}/{name};\n" for name in names)
        file = tmp_path / "nginx.conf"
        file.write_text(
            f"daemon off; master_process off; pid {tmp_path}/nginx.pid; error_log stderr;\n"
            f"events {{}}\nhttp {{\naccess_log off;\n{folders}{text}}}\n"
        )
        with subprocess.Popen([nginx, "-p", tmp_path, "-c", file]) as proxy:
            try:
                wait_for(lambda: is_open(port) or proxy.poll() is not None)
                drive(chromium, f"https://127.0.0.1:{port}/treeviz")
            finally:
                proxy.terminate()
                proxy.wait(30)


def is_open(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def drive(chromium, url):
    """Open two moments of a run and another page, and try uploads of three sizes."""
    context = chromium.new_context(ignore_https_errors=True, viewport={"width": 1400, "height": 900})
    context.set_default_timeout(30_000)
    page = context.new_page()
    refused = []
    page.on("response", lambda answer: refused.append(answer.url) if answer.status >= 400 else None)
    page.goto(url)  # without the slash at its end
    stage = StageDriver(page, url).open("data=circle&width=64")
    assert stage.where == (0, 1, 1)
    stage.open("data=circle&width=64&it=2&tree=3").wait_for(2)
    page.get_by_role("link", name="Race").click()
    page.wait_for_url(re.compile(r"/treeviz/race"))
    page.get_by_role("button", name="Start").first.wait_for()
    assert refused == []
    for megabytes, status in ((2, 403), (MAX_UPLOAD_MB, 403), (MAX_UPLOAD_MB + 2, 413)):
        # The app refuses what has no token, the proxy what is too large for it.
        answer = page.request.put(f"{url}/_stcore/upload_file/none/none", data=b"1" * (megabytes * 2**20))
        assert answer.status == status, megabytes
    context.close()


@pytest.mark.slow
@pytest.mark.browser
def test_a_poll_reaches_the_students_of_every_process(tmp_path, haproxy, chromium, monkeypatch):
    folder = tmp_path / "private"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    contexts = [chromium.new_context(viewport={"width": 1400, "height": 900}) for _ in range(5)]
    with served(tmp_path / "log.txt", "--processes", "2") as (_, url):
        for context in contexts:
            context.set_default_timeout(30_000)
        teacher, *students = (context.new_page() for context in contexts)
        teacher.goto(f"{url}/?lesson=idea&scene=2")
        teacher.get_by_role("button", name="open a poll").click()
        code = teacher.locator(".join-code").inner_text()
        assert oct(next(folder.glob("treeviz-*")).stat().st_mode)[-3:] == "700"
        for place, student in enumerate(students):
            student.goto(f"{url}/?poll={code}")
            student.get_by_role("radiogroup").get_by_text("nothing" if place else "1.0").click()
            student.get_by_role("button", name="Send").click()
            student.get_by_text("Counted:").wait_for()
        teacher.get_by_text("4 answers").wait_for()
        times = teacher.locator(".poll-bars .times").all_inner_texts()
        assert [text.split(" · ")[0] for text in times] == ["1", "0", "3"]
        cookies = [{one["name"]: one["value"] for one in context.cookies()} for context in contexts]
        assert {own["treeviz"] for own in cookies[1:]} == {"1", "2"}, "all students were led to one process"
        assert len({own["treeviz-student"] for own in cookies[1:]}) == 4
        for context in contexts:
            context.close()
    assert list(folder.iterdir()) == []


@pytest.mark.slow
def test_the_balancer_of_the_hosting_document_keeps_a_browser_at_its_container(tmp_path, haproxy):
    (text,) = blocks("haproxy")
    file, port = tmp_path / "haproxy.cfg", free_port()
    with (
        served(tmp_path / "first.txt", "--processes", "2") as (_, first),
        served(tmp_path / "second.txt", "--processes", "2") as (_, second),
    ):
        for old, new in (
            ("bind :80", f"bind 127.0.0.1:{port}"),
            ("10.0.0.11:8501", urlsplit(first).netloc),
            ("10.0.0.12:8501", urlsplit(second).netloc),
        ):
            assert text.count(old) == 1
            text = text.replace(old, new)
        file.write_text(text)
        with subprocess.Popen([haproxy, "-db", "-f", str(file)]) as balancer:
            try:
                wait_for(lambda: is_open(port) or balancer.poll() is not None)
                browsers = [Browser(f"http://127.0.0.1:{port}") for _ in range(4)]
                assert {browser.cookie("container") for browser in browsers} == {"first", "second"}
                for browser in browsers:
                    assert [browser.upload() for _ in range(3)] == [204] * 3
            finally:
                balancer.terminate()
                balancer.wait(30)
