# SPDX-License-Identifier: Apache-2.0
"""Check a continuous export without remit: python check_export.py KEY < LINES. Needs cryptography."""

import base64
import hashlib
import json
import sys

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


def need(holds, what):
    """End where something does not hold."""
    if not holds:
        sys.exit(f"line of index {index}: {what}")


def joined(trees, count, top):
    """Hash a subtree with those before it (RFC 6962, section 2.1)."""
    for _ in range(count):
        top = hashlib.sha256(b"\x01" + trees.pop() + top).digest()
    return top


name, key_id, public = sys.argv[1].split("+", 2)
tree, after, proven, again, known = [], 0, 0, 0, {}  # The tree: roots of the complete subtrees so far.
bare, pruned = set(), set()
for event in map(json.loads, sys.stdin):
    said = event["unmapped"]
    index, hashed = said["index"], bytes.fromhex(said["leaf_hash"])
    closed = (~index & index + 1).bit_length() - 1  # subtrees that this leaf completes
    need(known.setdefault(index, hashed) == hashed, "it was another event before")
    if "checkpoint" in said:
        text, _, lines = said["checkpoint"].rpartition("\n\n")
        made = {one[:4].hex(): one[4:] for one in map(base64.b64decode, lines.split()[2::3])}
        key = Ed25519PublicKey.from_public_bytes(base64.b64decode(public)[1:])
        key.verify(made[key_id], f"{text}\n".encode())
        if not tree:  # Begin here: the path holds the complete subtrees before the last event.
            tree, after = [base64.b64decode(one) for one in said["path"]][::-1], index + 1
            tree.append(joined(tree, closed, hashed))
        need(text.split("\n")[:2] == [name, str(index + 1)] and index < after, "events before it are missing")
        root = base64.b64encode(joined(tree[:-1], len(tree) - 1, tree[-1])).decode()
        need(index + 1 < after or text.split("\n")[2] == root, "other events were signed")
        proven = max(proven, index + 1)
    elif "pruned" in said:
        bare.add(index)
    elif "leaf" in said:
        leaf = json.loads(said["leaf"])
        real = [hashlib.sha256(b"\x00" + said["leaf"].encode()).digest(), leaf["kind"], leaf["facts"]]
        need(real == [hashed, event["metadata"]["event_code"], said["facts"]], "it was changed")
    if event["metadata"]["event_code"] == "log.pruned":
        pruned.update(one for first, end in said["facts"]["ranges"] for one in range(first, end))
    need(index < after or (index == after and (tree or not index)), f"events from {after} on are missing")
    if index == after:
        tree.append(joined(tree, closed, hashed))
    again, after = again + ("facts" in said and index < after), max(after, index + 1)
need(bare <= pruned, f"no event says that {len(bare - pruned)} events without text were pruned")
print(f"{proven} events hold, {after - proven} follow the last checkpoint, {again} lines came again")
