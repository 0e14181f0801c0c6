//! The grammar of Topic Names and Topic Filters (section 4.7) and of shared subscriptions (section 4.8.2).
//!
//! Text in, answers out. [`matches`](fn@matches) is the definition of matching, written to be read; the broker itself
//! asks the subscription tree, which must agree with it.

/// The level separator.
pub const SEPARATOR: char = '/';

/// Whether `name` may stand in a PUBLISH: not empty and without wildcards (MQTT-4.7.0-1 / MQTT-4.7.1-1 in
/// 3.1.1, MQTT-4.7.3-1). U+0000 and ill-formed text never get past the codec.
pub fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.bytes().any(|byte| byte == b'#' || byte == b'+')
}

/// Whether `filter` is a well-formed Topic Filter (MQTT-4.7.1-1 to -3, MQTT-4.7.3-1), `$share` aside.
pub fn is_filter(filter: &str) -> bool {
    if filter.is_empty() {
        return false;
    }
    let mut levels = filter.split(SEPARATOR).peekable();
    while let Some(level) = levels.next() {
        let wild = level.bytes().any(|byte| byte == b'#' || byte == b'+');
        if wild && (level.len() != 1 || (level == "#" && levels.peek().is_some())) {
            return false;
        }
    }
    true
}

/// Whether a well-formed filter holds a wildcard.
pub fn has_wildcard(filter: &str) -> bool {
    filter.bytes().any(|byte| byte == b'#' || byte == b'+')
}

/// Whether the filter matches the Topic Name: `+` is one level, `#` any number of them and the parent, levels
/// compare byte for byte, and a wildcard in front never matches a name that begins with `$` (MQTT-4.7.2-1).
pub fn matches(filter: &str, name: &str) -> bool {
    if name.starts_with('$') && (filter.starts_with('+') || filter.starts_with('#')) {
        return false;
    }
    let mut names = name.split(SEPARATOR);
    for level in filter.split(SEPARATOR) {
        match (level, names.next()) {
            ("#", _) => return true,
            (_, None) => return false,
            ("+", Some(_)) => {}
            (level, Some(name)) if level != name => return false,
            _ => {}
        }
    }
    names.next().is_none()
}

/// A shared subscription taken apart: `$share/{share}/{filter}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shared<'a> {
    /// The Share Name.
    pub share: &'a str,
    /// The Topic Filter behind it.
    pub filter: &'a str,
}

/// What a SUBSCRIBE asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind<'a> {
    /// An ordinary Topic Filter.
    Plain(&'a str),
    /// A shared subscription.
    Shared(Shared<'a>),
    /// Neither: it breaks the grammar.
    Malformed,
}

/// Sorts a filter of a SUBSCRIBE. With `shares` false, `$share` is a level like any other (3.1.1, R-02).
pub fn kind(filter: &str, shares: bool) -> Kind<'_> {
    match filter.strip_prefix("$share/") {
        Some(rest) if shares => match rest.split_once(SEPARATOR) {
            Some((share, filter)) if is_name(share) && is_filter(filter) => {
                Kind::Shared(Shared { share, filter })
            }
            _ => Kind::Malformed,
        },
        _ if is_filter(filter) => Kind::Plain(filter),
        _ => Kind::Malformed,
    }
}

/// Whether the text holds a code point that the standard advises against (U3-01, U5-02): a control
/// character or a non-character.
pub fn has_disallowed_code_point(text: &str) -> bool {
    text.chars().any(|character| {
        let code = u32::from(character);
        matches!(code, 0x01..=0x1F | 0x7F..=0x9F | 0xFDD0..=0xFDEF) || code & 0xFFFE == 0xFFFE
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_follow_the_grammar() {
        for filter in ["a", "/", "a/b", "#", "+", "a/#", "+/a", "a/+/b", "+/+/#", "$SYS/#", " ", "a//b", "//"]
        {
            assert!(is_filter(filter), "{filter}");
        }
        for filter in ["", "a#", "a/#/b", "#/a", "a+", "+a", "a/b+/c", "##", "++"] {
            assert!(!is_filter(filter), "{filter}");
        }
    }

    #[test]
    fn shared_subscriptions_need_a_name_and_a_filter() {
        assert_eq!(kind("$share/g/a/+", true), Kind::Shared(Shared { share: "g", filter: "a/+" }));
        assert_eq!(kind("$share/g/a", false), Kind::Plain("$share/g/a"));
        for filter in ["$share/g", "$share//a", "$share/g/", "$share/+/a", "$share/g#/a", "$share/"] {
            assert_eq!(kind(filter, true), Kind::Malformed, "{filter}");
        }
        assert_eq!(kind("$share", true), Kind::Plain("$share"));
    }

    #[test]
    fn matching_is_that_of_section_4_7() {
        for (filter, name) in [
            ("sport/tennis/player1/#", "sport/tennis/player1"),
            ("sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon"),
            ("sport/#", "sport"),
            ("#", "a/b"),
            ("#", "/"),
            ("+", "finance"),
            ("+/+", "/finance"),
            ("/+", "/finance"),
            ("sport/+", "sport/"),
            ("$SYS/#", "$SYS/a"),
            ("$SYS/monitor/+", "$SYS/monitor/Clients"),
            ("a/#", "a/$b"),
            ("+/$b", "a/$b"),
        ] {
            assert!(matches(filter, name), "{filter} must match {name}");
        }
        for (filter, name) in [
            ("sport/tennis/+", "sport/tennis/player1/ranking"),
            ("sport/+", "sport"),
            ("+", "/finance"),
            ("#", "$SYS/a"),
            ("+/monitor/Clients", "$SYS/monitor/Clients"),
            ("accounts", "Accounts"),
            ("a", "a/"),
            ("a/", "a"),
            ("a/b", "a"),
        ] {
            assert!(!matches(filter, name), "{filter} must not match {name}");
        }
    }
}
