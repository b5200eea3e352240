"""A network that can swallow what is sent: a way to hubscope that is shut and opened."""

import contextlib
import socket
import threading

PIECE_BYTES = 1 << 16


class Gate:
    """Takes connections at any time, one after the other, and passes them on while it is open. Until then nobody answers."""

    def __init__(self, place: str):
        host, port = place.split(":")
        self.target = (host, int(port))
        self.is_open = threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.place = f"127.0.0.1:{self.listener.getsockname()[1]}"
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def open(self):
        self.is_open.set()

    def shut(self):
        self.is_open.clear()

    def run(self):
        # Ends when the listener is closed.
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                self.is_open.wait()
                # A sender that has given up by then is its own affair.
                with connection, contextlib.suppress(OSError):
                    self.pass_on(connection)

    def pass_on(self, connection: socket.socket):
        with socket.create_connection(self.target) as target:
            answers = threading.Thread(target=copy, args=(target, connection))
            answers.start()
            copy(connection, target)
            answers.join()

    def end(self):
        self.open()
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join()


def copy(source: socket.socket, target: socket.socket):
    with contextlib.suppress(OSError):
        while piece := source.recv(PIECE_BYTES):
            target.sendall(piece)
        target.shutdown(socket.SHUT_WR)
