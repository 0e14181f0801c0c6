//! Whether a Topic Filter matches a Topic Name, written from section 4.7 and independently of the broker.

/// Whether `filter` matches `topic`. The filter of a shared subscription is given without its prefix.
pub fn matches(filter: &str, topic: &str) -> bool {
    // MQTT-4.7.2-1: a wildcard at the beginning does not reach topics that begin with `$`.
    if topic.starts_with('$') && (filter.starts_with('#') || filter.starts_with('+')) {
        return false;
    }
    let (filter, topic) = (filter.as_bytes(), topic.as_bytes());
    // Both stand at the beginning of a level.
    let (mut at, mut there) = (0, 0);
    loop {
        match &filter[at..] {
            b"#" => return true,
            [b'+'] | [b'+', b'/', ..] => {
                at += 1;
                there += topic[there..].iter().take_while(|byte| **byte != b'/').count();
            }
            rest => {
                let part = rest.iter().take_while(|byte| **byte != b'/').count();
                let level = topic[there..].iter().take_while(|byte| **byte != b'/').count();
                if rest[..part] != topic[there..there + level] {
                    return false;
                }
                at += part;
                there += level;
            }
        }
        match (at == filter.len(), there == topic.len()) {
            (true, over) => return over,
            // "a/#" also matches "a".
            (false, true) => return &filter[at..] == b"/#",
            (false, false) => {
                at += 1;
                there += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn the_examples_of_the_standard() {
        for (filter, topic, expected) in [
            ("sport/tennis/player1/#", "sport/tennis/player1", true),
            ("sport/tennis/player1/#", "sport/tennis/player1/ranking", true),
            ("sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", true),
            ("sport/#", "sport", true),
            ("#", "sport/tennis", true),
            ("sport/tennis/+", "sport/tennis/player1", true),
            ("sport/tennis/+", "sport/tennis/player1/ranking", false),
            ("sport/+", "sport", false),
            ("sport/+", "sport/", true),
            ("+/+", "/finance", true),
            ("/+", "/finance", true),
            ("+", "/finance", false),
            ("#", "$SYS/uptime", false),
            ("+/monitor/Clients", "$SYS/monitor/Clients", false),
            ("$SYS/#", "$SYS/uptime", true),
            ("$SYS/monitor/+", "$SYS/monitor/Clients", true),
            ("a/b", "a/B", false),
            ("a", "a/", false),
            ("/", "/", true),
        ] {
            assert_eq!(matches(filter, topic), expected, "{filter} ~ {topic}");
        }
    }
}
