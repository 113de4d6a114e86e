#!/usr/bin/python3 -IS
"""A driver in Python: an issuer of API keys that a service reads from a JSON file.

The file holds hashes only: {"admin": sha256 of the password, "keys": {id: {...}}}.
docs/driver-protocol.md has every message."""
import hashlib, json, os, secrets, sys, time

DESCRIPTION = {
    "protocol": 1, "name": "keyfile", "title": "Key file",
    "connection": {"type": "object", "required": ["file", "password"], "properties": {
        "file": {"type": "string", "description": "The file that the service reads."},
        "password": {"secret": True, "description": "Whose hash the file has as admin."}}},
    "issuers": [{
        "kind": "api-key", "settings": {"type": "object", "properties": {}},
        "fields": ["id", "key"], "public": ["id"], "create": True, "label": True, "verifies": True, "end": "deleted",
        "disable": True}],
}

class Refused(Exception):
    pass  # (class, words): nothing was applied

def digest(text):
    return hashlib.sha256(text.encode()).hexdigest()

def handle(id, k):
    return {"id": id, "public": id, "name": k["name"], "created": k["created"], "disabled": k["disabled"]}

def save(path, state):  # either the old file or the new one, whatever happens
    with open(path + ".new", "w", opener=lambda p, f: os.open(p, f, 0o600)) as f:
        json.dump(state, f)
        f.flush()
        os.fsync(f.fileno())
    os.replace(path + ".new", path)

def answer(ask):
    if ask["op"] == "describe":
        return DESCRIPTION
    path, op = ask["connection"]["file"], ask["op"]
    with open(path) as f:
        state = json.load(f)
    keys = state["keys"]
    if digest(ask["connection"]["password"]["secret"]) != state["admin"]:
        raise Refused("denied", "the password is not the one of this file")
    if op == "list":
        return {"handles": [handle(i, k) for i, k in keys.items()]}
    if op == "verify":
        k = keys.get(ask["bundle"].get("id", {}).get("secret"))
        given = digest(ask["bundle"].get("key", {}).get("secret", ""))
        return {"verdict": "accepted" if k and not k["disabled"] and k["hash"] == given else "denied"}
    if op == "create":
        id, key = secrets.token_hex(8), secrets.token_urlsafe(32)
        keys[id] = {"name": ask["name"], "hash": digest(key), "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "disabled": False}
        save(path, state)
        return {"handle": handle(id, keys[id]), "bundle": {"id": {"secret": id}, "key": {"secret": key}}}
    id = ask.get("handle", {}).get("id")
    if id not in keys:
        raise Refused("absent", "there is no such key")
    if op == "find":
        return {"handle": handle(id, keys[id])}
    if op == "switch":
        keys[id]["disabled"] = not ask["on"]
        save(path, state)
        return {"handle": handle(id, keys[id])}
    if op == "revoke":
        del keys[id]
        save(path, state)
        return {}
    raise Refused("refused", "this driver does not know the operation " + op)

try:
    out = {"result": answer(json.loads(sys.stdin.readline()))}
except Refused as e:
    out = {"error": {"class": e.args[0], "why": e.args[1]}}
except OSError:
    out = {"error": {"class": "unknown", "why": "the file could not be read, or not written"}}
print(json.dumps(out))
