#!/usr/bin/python3 -IS
"""Makes a fresh world for one case of the suite, in the folder DIR, and prints its variables."""
import hashlib, json, os

path, password = os.environ["DIR"] + "/keys.json", "correct-horse-battery"
first = {"name": "first", "hash": "", "created": "2026-01-01T00:00:00Z", "disabled": False}
with open(path, "w") as f:
    json.dump({"admin": hashlib.sha256(password.encode()).hexdigest(), "keys": {"0123456789abcdef": first}}, f)
print(json.dumps({"FILE": path, "PASSWORD": password}))
