"""The service behind nginx and HAProxy, set up as the files in deploy/ say: nobody notices that there is a proxy."""

import re
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from app.examples import ARTICLE
from app.settings import Settings
from tests.support.bulk_lines import HEADERS as LINES
from tests.support.bulk_lines import submissions
from tests.support.server import Server, dump, find_free_port, run_server, seconds_to_end, stop
from tests.support.sockets import wait_for_metric
from tests.support.tensor_client import MEDIA_TYPE as TENSORS

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
PREFIX = "/gradmark"
UPSTREAM = "127.0.0.1:8000"
JSON = {"Content-Type": "application/json"}
BROWSER = {"Accept": "text/html,*/*;q=0.8"}
START_SECONDS = 10
WORKERS = 4
DRAIN_SECONDS = Settings.model_fields["drain_seconds"].default

NGINX = """daemon off; user root; pid {folder}/pid; error_log {folder}/log; events {{}}
http {{
    access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/reply;
    fastcgi_temp_path {folder}/1; scgi_temp_path {folder}/2; uwsgi_temp_path {folder}/3;
    include {file};
}}
"""


@dataclass(frozen=True)
class Proxied:
    """Servers behind a proxy, and a client that knows the proxy alone."""

    port: int
    client: httpx.Client
    servers: list[Server]


@contextmanager
def run_proxy(name: str, folder: Path, *, servers: int = 1, **settings: object) -> Iterator[Proxied]:
    """Start servers and a proxy before them, set up by its file in deploy/ but for the addresses."""
    # Debian keeps them where only root looks
    program = shutil.which(name) or shutil.which(name, path="/usr/sbin")
    if program is None:
        pytest.skip(f"{name} is not installed")
    settings |= {"processes": 0, "client_header": "X-Forwarded-For"}
    if name == "haproxy":
        settings["root_path"] = PREFIX
    port = find_free_port()
    with ExitStack() as stack:
        running = [stack.enter_context(run_server(**settings)) for _ in range(servers)]
        addresses = [f"127.0.0.1:{server.port}" for server in running]
        process = stack.enter_context(subprocess.Popen(write_command(name, program, folder, port, addresses)))
        stack.callback(stop, process)
        client = stack.enter_context(
            httpx.Client(base_url=f"http://127.0.0.1:{port}{PREFIX}", timeout=30, trust_env=False)
        )
        wait_for(client)
        yield Proxied(port, client, running)


def write_command(name: str, program: str, folder: Path, port: int, addresses: list[str]) -> list[str]:
    file = next((ROOT / "deploy").glob(f"{name}.*"))
    lines = []
    for line in file.read_text().splitlines():
        if UPSTREAM in line:
            lines += [line.replace(UPSTREAM, address).replace("one", f"s{i}") for i, address in enumerate(addresses)]
        else:
            lines.append(re.sub(r"(listen |bind :)80", rf"\g<1>{port}", line))
    own = folder / file.name
    own.write_text("\n".join(lines) + "\n")
    if name == "haproxy":
        return [program, "-db", "-f", str(own)]
    main = folder / "main.conf"
    main.write_text(NGINX.format(folder=folder, file=own))
    return [program, "-p", str(folder), "-c", str(main)]


def wait_for(client: httpx.Client) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        try:
            if client.get("/health/ready").status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    raise TimeoutError("the proxy reaches no server")


@pytest.fixture(params=["nginx", "haproxy"], scope="module")
def name(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


@pytest.fixture(scope="module")
def proxied(name: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxied]:
    with run_proxy(name, tmp_path_factory.mktemp(name)) as found:
        yield found


@pytest.mark.parametrize("entrance", ["", "/", "/docs"])
def test_people_find_the_documentation_and_it_what_it_needs_under_the_prefix(proxied: Proxied, entrance: str) -> None:
    page = httpx.get(
        f"http://127.0.0.1:{proxied.port}{PREFIX}{entrance}", headers=BROWSER, follow_redirects=True, trust_env=False
    )
    assert (page.status_code, page.url.path) == (200, f"{PREFIX}/docs")
    sources = re.findall(r"""(?:(?:src|href)=|\burl: )['"]([^'"]+)['"]""", page.text)
    assert len(sources) == 4
    for source in sources:
        assert proxied.client.get(page.url.join(source)).status_code == 200, source
    document = page.url.join("openapi.json")
    [server] = proxied.client.get(document).json()["servers"]
    operation = document.join(server["url"] + "/v1/softmax-layer")
    assert proxied.client.post(operation, json=ARTICLE).status_code == 200


@pytest.mark.parametrize("path", ["/metrics", "/%6Detrics", "/./metrics", "//metrics"])
def test_the_metrics_are_kept_back(proxied: Proxied, path: str) -> None:
    with socket.create_connection(("127.0.0.1", proxied.port), timeout=10) as connection:
        head = f"GET {PREFIX}{path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        connection.sendall(head.encode())
        received = b"".join(iter(lambda: connection.recv(65536), b""))
    assert received.startswith(b"HTTP/1.1 404 ")
    assert b"gradmark_requests" not in received


def as_it_is(content: bytes) -> bytes:
    return content


def in_pieces(content: bytes) -> Iterator[bytes]:
    """Yield pieces of a body, which is then sent in chunks."""
    for start in range(0, len(content), 10_000):
        yield content[start : start + 10_000]


@pytest.mark.parametrize("send", [as_it_is, in_pieces])
@pytest.mark.parametrize(
    ("path", "body", "headers"),
    [
        ("/v1/softmax-layer", dump(ARTICLE), JSON),
        ("/v1/softmax-layer", dump(ARTICLE), JSON | {"Accept": TENSORS}),
        ("/v1/softmax-layer", b"{}", JSON | {"X-Request-ID": "mine"}),
        ("/v1/grades/bulk", b"".join(submissions(5_000)), LINES),
    ],
    ids=["json", "tensors", "problem", "bulk"],
)
def test_replies_are_those_of_the_service_to_the_last_byte(
    proxied: Proxied, path: str, body: bytes, headers: dict[str, str], send: Callable[[bytes], bytes | Iterator[bytes]]
) -> None:
    direct, passed_on = (
        client.post(path, content=send(body), headers=headers) for client in (proxied.servers[0].client, proxied.client)
    )
    assert passed_on.status_code == direct.status_code
    assert passed_on.headers["content-type"] == direct.headers["content-type"]
    assert passed_on.content == direct.content


def test_connections_to_the_service_are_kept(proxied: Proxied) -> None:
    port = f":{proxied.servers[0].port:04X} "

    def count_connections() -> int:
        # also those that are over: whoever closes a connection remembers it for a minute
        return sum(port in line for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines())

    before = count_connections()
    for _ in range(300):
        assert proxied.client.post("/v1/softmax-layer", json=ARTICLE).status_code == 200
    # one or two for the requests, each with two ends, and those of the proxy's own checks
    assert count_connections() - before < 30


def test_a_client_that_waits_for_100_is_told_to_go_on(proxied: Proxied) -> None:
    body = dump(ARTICLE)
    with socket.create_connection(("127.0.0.1", proxied.port), timeout=10) as connection:
        connection.sendall(
            b"POST %b/v1/softmax-layer HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Connection: close\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n" % (PREFIX.encode(), len(body))
        )
        assert connection.recv(65536).startswith(b"HTTP/1.1 100 ")
        connection.sendall(body)
        assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")


def test_uploads_that_stop_before_their_end_leave_room_for_those_of_other_clients(name: str, tmp_path: Path) -> None:
    size, unfinished = 1_000_000, 4
    with run_proxy(name, tmp_path, max_memory_bytes=unfinished * size) as proxied, ExitStack() as stack:

        def connect(address: str) -> socket.socket:
            source = (address, 0)
            return stack.enter_context(socket.create_connection(("127.0.0.1", proxied.port), 10, source_address=source))

        def send(connection: socket.socket, body: bytes, forged: str = "") -> None:
            head = f"POST {PREFIX}/v1/grades HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: {forged}\r\n"
            head += f"Content-Type: application/json\r\nContent-Length: {size}\r\n\r\n"
            connection.sendall(head.encode() + body)

        for number in range(unfinished):
            # names that it makes up get it no more
            send(connect("127.0.0.2"), b" " * (size - 1), f"192.0.2.{number}")
        if name == "haproxy":
            # nginx keeps such bodies itself
            wait_for_metric(proxied.servers[0], 'gradmark_held_bytes{what="memory"}', unfinished * (size - 1))
        other = connect("127.0.0.3")
        send(other, b" " * size)
        # it is read, and found empty
        assert other.recv(12) == b"HTTP/1.1 400"


def test_no_request_is_lost_while_one_of_two_servers_stops(name: str, tmp_path: Path) -> None:
    with (
        run_proxy(name, tmp_path, servers=2, drain_seconds=DRAIN_SECONDS) as proxied,
        ThreadPoolExecutor(WORKERS) as pool,
    ):
        leaving, staying = proxied.servers
        is_over = False

        def ask() -> list[int]:
            statuses = []
            while not is_over:
                statuses.append(proxied.client.post("/v1/softmax-layer", json=ARTICLE).status_code)
            return statuses

        asking = [pool.submit(ask) for _ in range(WORKERS)]
        time.sleep(0.5)
        leaving.process.terminate()
        assert seconds_to_end(leaving.process) < 10
        time.sleep(0.5)
        is_over = True
        statuses = [status for one in asking for status in one.result()]
        assert leaving.process.returncode == 0
        assert staying.process.poll() is None
    assert set(statuses) == {200}
    assert len(statuses) > 100
