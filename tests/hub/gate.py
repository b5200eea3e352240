"""A reverse proxy that ends TLS before hubscope, as operators have one, on a network that can swallow what is sent."""

import subprocess
import threading
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from ssl import PROTOCOL_TLS_SERVER, SSLContext

from program import surroundings

# What waits longer than this has been forgotten by its sender, too.
WAIT_SECONDS_MAX = 120

# Makes an authority and a pair for this machine, and prints their files.
CERTIFICATES = """
import sys
from certipy import Certipy
store = Certipy(store_dir=sys.argv[1])
store.create_ca("authority")
files = store.create_signed_pair("hubscope", "authority", alt_names=["IP:127.0.0.1"])["files"]
print(files["ca"], files["cert"], files["key"], sep="\\n")
"""


class Gate(ThreadingHTTPServer):
    """Takes requests at any time, and passes them on while it is open. Until then nobody answers."""

    daemon_threads = True

    def __init__(self, target: str, folder: Path, python: Path):
        """`python` is one that has the package certipy, as every JupyterHub brings it."""
        super().__init__(("127.0.0.1", 0), Passage)
        self.target = target
        self.place = f"127.0.0.1:{self.server_port}"
        self.is_open = threading.Event()
        command = [python, "-c", CERTIFICATES, folder / "certificates"]
        made = subprocess.run(command, env=surroundings(), check=True, capture_output=True, text=True, timeout=60)
        self.authority, certificate, key = made.stdout.splitlines()
        context = SSLContext(PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self.socket = context.wrap_socket(self.socket, server_side=True)
        self.thread = threading.Thread(target=self.serve_forever)
        self.thread.start()

    def open(self):
        self.is_open.set()

    def shut(self):
        self.is_open.clear()

    def end(self):
        self.open()
        self.shutdown()
        self.server_close()
        self.thread.join()


class Passage(BaseHTTPRequestHandler):
    """One request on its way."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.is_open.wait(WAIT_SECONDS_MAX)
        connection = HTTPConnection(self.server.target, timeout=WAIT_SECONDS_MAX)
        headers = {**self.headers, "X-Forwarded-For": self.client_address[0]}
        connection.request("POST", self.path, body, headers)
        answer = connection.getresponse()
        said = answer.read()
        connection.close()
        self.send_response(answer.status)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *_):
        """The tests look at what arrived."""
