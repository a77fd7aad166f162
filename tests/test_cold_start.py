"""Sessions that open at the same moment on a server that has imported nothing yet."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest
import websockets
from server import running_server
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

PAGES = ("", "race", "theory", "where-it-pays")
QUERIES = ("data=digits&width=65536", "", "data=sphere&width=512", "data=xor&width=256")


async def visit(url, page, query, delay):
    """Open a page as a browser does, and return the errors shown until its script is done."""
    await asyncio.sleep(delay)
    errors = []
    address = f"{url.replace('http', 'ws')}/_stcore/stream"
    async with websockets.connect(address, max_size=None, subprotocols=["streamlit"], origin=url) as socket:
        message = BackMsg()
        message.rerun_script.query_string = query
        message.rerun_script.page_name = page
        await socket.send(message.SerializeToString())
        while True:
            answer = ForwardMsg.FromString(await asyncio.wait_for(socket.recv(), 120))
            if answer.delta.new_element.WhichOneof("type") == "exception":
                errors.append(answer.delta.new_element.exception.message)
            if answer.WhichOneof("type") == "script_finished" and answer.script_finished == 0:
                return errors


def open_together(url, start, delay=0.1):
    async def both():
        visits = [visit(url, PAGES[(start + i) % 4], QUERIES[(start + i) % 4], delay * i) for i in range(3)]
        return await asyncio.gather(*visits)

    # In a thread of its own: the browser that other tests share has left an event loop in this one.
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, both()).result()


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("start", [0, 3])  # every page is among the three of one, and each of two is the first
def test_sessions_that_open_together_on_a_cold_server_see_no_error(tmp_path, start):
    with running_server(tmp_path / "log.txt") as url:
        assert open_together(url, start) == [[], [], []]
    assert "Traceback" not in (tmp_path / "log.txt").read_text()
