//! The nearest right word.

/// The word among `words` that `wrong` was most likely meant to be, if any is near.
pub fn nearest<'w>(wrong: &str, words: impl IntoIterator<Item = &'w str>) -> Option<&'w str> {
    let folded = fold(wrong);
    let length = folded.len();
    words
        .into_iter()
        // Every character more or less is an edit: words of another length need not be compared.
        .filter(|word| {
            let other = word.chars().count();
            length.abs_diff(other) <= 1 + other.min(length) / 3
        })
        .map(|word| (distance(&folded, &fold(word)), word))
        .filter(|(distance, word)| *distance <= 1 + word.chars().count().min(wrong.chars().count()) / 3)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

fn fold(word: &str) -> Vec<char> {
    word.chars().map(|c| if c == '-' || c == ' ' { '_' } else { c.to_ascii_lowercase() }).collect()
}

/// Edits (insert, delete, replace, swap neighbours) that turn `a` into `b`.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut rows = vec![vec![0usize; b.len() + 1]; a.len() + 1];
    for (i, row) in rows.iter_mut().enumerate() {
        row[0] = i;
    }
    rows[0] = (0..=b.len()).collect();
    for i in 1..=a.len() {
        for j in 1..=b.len() {
            let replace = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = replace.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = best;
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_found_and_a_far_one_is_not() {
        let words = ["publish", "subscribe", "unsubscribe", "expect"];
        assert_eq!(nearest("publsih", words), Some("publish"));
        assert_eq!(nearest("Expect", words), Some("expect"));
        assert_eq!(nearest("subscirbe", words), Some("subscribe"));
        assert_eq!(nearest("zebra", words), None);
    }
}
