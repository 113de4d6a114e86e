#!/usr/bin/env python3
"""Verify an export of Rekey's evidence without Rekey.

    python3 verify_export.py evidence.jsonl --key KEY [--checkpoint FILE]...

KEY is a public key (name+hash+key) or a file of public keys; FILE holds checkpoints that
somebody else had kept. Exit code 0: it verifies; 10: it does not, and each line says why;
2: it cannot be read at all. It needs Python 3.8 and nothing else, and was written from the
formats in evidence.md and from their sources: RFC 8032 (Ed25519), RFC 6962 and RFC 9162
(the tree), c2sp.org/signed-note, c2sp.org/tlog-checkpoint.
"""

import argparse
import base64
import binascii
import datetime
import hashlib
import json
import os
import re
import sys

# Ed25519, RFC 8032 section 5.1, with its own names.

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT = pow(2, (P - 1) // 4, P)


def recover(y, sign):
    if y >= P:
        return None
    x2 = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    if x2 == 0:
        return None if sign else 0
    x = pow(x2, (P + 3) // 8, P)
    if (x * x - x2) % P:
        x = x * ROOT % P
    if (x * x - x2) % P:
        return None
    return P - x if x & 1 != sign else x


def add(p, q):
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % P, (p[1] + p[0]) * (q[1] + q[0]) % P
    c, d = 2 * p[3] * q[3] * D % P, 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def times(s, p):
    q = (0, 1, 1, 0)
    while s:
        if s & 1:
            q = add(q, p)
        p, s = add(p, p), s >> 1
    return q


def point(b):
    y = int.from_bytes(b, "little")
    sign, y = y >> 255, y & (2**255 - 1)
    x = recover(y, sign)
    return None if x is None else (x, y, 1, x * y % P)


BASE_Y = 4 * pow(5, P - 2, P) % P
BASE = (recover(BASE_Y, 0), BASE_Y, 1, recover(BASE_Y, 0) * BASE_Y % P)


def signed_by(key, message, signature):
    if len(signature) != 64:
        return False
    a, r, s = point(key), point(signature[:32]), int.from_bytes(signature[32:], "little")
    if a is None or r is None or s >= L:
        return False
    h = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % L
    left, right = times(s, BASE), add(r, times(h, a))
    return (left[0] * right[2] - right[0] * left[2]) % P == 0 and (left[1] * right[2] - right[1] * left[2]) % P == 0


# Keys, notes and checkpoints.


class Wrong(Exception):
    """What is wrong, in words."""


def read_key(text):
    name, _, rest = text.strip().partition("+")
    hashed, _, coded = rest.partition("+")
    raw = base64.b64decode(coded, validate=True)
    if len(raw) != 33 or raw[0] != 1 or hashlib.sha256(name.encode() + b"\n" + raw).digest()[:4].hex() != hashed:
        raise Wrong("this is not a public key")
    return name, bytes.fromhex(hashed), raw[1:]


def read_keys(given):
    keys = {}
    for one in given:
        lines = [one]
        if os.path.exists(one):
            with open(one, encoding="utf-8") as f:
                lines = [l for l in f.read().split("\n") if l.strip() and not l.strip().startswith("#")]
        for line in lines:
            name, hashed, key = read_key(line)
            keys[name, hashed] = key
    return keys


def open_note(text, keys):
    """The text of a note, and the names of the known keys that signed it."""
    if any(ord(c) < 32 and c != "\n" for c in text) or "\n\n" not in text or not text.endswith("\n"):
        raise Wrong("it is not a signed note")
    at = text.rindex("\n\n")
    body, by = text[: at + 1], {}
    for line in text[at + 2 : -1].split("\n"):
        m = re.fullmatch(r"— ([^\s+]+) ([A-Za-z0-9+/=]+)", line)
        if not m:
            raise Wrong("it is not a signed note")
        try:
            raw = base64.b64decode(m.group(2), validate=True)
        except binascii.Error:
            raise Wrong("it is not a signed note")
        if len(raw) < 5:
            raise Wrong("it is not a signed note")
        who = m.group(1), raw[:4]
        if who not in keys or who in by:
            continue  # somebody else's, as a witness's: it says nothing to us
        if not signed_by(keys[who], body.encode(), raw[4:]):
            raise Wrong("a signature is not by %s, as it says" % m.group(1))
        by[who] = True
    if not by:
        raise Wrong("it is signed by no key that was given")
    return body, [name for name, _ in by]


def open_checkpoint(text, keys):
    """Origin, number of entries and root."""
    body, by = open_note(text, keys)
    lines = body.split("\n")
    if len(lines) < 4 or not lines[0] or "" in lines[3:-1] or not re.fullmatch(r"0|[1-9][0-9]{0,14}", lines[1]):
        raise Wrong("it is not a checkpoint")
    root = base64.b64decode(lines[2], validate=True)
    if len(root) != 32:
        raise Wrong("it is not a checkpoint")
    if any(name != lines[0] for name in by):
        raise Wrong("it speaks of another journal than its key")
    return lines[0], int(lines[1]), root


def split_notes(text):
    notes, body, sigs = [], [], []
    for line in text.replace("\r\n", "\n").split("\n"):
        if line.startswith("— "):
            sigs.append(line)
            continue
        if sigs:
            notes.append("\n".join(body) + "\n\n" + "\n".join(sigs) + "\n")
            body, sigs = [], []
        if line:
            body.append(line)
    return notes + (["\n".join(body) + "\n\n" + "\n".join(sigs) + "\n"] if sigs else [])


# The tree.


def sha(b):
    return hashlib.sha256(b).digest()


def climb(leaf, index, size, proof):
    """The root over all entries, and the root as it was when this one was the last."""
    whole = then = sha(b"\0" + leaf)
    last = size - 1
    for p in proof:
        if last == 0:
            raise Wrong("its proof is too long")
        if index & 1 or index == last:
            whole, then = sha(b"\1" + p + whole), sha(b"\1" + p + then)
            while index and not index & 1:
                index, last = index >> 1, last >> 1
        else:
            whole = sha(b"\1" + whole + p)
        index, last = index >> 1, last >> 1
    if last:
        raise Wrong("its proof is too short")
    return whole, then


# The lines.


def pairs(found):
    out = {}
    for name, value in found:
        if name in out:
            raise Wrong("a name stands in it twice: %s" % name)
        out[name] = value
    return out


def constant(_):
    raise ValueError


DECODER = json.JSONDecoder(object_pairs_hook=pairs, parse_constant=constant)


def read_line(raw):
    try:
        text = raw.decode("utf-8")
        line = DECODER.decode(text)
    except (ValueError, RecursionError):
        raise Wrong("it is not JSON object in UTF-8")
    if not isinstance(line, dict) or not isinstance(line.get("type"), str):
        raise Wrong("it is not a line of an export")
    if any(name != name.lower() for name in line):
        raise Wrong("programs read it in different ways")
    return text, line


def body_of(text):
    """The body of an entry, byte for byte."""
    start = text.index('"body":') + len('"body":')
    _, end = DECODER.raw_decode(text, start)
    return text[start:end]


def moment(text):
    """A moment as a number of nanoseconds."""
    m = re.fullmatch(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)", text or "")
    if not m:
        raise Wrong("%r is no moment" % text)
    whole = datetime.datetime.strptime(m.group(1), "%Y-%m-%dT%H:%M:%S") - datetime.datetime(1970, 1, 1)
    zone = 0 if m.group(3) == "Z" else (1 if m.group(3)[0] == "+" else -1) * (int(m.group(3)[1:3]) * 60 + int(m.group(3)[4:])) * 60
    return (whole.days * 86400 + whole.seconds - zone) * 10**9 + int((m.group(2) or "").ljust(9, "0"))


class Export:
    def __init__(self, raw, keys):
        self.raw, self.keys, self.faults = raw, keys, []
        self.lines = raw[:-1].split(b"\n") if raw.endswith(b"\n") else raw.split(b"\n")
        self.origin, self.size, self.root = None, 0, None
        self.entries, self.then, self.by_type = {}, {}, {}

    def fault(self, what, *args):
        self.faults.append(what % args)

    def verify(self, others):
        self.header = read_line(self.lines[0])[1]
        if self.header.get("type") != "header" or self.header.get("format") != "rekey-evidence/v1":
            raise SystemExit("this is not an export of rekey evidence that this program knows")
        try:
            self.origin, self.size, self.root = open_checkpoint(self.header["checkpoint"], self.keys)
        except (Wrong, KeyError, ValueError) as err:
            self.fault("the checkpoint proves nothing: %s", err)
        self.walk()
        for check in (self.whole, self.counts, self.runs, self.comparisons, self.signature):
            try:
                check()
            except (Wrong, KeyError, TypeError, ValueError, AttributeError, IndexError) as err:
                self.fault("%s: %s", check.__name__, err)
        for where, note in others:
            self.elsewhere(where, note)

    def walk(self):
        before, ended = None, False
        for number, raw in enumerate(self.lines[1:], 2):
            try:
                text, line = read_line(raw)
                if ended:
                    raise Wrong("it follows the summary, which must be the last line")
                if line["type"] == "header":
                    raise Wrong("there is a second header")
                ended = line["type"] == "summary"
                self.by_type.setdefault(line["type"], []).append(line)
                if line["type"] == "entry":
                    before = self.entry(text, line, before)
            except (Wrong, KeyError, TypeError, ValueError) as err:
                self.fault("line %d: %s", number, err)
        if not ended:
            self.fault("there is no summary: it is cut off")

    def entry(self, text, line, before):
        e = line["entry"]
        seq = e["seq"]
        if before and seq <= before["seq"]:
            raise Wrong("entry %d comes after entry %d" % (seq, before["seq"]))
        leaf = "rekey-journal-v1\n%d\n%s\n%s\n%s\n%s\n%s\n%s\n" % (seq, e["at"], e["run"], e["subject"], e["kind"], body_of(text), e["prev"])
        if hashlib.sha256(leaf.encode()).hexdigest() != e["hash"]:
            raise Wrong("entry %d was edited" % seq)
        if seq == (before["seq"] if before else 0) + 1 and e["prev"] != (before["hash"] if before else ""):
            raise Wrong("entry %d does not follow the one before" % seq)
        self.entries[seq] = e
        if self.root is not None:
            proof = [base64.b64decode(p, validate=True) for p in line["proof"]]
            if not 1 <= seq <= self.size or any(len(p) != 32 for p in proof):
                raise Wrong("entry %d does not stand under the checkpoint" % seq)
            root, self.then[seq] = climb(leaf.encode(), seq - 1, self.size, proof)
            if root != self.root:
                raise Wrong("entry %d does not stand under the checkpoint" % seq)
        return e

    def inside(self, e):
        return moment(self.header["from"]) <= moment(e["at"]) < moment(self.header["to"])

    def whole(self):
        h = self.header
        if h.get("whole") and h.get("credential"):
            raise Wrong("it says that it is whole, and about one credential alone")
        if not h.get("whole") or not h["first"]:
            return
        for seq in range(max(1, h["first"] - 1), min(h["last"] + 1, self.size or h["last"] + 1) + 1):
            if seq not in self.entries:
                raise Wrong("entry %d is missing" % seq)
        for seq in (h["first"] - 1, h["last"] + 1):
            if seq in self.entries and self.inside(self.entries[seq]):
                raise Wrong("entry %d is of the period" % seq)

    def counts(self):
        s, n = self.by_type["summary"][0], lambda kind: len(self.by_type.get(kind, []))
        said = [s["lines"], s["credentials"], s["entries"], s["comparisons"], sum(s["runs"].values())]
        if said != [len(self.lines), n("credential"), n("entry"), n("drift"), n("run")]:
            raise Wrong("the summary counts other lines than there are")

    def runs(self):
        entries, told, endings = {}, {}, {}
        for seq in sorted(self.entries):
            entries.setdefault(self.entries[seq]["run"], []).append(self.entries[seq])
        for line in self.by_type.get("run", []):
            name = line["run"]
            if name in told or name not in entries:
                raise Wrong("run %s is told twice, or has no entries here" % name)
            told[name] = endings.setdefault(line["credential"], {})
            told[name][line["ending"]] = told[name].get(line["ending"], 0) + 1
            if reading(entries[name])["simulated"] and not self.header.get("simulated"):
                self.fault("run %s was practised on simulated vendors, and the header does not say so", name)
            for field, want in reading(entries[name]).items():
                if (line.get(field) or None) != (want or None):
                    self.fault("run %s: %s is %s in its line, and %s in its entries", name, field, line.get(field), want)
        for seq, e in self.entries.items():
            if e["run"] and e["run"] not in told and self.inside(e) and self.header.get("credential", e["subject"]) == e["subject"]:
                raise Wrong("entry %d belongs to run %s, which no line reports" % (seq, e["run"]))
        total = {}
        for line in self.by_type.get("credential", []):
            if line["runs"] != endings.get(line["name"], {}):
                raise Wrong("other runs of %s are counted than there are" % line["name"])
        for counted in endings.values():
            for ending, n in counted.items():
                total[ending] = total.get(ending, 0) + n
        if self.by_type["summary"][0]["runs"] != total:
            raise Wrong("other endings are counted than there are")

    def comparisons(self):
        for line in self.by_type.get("drift", []):
            e = self.entries.get(line["entry"])
            if not e or e["kind"] != "compared":
                raise Wrong("entry %s is not a comparison" % line["entry"])
            said = [line["credential"], moment(line["at"]), line.get("consumers"), line.get("findings") or []]
            if said != [e["subject"], moment(e["at"]), e["body"].get("consumers"), e["body"].get("findings") or []]:
                raise Wrong("a comparison is not what entry %d says" % line["entry"])

    def signature(self):
        start = self.raw.rindex(b'\n{"type":"summary"') + 1
        at = self.raw.rindex(b',"signature":')
        tail = self.raw[at + len(b',"signature":') :]
        if at < start or not tail.endswith(b"}\n") or not isinstance(DECODER.decode(tail[:-2].decode()), str) or tail[:1] != b'"' or tail[-3:-2] != b'"':
            raise Wrong("after the signature has to be the end of the file")
        body, _ = open_note(DECODER.decode(tail[:-2].decode()), self.keys)
        if body != "rekey-evidence-export/v1\n%s\n%s\n" % (self.origin, hashlib.sha256(self.raw[:at]).hexdigest()):
            raise Wrong("the file is not as it was signed")

    def elsewhere(self, where, note):
        try:
            origin, size, root = open_checkpoint(note, self.keys)
        except (Wrong, ValueError) as err:
            return self.fault("a checkpoint in %s proves nothing: %s", where, err)
        if self.root is None:
            return
        if origin != self.origin:
            self.fault("a checkpoint in %s is of another journal", where)
        elif size > self.size:
            self.fault("it is stale: a checkpoint in %s is over %d entries, and this over %d", where, size, self.size)
        else:
            mine = self.root if size == self.size else self.then.get(size)
            if mine is None:
                print("not compared: the checkpoint over %d entries in %s" % (size, where))
            elif mine != root:
                self.fault("two histories of %d entries were signed", size)


def reading(entries):
    """What a run's entries say of it."""
    opened, acts = entries[0], {"confirmed": [], "resumed": [], "asked": []}
    if opened["kind"] != "opened":
        raise Wrong("run %s has no beginning here" % opened["run"])
    ending, why, closed = "open", None, None
    for e in entries:
        body, kind = e["body"], e["kind"]
        if kind in acts:
            acts[kind].append({k: v for k, v in {"actor": body["actor"], "by": body.get("by"), "at": e["at"],
                               "how": body.get("how"), "name": body.get("name"), "why": body.get("reason")}.items() if v})
        if kind == "stuck":
            ending, why = "stuck", body.get("why")
        elif kind == "resumed" and closed is None:
            ending, why = "open", None
        elif kind == "closed":
            told = [body.get("why")] + [r["what"] for r in body.get("refusals") or []]
            ending, closed, why = body["ending"], e["at"], "; ".join(t for t in told if t)
    body = opened["body"]
    return {"credential": body["credential"], "purpose": body["spec"].get("purpose") or "rotate", "actor": body["actor"], "by": body.get("by"),
            "simulated": body.get("simulated"), "reason": body.get("reason"), "ticket": body.get("ticket"), "tool": body["tool"], "overrides": body.get("overrides"),
            "opened": opened["at"], "closed": closed, "ending": ending, "why": why, "confirmed": acts["confirmed"], "resumed": acts["resumed"],
            "asked_back": acts["asked"], "first": opened["seq"], "last": entries[-1]["seq"], "entries": len(entries)}


def main():
    args = argparse.ArgumentParser(description="Verify an export of Rekey's evidence without Rekey.")
    args.add_argument("export")
    args.add_argument("--key", action="append", required=True, help="public key, or a file of public keys")
    args.add_argument("--checkpoint", action="append", default=[], help="file of checkpoints that somebody else had kept")
    args = args.parse_args()
    try:
        keys = read_keys(args.key)
        with open(args.export, "rb") as f:
            export = Export(f.read(), keys)
        others = []
        for name in args.checkpoint:
            with open(name, encoding="utf-8", newline="") as f:
                others += [(name, note) for note in split_notes(f.read())]
        export.verify(others)
    except (OSError, Wrong, ValueError) as err:
        print(err, file=sys.stderr)
        return 2
    for fault in export.faults:
        print("does not verify: " + fault)
    if export.faults:
        return 10
    if export.header.get("simulated"):
        print("SIMULATED: it is evidence of nothing real")
    print("verified: %d lines, %d entries, under the checkpoint over %d entries of %s" % (len(export.lines), len(export.entries), export.size, export.origin))
    return 0


if __name__ == "__main__":
    sys.exit(main())
