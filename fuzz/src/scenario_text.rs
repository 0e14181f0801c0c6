//! Any text: a scenario file, or mistakes that all have a place in it; soon, and without a panic.

use assay::scenario::parse_file;
use assay::text::SourceText;

/// Longer than any scenario file needs to be.
const LONGEST: usize = 64 * 1024;

/// Cases and steps that a text of this size may come to: what a reader has to wait for.
const MOST_STEPS: usize = 2_000_000;

/// Reads `bytes` as a scenario file.
pub fn check(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if text.len() > LONGEST {
        return;
    }
    match parse_file("fuzz", SourceText::new("fuzz.yaml", text)) {
        Ok(file) => {
            assert_eq!(file.source.text, text);
            let steps: usize = file.scenarios.iter().map(|scenario| scenario.steps.len()).sum();
            assert!(steps <= MOST_STEPS, "{steps} steps");
            let lines = text.lines().count().max(1);
            for scenario in &file.scenarios {
                for step in &scenario.steps {
                    let line = file.lines.get(&step.at).expect("every step has a line");
                    assert!((1..=lines).contains(line), "line {line} of {lines}");
                }
            }
        }
        Err(problems) => {
            assert!(!problems.list.is_empty());
            let lines: Vec<&str> = text.split('\n').collect();
            for problem in &problems.list {
                assert!(!problem.message.is_empty());
                // The end of the text counts as a place in it.
                assert!(
                    (1..=lines.len() + 1).contains(&problem.line),
                    "{problem:?} of {} lines",
                    lines.len()
                );
                let line = lines.get(problem.line - 1).map_or(0, |line| line.chars().count());
                assert!(
                    (1..=line + 1).contains(&problem.column),
                    "{problem:?}, but the line has {line} columns"
                );
            }
            if problems.list.len() <= 8 && text.len() < 4096 {
                let shown = problems.render(false);
                assert!(shown.contains("fuzz.yaml"), "{shown}");
            }
        }
    }
}
