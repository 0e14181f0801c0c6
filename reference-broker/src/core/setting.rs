//! How a setting is read from text and written as text.

use std::time::Duration;

use super::access::AccessRule;
use crate::codec::QoS;

/// A value that a configuration key can have.
pub(super) trait Setting {
    /// What is expected, in words.
    const EXPECTED: &'static str;
    /// Takes the value, or leaves everything as it is and answers false. A list takes it in addition.
    fn set(&mut self, text: &str) -> bool;
    /// The value as text; a list as one line for each entry.
    fn show(&self) -> String;
}

/// Puts a parsed value into its place.
fn put<T>(place: &mut T, value: Option<T>) -> bool {
    match value {
        Some(value) => {
            *place = value;
            true
        }
        None => false,
    }
}

impl Setting for bool {
    const EXPECTED: &'static str = "true or false";
    fn set(&mut self, text: &str) -> bool {
        put(self, text.parse().ok())
    }
    fn show(&self) -> String {
        self.to_string()
    }
}

impl Setting for u16 {
    const EXPECTED: &'static str = "a number from 0 to 65535";
    fn set(&mut self, text: &str) -> bool {
        put(self, text.parse().ok())
    }
    fn show(&self) -> String {
        self.to_string()
    }
}

impl Setting for usize {
    const EXPECTED: &'static str = "a number";
    fn set(&mut self, text: &str) -> bool {
        put(self, text.parse().ok())
    }
    fn show(&self) -> String {
        self.to_string()
    }
}

/// A number that 5.0 does not allow to be 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Positive<T>(
    /// The number.
    pub T,
);

impl Setting for Positive<u16> {
    const EXPECTED: &'static str = "a number from 1 to 65535";
    fn set(&mut self, text: &str) -> bool {
        put(self, text.parse().ok().filter(|number| *number > 0).map(Positive))
    }
    fn show(&self) -> String {
        self.0.to_string()
    }
}

/// The smallest Maximum Packet Size that can be set: CONNECT has to fit into it.
const SMALLEST_PACKET_LIMIT: u32 = 64;

impl Setting for Positive<u32> {
    const EXPECTED: &'static str = "a number of bytes from 64 to 268435460";
    fn set(&mut self, text: &str) -> bool {
        let range = SMALLEST_PACKET_LIMIT..=268_435_460;
        put(self, text.parse().ok().filter(|number| range.contains(number)).map(Positive))
    }
    fn show(&self) -> String {
        self.0.to_string()
    }
}

impl Setting for QoS {
    const EXPECTED: &'static str = "0, 1 or 2";
    fn set(&mut self, text: &str) -> bool {
        put(self, text.parse().ok().and_then(QoS::from_number))
    }
    fn show(&self) -> String {
        self.to_string()
    }
}

/// An interval in seconds whose largest value means "for ever", as 5.0 has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seconds(
    /// Seconds; `u32::MAX` for ever.
    pub u32,
);

impl Setting for Seconds {
    const EXPECTED: &'static str = "a number of seconds, or `never`";
    fn set(&mut self, text: &str) -> bool {
        put(self, if text == "never" { Some(u32::MAX) } else { text.parse().ok() }.map(Seconds))
    }
    fn show(&self) -> String {
        if self.0 == u32::MAX { "never".to_owned() } else { self.0.to_string() }
    }
}

impl Setting for Option<u16> {
    const EXPECTED: &'static str = "a number from 0 to 65535, or `none`";
    fn set(&mut self, text: &str) -> bool {
        put(self, if text == "none" { Some(None) } else { text.parse().ok().map(Some) })
    }
    fn show(&self) -> String {
        self.map_or_else(|| "none".to_owned(), |number| number.to_string())
    }
}

impl Setting for Option<Box<str>> {
    const EXPECTED: &'static str = "a text, or `none`";
    fn set(&mut self, text: &str) -> bool {
        *self = if text == "none" { None } else { Some(text.into()) };
        true
    }
    fn show(&self) -> String {
        self.as_deref().unwrap_or("none").to_owned()
    }
}

impl Setting for Duration {
    const EXPECTED: &'static str = "a duration like 500ms, 10s or 2m";
    fn set(&mut self, text: &str) -> bool {
        let digits = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at(digits);
        let milliseconds = match unit {
            "ms" => Some(1),
            "s" => Some(1_000),
            "m" => Some(60_000),
            "h" => Some(3_600_000),
            _ => None,
        };
        let product =
            milliseconds.zip(number.parse::<u64>().ok()).and_then(|(unit, number)| number.checked_mul(unit));
        put(self, product.map(Duration::from_millis))
    }
    fn show(&self) -> String {
        format!("{}ms", self.as_millis())
    }
}

/// A user and its password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// User Name.
    pub name: Box<str>,
    /// Password.
    pub password: Box<[u8]>,
}

impl Setting for Vec<User> {
    const EXPECTED: &'static str = "NAME:PASSWORD";
    fn set(&mut self, text: &str) -> bool {
        let Some((name, password)) = text.split_once(':') else { return false };
        self.push(User { name: name.into(), password: password.as_bytes().into() });
        true
    }
    fn show(&self) -> String {
        self.iter().map(|user| &*user.name).collect::<Vec<_>>().join("\n")
    }
}

impl Setting for Vec<AccessRule> {
    const EXPECTED: &'static str = AccessRule::EXPECTED;
    fn set(&mut self, text: &str) -> bool {
        let rule = AccessRule::parse(text);
        let known = rule.is_some();
        self.extend(rule);
        known
    }
    fn show(&self) -> String {
        self.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    }
}

/// A setting that is one of a few words.
macro_rules! choice {
    ($(#[$meta:meta])* $name:ident: $expected:literal { $($(#[$doc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name { $($(#[$doc])* $variant,)* }

        impl Setting for $name {
            const EXPECTED: &'static str = $expected;
            fn set(&mut self, text: &str) -> bool {
                match text {
                    $($word => *self = $name::$variant,)*
                    _ => return false,
                }
                true
            }
            fn show(&self) -> String {
                match self { $($name::$variant => $word,)* }.to_owned()
            }
        }
    };
}
pub(super) use choice;
