// SPDX-License-Identifier: Apache-2.0
//! Takes the plain texts of a result into the memory of a task: see `core.flow.reader`.
//!
//! A text is *plain* where nothing in it has a second reading; every other text is left to Python. Texts are
//! ASCII. Nothing is allocated here, and nothing is kept: the tables belong to the caller. Slices are checked at
//! run time (`ReleaseSafe`), so that no text reads or writes outside of what the caller gave.

const std = @import("std");
const Sip = std.crypto.auth.siphash.SipHash64(1, 3);

const MAX_TEXT = 200; // a longer text is prose
const MAX_PROSE = 65_536; // a longer one would hold up others
const MAX_PART = 2_048; // of a longer word, parts are read elsewhere
const MAX_FOUND = 64; // destinations of one text
const MAX_MET = 8;
const MAX_NAMING_WORDS = 12;
const EMPTY: u64 = std.math.maxInt(u64);
const MANY: u64 = 1 << 63; // a slot whose spots are in `more`
const UNTRUSTED: u64 = 1 << 62;
const RECORD_MASK: u64 = (1 << 24) - 1;

const Kind = enum(u8) { none = 0, email = 1, url = 2, host = 3, iban = 4, phone = 5, text = 6 };
const EXACT: u8 = 0x10;
const WORD: u8 = 0x20;
const HALF_WORD: u8 = 0x21;
const NUMBER: u8 = 0x22;
const STEM: u8 = 0x30;
const ASKED: u8 = 0x31;
const SAID_NUMBER: u8 = 0x32;

const Slot = extern struct { digest: u64, spot: u64 };

/// The memory of a task: open addressing, a power of two of slots; digest 0 marks an empty one.
const Tables = extern struct {
    key: [16]u8,
    met: [*]Slot,
    met_size: u64,
    met_count: u64,
    more: [*][MAX_MET]u64,
    more_size: u64,
    more_count: u64,
    mentions: [*]Slot,
    mentions_size: u64,
    mentions_count: u64,
    capacity: u64,
    max_mentions: u64,
    held: u64,
    full: u64,
    /// What the intent holds: stems, words and numbers.
    said: [*]Slot,
    said_size: u64,
    /// Values for which there was no room.
    wanted: u64,

    fn digest(self: *const Tables, tag: u8, text: []const u8) u64 {
        return self.hashed(tag, text, false);
    }

    fn lowered(self: *const Tables, tag: u8, text: []const u8) u64 {
        return self.hashed(tag, text, true);
    }

    fn hashed(self: *const Tables, tag: u8, text: []const u8, small: bool) u64 {
        var buf: [256]u8 = undefined;
        buf[0] = tag;
        if (text.len < buf.len) {
            for (text, buf[1 .. text.len + 1]) |c, *to| to.* = if (small) lower(c) else c;
            return not_zero(Sip.toInt(buf[0 .. text.len + 1], &self.key));
        }
        var sip = Sip.init(&self.key);
        sip.update(buf[0..1]);
        var at: usize = 0;
        while (at < text.len) {
            const part = text[at..@min(text.len, at + buf.len)];
            for (part, buf[0..part.len]) |c, *to| to.* = if (small) lower(c) else c;
            sip.update(buf[0..part.len]);
            at += part.len;
        }
        return not_zero(sip.finalInt());
    }

    fn meet(self: *Tables, found: u64, spot: u64) void {
        const met = self.met[0..self.met_size];
        const at = place_in(met, found);
        if (met[at].digest == 0) {
            if (self.met_count >= self.capacity) {
                self.full = 1;
                return;
            }
            met[at] = .{ .digest = found, .spot = spot };
            self.met_count += 1;
            self.held += 1;
            return;
        }
        const known = met[at].spot;
        if (known & MANY == 0) {
            if (known == spot) return;
            const more = self.more[0..self.more_size];
            const index = self.more_count;
            more[index] = @splat(EMPTY);
            more[index][0] = known;
            more[index][1] = spot;
            self.more_count += 1;
            met[at].spot = MANY | index;
            self.held += 1;
            return;
        }
        const spots = &self.more[0..self.more_size][known & ~MANY];
        var any = false;
        for (spots) |*one| {
            if (one.* == EMPTY) {
                one.* = spot;
                self.held += 1;
                return;
            }
            if (one.* == spot) return;
            any = any or one.* & UNTRUSTED != 0;
        }
        if (spot & UNTRUSTED != 0 and !any) {
            spots[MAX_MET - 1] = spot;
            self.held += 1;
        }
    }

    fn mentioned(self: *const Tables, mark: u64) bool {
        const all = self.mentions[0..self.mentions_size];
        return all[place_in(all, mark)].digest != 0;
    }

    /// Remember a mark; return whether it is new.
    fn keep_mark(self: *Tables, mark: u64, place: u64) bool {
        const all = self.mentions[0..self.mentions_size];
        const at = place_in(all, mark);
        if (all[at].digest != 0) return false;
        all[at] = .{ .digest = mark, .spot = place };
        self.mentions_count += 1;
        return true;
    }

    /// Remember the words of a text, in any case; return whether the table was large enough. It may be asked again.
    fn mention(self: *Tables, text: []const u8, place: u64) bool {
        var words = Words{ .text = text };
        var buf: [48]u8 = undefined;
        while (words.next()) |written| {
            if (2 * (self.mentions_count + 2) > self.mentions_size) return false;
            const word = bare(written);
            if (word.len == 0) continue;
            const whole = self.lowered(WORD, word);
            if (self.mentioned(whole)) continue;
            const mark = if (is_stripped(word)) whole else self.lowered(HALF_WORD, word);
            if (!self.keep_mark(mark, place)) continue;
            self.held += 1;
            if (is_letter(word[0])) continue;
            if (number_of(word, &buf)) |number| _ = self.keep_mark(self.digest(NUMBER, number), place);
        }
        return true;
    }

    fn has_room(self: *Tables, values: u64) bool {
        self.wanted = values;
        return 2 * (self.met_count + values) <= self.met_size and self.more_count + values <= self.more_size;
    }

    fn says(self: *const Tables, mark: u64) bool {
        if (self.said_size == 0) return false;
        const all = self.said[0..self.said_size];
        return all[place_in(all, mark)].digest != 0;
    }
};

fn not_zero(digest: u64) u64 {
    return if (digest == 0) 1 else digest;
}

fn place_in(all: []const Slot, digest: u64) usize {
    const mask = all.len - 1;
    var at: usize = @intCast(digest & mask);
    while (all[at].digest != 0 and all[at].digest != digest) at = (at + 1) & mask;
    return at;
}

const Why = enum(u32) { done = 0, odd = 1, hit = 2, room = 3, full = 4 };

/// Leaves of one result, in order; their texts follow one another in `text`.
const Batch = extern struct {
    text: [*]const u8,
    size: u64,
    count: u64,
    lengths: [*]const u32,
    fields: [*]const u32,
    records: [*]const u32,
    /// Of each field: its place (-1: none yet), and whether its text is untrusted.
    places: [*]i64,
    untrusted: [*]const u8,
    field_count: u64,
    /// Out: fields that got a place, in the order of their places.
    placed: [*]u32,
    placed_count: u64,
    next_place: u64,
    /// Out: what each leaf is as a whole, and the digest of its form for use; 0 for prose, 7 for prose in which a
    /// destination stands.
    kinds: [*]u8,
    wholes: [*]u64,
    doubts: [*]const u64,
    doubt_count: u64,
    base: u64,
    pointed: u32,
    own_links: u32,
    at: u64,
    offset: u64,
    /// Of the leaf that is being taken in: what was held, and whether the tables were full, before.
    begun: u64,
    held: u64,
    full: u64,
};

/// What stands in one text.
const Found = struct {
    kind: Kind = .none,
    met: [2 * MAX_FOUND]u64 = undefined,
    met_count: usize = 0,
    exact: [2 * MAX_FOUND]u64 = undefined,
    exact_count: usize = 0,

    fn see(self: *Found, digest: u64) bool {
        if (self.met_count == self.met.len) return false;
        self.met[self.met_count] = digest;
        self.met_count += 1;
        return true;
    }

    fn use(self: *Found, digest: u64) bool {
        if (self.exact_count == self.exact.len) return false;
        self.exact[self.exact_count] = digest;
        self.exact_count += 1;
        return true;
    }
};

export fn remit_digest(tables: *const Tables, tag: u8, text: [*]const u8, size: u64) u64 {
    return tables.digest(tag, text[0..size]);
}

/// Remember that values are at a spot; return 0 where the tables may be too small.
export fn remit_meet(tables: *Tables, digests: [*]const u64, count: u64, spot: u64) u32 {
    if (!tables.has_room(count)) return 0;
    for (digests[0..count]) |one| tables.meet(one, spot);
    return 1;
}

/// Return the number of spots of a value, which are written to `out`.
export fn remit_spots(tables: *const Tables, digest: u64, out: *[MAX_MET]u64) u32 {
    const met = tables.met[0..tables.met_size];
    const slot = met[place_in(met, digest)];
    if (slot.digest == 0) return 0;
    if (slot.spot & MANY == 0) {
        out[0] = slot.spot & ~UNTRUSTED;
        return 1;
    }
    for (tables.more[0..tables.more_size][slot.spot & ~MANY], 0..) |one, at| {
        if (one == EMPTY) return @intCast(at);
        out[at] = one & ~UNTRUSTED;
    }
    return MAX_MET;
}

/// Write the records of a place that hold a value to `out`, some more than once; return their number.
export fn remit_records(tables: *const Tables, place: u64, out: [*]u64, size: u64) u64 {
    const records = out[0..size];
    var count: usize = 0;
    for (tables.met[0..tables.met_size]) |slot| {
        if (slot.digest == 0) continue;
        const one = [1]u64{slot.spot};
        const spots: []const u64 = if (slot.spot & MANY == 0) &one else &tables.more[0..tables.more_size][slot.spot & ~MANY];
        for (spots) |spot| {
            if (spot == EMPTY or (spot & ~UNTRUSTED) >> 24 != place or count == size) continue;
            records[count] = spot & RECORD_MASK;
            count += 1;
        }
    }
    return count;
}

/// Return the place that mentions what has a digest; -1 where there is none.
export fn remit_place_of(tables: *const Tables, tag: u8, text: [*]const u8, size: u64) i64 {
    const all = tables.mentions[0..tables.mentions_size];
    const slot = all[place_in(all, tables.digest(tag, text[0..size]))];
    return if (slot.digest == 0) -1 else @intCast(slot.spot);
}

/// Remember the words of an ASCII text, as they are written; return 0 where the table may be too small.
export fn remit_mention(tables: *Tables, text: [*]const u8, size: u64, place: u64) u32 {
    return @intFromBool(tables.mention(text[0..size], place));
}

/// Remember lines, each the tag and then the text of a word or a number; return 0 where the table may be too small.
export fn remit_mark(tables: *Tables, text: [*]const u8, size: u64, place: u64) u32 {
    var lines = std.mem.splitScalar(u8, text[0..size], '\n');
    while (lines.next()) |line| {
        if (line.len < 2) continue;
        if (2 * (tables.mentions_count + 1) > tables.mentions_size) return 0;
        if (line[0] != NUMBER and tables.mentioned(tables.digest(WORD, line[1..]))) continue;
        const new = tables.keep_mark(tables.digest(line[0], line[1..]), place);
        if (new and line[0] != NUMBER) tables.held += 1;
    }
    return 1;
}

/// Copy the entries of a table into a larger one.
export fn remit_move(from: [*]const Slot, from_size: u64, to: [*]Slot, to_size: u64) void {
    const all = to[0..to_size];
    for (from[0..from_size]) |one| {
        if (one.digest != 0) all[place_in(all, one.digest)] = one;
    }
}

/// Take leaves in, from `at` on. Return why it stopped: at the end; before a leaf that is not plain; after one that
/// the intent may name; before one for which the tables may be too small; after one that found them full.
export fn remit_take(tables: *Tables, batch: *Batch) u32 {
    const text = batch.text[0..batch.size];
    const lengths = batch.lengths[0..batch.count];
    while (batch.at < batch.count) {
        const size = lengths[batch.at];
        const why = take_one(tables, batch, text[batch.offset..][0..size]);
        if (why == .odd or why == .room) return @intFromEnum(why);
        batch.at += 1;
        batch.offset += size;
        batch.begun = 0;
        if (why != .done) return @intFromEnum(why);
    }
    return @intFromEnum(Why.done);
}

/// INVARIANT: whatever a leaf adds is added only once, so that it may be taken again in larger tables.
fn take_one(tables: *Tables, batch: *Batch, leaf: []const u8) Why {
    const at = batch.at;
    const field = batch.fields[0..batch.count][at];
    const untrusted = batch.untrusted[0..batch.field_count][field] != 0;
    const place = &batch.places[0..batch.field_count][field];
    const long = leaf.len > MAX_TEXT;
    var found = Found{};
    const plain = if (long) in_prose(tables, leaf, &found) else in_short(tables, leaf, &found);
    if (!plain or (batch.own_links != 0 and std.mem.findScalar(u8, leaf, '/') != null)) return .odd;
    if (!untrusted) {
        if (found.kind == .url) return .odd;
        for (batch.doubts[0..batch.doubt_count]) |one| {
            for (found.met[0..found.met_count]) |digest| if (digest == one) return .odd;
        }
    }
    if (!tables.has_room(found.met_count + found.exact_count)) return .room;
    if (batch.begun == 0) {
        batch.begun = 1;
        batch.held = tables.held;
        batch.full = tables.full;
    }
    const number: u64 = if (place.* < 0) batch.next_place else @intCast(place.*);
    const record = @min(RECORD_MASK, batch.base + batch.records[0..batch.count][at]);
    const spot = number << 24 | record | if (untrusted) UNTRUSTED else 0;
    for (found.met[0..found.met_count]) |one| tables.meet(one, spot);
    for (found.exact[0..found.exact_count]) |one| tables.meet(one, spot);
    if (untrusted and !take_words(tables, leaf, spot, number, batch.pointed != 0)) return .room;
    if (place.* < 0 and tables.held > batch.held) {
        place.* = @intCast(number);
        batch.placed[0..batch.field_count][batch.placed_count] = field;
        batch.placed_count += 1;
        batch.next_place += 1;
    }
    const kinds = batch.kinds[0..batch.count];
    kinds[at] = if (long) (if (found.met_count > 0) 7 else 0) else @intFromEnum(found.kind);
    if (!long) batch.wholes[0..batch.count][at] = found.exact[0];
    if (tables.full != batch.full) return .full;
    return if (!long and may_name(tables, leaf)) .hit else .done;
}

/// Remember the words of a text, and its numbers as values; return whether the tables were large enough.
fn take_words(tables: *Tables, leaf: []const u8, spot: u64, place: u64, pointed: bool) bool {
    if (tables.mentions_count >= tables.max_mentions) {
        tables.full = 1;
    } else if (!tables.mention(leaf, place)) return false;
    if (!pointed) return true;
    var words = Words{ .text = leaf };
    var buf: [48]u8 = undefined;
    while (words.next()) |written| {
        const word = bare(written);
        if (word.len == 0 or is_letter(word[0])) continue;
        if (!tables.has_room(1)) return false;
        if (number_of(word, &buf)) |number| tables.meet(tables.digest(@intFromEnum(Kind.text), number), spot);
    }
    return true;
}

/// Return whether the intent may name a short text: it holds a word, a stem or a number of the text.
fn may_name(tables: *const Tables, leaf: []const u8) bool {
    if (tables.said_size == 0) return false;
    var buf: [MAX_TEXT]u8 = undefined;
    var small: [48]u8 = undefined;
    if (number_of(trim(leaf), &small)) |number| if (tables.says(tables.digest(SAID_NUMBER, number))) return true;
    var words = Words{ .text = leaf };
    while (words.next()) |written| {
        const word = bare(written);
        if (word.len > 0 and tables.says(tables.lowered(ASKED, word))) return true;
        var parts = Parts{ .text = written };
        while (parts.next()) |part| {
            if (part.len > 1 and tables.says(tables.digest(STEM, stem(part, &buf)))) return true;
        }
    }
    return false;
}

// ---- what a text is ----

fn in_short(tables: *const Tables, leaf: []const u8, found: *Found) bool {
    const inner = trim(leaf);
    if (inner.len == 0) return false;
    const text = @intFromEnum(Kind.text);
    if (inner.len < leaf.len) return is_words(leaf) and in_words(tables, leaf, found);
    if (std.mem.findScalar(u8, leaf, '@') != null) {
        found.kind = .email;
        return is_address(leaf) and no_row_or_code(leaf) and
            found.see(tables.lowered(@intFromEnum(Kind.email), leaf)) and
            found.use(tables.lowered(EXACT | @intFromEnum(Kind.email), leaf));
    }
    if (std.mem.find(u8, leaf, "//") != null) {
        found.kind = .url;
        return no_row_or_code(leaf) and in_url(tables, leaf, found);
    }
    if (leaf[0] == '+') return in_phone(tables, leaf, found);
    if (all_digits(leaf) and leaf.len >= 7) {
        // A row of digits may be a telephone number, if its author says so. Longer ones may be hexadecimal.
        found.kind = .text;
        return leaf.len < 12 and leaf[0] != '0' and found.see(tables.digest(text, leaf)) and
            found.use(tables.digest(EXACT | text, leaf)) and
            found.use(tables.digest(EXACT | @intFromEnum(Kind.phone), leaf));
    }
    if (is_account(leaf)) {
        found.kind = .iban;
        return no_code(leaf) and found.see(tables.lowered(@intFromEnum(Kind.iban), leaf)) and
            found.use(tables.lowered(EXACT | @intFromEnum(Kind.iban), leaf));
    }
    return (is_value(leaf) or is_words(leaf)) and in_words(tables, leaf, found);
}

/// Add a text that is no destination and holds none.
fn in_words(tables: *const Tables, leaf: []const u8, found: *Found) bool {
    const inner = trim(leaf);
    const text = @intFromEnum(Kind.text);
    found.kind = .text;
    var buf: [MAX_TEXT]u8 = undefined;
    if (!found.see(tables.lowered(text, spaced(inner, &buf)))) return false;
    if (!found.use(tables.lowered(EXACT | text, inner))) return false;
    if (is_letter(leaf[0])) return true;
    var small: [48]u8 = undefined;
    const number = number_of(inner, &small) orelse return true;
    if (std.mem.eql(u8, number, leaf)) return true;
    return found.see(tables.digest(text, number)) and found.use(tables.digest(EXACT | text, number));
}

/// Return a text with one blank between words.
fn spaced(text: []const u8, buf: *[MAX_TEXT]u8) []const u8 {
    var size: usize = 0;
    for (text) |c| {
        if (is_blank(c) and (size == 0 or buf[size - 1] == ' ')) continue;
        buf[size] = if (is_blank(c)) ' ' else c;
        size += 1;
    }
    return buf[0..size];
}

/// Return whether a text consists of words without any destination or code.
fn is_words(text: []const u8) bool {
    return !is_joint(text) and std.mem.findScalar(u8, text, '<') == null and no_row_or_code(text);
}

/// Return whether a long text is plain: words, and e-mail addresses and links among them.
fn in_prose(tables: *const Tables, text: []const u8, found: *Found) bool {
    if (text.len > MAX_PROSE or !no_row_or_code(text)) return false;
    var words = Words{ .text = text };
    while (words.next()) |word| {
        if (word.len > MAX_PART) return false;
        if (!is_joint(word)) continue;
        const core = std.mem.trimEnd(u8, std.mem.trimStart(u8, word, "(\"'["), ".,;:!?)\"']");
        if (core.len < 3 or !is_alnum(core[0]) or !is_alnum(core[core.len - 1])) return false;
        if (std.mem.findScalar(u8, core, '@') != null) {
            if (!is_address(core)) return false;
            if (!found.see(tables.lowered(@intFromEnum(Kind.email), core))) return false;
            if (!found.use(tables.lowered(EXACT | @intFromEnum(Kind.email), core))) return false;
        } else if (core.len > MAX_TEXT or !in_url(tables, core, found)) return false;
    }
    return true;
}

/// Return whether a word may hold a destination.
fn is_joint(word: []const u8) bool {
    for (word, 0..) |c, at| {
        if (c == '@') return true;
        if (at + 1 < word.len and ((c == '.' and is_joined(word[at + 1])) or (c == '/' and word[at + 1] == '/'))) {
            return true;
        }
    }
    return false;
}

/// Return whether a character after a dot may continue a name.
fn is_joined(c: u8) bool {
    return switch (c) {
        ' ', '\t', '\n', '\r', '.', ':', '!', '*', '_', '~', '<', '>', '(', ')', '[', ']', '{', '}' => false,
        '"', '\'', '`', '|', ',', ';' => false,
        else => true,
    };
}

/// Return whether a text holds neither a number that may be an account or a telephone, nor an encoding.
fn no_row_or_code(text: []const u8) bool {
    var row: usize = 0;
    var digits: usize = 0;
    for (text, 0..) |c, at| {
        if (c != ',' and c != '.' and !is_digit(c)) digits = 0;
        switch (c) {
            '0'...'9' => {
                row += 1;
                digits += 1;
                // Decimals are exact up to 28 digits.
                if (row >= 7 or digits > 28) return false;
                if (at >= 3 and is_digit(text[at - 1]) and is_letter(text[at - 2]) and is_letter(text[at - 3])) {
                    if (may_be_account(text[at - 3 ..])) return false;
                }
            },
            // Marks may stand in a number after a plus sign.
            '+' => return false,
            ' ', '\t', '\n', '\r', '.', '/', '-' => {},
            else => if (!is_beside(text, at)) {
                row = 0;
            },
        }
    }
    return no_code(text);
}

/// Return whether a number may go on after a mark: the reading of values for use drops those around a group.
fn is_beside(text: []const u8, at: usize) bool {
    return switch (text[at]) {
        '.', ',', ';', ':', '!', '?' => at + 1 < text.len and is_mark(text[at + 1]),
        else => |c| is_mark(c),
    };
}

/// Return whether an account number may begin at the start of a text.
fn may_be_account(text: []const u8) bool {
    var seen: usize = 0;
    var digits: usize = 0;
    for (text, 0..) |c, at| {
        if (is_blank(c) or is_beside(text, at)) continue;
        if (!is_alnum(c) and c != '-') break;
        seen += 1;
        digits += @intFromBool(is_digit(c));
        if (seen > 72) break;
    }
    return digits >= 8;
}

/// Return whether a text is ASCII without control characters, and encodes nothing.
fn no_code(text: []const u8) bool {
    var start: usize = 0;
    for (text, 0..) |c, at| {
        switch (c) {
            'A'...'Z', 'a'...'z', '0'...'9', '+', '/', '_', '-' => continue,
            '%', '&', '=', '\\' => return false,
            0...8, 11, 12, 14...31, 127...255 => return false,
            else => {},
        }
        if (at - start >= 12 and (c == '\n' or c == '\r' or is_code(text[start..at]))) return false;
        start = at + 1;
    }
    return text.len - start < 12 or !is_code(text[start..]);
}

/// Return whether a run of letters and digits may be base64 or hexadecimal of a text.
fn is_code(run: []const u8) bool {
    if (run.len > 256 or is_base64(run)) return true;
    var hex = true;
    var large: usize = 0;
    for (run) |c| {
        hex = hex and std.ascii.isHex(c);
        large += @intFromBool(c == 'A');
    }
    if (large * 8 >= run.len) return true;
    if (run[0] == 'x' or run[0] == 'X' or (run[0] == '0' and (run[1] == 'x' or run[1] == 'X'))) return true;
    if (hex and run.len % 2 == 0) {
        var data: [128]u8 = undefined;
        const bytes = std.fmt.hexToBytes(&data, run) catch return true;
        if (is_text(bytes)) return true;
    }
    var at: usize = 0;
    while (at < run.len) {
        var end = at;
        while (end < run.len and (is_alnum(run[end]) or run[end] == '+')) end += 1;
        if (end - at >= 12 and end - at < run.len and is_base64(run[at..end])) return true;
        at = end + 1;
    }
    return false;
}

fn is_base64(run: []const u8) bool {
    if (run.len % 4 == 1) return false;
    switch (run[0]) {
        'g'...'v', '+', '/', '-', '_' => return false,
        else => {},
    }
    var data: [192]u8 = undefined;
    var size: usize = 0;
    var bits: u32 = 0;
    var count: u5 = 0;
    for (run) |c| {
        const six: u32 = switch (c) {
            'A'...'Z' => c - 'A',
            'a'...'z' => c - 'a' + 26,
            '0'...'9' => c - '0' + 52,
            '+', '-' => 62,
            else => 63,
        };
        bits = (bits << 6 | six) & 0xFFFF;
        count += 6;
        if (count >= 8) {
            count -= 8;
            data[size] = @truncate(bits >> count);
            size += 1;
        }
    }
    return is_text(data[0..size]);
}

/// Return whether bytes may be read as a text: more often than not, random ones are not.
fn is_text(bytes: []const u8) bool {
    return std.mem.findScalar(u8, bytes, 0) != null or std.unicode.utf8ValidateSlice(bytes) or
        std.mem.startsWith(u8, bytes, "\xff\xfe") or std.mem.startsWith(u8, bytes, "\xfe\xff");
}

/// Return whether a text is an e-mail address that every program reads alike.
fn is_address(text: []const u8) bool {
    const at = std.mem.findScalar(u8, text, '@') orelse return false;
    const local = text[0..at];
    if (local.len == 0 or local.len > 63) return false;
    var before: u8 = '.';
    for (local) |c| {
        if (!is_alnum(c) and c != '_' and c != '-' and c != '.') return false;
        if (c == '.' and before == '.') return false;
        before = c;
    }
    return before != '.' and is_alnum(local[0]) and is_alnum(before) and is_host(text[at + 1 ..]);
}

/// Return whether a text is a plain host name with a dot, in any case.
fn is_host(text: []const u8) bool {
    if (text.len > 253) return false;
    var labels: usize = 0;
    var all = std.mem.splitScalar(u8, text, '.');
    var last: []const u8 = "";
    while (all.next()) |label| {
        if (label.len == 0 or label.len > 63 or label[0] == '-' or label[label.len - 1] == '-') return false;
        for (label) |c| if (!is_alnum(c) and c != '-' and c != '_') return false;
        if (label.len >= 4 and lower(label[0]) == 'x' and lower(label[1]) == 'n' and label[2] == '-') return false;
        labels += 1;
        last = label;
    }
    if (labels < 2 or labels > 20 or last.len < 2 or last.len > 24) return false;
    for (last) |c| if (!is_letter(c)) return false;
    return true;
}

/// Add a link without port, user, query and fragment, and its host.
fn in_url(tables: *const Tables, text: []const u8, found: *Found) bool {
    if (text.len > MAX_TEXT or !is_alnum(text[text.len - 1])) return false;
    const scheme: usize = if (starts(text, "https://")) 8 else if (starts(text, "http://")) 7 else return false;
    const end = std.mem.findScalarPos(u8, text, scheme, '/') orelse text.len;
    const host = text[scheme..end];
    if (!is_host(host) or is_digit(host[0])) return false;
    var segments: usize = 0;
    if (end < text.len) {
        var all = std.mem.splitScalar(u8, text[end + 1 ..], '/');
        while (all.next()) |one| {
            segments += 1;
            if (one.len == 0 or segments > 20 or std.mem.eql(u8, one, ".") or std.mem.eql(u8, one, "..")) return false;
            for (one) |c| if (!is_alnum(c) and c != '.' and c != '_' and c != '~' and c != '-') return false;
        }
    }
    var buf: [MAX_TEXT]u8 = undefined;
    const normal = buf[0..text.len];
    for (text[0..end], 0..) |c, i| normal[i] = lower(c);
    @memcpy(normal[end..], text[end..]);
    const bare_kind = EXACT | @intFromEnum(if (segments > 0) Kind.url else Kind.host);
    const without = if (segments > 0) normal[scheme - 2 ..] else normal[scheme..];
    return found.see(tables.lowered(@intFromEnum(Kind.url), text)) and
        found.see(tables.lowered(@intFromEnum(Kind.host), host)) and
        found.use(tables.digest(EXACT | @intFromEnum(Kind.url), normal)) and
        found.use(tables.digest(bare_kind, without));
}

/// Add a telephone number with a plus sign and groups of digits.
fn in_phone(tables: *const Tables, text: []const u8, found: *Found) bool {
    var buf: [16]u8 = undefined;
    var size: usize = 0;
    var before: u8 = ' ';
    for (text[1..]) |c| {
        if (c == ' ' and before == ' ') return false;
        if (is_digit(c)) {
            if (size == 15) return false;
            buf[size] = c;
            size += 1;
        } else if (c != ' ') return false;
        before = c;
    }
    const blanks = text.len - 1 - size;
    if (size < 7 or buf[0] == '0' or blanks > 8 or !no_code(text)) return false;
    found.kind = .phone;
    const phone = @intFromEnum(Kind.phone);
    var marked: [17]u8 = undefined;
    marked[0] = '+';
    @memcpy(marked[1 .. size + 1], buf[0..size]);
    if (!found.see(tables.digest(phone, marked[0 .. size + 1]))) return false;
    if (!found.use(tables.digest(EXACT | phone, marked[0 .. size + 1]))) return false;
    // A number before it does not belong to it.
    var rest = text[1..];
    var digits: []const u8 = buf[0..size];
    for (0..2) |_| {
        const blank = std.mem.findScalar(u8, rest, ' ') orelse break;
        digits = digits[blank..];
        rest = rest[blank + 1 ..];
        if (rest.len < 7) break;
        if (digits[0] == '0') return false;
        if (digits.len < 7 or digits.len == rest.len) continue;
        if (!found.see(tables.digest(phone, digits))) return false;
    }
    if (blanks > 0) return true;
    const text_kind = @intFromEnum(Kind.text);
    return found.see(tables.digest(text_kind, digits)) and found.use(tables.digest(EXACT | text_kind, digits));
}

/// Return whether a text is an account number in one piece.
fn is_account(text: []const u8) bool {
    if (text.len < 15 or text.len > 34 or !is_letter(text[0]) or !is_letter(text[1])) return false;
    if (!is_digit(text[2]) or !is_digit(text[3])) return false;
    var digits: usize = 0;
    for (text, 0..) |c, at| {
        if (!is_alnum(c)) return false;
        digits += @intFromBool(is_digit(c));
        // Zeros at the start of a row of digits begin a telephone number.
        if (c == '0' and at > 0 and text[at - 1] == '0' and !is_digit(text[at - 2])) return false;
    }
    return digits >= 8;
}

/// Return whether a text is an amount, a day, a moment, or a short id: `core.flow.values.fast_path.A_VALUE`.
fn is_value(text: []const u8) bool {
    return is_amount(text) or is_moment(text) or is_id(text);
}

fn is_amount(text: []const u8) bool {
    const rest = if (text[0] == '-') text[1..] else text;
    const dot = std.mem.findScalar(u8, rest, '.') orelse rest.len;
    if (dot == 0 or dot > 6 or !all_digits(rest[0..dot])) return false;
    return dot == rest.len or (rest.len > dot + 1 and rest.len <= dot + 5 and all_digits(rest[dot + 1 ..]));
}

fn is_like(text: []const u8, form: []const u8) bool {
    if (text.len < form.len) return false;
    for (form, text[0..form.len]) |f, c| {
        if (if (f == '0') !is_digit(c) else f != c) return false;
    }
    return true;
}

fn is_moment(text: []const u8) bool {
    if (text[0] != '1' and text[0] != '2') return false;
    if (!is_like(text, "0000-00-00")) return false;
    if (text.len == 10) return true;
    if (text[10] != 'T' and text[10] != ' ') return false;
    var rest = text[11..];
    if (!is_like(rest, "00:00")) return false;
    rest = rest[5..];
    const seconds = is_like(rest, ":00");
    if (seconds) rest = rest[3..];
    if (seconds and rest.len > 1 and rest[0] == '.' and is_digit(rest[1])) {
        var end: usize = 1;
        while (end < rest.len and end <= 6 and is_digit(rest[end])) end += 1;
        rest = rest[end..];
    } else if (is_like(rest, "-00:00")) return rest.len == 6;
    if (rest.len == 0) return true;
    return (rest.len == 1 and rest[0] == 'Z') or (rest.len == 6 and is_like(rest, "+00:00"));
}

fn is_id(text: []const u8) bool {
    var letters: usize = 0;
    while (letters < text.len and (is_letter(text[letters]) or text[letters] == '_')) letters += 1;
    const rest = text[letters..];
    if (letters >= 1 and letters <= 5) {
        const digits = if (rest.len > 0 and rest[0] == '-') rest[1..] else rest;
        if (digits.len >= 1 and digits.len <= 5 and all_digits(digits)) return true;
    }
    if (letters < 2 or letters > 11 or text[letters - 1] != '_' or text[0] < 'g' or text[0] > 'v') return false;
    for (text[0 .. letters - 1]) |c| if (c == '_') return false;
    return rest.len >= 1 and rest.len <= 11 and all_digits(rest) and !std.mem.startsWith(u8, rest, "00");
}

// ---- words and numbers ----

fn lower(c: u8) u8 {
    return if (c >= 'A' and c <= 'Z') c + 32 else c;
}

fn is_letter(c: u8) bool {
    return lower(c) >= 'a' and lower(c) <= 'z';
}

fn is_digit(c: u8) bool {
    return c >= '0' and c <= '9';
}

fn is_alnum(c: u8) bool {
    return is_letter(c) or is_digit(c);
}

fn is_blank(c: u8) bool {
    return c == ' ' or (c >= 9 and c <= 13) or (c >= 28 and c <= 31);
}

fn all_digits(text: []const u8) bool {
    for (text) |c| if (!is_digit(c)) return false;
    return text.len > 0;
}

fn all_alnum(text: []const u8) bool {
    for (text) |c| if (!is_alnum(c)) return false;
    return text.len > 0;
}

fn is_mark(c: u8) bool {
    return std.mem.findScalar(u8, ".,;:!?()[]{}\"'`<>*_~|", c) != null;
}

fn trim(text: []const u8) []const u8 {
    return std.mem.trim(u8, text, " \t\n\r");
}

fn starts(text: []const u8, with: []const u8) bool {
    return text.len >= with.len and std.ascii.eqlIgnoreCase(text[0..with.len], with);
}

const Words = struct {
    text: []const u8,
    at: usize = 0,

    fn next(self: *Words) ?[]const u8 {
        while (self.at < self.text.len and is_blank(self.text[self.at])) self.at += 1;
        const start = self.at;
        while (self.at < self.text.len and !is_blank(self.text[self.at])) self.at += 1;
        return if (self.at > start) self.text[start..self.at] else null;
    }
};

const Parts = struct {
    text: []const u8,
    at: usize = 0,

    fn next(self: *Parts) ?[]const u8 {
        while (self.at < self.text.len and !is_alnum(self.text[self.at])) self.at += 1;
        const start = self.at;
        while (self.at < self.text.len and is_alnum(self.text[self.at])) self.at += 1;
        return if (self.at > start) self.text[start..self.at] else null;
    }
};

/// Return a word without the punctuation around it: `core.flow.language.word_forms.bare_word`.
fn bare(word: []const u8) []const u8 {
    const last = word[word.len - 1];
    if (is_alnum(last) and lower(last) != 's' and is_alnum(word[0])) return word;
    if (is_mark(last) and all_alnum(word[0 .. word.len - 1])) return word[0 .. word.len - 1];
    if (all_alnum(word)) return word;
    var start: usize = 0;
    var end: usize = word.len;
    while (start < end and is_mark(word[start])) start += 1;
    while (end > start and is_mark(word[end - 1])) end -= 1;
    while (start < end and (word[start] == '#' or word[start] == '@')) start += 1;
    const found = word[start..end];
    if (found.len >= 2 and found[found.len - 2] == '\'' and lower(found[found.len - 1]) == 's') {
        return found[0 .. found.len - 2];
    }
    return found;
}

/// Return whether nothing more can be stripped off a word.
fn is_stripped(word: []const u8) bool {
    return all_alnum(word) or bare(word).len == word.len;
}

/// Return a number in canonical form: `core.flow.language.word_forms.number_of`. Longer ones are left out.
fn number_of(text: []const u8, buf: *[48]u8) ?[]const u8 {
    if (text.len == 0 or text.len > 40) return null;
    var at: usize = 0;
    if (text[at] == '$') at += 1;
    const negative = at < text.len and text[at] == '-';
    if (at < text.len and (text[at] == '-' or text[at] == '+')) at += 1;
    if (at >= text.len or !is_digit(text[at])) return null;
    var size: usize = 0;
    if (negative) {
        buf[0] = '-';
        size = 1;
    }
    const first = size;
    while (at < text.len and (is_digit(text[at]) or text[at] == ',')) : (at += 1) {
        if (text[at] == ',' or (text[at] == '0' and size == first)) continue;
        buf[size] = text[at];
        size += 1;
    }
    if (size == first) {
        buf[size] = '0';
        size += 1;
    }
    if (at + 1 < text.len and text[at] == '.' and is_digit(text[at + 1])) {
        const whole = size;
        buf[size] = '.';
        size += 1;
        at += 1;
        while (at < text.len and is_digit(text[at])) : (at += 1) {
            buf[size] = text[at];
            size += 1;
        }
        while (size > whole and (buf[size - 1] == '0' or buf[size - 1] == '.')) {
            size -= 1;
            if (buf[size] == '.') break;
        }
    }
    const rest = text[at..];
    if (rest.len == 1 and rest[0] == '%') return buf[0..size];
    if (rest.len != 0 and (rest.len != 3 or !is_letter(rest[0]) or !is_letter(rest[1]) or !is_letter(rest[2]))) {
        return null;
    }
    return buf[0..size];
}

/// Return a word in lower case without the commonest endings: `core.flow.language.word_forms.stem`.
fn stem(part: []const u8, buf: *[MAX_TEXT]u8) []const u8 {
    var word: []u8 = buf[0..part.len];
    for (part, 0..) |c, i| word[i] = lower(c);
    if (word.len < 4) return word;
    for (word) |c| if (is_digit(c)) return word;
    if (ends(word, "ies") and word.len > 4) {
        word = word[0 .. word.len - 2];
        word[word.len - 1] = 'y';
    } else if (ends(word, "s") and !ends(word, "ss") and !ends(word, "us") and !ends(word, "is")) {
        const two = ends(word, "ches") or ends(word, "shes") or ends(word, "sses") or ends(word, "xes") or ends(word, "zes");
        word = word[0 .. word.len - @as(usize, if (two) 2 else 1)];
    }
    for ([_][]const u8{ "ment", "ing", "ed" }) |ending| {
        if (!ends(word, ending) or word.len < ending.len + 3) continue;
        word = word[0 .. word.len - ending.len];
        const last = word[word.len - 1];
        if (word.len > 3 and last == word[word.len - 2] and last != 'l' and last != 's') word = word[0 .. word.len - 1];
        break;
    }
    return if (word.len > 3 and ends(word, "e")) word[0 .. word.len - 1] else word;
}

fn ends(word: []const u8, with: []const u8) bool {
    return std.mem.endsWith(u8, word, with);
}
