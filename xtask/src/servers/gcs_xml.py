"""Gives fake-gcs-server the XML requests that write: `gcs_xml.py PORT FAKE_GCS_SERVER`.

Google Cloud Storage has two interfaces, and object stores' clients in Rust write through the XML one, which
fake-gcs-server only reads through. This starts the server and turns each writing request of the one interface into the
same request of the other. What is stored, listed and read, and whether a condition holds, is the server's; uploads in
parts, which the other interface does not have, are gathered here.
"""

import http.client
import itertools
import json
import os
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, quote, unquote, urlsplit

PATIENCE_S = 60
OF_ONE_CONNECTION = {"connection", "keep-alive", "transfer-encoding", "content-length", "date", "server"}


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Door(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Answers are written in pieces; none of them waits for the client.
    disable_nagle_algorithm = True
    behind = 0
    uploads: dict[str, dict[int, bytes]] = {}
    numbers = itertools.count(1)

    def ask(self, method: str, path: str, body: bytes = b"", headers: dict | None = None):
        """One request to the server: status, headers, body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.behind, timeout=PATIENCE_S)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            connection.close()

    def answer(self, status: int, headers: dict, body: bytes = b"", length: int | None = None) -> None:
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() not in OF_ONE_CONNECTION:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def pass_on(self) -> None:
        headers = {name: value for name, value in self.headers.items() if name.lower() not in OF_ONE_CONNECTION}
        status, found, body = self.ask(self.command, self.path, self.body(), headers)
        lengths = [int(value) for name, value in found.items() if name.lower() == "content-length"]
        self.answer(status, found, body, lengths[0] if self.command == "HEAD" and lengths else None)

    do_GET = do_HEAD = pass_on

    def target(self):
        """Bucket, object and query of a request for an object; nothing for any other."""
        parts = urlsplit(self.path)
        bucket, _, name = parts.path.lstrip("/").partition("/")
        if not name or bucket in ("storage", "upload"):
            return None
        return bucket, unquote(name), parse_qs(parts.query, keep_blank_values=True)

    def store(self, bucket: str, name: str, body: bytes):
        """Stores an object, under the condition of the request if it has one; gives status, ETag and generation."""
        condition = self.headers.get("x-goog-if-generation-match")
        path = f"/upload/storage/v1/b/{bucket}/o?uploadType=multipart&name={quote(name, safe='')}"
        if condition is not None:
            path += f"&ifGenerationMatch={condition}"
        mark = "-----part-of-a-request-----"
        kind = "Content-Type: application/octet-stream"
        about = json.dumps({"name": name})
        head = f"--{mark}\r\nContent-Type: application/json\r\n\r\n{about}\r\n--{mark}\r\n{kind}\r\n\r\n"
        related = head.encode() + body + f"\r\n--{mark}--\r\n".encode()
        status, _, answer = self.ask("POST", path, related, {"Content-Type": f"multipart/related; boundary={mark}"})
        made = json.loads(answer) if status == 200 else {}
        return status, made.get("etag", ""), str(made.get("generation", ""))

    def refuse(self, status: int) -> None:
        codes = {404: "NoSuchKey", 412: "PreconditionFailed"}
        text = f"<?xml version='1.0'?><Error><Code>{codes.get(status, 'InternalError')}</Code></Error>"
        self.answer(status, {"Content-Type": "application/xml"}, text.encode())

    def do_PUT(self) -> None:
        target = self.target()
        if target is None:
            return self.pass_on()
        bucket, name, query = target
        body = self.body()
        if "uploadId" in query:
            parts = self.uploads.get(query["uploadId"][0])
            if parts is None:
                return self.refuse(404)
            number = int(query["partNumber"][0])
            parts[number] = body
            return self.answer(200, {"ETag": f'"part-{number}"'})
        status, etag, generation = self.store(bucket, name, body)
        if status != 200:
            return self.refuse(status)
        return self.answer(200, {"ETag": f'"{etag}"', "x-goog-generation": generation})

    def do_POST(self) -> None:
        target = self.target()
        if target is None:
            return self.pass_on()
        bucket, name, query = target
        self.body()
        if "uploads" in query:
            upload = f"upload-{next(self.numbers)}"
            self.uploads[upload] = {}
            text = f"<InitiateMultipartUploadResult><UploadId>{upload}</UploadId></InitiateMultipartUploadResult>"
            return self.answer(200, {"Content-Type": "application/xml"}, text.encode())
        parts = self.uploads.pop(query["uploadId"][0], None)
        if parts is None:
            return self.refuse(404)
        status, etag, generation = self.store(bucket, name, b"".join(parts[number] for number in sorted(parts)))
        if status != 200:
            return self.refuse(status)
        text = f"<CompleteMultipartUploadResult><ETag>\"{etag}\"</ETag></CompleteMultipartUploadResult>"
        headers = {"Content-Type": "application/xml", "x-goog-generation": generation}
        return self.answer(200, headers, text.encode())

    def do_DELETE(self) -> None:
        target = self.target()
        if target is None:
            return self.pass_on()
        bucket, name, query = target
        if "uploadId" in query:
            self.uploads.pop(query["uploadId"][0], None)
            return self.answer(204, {})
        status, _, _ = self.ask("DELETE", f"/storage/v1/b/{bucket}/o/{quote(name, safe='')}")
        return self.answer(204, {}) if status in (200, 204) else self.refuse(status)

    def log_message(self, *_arguments) -> None:
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


def main(port: int, program: str) -> None:
    Door.behind = free_port()
    place = ["-host", "127.0.0.1", "-port", str(Door.behind), "-public-host", "127.0.0.1"]
    server = subprocess.Popen([program, "-backend", "memory", "-scheme", "http", "-log-level", "error", *place])
    for _ in range(PATIENCE_S * 10):
        try:
            socket.create_connection(("127.0.0.1", Door.behind), 1).close()
            break
        except OSError:
            time.sleep(0.1)
    # Without the server this is nothing.
    threading.Thread(target=lambda: os._exit(server.wait() or 1), daemon=True).start()
    Server(("127.0.0.1", port), Door).serve_forever()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
