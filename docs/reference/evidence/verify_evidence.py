# SPDX-License-Identifier: Apache-2.0
"""Verify remit_evidence/1 without remit: python verify_evidence.py FILE KEY. Needs cryptography, rfc8785."""

import base64
import hashlib
import hmac
import json
import sys
from datetime import datetime, timedelta

import rfc8785
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


def need(holds, what):
    """Raise where something does not hold."""
    if not holds:
        raise ValueError(what)


def once(pairs):
    """Make an object, of which no member stands twice."""
    need(len(dict(pairs)) == len(pairs), "a member stands twice")
    return dict(pairs)


def read(text):
    """Read JSON that is its own RFC 8785 form."""
    said = json.loads(text, object_pairs_hook=once)
    need(rfc8785.dumps(said) == (text if isinstance(text, bytes) else text.encode()), "not RFC 8785")
    return said


def unpadded(data):
    """Give base64url without padding."""
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def decoded(text, encode):
    """Read base64 in the only spelling that it has."""
    data = base64.b64decode(text.replace("-", "+").replace("_", "/") + "=" * (-len(text) % 4))
    need(encode(data) == text, "base64 in another spelling")
    return data


def node(left, right):
    """Hash two subtrees into the one above them."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def root(hashes):
    """Give the root over leaf hashes (RFC 6962, section 2.1)."""
    if len(hashes) < 2:
        return hashes[0] if hashes else hashlib.sha256(b"").digest()
    half = 1 << (len(hashes) - 1).bit_length() - 1
    return node(root(hashes[:half]), root(hashes[half:]))


def climb(hashed, index, size, path):
    """Give the root that an inclusion proof leads to (RFC 9162, section 2.1.3.2)."""
    last = size - 1
    need(0 <= index <= last, "an index that the log does not have")
    for other in path:
        need(last, "a path that is too long")
        if index % 2 or index == last:
            hashed = node(other, hashed)
            while index % 2 == 0 and index:
                index, last = index // 2, last // 2
        else:
            hashed = node(hashed, other)
        index, last = index // 2, last // 2
    need(last == 0, "a path that is too short")
    return hashed


def signed(note, key):
    """Give origin, size and root of a checkpoint that is signed by a key (c2sp.org/signed-note)."""
    name, key_id, public = key.split("+", 2)
    public = base64.b64decode(public)
    own = hashlib.sha256(name.encode() + b"\n" + public).hexdigest()[:8]
    need(own == key_id and public[0] == 1, "this is no key of a log")
    text, _, lines = note.rpartition("\n\n")
    by = [line.split(" ")[2] for line in lines.splitlines() if line.startswith(f"\u2014 {name} ")]
    by = [base64.b64decode(one) for one in by]
    by = [one[4:] for one in by if one[:4].hex() == key_id]
    need(by, "the checkpoint is not signed by this key")
    for signature in by:
        Ed25519PublicKey.from_public_bytes(public[1:]).verify(signature, text.encode() + b"\n")
    origin, size, top = text.split("\n")[:3]
    need(origin == name, "the checkpoint belongs to another log")
    return origin, int(size), base64.b64decode(top)


def claimed(record, index):
    """Give the indexes that an event says were pruned: earlier events, older than 30 days."""
    facts, at, after = record["facts"], datetime.fromisoformat(record["at"]), 0
    for first, end in facts["ranges"]:
        need(after <= first < end <= index, "a prune of events in no order, or after it")
        after = end
    need(at - datetime.fromisoformat(facts["before"]) >= timedelta(days=30), "a prune of young events")
    return [one for first, end in facts["ranges"] for one in range(first, end)]


def verify(data, key):
    """Raise where the lines of an export do not hold; give the records that they prove."""
    need(data.endswith(b"\n"), "the end was cut off")
    first, *lines, last = [read(line) for line in data[:-1].decode().split("\n")]
    always = {"remit_evidence", "origin", "verifier", "size", "task"}
    need(set(first) - {"closure", "question"} == always, "another header")
    parts = [first[one] for one in ("closure", "question") if one in first]
    need(all(parts) and len(parts) + bool(first["task"]) <= 1, "another header")
    need(first["remit_evidence"] == 1 and set(last) == {"checkpoint"}, "another form")
    origin, size, top = signed(last["checkpoint"], key)
    need((first["origin"], first["size"]) == (origin, size), "the header belongs to another log")
    part = first["task"] or any(parts)
    hashes, records, before, bare, pruned = [], [], {}, [], []
    for line in lines:
        if set(line) == {"index", "pruned"}:
            need(not part and line["index"] == len(hashes) and line["pruned"], "an event is missing")
            bare += range(len(hashes), len(hashes) + len(line["pruned"]))
            hashes += [decoded(one, lambda data: base64.b64encode(data).decode()) for one in line["pruned"]]
            continue
        need(set(line) <= {"index", "leaf", "openings", "path"}, "an unknown member")
        need(("path" in line) is bool(part), "events of a part, and no others, have paths")
        index, leaf = line["index"], line["leaf"].encode()
        record, hashed = read(leaf), hashlib.sha256(b"\x00" + leaf).digest()
        need(record["v"] == 1, "a record of another form")
        if part:
            path = [decoded(one, lambda data: base64.b64encode(data).decode()) for one in line["path"]]
            need(climb(hashed, index, size, path) == top, "an event that was not signed")
            need(parts or record["task"] == first["task"], "an event of another task")
            need(not records or records[-1]["index"] < index, "events in another order")
        else:
            need(index == len(hashes), "an event is missing")
            hashes.append(hashed)
            pruned += claimed(record, index) if record["kind"] == "log.pruned" else []
            seq, prev, place = before.get(("w", record["writer"]), (-1, "", -1))
            gone = record["seq"] > seq + 1 and bare and bare[-1] > place
            follows = (seq + 1, prev) == (record["seq"], record["prev"])
            need(gone or follows, "an event of the writer is missing")
            before["w", record["writer"]] = record["seq"], hashed.hex(), index
        if record.get("task") and not parts:
            prev, place = before.get(record["task"], ("", -1))
            gone = record["task_prev"] and bare and bare[-1] > place
            need(gone or prev == record["task_prev"], "an event of the task is missing")
            before[record["task"]] = hashed.hex(), index
        if "openings" in line:
            need(set(line["openings"]) == set(record.get("sealed", ())), "values that were not sealed")
            for name, (salt, value) in line["openings"].items():
                key = decoded(salt, unpadded)
                need(16 <= len(key) <= 32, "a salt of another size")
                mac = hmac.digest(key, rfc8785.dumps([name, value]), "sha256")
                need(unpadded(mac) == record["sealed"][name], "a value that was changed")
        records.append({**record, "index": index})
    need(sorted(pruned) == bare, "events without text are not those that were pruned")
    need(part or (len(hashes) == size and root(hashes) == top), "not the events that were signed")
    return records


if __name__ == "__main__":
    with open(sys.argv[1], "rb") as opened:
        print(len(verify(opened.read(), sys.argv[2])), "events hold")
