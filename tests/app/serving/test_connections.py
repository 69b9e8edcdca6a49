"""How many connections there may be, and whose are closed where there are more."""

import resource
import time
from contextlib import ExitStack

from fastapi import FastAPI

from app.examples import ARTICLE, ARTICLE_PROBLEM
from app.serving.guard import SPARE_FILES, Connections, raise_file_limit
from app.serving.refusals import Overload
from app.settings import Settings
from tests.support.server import dump, post, run_server
from tests.support.sockets import KEPT, POST, connect, count_open, read_all


def test_a_server_may_open_as_many_files_as_the_system_lets_it() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert raise_file_limit() == hard
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (hard, hard)


def test_there_are_never_more_connections_than_files_may_be_open() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    settings = Settings.model_construct(max_connections=10 * hard)
    overload = Overload(lambda scope: None, lambda route, method, error: None)
    assert Connections(FastAPI(), settings, overload).most == hard - SPARE_FILES


def test_past_the_most_connections_those_that_waited_longest_are_closed() -> None:
    most = 64
    with run_server(max_connections=most, processes=0) as server, ExitStack() as stack:
        # the test's own client holds one
        sockets = [stack.enter_context(connect(server)) for _ in range(most - 1)]
        for connection in sockets:
            connection.settimeout(0)
        time.sleep(0.5)
        assert count_open(sockets) == most - 1
        for _ in range(20):
            assert post(server, "/v1/softmax-layer", dump(ARTICLE)).status_code == 200
        late = stack.enter_context(connect(server))
        late.sendall(KEPT)
        assert late.recv(65536).startswith(b"HTTP/1.1 200 ")
        assert most - 4 <= count_open(sockets) < most - 1
        assert post(server, "/v1/softmax-layer", dump(ARTICLE)).status_code == 200


def test_those_that_are_worked_for_are_not_closed_for_others() -> None:
    # a second of steps, more than the default budget allows
    body = dump(ARTICLE_PROBLEM | {"learning_rate": 0.1, "count": 30_000})
    with run_server(max_connections=1, processes=0, max_operations=10**11) as server, connect(server) as busy:
        head = POST.replace(b"/v1/softmax-layer", b"/v1/steps") + b"Content-Length: %d\r\n\r\n" % len(body)
        busy.sendall(head + body)
        time.sleep(0.3)
        for _ in range(8):
            with connect(server) as late:
                assert late.recv(1) == b""
        assert read_all(busy)[0] == 200
