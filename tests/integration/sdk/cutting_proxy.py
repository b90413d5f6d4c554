"""A TCP proxy that loses replies: the request arrives, the answer never does."""

import random
import socket
import threading


class CuttingProxy:
    """Listens on `port`, forwards to `target`, and cuts a share of the connections at their answer."""

    def __init__(self, target: int, share: float, seed: int) -> None:
        self._target = target
        self._share = share
        self._random = random.Random(seed)
        self.cut = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Take no more connections."""
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        try:
            server = socket.create_connection(("127.0.0.1", self._target), timeout=5)
        except OSError:
            client.close()
            return
        threading.Thread(target=_pump, args=(client, server), daemon=True).start()
        with client, server:
            while self._pass_answer(server, client):
                pass

    def _pass_answer(self, server: socket.socket, client: socket.socket) -> bool:
        try:
            answer = server.recv(65536)
            if not answer:
                return False
            if self._random.random() < self._share:
                self.cut += 1
                client.shutdown(socket.SHUT_RDWR)
                return False
            client.sendall(answer)
        except OSError:
            return False
        return True


def _pump(source: socket.socket, sink: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        return
