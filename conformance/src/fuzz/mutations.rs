//! Changes of bytes whose segments are known: lengths, counts, tags, texts, cuts, splices, repeats; and changes that know nothing.

use super::choices::Choices;
use crate::codec::Segment;

/// Inputs never grow past this.
pub(super) const LONGEST: usize = 64 << 10;

/// The ways to be no UTF-8, and what stands just inside the edges.
const TEXTS: [&[u8]; 27] = [
    b"\x80",
    b"\xBF",
    b"\xC0\xAF",
    b"\xC1\xBF",
    b"\xC0\x80",
    b"\xC3",
    b"\xC3\x28",
    b"\xE0\x80\xAF",
    b"\xE0\x9F\xBF",
    b"\xED\xA0\x80",
    b"\xED\xBF\xBF",
    b"\xE2\x82",
    b"\xED\xA0\xBD\xED\xB8\x80",
    b"\xF0\x80\x80\xAF",
    b"\xF0\x8F\xBF\xBF",
    b"\xF4\x90\x80\x80",
    b"\xF5\x80\x80\x80",
    b"\xF0\x9F\x98",
    b"\xF8\x88\x80\x80\x80",
    b"\xFE",
    b"\xFF",
    b"\xEF\xBF\xBD",
    b"\xED\x9F\xBF",
    b"\xEE\x80\x80",
    b"\xF4\x8F\xBF\xBF",
    b"\xEF\xBB\xBF",
    b"\0",
];

/// Left-over bytes of these lengths besides small ones.
const LEFT_OVER: [usize; 10] = [127, 128, 254, 255, 256, 257, 511, 512, 4095, 4096];

/// One change. `other` is what is spliced in.
pub(super) fn change(segments: &mut Vec<Segment>, other: &[Segment], choices: &mut Choices) {
    match choices.below(16) {
        0 | 1 => announce(segments, choices),
        2 => retag(segments, choices),
        3 | 4 => spoil(segments, choices),
        5 => leave_over(segments, choices),
        6 => cut(segments, choices),
        7 => splice(segments, other, choices),
        8 => repeat(segments, choices),
        9 => {
            // Something missing, or twice.
            let index = choices.below(segments.len());
            if choices.one_in(2) && index < segments.len() {
                segments.remove(index);
            } else if let Some(segment) = segments.get(index).cloned() {
                segments.insert(index, segment);
            }
        }
        10 => renumber(segments, choices),
        _ => blind(segments, choices),
    }
    bound(segments);
}

fn bound(segments: &mut Vec<Segment>) {
    let mut room = LONGEST;
    segments.retain_mut(|segment| {
        segment.bytes.truncate(room);
        room -= segment.bytes.len();
        !segment.bytes.is_empty() || room > 0
    });
}

fn segment(field: &str, bytes: Vec<u8>) -> Segment {
    Segment { field: field.to_owned(), bytes, meaning: String::new() }
}

/// An index of a segment that `wanted` says, if there is one.
fn find(segments: &[Segment], choices: &mut Choices, wanted: impl Fn(&Segment) -> bool) -> Option<usize> {
    let start = choices.below(segments.len());
    (0..segments.len()).map(|step| (start + step) % segments.len()).find(|index| wanted(&segments[*index]))
}

fn is_announcement(segment: &Segment) -> bool {
    segment.field.ends_with(".length") || segment.field.ends_with(".count")
}

/// A length or count that says something else.
fn announce(segments: &mut [Segment], choices: &mut Choices) {
    let Some(index) = find(segments, choices, is_announcement) else { return };
    let width = segments[index].bytes.len();
    if width == 0 || width > 8 {
        return;
    }
    let mut number = [0; 8];
    number[..width].copy_from_slice(&segments[index].bytes);
    let told = u64::from_le_bytes(number);
    let rest: usize = segments[index + 1..].iter().map(|segment| segment.bytes.len()).sum();
    let number = match choices.below(9) {
        0 => told.wrapping_add(1),
        1 => told.wrapping_sub(1),
        2 => rest as u64,
        3 => rest as u64 + 1,
        4 => told | 1 << (8 * width - 1),
        5 => *choices.of(&[1_000_000, 1_000_001, 16_777_216, 16_777_217]),
        // As a writer of the other byte order would.
        6 => u64::from_be_bytes(told.to_le_bytes()) >> (64 - 8 * width),
        _ => choices.number(8 * width as u32),
    };
    segments[index].bytes = number.to_le_bytes()[..width].to_vec();
}

/// Another tag, of the message or of a value in it.
fn retag(segments: &mut [Segment], choices: &mut Choices) {
    let Some(index) =
        find(segments, choices, |s| s.field == "tag" || s.field.ends_with("kind") || s.field == "version")
    else {
        return;
    };
    segments[index].bytes = vec![choices.byte()];
}

/// A text with other bytes; its length says so, mostly.
fn spoil(segments: &mut [Segment], choices: &mut Choices) {
    let is_text = |segments: &[Segment], index: usize| {
        index > 0 && segments[index - 1].field.strip_suffix(".length").is_some_and(|name| name == segments[index].field)
    };
    let texts: Vec<usize> = (0..segments.len()).filter(|index| is_text(segments, *index)).collect();
    if texts.is_empty() {
        return;
    }
    let index = *choices.of(&texts);
    let piece = *choices.of(&TEXTS);
    let width = segments[index - 1].bytes.len();
    let bytes = &mut segments[index].bytes;
    let at = choices.below(bytes.len() + 1);
    bytes.splice(at..at, piece.iter().copied());
    if !choices.one_in(8) && width <= 8 {
        let length = bytes.len() as u64;
        segments[index - 1].bytes = length.to_le_bytes()[..width].to_vec();
    }
}

fn leave_over(segments: &mut Vec<Segment>, choices: &mut Choices) {
    let count = if choices.one_in(3) { *choices.of(&LEFT_OVER) } else { 1 + choices.below(9) };
    let bytes = choices.bytes(count);
    segments.push(segment("left_over", bytes));
}

fn cut(segments: &mut Vec<Segment>, choices: &mut Choices) {
    let index = choices.below(segments.len());
    segments.truncate(index + 1);
    if let Some(last) = segments.last_mut() {
        let keep = choices.below(last.bytes.len() + 1);
        last.bytes.truncate(keep);
    }
}

/// The beginning of one and the end of the other.
fn splice(segments: &mut Vec<Segment>, other: &[Segment], choices: &mut Choices) {
    segments.truncate(choices.below(segments.len() + 1));
    segments.extend_from_slice(&other[choices.below(other.len() + 1)..]);
}

/// Some segments many times: long lists, and values within values.
fn repeat(segments: &mut Vec<Segment>, choices: &mut Choices) {
    let first = choices.below(segments.len());
    let last = (first + 1 + choices.below(3)).min(segments.len());
    let part: Vec<u8> = segments[first..last].iter().flat_map(|segment| &segment.bytes).copied().collect();
    let times = *choices.of(&[2, 3, 62, 63, 64, 65, 126, 127, 128, 129, 200, 300, 1_100]);
    if part.len() * times <= LONGEST {
        segments.splice(first..last, [segment("repeated", part.repeat(times))]);
    }
}

/// A number of a fixed width that is another one.
fn renumber(segments: &mut [Segment], choices: &mut Choices) {
    let Some(index) = find(segments, choices, |s| matches!(s.bytes.len(), 1 | 2 | 4 | 8) && !is_announcement(s)) else {
        return;
    };
    let width = segments[index].bytes.len();
    segments[index].bytes = choices.number(8 * width as u32).to_le_bytes()[..width].to_vec();
}

/// Bytes changed, put in, taken out, wherever they stand.
fn blind(segments: &mut Vec<Segment>, choices: &mut Choices) {
    let mut bytes: Vec<u8> = segments.iter().flat_map(|segment| &segment.bytes).copied().collect();
    for _ in 0..1 + choices.below(3) {
        let at = choices.below(bytes.len() + 1);
        match choices.below(4) {
            0 => {
                let count = 1 + choices.below(4);
                bytes.splice(at..at, choices.bytes(count));
            }
            1 if at < bytes.len() => drop(bytes.remove(at)),
            2 if at < bytes.len() => bytes[at] ^= 1 << choices.below(8),
            _ if at < bytes.len() => bytes[at] = choices.byte(),
            _ => bytes.push(choices.byte()),
        }
    }
    *segments = vec![segment("bytes", bytes)];
}
