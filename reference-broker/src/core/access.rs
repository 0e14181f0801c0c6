//! Who may publish and subscribe to what: a short list of rules, the first that fits decides.

use super::topic;

/// What a rule is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// PUBLISH, the Will Message included.
    Publish,
    /// SUBSCRIBE.
    Subscribe,
}

/// One rule: `allow publish alice meter/#`, `deny subscribe * secret/#`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessRule {
    /// Whether it allows or denies.
    pub allow: bool,
    /// What.
    pub action: Action,
    /// Whom: a user name; `None` for everybody, written `*`.
    pub user: Option<Box<str>>,
    /// Where: a Topic Filter. It fits a Topic Name that it matches, and a filter that it covers.
    pub filter: Box<str>,
}

impl AccessRule {
    /// How a rule is written.
    pub const EXPECTED: &'static str = "(allow | deny) (publish | subscribe) (USER | *) TOPIC-FILTER";

    /// Reads a rule.
    pub fn parse(text: &str) -> Option<AccessRule> {
        let mut words = text.splitn(4, ' ');
        let allow = match words.next()? {
            "allow" => true,
            "deny" => false,
            _ => return None,
        };
        let action = match words.next()? {
            "publish" => Action::Publish,
            "subscribe" => Action::Subscribe,
            _ => return None,
        };
        let user = match words.next()? {
            "*" => None,
            user => Some(user.into()),
        };
        let filter = words.next().filter(|filter| topic::is_filter(filter))?;
        Some(AccessRule { allow, action, user, filter: filter.into() })
    }

    fn fits(&self, action: Action, user: Option<&str>, target: &str) -> bool {
        self.action == action
            && self.user.as_deref().is_none_or(|name| user == Some(name))
            && covers(&self.filter, target)
    }
}

impl std::fmt::Display for AccessRule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let allow = if self.allow { "allow" } else { "deny" };
        let action = if self.action == Action::Publish { "publish" } else { "subscribe" };
        write!(f, "{allow} {action} {} {}", self.user.as_deref().unwrap_or("*"), self.filter)
    }
}

/// Whether every name that `target` can stand for is matched by `filter`, by comparing level with level: a
/// `+` in the target is only covered by a wildcard, a `#` only by `#`.
fn covers(filter: &str, target: &str) -> bool {
    let mut levels = target.split(topic::SEPARATOR);
    for level in filter.split(topic::SEPARATOR) {
        match (level, levels.next()) {
            ("#", _) => return true,
            (_, None | Some("#")) => return false,
            ("+", Some(_)) => {}
            (level, Some(target)) if level != target => return false,
            _ => {}
        }
    }
    levels.next().is_none()
}

/// Whether `user` may. Without a rule that fits, everybody may.
pub(crate) fn allows(rules: &[AccessRule], action: Action, user: Option<&str>, target: &str) -> bool {
    rules.iter().find(|rule| rule.fits(action, user, target)).is_none_or(|rule| rule.allow)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_rule_that_fits_decides() {
        let rules: Vec<AccessRule> =
            ["allow publish alice secret/#", "deny publish * secret/#", "deny subscribe * secret/#"]
                .iter()
                .map(|text| AccessRule::parse(text).unwrap())
                .collect();
        assert!(allows(&rules, Action::Publish, Some("alice"), "secret/a"));
        assert!(!allows(&rules, Action::Publish, Some("bob"), "secret/a"));
        assert!(!allows(&rules, Action::Publish, None, "secret"));
        assert!(allows(&rules, Action::Publish, None, "open"));
        assert!(!allows(&rules, Action::Subscribe, Some("alice"), "secret/+"));
        assert!(allows(&rules, Action::Subscribe, None, "#"));
    }

    #[test]
    fn a_rule_reads_as_it_is_written() {
        let text = "deny subscribe * a/+/b c";
        assert_eq!(AccessRule::parse(text).unwrap().to_string(), text);
        for text in
            ["", "allow", "permit publish * #", "allow read * #", "allow publish *", "allow publish * a#"]
        {
            assert_eq!(AccessRule::parse(text), None, "{text}");
        }
    }
}
