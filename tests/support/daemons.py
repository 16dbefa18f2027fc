"""Real servers, proxies and collectors, as they are packaged, in the foreground and on a port of their own."""

from __future__ import annotations

import importlib.util
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.waiting import wait_until

TINYPROXY = """
Listen 127.0.0.1
Port {port}
Timeout 30
MaxClients 20
LogLevel Connect
LogFile "{log}"
PidFile "{folder}/pid"
"""

NGINX = """
daemon off;
master_process off;
pid {folder}/pid;
error_log {folder}/error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    default_type application/json;
    log_format each "$connection $request $status $request_length";
    server {{
        listen 127.0.0.1:{port} ssl;
        ssl_certificate {certificate};
        ssl_certificate_key {certificate};
        access_log {log} each;
        {directives}
    }}
}}
"""


@contextmanager
def tinyproxy(folder: Path, *directives: str) -> Iterator[tuple[int, Path]]:
    """A forward proxy: its port, and its log."""
    port, log = _free_port(), folder / "tinyproxy.log"
    config = folder / "tinyproxy.conf"
    config.write_text(TINYPROXY.format(port=port, log=log, folder=folder) + "\n".join(directives) + "\n")
    with _running("tinyproxy", ["-d", "-c", str(config)], port):
        yield port, log


@contextmanager
def nginx(folder: Path, certificate: Path, *directives: str) -> Iterator[tuple[str, Path]]:
    """A web server over TLS, which does what the directives say: its URL, and its log."""
    port, log = _free_port(), folder / "nginx.log"
    config = folder / "nginx.conf"
    config.write_text(
        NGINX.format(port=port, log=log, folder=folder, certificate=certificate, directives="\n".join(directives))
    )
    with _running("nginx", ["-c", str(config), "-p", str(folder), "-e", str(folder / "error.log")], port):
        yield f"https://127.0.0.1:{port}", log


@contextmanager
def rotel(folder: Path, behind: str) -> Iterator[str]:
    """An OpenTelemetry collector, which passes on what it has understood to the URL `behind`: its own URL."""
    package = importlib.util.find_spec("rotel")
    if package is None or package.origin is None:
        pytest.skip("needs rotel, of which PyPI has wheels for Linux on x86-64 and Python 3.10 to 3.13")
    port = _free_port()
    options = {
        "otlp-http-endpoint": f"127.0.0.1:{port}",
        "otlp-grpc-endpoint": f"127.0.0.1:{_free_port()}",
        "pid-file": folder / "rotel.pid",
        "log-file": folder / "rotel.log",
        "exporter": "otlp",
        "otlp-exporter-protocol": "http",
        "otlp-exporter-endpoint": behind,
        "batch-timeout": "50ms",
    }
    arguments = [f"--{name}={value}" for name, value in options.items()]
    with _running_program(str(Path(package.origin).with_name("rotel-agent")), ["start", *arguments], port):
        yield f"http://127.0.0.1:{port}"


@contextmanager
def _running(name: str, arguments: list[str], port: int) -> Iterator[None]:
    program = shutil.which(name, path="/usr/bin:/usr/sbin:/bin:/sbin")
    if program is None:
        pytest.skip(f"needs {name} (scripts/install-test-tools)")
    with _running_program(program, arguments, port):
        yield


@contextmanager
def _running_program(program: str, arguments: list[str], port: int) -> Iterator[None]:
    with subprocess.Popen([program, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            wait_until(lambda: process.poll() is None and _listens(port), f"{program} listens")
            yield
        finally:
            process.terminate()


def _listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port
