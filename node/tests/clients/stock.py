"""The stock command line client, `mariadb` or `mysql`: in batch mode and at a terminal."""

import os
import pty
import re
import select
import signal
import subprocess
import time
from dataclasses import dataclass


PATIENCE_S = 60
PROMPT = "ready-for-more> "
BELL_AND_COLOURS = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]|\x1b[=>]|\x07|\r")


@dataclass
class Answer:
    """What a statement gave: an error's number, or columns and rows."""

    error: int | None
    message: str
    columns: list[str]
    rows: list[list[str]]


class Batch:
    """Runs each statement in a process of its own; the database in use is carried from one to the next."""

    name = "batch"

    def __init__(self, client: str, server):
        self.client, self.server, self.database = client, server, None

    def command(self, *more: str) -> list[str]:
        return [self.client, "--no-defaults", "-h127.0.0.1", f"-P{self.server.mysql_port}", "-uroot", *more]

    def run(self, statement: str) -> Answer:
        where = [f"--database={self.database}"] if self.database else []
        # The statement's own line breaks are kept; a result's line breaks come as \n.
        done = subprocess.run(
            self.command("--batch", "--column-names", *where, "-e", statement),
            capture_output=True, text=True, timeout=PATIENCE_S, stdin=subprocess.DEVNULL,
        )
        if done.returncode != 0:
            number = re.search(r"ERROR (\d+) \(\w{5}\)", done.stderr)
            assert number, f"the client failed without a number: {done.stderr}"
            return Answer(int(number.group(1)), done.stderr.strip(), [], [])
        assert not done.stderr, f"the client complains: {done.stderr}"
        used = re.match(r"USE\s+`?(\w+)`?$", statement, re.IGNORECASE)
        if used:
            self.database = used.group(1)
        lines = [line.split("\t") for line in done.stdout.splitlines()]
        return Answer(None, "", lines[0] if lines else [], lines[1:])


class Terminal:
    """A client that believes it is at a terminal: it reads all names of a database on USE, and has a prompt."""

    def __init__(self, client: str, server, *more: str):
        command = [
            client, "--no-defaults", "-h127.0.0.1", f"-P{server.mysql_port}", "-uroot", f"--prompt={PROMPT}", *more,
        ]
        self.seen = ""
        self.process, self.fd = pty.fork()
        if self.process == 0:
            os.environ["TERM"] = "dumb"
            os.execvp(command[0], command)
        self.wait_for_prompt()

    def read_until(self, done, patience_s: float = PATIENCE_S) -> str:
        """What was written since, once `done` holds for it."""
        text, deadline = "", time.monotonic() + patience_s
        while not done(text):
            left = deadline - time.monotonic()
            assert left > 0, f"the client hangs; it has written {self.seen + text!r}"
            if select.select([self.fd], [], [], left)[0]:
                try:
                    got = os.read(self.fd, 65_536)
                except OSError:
                    got = b""
                if not got:
                    break
                text = BELL_AND_COLOURS.sub("", text + got.decode(errors="replace"))
        self.seen += text
        return text

    def wait_for_prompt(self) -> str:
        return self.read_until(lambda text: text.endswith(PROMPT))

    def run(self, statement: str) -> str:
        """What the client writes for a statement."""
        os.write(self.fd, statement.encode() + b"\n")
        text = self.wait_for_prompt()
        return text.split("\n", 1)[-1]

    def interrupt(self) -> None:
        os.write(self.fd, b"\x03")

    def leave(self) -> int:
        os.write(self.fd, b"exit\n")
        self.read_until(lambda _text: False)
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            ended, status = os.waitpid(self.process, os.WNOHANG)
            if ended:
                os.close(self.fd)
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.02)
        os.kill(self.process, signal.SIGKILL)
        os.waitpid(self.process, 0)
        raise AssertionError("the client does not leave")


def interactive(client: str, server) -> None:
    """A person's first minutes: USE with completion of names, results, errors, an interrupted query."""
    terminal = Terminal(client, server)
    assert "Query OK, 0 rows affected" in terminal.run("CREATE DATABASE person;")
    # With completion on, the default, the client asks for the columns of every table here.
    assert "Database changed" in terminal.run("USE person")
    terminal.run("CREATE TABLE t (id BIGINT NOT NULL, note STRING) PRIMARY KEY (id) DISTRIBUTED BY HASH (id) BUCKETS 1;")
    terminal.run("CREATE TABLE u (id INT, day DATE) DUPLICATE KEY (id) DISTRIBUTED BY RANDOM BUCKETS 1;")
    assert "Query OK, 2 rows affected" in terminal.run("INSERT INTO t VALUES (1, 'one'), (2, NULL);")
    assert "Database changed" in terminal.run("USE person")
    shown = terminal.run("SELECT * FROM t ORDER BY id;")
    assert re.search(r"\|\s*1 \| one\s*\|", shown) and re.search(r"\|\s*2 \| NULL\s*\|", shown), shown
    assert "2 rows in set" in shown, shown
    assert "Empty set" in terminal.run("SELECT * FROM u;")
    assert "ERROR 1146 (42S02)" in terminal.run("SELECT * FROM nothing;")
    assert "ERROR 1049 (42000)" in terminal.run("USE nowhere")
    assert "note: NULL" in terminal.run("SELECT * FROM t WHERE id = 2\\G")
    assert "Server version:" in terminal.run("\\s")
    two = terminal.run("delimiter //\nSELECT 'first'; SELECT 'second' //")
    if "second" not in two:
        two += terminal.wait_for_prompt()
    assert "first" in two and "second" in two, two
    terminal.run("delimiter ;")
    # Ctrl-C opens a second connection and kills the query of the first.
    digits = "(SELECT 0 d UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4)"
    tables = ", ".join(f"{digits} t{index}" for index in range(14))
    total = " + ".join(f"t{index}.d" for index in range(14))
    os.write(terminal.fd, f"SELECT SUM({total}) FROM {tables};\n".encode())
    time.sleep(1.5)
    began = time.monotonic()
    terminal.interrupt()
    shown = terminal.wait_for_prompt()
    assert "ERROR 1317 (70100)" in shown, shown
    assert time.monotonic() - began < 20, "the query goes on after Ctrl-C"
    assert re.search(r"\|\s*2 \|", terminal.run("SELECT COUNT(*) FROM t;"))
    terminal.run("DROP DATABASE person FORCE;")
    assert terminal.leave() == 0


def more_batch(client: str, server) -> None:
    """What only a client in batch mode does."""
    batch = Batch(client, server)
    run = lambda *more, text: subprocess.run(
        batch.command(*more), input=text, capture_output=True, text=True, timeout=PATIENCE_S
    )
    # A script on standard input stops at the first error, or goes on when forced.
    script_text = "SELECT 'before';\nSELEKT 1;\nSELECT 'after';\n"
    stopped = run("--batch", "--skip-column-names", text=script_text)
    assert stopped.returncode == 1 and stopped.stdout == "before\n", stopped
    assert "ERROR 1064 (42000) at line 2" in stopped.stderr, stopped.stderr
    forced = run("--batch", "--skip-column-names", "--force", text=script_text)
    assert forced.stdout == "before\nafter\n", forced
    # Several results of one command, unbuffered rows, types.
    both = run("--batch", "--skip-column-names", "-e", "SELECT 1; SELECT 2", text="")
    assert both.stdout == "1\n2\n", both
    quick = run("--batch", "--quick", "--skip-column-names", "-e", "SELECT 'é', NULL, 1.50", text="")
    assert quick.stdout == "é\tNULL\t1.50\n", quick
    types = run("--table", "--column-type-info", "-e", "SELECT CAST(1 AS DECIMAL(10,2)) AS d, DATE '2026-01-02' AS e", text="")
    assert re.search(r"NEWDECIMAL", types.stdout) and re.search(r"Type: +DATE", types.stdout), types.stdout
    local = run("-e", "LOAD DATA LOCAL INFILE '/etc/hostname' INTO TABLE t", text="")
    assert local.returncode == 1 and "ERROR 1235 (42000)" in local.stderr and "_stream_load" in local.stderr, local
    wrong = subprocess.run(
        [client, "--no-defaults", "-h127.0.0.1", f"-P{server.mysql_port}", "-uroot", "-pwrong", "-e", "SELECT 1"],
        capture_output=True, text=True, timeout=PATIENCE_S, stdin=subprocess.DEVNULL,
    )
    assert "ERROR 1045 (28000)" in wrong.stderr, wrong
    nobody = subprocess.run(
        [client, "--no-defaults", "-h127.0.0.1", f"-P{server.mysql_port}", "-unobody", "-e", "SELECT 1"],
        capture_output=True, text=True, timeout=PATIENCE_S, stdin=subprocess.DEVNULL,
    )
    assert "ERROR 1045 (28000)" in nobody.stderr, nobody
    absent = run("--database=nowhere", "-e", "SELECT 1", text="")
    assert "ERROR 1049 (42000)" in absent.stderr, absent


def version(client: str) -> str:
    """What the client says of itself."""
    return subprocess.run([client, "--version"], capture_output=True, text=True, check=True).stdout.strip()


