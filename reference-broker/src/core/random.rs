//! The core's own random numbers: the same on every machine, and nothing from the operating system.

/// SplitMix64 (Steele, Lea, Flood 2014). Sixty-four bits of state are plenty for assigned Client
/// Identifiers and for the choice of a member.
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    /// The stream that `seed` names.
    pub(crate) const fn new(seed: u64) -> Random {
        Random(seed)
    }

    /// The next sixty-four bits.
    pub(crate) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, which must not be 0.
    pub(crate) const fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }
}
