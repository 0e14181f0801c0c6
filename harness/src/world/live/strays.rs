//! Processes that a broker started and that left its process group, like daemons of its own.
//!
//! Every process inherits the environment of the one that started it, and each server's has a mark that exists
//! nowhere else. So a stray is known by that mark in `/proc`, never by its name. Where there is no `/proc` nothing is
//! found.
//!
//! Never the case: a signal to a process without the mark.

use rustix::process::Pid;

/// The variable with the mark.
pub(super) const MARK: &str = "ASSAY_SERVER";

/// The processes whose environment has this mark.
fn marked(mark: &str) -> Vec<Pid> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.filter_map(Pid::from_raw).filter(|pid| has_mark(*pid, mark)).collect()
}

/// Whether the mark is in what a process was started with; what others do not let us read has none.
fn has_mark(pid: Pid, mark: &str) -> bool {
    let environment = std::fs::read(format!("/proc/{}/environ", pid.as_raw_nonzero())).unwrap_or_default();
    let wanted = format!("{MARK}={mark}");
    environment.split(|byte| *byte == 0).any(|variable| variable == wanted.as_bytes())
}

/// Ends the processes with this mark; how many there were.
pub(super) fn end(mark: &str) -> usize {
    let strays = marked(mark);
    for pid in &strays {
        kill(*pid, mark);
    }
    strays.len()
}

/// Ends one process if its number still belongs to the one with the mark.
#[cfg(target_os = "linux")]
fn kill(pid: Pid, mark: &str) {
    use rustix::process::{PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
    // Once it is held, its number cannot become another's.
    let Ok(held) = pidfd_open(pid, PidfdFlags::empty()) else { return };
    if has_mark(pid, mark) {
        let _ = pidfd_send_signal(held, Signal::KILL);
    }
}

#[cfg(not(target_os = "linux"))]
fn kill(_: Pid, _: &str) {}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::os::unix::process::ExitStatusExt;

    fn sleeper(mark: &str) -> std::process::Child {
        let mut command = std::process::Command::new("sleep");
        command.arg("60").env(MARK, mark).spawn().expect("it starts")
    }

    #[test]
    fn only_those_with_the_mark_end() {
        let mark = format!("test-{}", std::process::id());
        let other = format!("{mark}0");
        let (mut mine, mut foreign) = (sleeper(&mark), sleeper(&other));
        // The environment is there once the program has begun.
        while marked(&mark).is_empty() || marked(&other).is_empty() {
            std::thread::yield_now();
        }
        assert_eq!(end(&mark), 1);
        assert_eq!(mine.wait().expect("it ends").signal(), Some(9));
        assert!(foreign.try_wait().expect("it can be asked").is_none(), "the other one runs");
        assert_eq!(end(&other), 1);
        assert_eq!(foreign.wait().expect("it ends").signal(), Some(9));
    }
}
