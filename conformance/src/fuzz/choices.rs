//! Choices of the fuzzer: the same for the same seed, on every machine and in every version.

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};

/// A stream of choices. The algorithm is part of what a seed means: it is never changed.
#[derive(Clone, Debug)]
pub struct Choices(Xoshiro256PlusPlus);

impl Choices {
    /// The stream of a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(Xoshiro256PlusPlus::seed_from_u64(seed))
    }

    /// Any 64 bits.
    pub fn any(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// From 0 to `bound`, exclusive; 0 where that is 0.
    pub fn below(&mut self, bound: usize) -> usize {
        // The bias is of no matter here.
        if bound == 0 { 0 } else { (self.any() % bound as u64) as usize }
    }

    /// True once in so many times.
    pub fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    /// One of them.
    ///
    /// # Panics
    /// Where there is none.
    pub fn of<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.below(choices.len())]
    }

    /// So many bytes, often of few kinds.
    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        if self.one_in(3) {
            return vec![self.byte(); count];
        }
        (0..count).map(|_| self.byte()).collect()
    }

    /// A byte, often one that means something.
    pub fn byte(&mut self) -> u8 {
        match self.below(4) {
            0 => *self.of(&[0, 1, 2, 3, 5, 6, 10, 11, 12, 13, 20, 21, 30, 40, 41, 42, 43, 0x7F, 0x80, 0xFE, 0xFF]),
            _ => self.any() as u8,
        }
    }

    /// A number of up to `bits` bits, often at an edge.
    pub fn number(&mut self, bits: u32) -> u64 {
        let mask = u64::MAX >> (64 - bits);
        let number = match self.below(8) {
            0..=2 => self.any() % 8,
            3 => mask.wrapping_sub(self.any() % 3),
            // About a power of two: sign bits, and the widths of other fields.
            4 => (1_u64 << (self.any() % u64::from(bits))).wrapping_add(self.any() % 3).wrapping_sub(1),
            5 => *self.of(&FLOATS),
            6 => self.any() % 300,
            _ => self.any(),
        };
        number & mask
    }

    /// A small number, now and then one about a power of two.
    pub fn size(&mut self) -> usize {
        match self.below(40) {
            0 => *self.of(&[127, 128, 254, 255, 256, 257, 300]),
            1..=4 => self.below(40),
            _ => self.below(5),
        }
    }
}

/// Bits of doubles that arithmetic loses, and ints that doubles round.
const FLOATS: [u64; 14] = [
    0x7FF0_0000_0000_0000,
    0xFFF0_0000_0000_0000,
    0x7FF0_0000_0000_0001,
    0x7FF4_0000_0000_0000,
    0x7FF8_0000_0000_0000,
    0xFFF8_0000_0000_0001,
    0x7FFF_FFFF_FFFF_FFFF,
    0xFFF7_FFFF_FFFF_FFFF,
    0x8000_0000_0000_0000,
    0x0000_0000_0000_0001,
    0x000F_FFFF_FFFF_FFFF,
    0x0010_0000_0000_0000,
    0x3FF0_0000_0000_0000,
    0x0020_0000_0000_0001,
];
