//! Where the generator's decisions come from: a seed, or bytes.
//!
//! The generator asks for numbers below a bound and never learns who answers. So one generator serves seeds
//! (exploration), bytes (coverage-guided fuzzing) and byte strings that a property test shrinks. The smallest
//! answer is always the plainest: whoever runs out of bytes ends with plain steps, soon.

use crate::network::Random;

/// Answers the generator's questions.
pub trait Choices {
    /// A number below `bound`; 0 if the bound is 0 or 1.
    fn below(&mut self, bound: u32) -> u32;

    /// Whether there is nothing more to decide with.
    fn is_exhausted(&self) -> bool {
        false
    }

    /// True in `share` of a hundred cases; false is the plain answer.
    fn chance(&mut self, share: u32) -> bool {
        // The true answers lie at the end, so that 0 says no.
        self.below(100) >= 100 - share.min(100)
    }

    /// One of these; the first is the plain answer.
    fn pick<'l, T>(&mut self, list: &'l [T]) -> &'l T
    where
        Self: Sized,
    {
        &list[self.below(list.len() as u32) as usize]
    }

    /// A number from `low` to `high`, both included.
    fn range(&mut self, low: u32, high: u32) -> u32 {
        low + self.below(high.saturating_sub(low) + 1)
    }
}

/// Decisions drawn from a seed: every answer is equally likely.
#[derive(Debug, Clone)]
pub struct Seeded(Random);

impl Seeded {
    /// The decisions of one seed.
    pub fn new(seed: u64) -> Seeded {
        Seeded(Random::stream(seed, "scenario", 0))
    }
}

impl Choices for Seeded {
    fn below(&mut self, bound: u32) -> u32 {
        self.0.below(u64::from(bound)) as u32
    }
}

/// Decisions read from bytes: one for a small question, two for a larger one, 0 when they are used up.
#[derive(Debug, Clone)]
pub struct Bytes<'b> {
    rest: &'b [u8],
}

impl<'b> Bytes<'b> {
    /// The decisions in these bytes.
    pub fn new(bytes: &'b [u8]) -> Bytes<'b> {
        Bytes { rest: bytes }
    }

    fn byte(&mut self) -> u32 {
        match self.rest {
            [first, rest @ ..] => {
                self.rest = rest;
                u32::from(*first)
            }
            [] => 0,
        }
    }
}

impl Choices for Bytes<'_> {
    fn below(&mut self, bound: u32) -> u32 {
        match bound {
            0 | 1 => 0,
            2..=256 => self.byte() % bound,
            _ => (self.byte() << 8 | self.byte()) % bound,
        }
    }

    fn is_exhausted(&self) -> bool {
        self.rest.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_used_up_give_the_plain_answer() {
        let mut bytes = Bytes::new(&[7, 1, 2]);
        assert_eq!(bytes.below(5), 2);
        assert_eq!(bytes.below(1000), 258);
        assert!(bytes.is_exhausted());
        assert_eq!(bytes.below(5), 0);
        assert!(!bytes.chance(99));
    }

    #[test]
    fn a_seed_decides_the_same_every_time_and_another_seed_differently() {
        let draw = |seed| {
            let mut seeded = Seeded::new(seed);
            (0..20).map(|_| seeded.below(1000)).collect::<Vec<_>>()
        };
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
    }
}
