//! Any stream in any pieces: the same frames, whichever of the harness's two readers takes them.

use super::assembler::Assembler;
use super::{SESSION_LIMIT, frame};
use crate::codec::FrameReader;

#[test]
fn any_pieces_give_the_same_frames() {
    type Shape = (Vec<Vec<u8>>, Vec<u8>, Vec<u8>);
    bolero::check!().with_type::<Shape>().with_iterations(2_000).for_each(|(payloads, tail, cuts)| {
        let mut stream: Vec<u8> = payloads.iter().flat_map(|payload| frame(payload)).collect();
        stream.extend(tail);
        let mut reader = FrameReader::new(SESSION_LIMIT as u32);
        reader.push(&stream);
        let mut wanted = Vec::new();
        let is_too_long = loop {
            match reader.next_payload() {
                Ok(Some(payload)) => wanted.push(payload),
                Ok(None) => break false,
                Err(_) => break true,
            }
        };
        let (mut assembler, mut found, mut rest) = (Assembler::default(), Vec::new(), &stream[..]);
        let mut cuts = cuts.iter().map(|cut| usize::from(*cut)).chain(std::iter::repeat(usize::MAX));
        let mut outcome = Ok(());
        while outcome.is_ok() && !rest.is_empty() {
            let (piece, behind) = rest.split_at(cuts.next().unwrap_or(usize::MAX).min(rest.len()));
            rest = behind;
            outcome = assembler.feed(piece, &mut found);
        }
        assert_eq!((found, outcome.is_err()), (wanted, is_too_long));
        assert!(is_too_long || assembler.is_between_frames() == (reader.waiting() == 0));
    });
}
