//! Our own portable random numbers: the same on every machine, in every build, for ever.

/// SplitMix64. Version 1 of the generator that a seed refers to; a change of the algorithm is a new version.
#[derive(Debug, Clone)]
pub struct Random(u64);

/// The generator's name in evidence files.
pub const RANDOM_NAME: &str = "splitmix64/1";

impl Random {
    /// An independent stream: a seed, what it is for, and which one of those.
    pub fn stream(seed: u64, purpose: &str, index: u64) -> Random {
        let mut state = seed ^ 0x9E37_79B9_7F4A_7C15;
        for byte in purpose.bytes() {
            state = mix(state ^ u64::from(byte)).wrapping_mul(0x100_0000_01B3);
        }
        Random(mix(state ^ mix(index.wrapping_add(0x5851_F42D_4C95_7F2D))))
    }

    /// The seed whose stream for this purpose and index begins with `first`. There is exactly one.
    pub fn seed_of(first: u64, purpose: &str, index: u64) -> u64 {
        let mut state = unmix(first).wrapping_sub(0x9E37_79B9_7F4A_7C15);
        state = unmix(state) ^ mix(index.wrapping_add(0x5851_F42D_4C95_7F2D));
        for byte in purpose.bytes().rev() {
            state = unmix(state.wrapping_mul(inverse(0x100_0000_01B3))) ^ u64::from(byte);
        }
        state ^ 0x9E37_79B9_7F4A_7C15
    }

    /// The next 64 bits.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mix(self.0)
    }

    /// A number below `bound`; 0 if the bound is 0. Every number is equally likely.
    pub fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 {
            return 0;
        }
        // Multiply and refuse: no bias, and no division in the common case.
        let threshold = bound.wrapping_neg() % bound;
        loop {
            let product = u128::from(self.draw()) * u128::from(bound);
            if product as u64 >= threshold {
                return (product >> 64) as u64;
            }
        }
    }

    /// True in `share` of a thousand cases.
    pub fn chance(&mut self, share: u32) -> bool {
        self.below(1000) < u64::from(share)
    }
}

const fn mix(mut value: u64) -> u64 {
    value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    value ^ (value >> 31)
}

/// What `mix` made `value` of.
const fn unmix(mut value: u64) -> u64 {
    value = unshift(value, 31).wrapping_mul(inverse(0x94D0_49BB_1331_11EB));
    value = unshift(value, 27).wrapping_mul(inverse(0xBF58_476D_1CE4_E5B9));
    unshift(value, 30)
}

/// What `value ^ (value >> by)` was.
const fn unshift(value: u64, by: u32) -> u64 {
    let mut before = value;
    let mut known = by;
    while known < 64 {
        before = value ^ (before >> by);
        known += by;
    }
    before
}

/// The number that an odd one has to be multiplied with to become 1. Each round doubles the bits that are right.
const fn inverse(odd: u64) -> u64 {
    let mut found = odd;
    let mut round = 0;
    while round < 6 {
        found = found.wrapping_mul(2u64.wrapping_sub(odd.wrapping_mul(found)));
        round += 1;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_found_by_what_its_stream_begins_with() {
        for (seed, purpose, index) in
            [(1, "qos/cut[reset]", 5), (u64::MAX, "", 0), (0x1234_5678_9ABC, "ä", 4)]
        {
            let first = Random::stream(seed, purpose, index).draw();
            assert_eq!(Random::seed_of(first, purpose, index), seed, "{purpose}");
        }
    }

    #[test]
    fn the_numbers_never_change() {
        let mut random = Random(0);
        // The published test vector of SplitMix64 with seed 0.
        assert_eq!(random.draw(), 0xE220_A839_7B1D_CDAF);
        assert_eq!(random.draw(), 0x6E78_9E6A_A1B9_65F4);
        let mut stream = Random::stream(42, "latency", 3);
        let drawn: Vec<u64> = (0..4).map(|_| stream.below(1000)).collect();
        let mut again = Random::stream(42, "latency", 3);
        assert_eq!(drawn, (0..4).map(|_| again.below(1000)).collect::<Vec<_>>());
        let mut other = Random::stream(42, "latency", 4);
        assert_ne!(drawn, (0..4).map(|_| other.below(1000)).collect::<Vec<_>>());
    }

    #[test]
    fn below_covers_its_range_and_no_more() {
        let mut random = Random::stream(7, "test", 0);
        let mut seen = [0u32; 10];
        for _ in 0..10_000 {
            seen[random.below(10) as usize] += 1;
        }
        assert!(seen.iter().all(|count| (800..1200).contains(count)), "{seen:?}");
        assert_eq!(random.below(0), 0);
    }
}
