//! Tests of the codec; vectors cite the section they come from.

mod malformed;
mod random;
mod vectors;

/// Bytes from hexadecimal digits, with text in single quotes and spaces where one likes.
fn hex(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (place, part) in text.split('\'').enumerate() {
        if place % 2 == 1 {
            bytes.extend_from_slice(part.as_bytes());
            continue;
        }
        let digits: Vec<u32> =
            part.chars().filter(|c| !c.is_whitespace()).map(|c| c.to_digit(16).unwrap()).collect();
        bytes.extend(digits.chunks(2).map(|pair| (pair[0] << 4 | pair[1]) as u8));
    }
    bytes
}
