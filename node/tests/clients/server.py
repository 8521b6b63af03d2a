"""A server of its own for the tests: started on ports of the system's choice, ended by its id."""

import queue
import subprocess
import tempfile
import threading
import time
from pathlib import Path

PATIENCE_S = 60


class Server:
    """`tabularium serve` on a data directory that is gone afterwards."""

    def __init__(self, binary: str):
        self.binary = binary

    def __enter__(self) -> "Server":
        self.place = tempfile.TemporaryDirectory(prefix="tabularium-clients-")
        self.dir = Path(self.place.name)
        self.seen, self.lines = [], queue.Queue()
        any_port = "127.0.0.1:0"
        self.process = subprocess.Popen(
            [self.binary, "serve", "--data-dir", self.dir / "data", "--mysql-addr", any_port, "--http-addr", any_port],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )
        threading.Thread(target=self.read, daemon=True).start()
        try:
            self.mysql_port = int(self.wait_for("mysql on ").rsplit(":", 1)[1])
            self.http_port = int(self.wait_for("http on ").rsplit(":", 1)[1])
            self.wait_for("ready")
        except BaseException:
            self.__exit__()
            raise
        return self

    def read(self) -> None:
        for line in self.process.stderr:
            self.lines.put(line.rstrip())
        self.lines.put(None)

    def wait_for(self, what: str) -> str:
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                line = self.lines.get(timeout=max(0, deadline - time.monotonic()))
            except queue.Empty:
                line = None
            if line is None:
                raise AssertionError(f"the server did not say '{what}': {self.seen}")
            self.seen.append(line)
            if what in line:
                return line

    def __exit__(self, *_failure) -> None:
        self.process.terminate()
        try:
            self.code = self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.code = self.process.wait()
        self.place.cleanup()
