"""Stream loads, health and metrics over HTTP."""

import base64
import http.client
import json

ROOT = "Basic " + base64.b64encode(b"root:").decode()


def put(server, path: str, body, headers: dict) -> tuple[int, dict]:
    connection = http.client.HTTPConnection("127.0.0.1", server.http_port, timeout=60)
    connection.request("PUT", path, body, {"Authorization": ROOT, **headers})
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    return answer.status, json.loads(text)


def get(server, path: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", server.http_port, timeout=60)
    connection.request("GET", path)
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, text


def checks(server, run) -> None:
    """`run` executes a statement and gives its rows."""
    run("CREATE DATABASE web")
    run("CREATE TABLE web.t (id BIGINT NOT NULL, note STRING, day DATE) PRIMARY KEY (id) DISTRIBUTED BY HASH (id) BUCKETS 2")
    load = "/api/web/t/_stream_load"
    status, answer = put(server, load, "1,one,2026-01-01\n2,\\N,2026-01-02\n", {"label": "first", "column_separator": ","})
    assert (status, answer["Status"], answer["NumberLoadedRows"]) == (200, "Success", 2), answer
    status, answer = put(server, load, "1,one,2026-01-01\n", {"label": "first", "column_separator": ","})
    assert (answer["Status"], answer["ExistingJobStatus"]) == ("Label Already Exists", "FINISHED"), answer
    # One bad row of four: too many, then allowed.
    bad = "3\x01x\x012026-01-03\n4\x01x\x01never\nfive\x01x\x01\\N\n6\x01x\x01\\N\n"
    headers = {"column_separator": "\\x01", "columns": "id,note,day", "strict_mode": "true"}
    status, answer = put(server, load, bad, headers)
    assert answer["Status"] == "Fail" and answer["NumberLoadedRows"] == 0, answer
    status, answer = put(server, load, bad, {**headers, "max_filter_ratio": "0.5"})
    assert (answer["Status"], answer["NumberLoadedRows"], answer["NumberFilteredRows"]) == ("Success", 2, 2), answer
    assert run("SELECT COUNT(*), SUM(id) FROM web.t") == [["4", "12"]]
    # A large body in pieces of no announced length.
    line = lambda number: f"{number}\tnumber {number}\t2026-01-01\n"
    pieces = ("".join(map(line, range(start, start + 1_000))).encode() for start in range(1_000, 201_000, 1_000))
    status, answer = put(server, load, pieces, {})
    assert (answer["Status"], answer["NumberLoadedRows"]) == ("Success", 200_000), answer
    status, answer = put(server, "/api/web/nothing/_stream_load", "x", {})
    assert (status, answer["Status"]) == (200, "Fail") and "nothing" in answer["Message"], answer
    status, answer = put(server, load, "{}", {"format": "json"})
    assert answer["Status"] == "Fail" and "json" in answer["Message"], answer
    status, answer = put(server, load, "x", {"Authorization": "Basic " + base64.b64encode(b"root:wrong").decode()})
    assert (status, answer["Status"]) == (401, "Fail"), answer
    status, text = get(server, "/health")
    assert (status, json.loads(text)["status"]) == (200, "OK"), text
    status, text = get(server, "/metrics")
    assert status == 200 and 'tabularium_stream_loads_total{status="success"} 3' in text, text
    run("DROP DATABASE web FORCE")
