"""The sockets that the service listens on."""

import socket
import time

from app.serving.server import LISTENERS, listen
from tests.support.server import run_server

CLIENTS = 300


def test_it_listens_several_times_on_one_address() -> None:
    sockets = listen("127.0.0.1", 0)
    assert len(sockets) == LISTENERS
    assert len({each.getsockname() for each in sockets}) == 1
    assert len({each.fileno() for each in sockets}) == LISTENERS
    for each in sockets:
        each.close()


def test_a_new_client_does_not_wait_for_all_that_came_before_it() -> None:
    request = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    with run_server() as server:
        crowd = [socket.create_connection(("127.0.0.1", server.port), timeout=10) for _ in range(CLIENTS)]
        for each in crowd:
            each.sendall(request)
        started = time.monotonic()
        assert server.client.get("/health/live").status_code == 200
        assert time.monotonic() - started < 2
        for each in crowd:
            assert each.recv(100).startswith(b"HTTP/1.1 200 ")
            each.close()
