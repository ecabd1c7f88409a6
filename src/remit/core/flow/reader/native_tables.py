# SPDX-License-Identifier: Apache-2.0
"""The native part of reading a result (`reader.zig`): its tables, and leaves that it takes in.

The library allocates nothing and keeps nothing: it works on buffers that belong to Python, and says when they
are too small. It is called with the interpreter's lock held, because a call takes a fraction of a
millisecond. Tables are not thread-safe: they belong to one index.

INVARIANT: it takes only texts of which it knows every reading; all others it leaves to
`core.flow.values.destination` and `core.flow.values.strict_reading`. The two never differ
(`tests/properties/test_native_reader.py`).
"""

from __future__ import annotations

import ctypes
import enum
from array import array
from collections.abc import Iterable, Sequence

from remit.core.flow.values.kinds import KindOfValue

MAX_MET = 8
"""Spots of one value that are remembered."""
LENIENT = {one: at for at, one in enumerate(KindOfValue, start=1)}
"""The tags of values in normal form."""
STRICT = {one: at | 0x10 for one, at in LENIENT.items()}
"""The tags of values in their form for use."""
WORD, HALF_WORD, NUMBER = 0x20, 0x21, 0x22
"""The tags of words, of words that are not fully stripped, and of numbers in texts."""
STEM, ASKED, SAID_NUMBER = 0x30, 0x31, 0x32
"""The tags of what the intent holds."""
KINDS: tuple[KindOfValue, ...] = (KindOfValue.TEXT, *KindOfValue)
"""The kinds by their number in `LeafBatch.kinds`."""
HOLDING_PROSE = 7
"""The kind of a long text in which destinations stand."""
_WORDS = 2
_SLOTS, _MORE = 32, 4
_SLOT_BYTES, _MORE_BYTES = 16, 8 * MAX_MET
_UNTRUSTED = 1 << 62
_KEY_BYTES = 16

_P, _N = ctypes.c_void_p, ctypes.c_uint64


class Stop(enum.IntEnum):
    """Why the native reader stopped: at the end, before a leaf that is not plain, after one that the intent
    may name, before one that may need larger tables, or after one that found them full.
    """

    DONE = 0
    ODD = 1
    HIT = 2
    ROOM = 3
    FULL = 4


class _Tables(ctypes.Structure):
    _fields_ = [
        ("key", ctypes.c_ubyte * _KEY_BYTES),
        ("met", _P),
        ("met_size", _N),
        ("met_count", _N),
        ("more", _P),
        ("more_size", _N),
        ("more_count", _N),
        ("mentions", _P),
        ("mentions_size", _N),
        ("mentions_count", _N),
        ("capacity", _N),
        ("max_mentions", _N),
        ("held", _N),
        ("full", _N),
        ("said", _P),
        ("said_size", _N),
        ("wanted", _N),
    ]


class _Batch(ctypes.Structure):
    _fields_ = [
        ("text", ctypes.c_char_p),
        ("size", _N),
        ("count", _N),
        ("lengths", _P),
        ("fields", _P),
        ("records", _P),
        ("places", _P),
        ("untrusted", _P),
        ("field_count", _N),
        ("placed", _P),
        ("placed_count", _N),
        ("next_place", _N),
        ("kinds", _P),
        ("wholes", _P),
        ("doubts", _P),
        ("doubt_count", _N),
        ("base", _N),
        ("pointed", ctypes.c_uint32),
        ("own_links", ctypes.c_uint32),
        ("at", _N),
        ("offset", _N),
        ("begun", _N),
        ("held", _N),
        ("full", _N),
    ]


def _library() -> ctypes.PyDLL:
    """Return the library, with the types of its functions."""
    path = __file__.removesuffix("native_tables.py") + "libreader.so"
    try:
        library = ctypes.PyDLL(path)
    except OSError as fault:
        raise ImportError(
            f"`{path}` is not built: install remit again, or run `python .ci/hatch_build.py`"
        ) from fault
    for name, result, arguments in (
        ("remit_digest", _N, (_P, ctypes.c_ubyte, ctypes.c_char_p, _N)),
        ("remit_meet", ctypes.c_uint32, (_P, _P, _N, _N)),
        ("remit_spots", ctypes.c_uint32, (_P, _N, _P)),
        ("remit_records", _N, (_P, _N, _P, _N)),
        ("remit_place_of", ctypes.c_int64, (_P, ctypes.c_ubyte, ctypes.c_char_p, _N)),
        ("remit_mention", ctypes.c_uint32, (_P, ctypes.c_char_p, _N, _N)),
        ("remit_mark", ctypes.c_uint32, (_P, ctypes.c_char_p, _N, _N)),
        ("remit_move", None, (_P, _N, _P, _N)),
        ("remit_take", ctypes.c_uint32, (_P, _P)),
    ):
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


_native = _library()
_digest, _meet, _spots, _take = (
    _native.remit_digest,
    _native.remit_meet,
    _native.remit_spots,
    _native.remit_take,
)


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


class NativeTables:
    """Values by keyed digest (SipHash, 64 bits) with their spots, and marks of words with their places."""

    def __init__(self, key: bytes, capacity: int, max_mentions: int) -> None:
        """Begin empty; at most `capacity` values are held."""
        self._said = array("Q")
        self._digests_said: dict[int, tuple[frozenset[str], set[int]]] = {}
        self._out = array("Q", bytes(8 * MAX_MET))
        self._out_at = self._out.buffer_info()[0]
        self._state = _Tables(
            key=(ctypes.c_ubyte * _KEY_BYTES)(*key[:_KEY_BYTES]),
            capacity=capacity,
            max_mentions=max_mentions,
        )
        self._at = ctypes.addressof(self._state)
        met, mentions = (array("Q", bytes(_SLOT_BYTES * _SLOTS)) for _ in range(2))
        self._place_tables(met, mentions, array("Q", bytes(_MORE_BYTES * _MORE)))

    def _place_tables(self, met: array[int], mentions: array[int], more: array[int]) -> None:
        """Let the library use these tables."""
        state = self._state
        state.met, state.met_size = met.buffer_info()[0], len(met) // 2
        state.mentions, state.mentions_size = mentions.buffer_info()[0], len(mentions) // 2
        state.more, state.more_size = more.buffer_info()[0], len(more) // MAX_MET
        # They live as long as the library points to them.
        self._met, self._mentions, self._more = met, mentions, more

    @property
    def held(self) -> int:
        """Number of entries that were remembered."""
        return int(self._state.held)

    @property
    def capacity(self) -> int:
        """Number of values that can be held."""
        return int(self._state.capacity)

    @capacity.setter
    def capacity(self, capacity: int) -> None:
        self._state.capacity = capacity

    @property
    def full(self) -> bool:
        """Whether something was met that could not be remembered."""
        return bool(self._state.full)

    @full.setter
    def full(self, full: bool) -> None:
        self._state.full = full

    @property
    def size_bytes(self) -> int:
        """Memory of the tables, without what an empty memory takes."""
        entries = len(self._met) + len(self._mentions) + len(self._more)
        return 8 * entries - 2 * _SLOT_BYTES * _SLOTS - _MORE_BYTES * _MORE

    def __len__(self) -> int:
        """Return the number of values."""
        return int(self._state.met_count)

    @property
    def marks(self) -> int:
        """Number of marks."""
        return int(self._state.mentions_count)

    def digest(self, tag: int, text: str) -> int:
        """Return the keyed digest of a text with a tag."""
        raw = _encoded(text)
        return int(_digest(self._at, tag, raw, len(raw)))

    def meet(self, digests: Iterable[int], spot: int, *, untrusted: bool) -> None:
        """Remember that the values with these digests are at a spot."""
        many = array("Q", digests)
        at, count = many.buffer_info()
        while not _meet(self._at, at, count, spot | _UNTRUSTED if untrusted else spot):
            self._grow()

    def spots(self, digest: int) -> tuple[int, ...]:
        """Return the spots of the value with a digest."""
        count = _spots(self._at, digest, self._out_at)
        return tuple(self._out[:count]) if count else ()

    def records(self, place: int) -> set[int]:
        """Return the records with a value at a place; reads the whole table."""
        found = array("Q", bytes(8 * (len(self) + MAX_MET * int(self._state.more_count))))
        at, size = found.buffer_info()
        return set(found[: _native.remit_records(self._at, place, at, size)])

    def place_of(self, tag: int, text: str) -> int | None:
        """Return the place of a mark; None where there is no such mark."""
        raw = _encoded(text)
        place = _native.remit_place_of(self._at, tag, raw, len(raw))
        return None if place < 0 else int(place)

    def mention(self, text: str, place: int) -> None:
        """Remember the words of an ASCII text, as they are written."""
        raw = text.encode()
        while not _native.remit_mention(self._at, raw, len(raw), place):
            self._grow()

    def mark(self, lines: Sequence[tuple[int, str]], place: int) -> None:
        """Remember words and numbers, each with its tag."""
        raw = b"\n".join(tag.to_bytes() + _encoded(text) for tag, text in lines)
        while not _native.remit_mark(self._at, raw, len(raw), place):
            self._grow()

    def say(self, said: Iterable[tuple[int, frozenset[str]]]) -> None:
        """Replace what the intent holds, by tag: a leaf with any of it is reported by `take`."""
        digests = set[int]()
        for tag, texts in said:
            known = self._digests_said.get(tag)
            if known is None or known[0] != texts:
                # The words of a person seldom change between results.
                known = self._digests_said[tag] = (texts, {self.digest(tag, one) for one in texts})
            digests |= known[1]
        size = 1 << (2 * len(digests) + 1).bit_length() if digests else 0
        slots = array("Q", (part for one in digests for part in (one, 0)))
        self._said = array("Q", bytes(_SLOT_BYTES * size))
        at = self._said.buffer_info()[0]
        if size:
            _native.remit_move(slots.buffer_info()[0], len(digests), at, size)
        self._state.said, self._state.said_size = at, size

    def take(self, batch: LeafBatch) -> Stop:
        """Take leaves in, from `batch.at` on."""
        while (stop := _take(self._at, batch.begin())) == Stop.ROOM:
            self._grow()
        return Stop(stop)

    def _grow(self) -> None:
        """Make the tables large enough for the values that had no room, and for further words."""
        state = self._state
        values, full = state.wanted, state.full
        # A leaf may be half taken in. Without memory for larger tables, the old ones stay, and are full.
        state.full = 1
        met = _larger(self._met, state.met_count + values)
        mentions = _larger(self._mentions, state.mentions_count + _WORDS)
        more = self._more
        if state.more_count + values > state.more_size:
            size = max(state.more_count + values, state.more_size + state.more_size // 2)
            more = more + array("Q", bytes(_MORE_BYTES * (size - state.more_size)))
        self._place_tables(met, mentions, more)
        state.full = full


def _larger(table: array[int], count: int) -> array[int]:
    """Return a table that is at most half full with so many entries."""
    size = len(table) // 2
    if 2 * count <= size:
        return table
    wanted = 1 << (2 * count - 1).bit_length()
    out = array("Q", bytes(_SLOT_BYTES * wanted))
    _native.remit_move(table.buffer_info()[0], size, out.buffer_info()[0], wanted)
    return out


class LeafFields:
    """The fields of one result, by number: the place of each (-1: none yet), and whether it is untrusted."""

    def __init__(self) -> None:
        """Begin without fields."""
        self.places = array("q")
        self.untrusted = array("B")

    def add(self, *, untrusted: bool) -> int:
        """Add a field; return its number."""
        self.places.append(-1)
        self.untrusted.append(untrusted)
        return len(self.places) - 1


class LeafBatch:
    """Leaves that are taken in together.

    `kinds` and `wholes` are what each leaf is as a whole, and the digest of its form for use; `at` is the
    number of leaves that were taken in.
    """

    def __init__(
        self,
        texts: Sequence[str],
        fields: Sequence[int],
        records: Sequence[int],
        known: LeafFields,
        doubts: Iterable[int],
        *,
        base: int,
        pointed: bool,
        own_links: bool,
    ) -> None:
        """Hold leaves: their texts, fields and records. A text beyond ASCII is left to the caller."""
        joined = "".join(texts)
        if not joined.isascii():
            texts = [one if one.isascii() else "" for one in texts]
            joined = "".join(texts)
        count = len(texts)
        self._raw = joined.encode()
        self._lengths = array("I", map(len, texts))
        self._fields = array("I", fields)
        self._records = array("I", records)
        self._known = known
        self._placed = array("I", bytes(4 * len(known.places)))
        self._doubts = array("Q", doubts)
        self.kinds = array("B", bytes(count))
        self.wholes = array("Q", bytes(8 * count))
        self._state = _Batch(
            text=self._raw,
            size=len(self._raw),
            count=count,
            lengths=self._lengths.buffer_info()[0],
            fields=self._fields.buffer_info()[0],
            records=self._records.buffer_info()[0],
            places=known.places.buffer_info()[0],
            untrusted=known.untrusted.buffer_info()[0],
            field_count=len(known.places),
            placed=self._placed.buffer_info()[0],
            kinds=self.kinds.buffer_info()[0],
            wholes=self.wholes.buffer_info()[0],
            doubts=self._doubts.buffer_info()[0],
            doubt_count=len(self._doubts),
            base=base,
            pointed=pointed,
            own_links=own_links,
        )
        self._at = ctypes.addressof(self._state)

    def begin(self) -> int:
        """Return the address of the batch."""
        return self._at

    @property
    def at(self) -> int:
        """The number of leaves that were taken in or passed over."""
        return int(self._state.at)

    def skip(self) -> None:
        """Pass over a leaf that the caller has taken in."""
        self._state.offset += self._lengths[self._state.at]
        self._state.at += 1

    def set_next_place(self, number: int) -> None:
        """Set the number of the next place."""
        self._state.next_place, self._state.placed_count = number, 0

    @property
    def placed(self) -> list[int]:
        """The fields that got a place since `set_next_place`, in the order of the places."""
        return self._placed[: self._state.placed_count].tolist()
