#!/usr/bin/env python3
"""Reads a Tabularium repository in a local directory: a second reader, written from docs/format.md alone.

    read_repository.py list    DIR [LABEL [TABLE]]      snapshots, or the tables of one, or the files of a table
    read_repository.py check   DIR                      every record, page and chunk; says all that is wrong
    read_repository.py extract DIR LABEL TABLE TARGET   the files of a table, as TARGET/<partition>/<tablet>/<file>

Needs Python 3.9 and nothing else. Exit code 0: sound; 1: damaged, or no such snapshot or table; 2: wrong usage, or
no repository; 3: written by a newer program. BLAKE3 in plain Python takes 2 seconds for each MiB of pages; data has
CRC-32.
"""
import argparse
import json
import os
import re
import sys
import zlib

FORMAT, FEATURES = 1, {"single-writer"}
TOKEN = r"[0-9a-f]{32}"
NUMBER = r"(?:0|[1-9][0-9]{0,19})"
COMMIT = re.compile(r"[0-9]{20}\.json")
PAGE = re.compile(rf"pages/{NUMBER}-{TOKEN}/[0-9a-f]{{64}}")
DATA = re.compile(rf"data/{NUMBER}-{TOKEN}/[^/]+")

# --- BLAKE3, plain hash (github.com/BLAKE3-team/BLAKE3-specs) -------------------------------------
IV = (0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A, 0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19)
PERMUTATION = (2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8)
CHUNK_START, CHUNK_END, PARENT, ROOT = 1, 2, 4, 8
COLUMNS = ((0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15))
DIAGONALS = ((0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14))
MASK = 0xFFFFFFFF


def compress(chaining, words, counter, length, flags):
    v = [*chaining, *IV[:4], counter & MASK, counter >> 32, length, flags]
    for _ in range(7):
        at = 0
        for a, b, c, d in COLUMNS + DIAGONALS:
            va, vb, vc, vd = v[a], v[b], v[c], v[d]
            va = (va + vb + words[at]) & MASK
            vd ^= va
            vd = (vd >> 16) | (vd << 16) & MASK
            vc = (vc + vd) & MASK
            vb ^= vc
            vb = (vb >> 12) | (vb << 20) & MASK
            va = (va + vb + words[at + 1]) & MASK
            vd ^= va
            vd = (vd >> 8) | (vd << 24) & MASK
            vc = (vc + vd) & MASK
            vb ^= vc
            v[a], v[b], v[c], v[d] = va, (vb >> 7) | (vb << 25) & MASK, vc, vd
            at += 2
        words = [words[p] for p in PERMUTATION]
    return [v[i] ^ v[i + 8] for i in range(8)]


def subtree(data, chunk):
    """What the last compression of a subtree takes; the first chunk of it has number `chunk`."""
    if len(data) > 1024:
        left = 1024
        while left * 2 < len(data):
            left *= 2
        children = compress(*subtree(data[:left], chunk)) + compress(*subtree(data[left:], chunk + left // 1024))
        return IV, children, 0, 64, PARENT
    chaining, flags = IV, CHUNK_START
    for start in range(0, max(len(data), 1), 64):
        block = data[start:start + 64]
        words = [int.from_bytes(block[i:i + 4], "little") for i in range(0, 64, 4)]
        if start + 64 >= len(data):
            return chaining, words, chunk, len(block), flags | CHUNK_END
        chaining, flags = compress(chaining, words, chunk, 64, flags), 0


def blake3(data):
    chaining, words, _, length, flags = subtree(data, 0)
    root = compress(chaining, words, 0, length, flags | ROOT)
    return b"".join(word.to_bytes(4, "little") for word in root).hex()


# --- objects --------------------------------------------------------------------------------------
class Problem(Exception):
    """Damage, with the object's name."""


class Newer(Problem):
    """Not damage: a newer program wrote it."""


def need(condition, name, text):
    if not condition:
        raise Problem(f"{name}: {text}")


def parse(name, text):
    """A JSON object of a format that is known."""
    try:
        value = json.loads(text)
        found = value["format"]
    except (ValueError, TypeError, KeyError) as failed:
        raise Problem(f"{name}: not a JSON object with a format: {failed!r}") from failed
    if found not in range(1, FORMAT + 1):
        raise Newer(f"{name}: format {found}, this program reads up to {FORMAT}")
    return value


def commit_name(generation):
    return f"commits/{2**64 - 1 - generation:020}.json"


class Repository:
    def __init__(self, directory):
        self.directory = directory

    def open(self, name):
        try:
            return open(os.path.join(self.directory, *name.split("/")), "rb")
        except OSError as failed:
            raise Problem(f"{name}: {failed.strerror}") from failed

    def read(self, name, limit):
        with self.open(name) as file:
            data = file.read(limit + 1)
        need(len(data) <= limit, name, f"longer than {limit} bytes")
        return data

    def sealed(self, name, limit):
        """A line of JSON and a line with its hash: the value and the hash."""
        lines = self.read(name, limit).split(b"\n")
        need(len(lines) == 3 and not lines[2], name, "not two lines")
        found = blake3(lines[0])
        need(lines[1] == b'{"blake3":"%s"}' % found.encode(), name, f"blake3 {found}, its seal says otherwise")
        return parse(name, lines[0]), found

    def identity(self):
        value, _ = self.sealed("repository.json", 65536)
        if set(value["features"]) - FEATURES:
            raise Newer(f"repository.json: asks for features {value['features']}")
        return value

    def generations(self):
        names = os.listdir(os.path.join(self.directory, "commits"))
        return sorted(2**64 - 1 - int(name[:20]) for name in names if COMMIT.fullmatch(name))

    def record(self, generation):
        name = commit_name(generation)
        value, found = self.sealed(name, 16384)
        need(value["generation"] == generation, name, f"says generation {value['generation']}")
        return value, found

    def page(self, ref, kind):
        """The body of a page, or the lines of a page of tablets."""
        name = ref["name"]
        if ref["format"] > FORMAT:
            raise Newer(f"{name}: format {ref['format']}, this program reads up to {FORMAT}")
        need(PAGE.fullmatch(name) and ref["kind"] == kind, name, f"is no reference to a page of kind {kind}")
        data = self.read(name, 16 << 20)
        need(len(data) == ref["len_bytes"], name, f"{len(data)} bytes, {ref['len_bytes']} expected")
        found = blake3(data)
        need(found == ref["hash"], name, f"blake3 {found}, {ref['hash']} expected")
        lines = data.split(b"\n")
        head = parse(name, lines[0])
        need(head["kind"] == kind and not lines[-1], name, f"not a page of kind {kind}")
        return [json.loads(line) for line in lines[1:-1]] if kind == "tablets" else head["body"]

    def rows(self, ref):
        """The snapshots below a page of the index."""
        if ref and ref["kind"] == "index-inner":
            return [row for child in self.page(ref, "index-inner") for row in self.rows(child["page"])]
        return self.page(ref, "index-leaf") if ref else []

    def files(self, table):
        """(partition, tablet, file) for each file of a table."""
        for partition in self.page(table["page"], "table")["partitions"]:
            for ref in partition["pages"]:
                for tablet in self.page(ref, "tablets"):
                    for file in tablet["files"]:
                        yield partition, tablet, file

    def chunks(self, file):
        """The bytes of a file, chunk by chunk, each checked."""
        name, size, whole = file["object"], file["chunk_bytes"], 0
        need(DATA.fullmatch(name), name, "is not the name of a data object")
        need(size in [1 << n for n in range(16, 27)], name, f"chunks of {size} bytes")
        need(len(file["chunks"]) == -(-file["len_bytes"] // size), name, f"{file['name']}: a wrong number of chunks")
        if file["len_bytes"]:
            with self.open(name) as data:
                data.seek(file["offset"])
                for number, expected in enumerate(file["chunks"]):
                    chunk = data.read(min(size, file["len_bytes"] - number * size))
                    found, whole = zlib.crc32(chunk), zlib.crc32(chunk, whole)
                    at = file["offset"] + number * size
                    need(found == expected, name, f"at {at}: {len(chunk)} bytes of {file['name']} with crc32 "
                                                  f"{found:08x}, {expected:08x} expected")
                    yield chunk
        need(whole == file["crc32"], name, f"{file['name']}: its chunks do not combine to its crc32")


# --- commands -------------------------------------------------------------------------------------
def check(repository, say):
    """Calls `say` for everything that is wrong; gives what was looked at, in words."""
    def guarded(what, *arguments):
        try:
            return what(*arguments)
        except Problem as problem:
            say(problem)
        except (LookupError, TypeError, ValueError, AttributeError) as failed:
            say(Problem(f"{what.__name__} {str(arguments)[:200]}: not of its format: {failed!r}"))
        return None

    identity, before, record, records, checked = guarded(repository.identity), None, None, 0, set()
    for generation in repository.generations():
        if generation != records:
            say(Problem(f"{commit_name(records)}: generations {records} to {generation - 1} are missing"))
            before = None
        found, name, records = guarded(repository.record, generation), commit_name(generation), generation + 1
        record = found and found[0]
        if found:
            if identity and (record["repository"] != identity["id"]
                             or generation == 0 and record["action"].get("identity") != identity):
                say(Problem(f"{name}: is of repository {record['repository']}, not {identity['id']}"))
            if before and record["previous"] != before:
                say(Problem(f"{name}: follows {record['previous']}, the record before is {before}"))
        before = found and found[1]
    rows = (guarded(repository.rows, record["index"]) if record else None) or []
    if record and len(rows) != record["snapshots"]:
        say(Problem(f"the index has {len(rows)} snapshots, the newest record says {record['snapshots']}"))

    def once(what, key, *arguments):
        if key not in checked:
            checked.add(key)
            guarded(what, *arguments)

    def file(file):
        need(sum(map(len, repository.chunks(file))) == file["len_bytes"], file["object"], "another length")

    def tablets(ref):
        for tablet in repository.page(ref, "tablets"):
            for entry in tablet["files"]:
                once(file, (entry["object"], entry["offset"], entry["len_bytes"], *entry["chunks"]), entry)

    def table(ref):
        for partition in repository.page(ref, "table")["partitions"]:
            for page in partition["pages"]:
                once(tablets, page["name"], page)

    def snapshot(row):
        root = repository.page(row["root"], "snapshot")
        same = (root["label"], root["timestamp"]) == (row["label"], row["timestamp"])
        need(same, row["root"]["name"], f"is not of snapshot {row['label']}")
        for entry in root["tables"]:
            once(table, entry["page"]["name"], entry["page"])

    for row in rows:
        guarded(snapshot, row)
    return f"{records} records, {len(rows)} snapshots, {len(checked)} tables, pages and files"


def extract(repository, table, target):
    for partition, tablet, file in repository.files(table):
        names = [partition["name"], str(tablet["tablet"]), file["name"]]
        need(all(name not in ("", ".", "..") and "/" not in name for name in names), "/".join(names), "no file name")
        path = os.path.join(target, *names)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "xb") as out:
            out.writelines(repository.chunks(file))


def find(items, key, value):
    found = [item for item in items if item[key] == value]
    need(found, value, f"there is no such {key}; there are: {', '.join(item[key] for item in items) or 'none'}")
    return found[0]


def show(item, *keys):
    hold = f"  held: {item['hold']['reason']}" if "hold" in item else ""
    print("  ".join(f"{item[key]} {key}" if isinstance(item[key], int) else item[key] for key in keys) + hold)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=["list", "check", "extract"])
    for name in ("DIR", "LABEL", "TABLE", "TARGET"):
        parser.add_argument(name, nargs=None if name == "DIR" else "?")
    given, problems = parser.parse_args(), []
    if (given.command == "extract") != bool(given.TARGET) or given.command == "check" and given.LABEL:
        parser.error("see --help for what each command takes")
    repository = Repository(given.DIR)
    if not os.path.isdir(os.path.join(given.DIR, "commits")):
        parser.error(f"there is no repository in {given.DIR}")
    try:
        if given.command == "check":
            looked_at = check(repository, lambda problem: problems.append(problem) or print(problem))
            print(f"{len(problems)} problems; looked at {looked_at}")
            return 0 if not problems else 3 if all(isinstance(problem, Newer) for problem in problems) else 1
        repository.identity()
        snapshots = repository.rows(repository.record(repository.generations()[-1])[0]["index"])
        if not given.LABEL:
            for row in snapshots:
                show(row, "label", "timestamp", "database", "tables", "tablets", "files", "bytes")
            return 0
        tables = repository.page(find(snapshots, "label", given.LABEL)["root"], "snapshot")["tables"]
        if not given.TABLE:
            for table in tables:
                show(table, "name", "partitions", "tablets", "files", "bytes")
        elif given.command == "extract":
            extract(repository, find(tables, "name", given.TABLE), given.TARGET)
        else:
            for partition, tablet, file in repository.files(find(tables, "name", given.TABLE)):
                print(f"{partition['name']}/{tablet['tablet']}/{file['name']}  {file['len_bytes']} bytes  "
                      f"crc32 {file['crc32']:08x}  {file['object']} at {file['offset']}")
        return 0
    except Newer as newer:
        print(f"read_repository: {newer}", file=sys.stderr)
        return 3
    except (Problem, LookupError, TypeError, ValueError, OSError) as failed:
        print(f"read_repository: {failed}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
