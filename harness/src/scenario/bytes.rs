//! The little language of `send_bytes`: words that become bytes.

use std::fmt;

use reference_broker::codec::{ProtocolVersion, put_binary, put_str, put_u16, put_u32, put_variable};

/// Why a text is no bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ByteProblem {
    /// What was found.
    pub found: String,
    /// What was expected.
    pub expected: &'static str,
}

impl fmt::Display for ByteProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is not {}", self.found, self.expected)
    }
}

const ANY: &str = "a byte in hexadecimal (36), a text in quotes, or one of remaining, properties, str, u8, u16, u32, var, bin, repeat, level, topic_prefix, client_id";

/// How deep braces may stand within each other.
const DEEPEST: usize = 64;

/// How many bytes a `repeat` may come to.
const LONGEST: u64 = 1 << 24;

/// Names of a run that bytes can mention, so that they concern nobody else.
#[derive(Debug, Clone, Copy, Default)]
pub struct Names<'n> {
    /// What stands before every topic of the run, without the slash behind it.
    pub topic_prefix: Option<&'n str>,
    /// The Client Identifier of who sends the bytes.
    pub client_id: &'n str,
}

/// The bytes that `text` stands for in a protocol version and a run.
///
/// # Errors
/// The first word that cannot be read, and what should stand there.
pub fn assemble(text: &str, version: ProtocolVersion, names: Names<'_>) -> Result<Vec<u8>, ByteProblem> {
    let words = words(text)?;
    let mut parser = Parser { words: &words, at: 0, depth: 0, version, names };
    let mut out = Vec::new();
    // What follows `remaining` is collected apart, so that its length is known.
    let mut head: Option<Vec<u8>> = None;
    while let Some(word) = parser.peek() {
        if word.text == "remaining" && !word.quoted {
            if head.is_some() {
                return Err(ByteProblem { found: "remaining".into(), expected: "allowed twice" });
            }
            parser.at += 1;
            head = Some(std::mem::take(&mut out));
            continue;
        }
        parser.word(&mut out)?;
    }
    match head {
        Some(mut head) => {
            put_variable(&mut head, out.len() as u32);
            head.extend(out);
            Ok(head)
        }
        None => Ok(out),
    }
}

#[derive(Debug, Clone)]
struct Word {
    text: String,
    quoted: bool,
}

fn words(text: &str) -> Result<Vec<Word>, ByteProblem> {
    let mut words = Vec::new();
    let mut chars = text.chars().peekable();
    while let Some(&c) = chars.peek() {
        match c {
            '#' => while chars.next().is_some_and(|c| c != '\n') {},
            '"' => {
                chars.next();
                let mut quoted = String::new();
                loop {
                    match chars.next() {
                        Some('"') => break,
                        Some('\\') => match chars.next() {
                            Some('u') => {
                                let hex: String =
                                    chars.by_ref().take_while(|c| *c != '}').filter(|c| *c != '{').collect();
                                let code = u32::from_str_radix(&hex, 16).ok().and_then(char::from_u32);
                                quoted.push(code.ok_or(ByteProblem {
                                    found: hex,
                                    expected: r"a character, as in \u{FEFF}",
                                })?);
                            }
                            Some('n') => quoted.push('\n'),
                            Some(other) => quoted.push(other),
                            None => break,
                        },
                        Some(other) => quoted.push(other),
                        None => {
                            return Err(ByteProblem { found: quoted, expected: "ended by a quotation mark" });
                        }
                    }
                }
                words.push(Word { text: quoted, quoted: true });
            }
            '{' | '}' => {
                chars.next();
                words.push(Word { text: c.into(), quoted: false });
            }
            c if c.is_whitespace() || c == ',' => {
                chars.next();
            }
            _ => {
                let mut word = String::new();
                while let Some(&c) = chars.peek() {
                    if c.is_whitespace() || matches!(c, '{' | '}' | '"' | '#' | ',') {
                        break;
                    }
                    word.push(c);
                    chars.next();
                }
                words.push(Word { text: word, quoted: false });
            }
        }
    }
    Ok(words)
}

struct Parser<'w> {
    words: &'w [Word],
    at: usize,
    /// Braces that are open.
    depth: usize,
    version: ProtocolVersion,
    names: Names<'w>,
}

impl<'w> Parser<'w> {
    fn peek(&self) -> Option<&'w Word> {
        self.words.get(self.at)
    }

    fn next(&mut self, expected: &'static str) -> Result<&'w Word, ByteProblem> {
        let word = self.peek().ok_or(ByteProblem { found: "the end".into(), expected })?;
        self.at += 1;
        Ok(word)
    }

    fn number(&mut self, expected: &'static str, max: u64) -> Result<u64, ByteProblem> {
        let word = self.next(expected)?;
        let parsed = match word.text.strip_prefix("0x") {
            Some(hex) => u64::from_str_radix(hex, 16),
            None => word.text.parse::<u64>(),
        };
        match parsed {
            Ok(number) if number <= max && !word.quoted => Ok(number),
            _ => Err(ByteProblem { found: word.text.clone(), expected }),
        }
    }

    fn braces(&mut self, out: &mut Vec<u8>) -> Result<(), ByteProblem> {
        let open = self.next("an opening brace")?;
        if open.text != "{" || open.quoted {
            return Err(ByteProblem { found: open.text.clone(), expected: "an opening brace" });
        }
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(ByteProblem { found: "{".into(), expected: "allowed within 64 others" });
        }
        loop {
            match self.peek() {
                None => return Err(ByteProblem { found: "the end".into(), expected: "a closing brace" }),
                Some(word) if word.text == "}" && !word.quoted => {
                    self.at += 1;
                    self.depth -= 1;
                    return Ok(());
                }
                Some(_) => self.word(out)?,
            }
        }
    }

    fn word(&mut self, out: &mut Vec<u8>) -> Result<(), ByteProblem> {
        let word = self.next(ANY)?;
        if word.quoted {
            out.extend_from_slice(word.text.as_bytes());
            return Ok(());
        }
        match word.text.as_str() {
            "str" => {
                let text = self.next("a text in quotes")?;
                if !text.quoted {
                    return Err(ByteProblem { found: text.text.clone(), expected: "a text in quotes" });
                }
                put_str(out, &text.text);
            }
            "u8" => out.push(self.number("a number from 0 to 255", 255)? as u8),
            "u16" => put_u16(out, self.number("a number from 0 to 65535", 65_535)? as u16),
            "u32" => put_u32(out, self.number("a number from 0 to 4294967295", 4_294_967_295)? as u32),
            "var" => put_variable(out, self.number("a number from 0 to 268435455", 268_435_455)? as u32),
            "level" => out.push(self.version.level()),
            "topic_prefix" => {
                if let Some(prefix) = self.names.topic_prefix {
                    out.extend_from_slice(prefix.as_bytes());
                    out.push(b'/');
                }
            }
            "client_id" => out.extend_from_slice(self.names.client_id.as_bytes()),
            "properties" => {
                let mut block = Vec::new();
                if self.peek().is_some_and(|word| word.text == "{" && !word.quoted) {
                    self.braces(&mut block)?;
                }
                if self.version == ProtocolVersion::V5 {
                    put_variable(out, block.len() as u32);
                    out.extend(block);
                }
            }
            "bin" => {
                if self.peek().is_some_and(|word| word.text == "{" && !word.quoted) {
                    let mut bytes = Vec::new();
                    self.braces(&mut bytes)?;
                    put_binary(out, &bytes);
                } else {
                    put_u16(out, self.number("a length or an opening brace", 65_535)? as u16);
                    self.braces(out)?;
                }
            }
            "repeat" => {
                let count = self.number("how many times, up to 1000000", 1_000_000)?;
                let mut bytes = Vec::new();
                self.braces(&mut bytes)?;
                if bytes.len() as u64 * count > LONGEST {
                    let found = format!("repeat {count} {{ {} bytes }}", bytes.len());
                    return Err(ByteProblem { found, expected: "at most 16777216 bytes" });
                }
                let count = if bytes.is_empty() { 0 } else { count };
                for _ in 0..count {
                    out.extend_from_slice(&bytes);
                }
            }
            hex => {
                let digits = hex.strip_prefix("0x").unwrap_or(hex);
                match u8::from_str_radix(digits, 16) {
                    Ok(byte) if digits.len() <= 2 => out.push(byte),
                    _ => return Err(ByteProblem { found: hex.into(), expected: ANY }),
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(text: &str, version: ProtocolVersion) -> Result<Vec<u8>, ByteProblem> {
        assemble(text, version, Names::default())
    }

    #[test]
    fn words_become_bytes() {
        let publish = "36  # PUBLISH, QoS 3\n remaining str \"a/b\" u16 1 properties \"x\"";
        assert_eq!(
            bytes(publish, ProtocolVersion::V5).expect("bytes"),
            [0x36, 9, 0, 3, b'a', b'/', b'b', 0, 1, 0, b'x']
        );
        assert_eq!(
            bytes(publish, ProtocolVersion::V3_1_1).expect("bytes"),
            [0x36, 8, 0, 3, b'a', b'/', b'b', 0, 1, b'x']
        );
        assert_eq!(
            bytes(
                "properties{ 21 u16 5 } var 300 bin 3 { 01 } repeat 2 { FF } u8 7 u32 1",
                ProtocolVersion::V5
            )
            .expect("bytes"),
            [3, 0x21, 0, 5, 0xAC, 2, 0, 3, 1, 0xFF, 0xFF, 7, 0, 0, 0, 1]
        );
        assert_eq!(bytes("level", ProtocolVersion::V3_1_1).expect("bytes"), [4]);
    }

    #[test]
    fn names_of_the_run_are_put_in() {
        let text = "bin { topic_prefix \"a\" } client_id";
        let names = Names { topic_prefix: Some("r/1"), client_id: "c" };
        let here = assemble(text, ProtocolVersion::V5, names).expect("bytes");
        assert_eq!(here, *b"\0\x05r/1/ac");
        assert_eq!(bytes(text, ProtocolVersion::V5).expect("bytes"), *b"\0\x01a");
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, found) in [
            ("3G", "3G"),
            ("str a", "a"),
            ("u16 70000", "70000"),
            ("repeat 2 { 01", "the end"),
            ("123", "123"),
            ("repeat 10000 { repeat 10000 { 01 } }", "repeat 10000 { 10000 bytes }"),
            (&"bin { ".repeat(65), "{"),
        ] {
            assert_eq!(bytes(text, ProtocolVersion::V5).expect_err(text).found, found);
        }
    }
}
