//! Durations as people write them: `250ms`, `2s`, `1.5 s`, `1h`. A unit is always there.

use std::time::Duration;

const UNITS: [(&str, u64); 7] = [
    ("us", 1),
    ("ms", 1_000),
    ("min", 60_000_000),
    ("s", 1_000_000),
    ("m", 60_000_000),
    ("h", 3_600_000_000),
    ("d", 86_400_000_000),
];

/// Reads a duration; `None` if it is none or has no unit.
///
/// The resolution is one microsecond; digits beyond that are an error and not rounded.
pub fn parse_duration(text: &str) -> Option<Duration> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (number, unit) = text.split_at(digits);
    let factor = UNITS.iter().find(|(name, _)| *name == unit.trim())?.1;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let whole: u64 = whole.parse().ok()?;
    let mut micros = whole.checked_mul(factor)?;
    let mut place = factor;
    for digit in fraction.chars() {
        if place % 10 != 0 {
            return None;
        }
        place /= 10;
        micros = micros.checked_add(u64::from(digit.to_digit(10)?) * place)?;
    }
    Some(Duration::from_micros(micros))
}

/// Writes a duration so that [`parse_duration`] reads it back, in the largest unit that needs no fraction.
pub fn format_duration(duration: Duration) -> String {
    let micros = duration.as_micros() as u64;
    let (unit, factor) =
        [("d", 86_400_000_000), ("h", 3_600_000_000), ("m", 60_000_000), ("s", 1_000_000), ("ms", 1_000)]
            .into_iter()
            .find(|(_, factor)| micros != 0 && micros.is_multiple_of(*factor))
            .unwrap_or(if micros == 0 { ("s", 1) } else { ("us", 1) });
    format!("{}{unit}", micros / factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_has_a_unit() {
        assert_eq!(parse_duration("2s"), Some(Duration::from_secs(2)));
        assert_eq!(parse_duration("1.5 s"), Some(Duration::from_millis(1500)));
        assert_eq!(parse_duration("250ms"), Some(Duration::from_millis(250)));
        assert_eq!(parse_duration("1m"), Some(Duration::from_secs(60)));
        assert_eq!(parse_duration("2h"), Some(Duration::from_secs(7200)));
        for wrong in ["2", "s", "", "-1s", "1.0000001s", "2 weeks", "1..5s"] {
            assert_eq!(parse_duration(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_is_written_can_be_read() {
        for micros in [0, 1, 999, 1_000, 1_500_000, 60_000_000, 90_000_000, 7_200_000_000] {
            let duration = Duration::from_micros(micros);
            assert_eq!(parse_duration(&format_duration(duration)), Some(duration));
        }
    }
}
