"""Makes a container in Azurite: `container.py PORT NAME ACCOUNT KEY`, signed as Azure's Shared Key asks."""

import base64
import hashlib
import hmac
import sys
import urllib.request
from email.utils import formatdate

port, name, account, key = sys.argv[1:]
headers = {"x-ms-date": formatdate(usegmt=True), "x-ms-version": "2021-08-06"}
lines = [f"{header}:{value}" for header, value in sorted(headers.items())]
# The method, and eleven headers that this request does not have.
signed = "\n".join(["PUT", *[""] * 11, *lines, f"/{account}/{account}/{name}", "restype:container"])
signature = base64.b64encode(hmac.new(base64.b64decode(key), signed.encode(), hashlib.sha256).digest()).decode()
headers["Authorization"] = f"SharedKey {account}:{signature}"
url = f"http://127.0.0.1:{port}/{account}/{name}?restype=container"
with urllib.request.urlopen(urllib.request.Request(url, method="PUT", headers=headers), timeout=30) as answer:
    assert answer.status == 201, answer.status
