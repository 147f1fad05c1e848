//! Cuts lie where they should, and what is cut is what was sent.

use super::{Delivery, PAUSE, cut, cuts_of_bytes, cuts_of_segments};
use crate::peer::frame;
use crate::schema::own;

fn joined(pieces: &[(Vec<u8>, std::time::Duration)]) -> Vec<u8> {
    pieces.iter().flat_map(|(bytes, _)| bytes.clone()).collect()
}

#[test]
fn nothing_is_lost_in_cutting() {
    for length in [0, 1, 2, 70, 2_048, 2_049, 5_000, 3 << 20] {
        let bytes: Vec<u8> = (0..length).map(|index| (index % 251) as u8).collect();
        let cuts = cuts_of_bytes(length);
        assert!(cuts.is_sorted() && cuts.iter().all(|cut| *cut > 0 && *cut < length), "{length}");
        assert_eq!(joined(&cut(&bytes, &cuts, None)), bytes, "{length}");
    }
    assert_eq!(cuts_of_bytes(5), [1, 2, 3, 4]);
}

#[test]
fn segments_are_cut_at_their_beginnings_and_inside_the_length() {
    // ROOM_BROADCAST: tag, room.length, room, text.length, text.
    let broadcast = frame(&[0x1E, 1, 0, b'r', 2, 0, 0, 0, b'a', b'b']);
    assert_eq!(cuts_of_segments(&own(), &broadcast), [2, 4, 5, 7, 8, 12]);
    let ping = frame(b"\xF012345678");
    let both = [ping.clone(), broadcast].concat();
    assert_eq!(cuts_of_segments(&own(), &both)[..5], [2, 4, 5, 13, 15]);
    assert!(cuts_of_segments(&own(), &[0xFF; 9]).is_empty(), "no frame");
    assert_eq!(cuts_of_segments(&own(), &frame(&[])), [2]);
}

#[test]
fn the_pause_is_at_the_cut_that_is_asked_for() {
    let pieces = cut(b"abcd", &[1, 2, 3], Some(1));
    let pauses: Vec<bool> = pieces.iter().map(|(_, pause)| *pause == PAUSE).collect();
    assert_eq!(pauses, [false, false, true, false]);
    assert_eq!(Delivery::SCHEDULES.map(Delivery::word), ["bytes", "segments", "joined"]);
}
