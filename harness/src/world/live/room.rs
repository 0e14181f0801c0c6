//! How many brokers this machine bears side by side: more while it has time and memory to spare, fewer when it has not.
//!
//! Never the case: a verdict that rests on how many there are. A case that waits for what does not come costs the
//! machine nothing, and one on a machine without time to spare may wait in vain.

use std::fs;
use std::time::Duration;

use tokio::time::Instant;

/// Between two looks at the machine.
const GLANCE: Duration = Duration::from_millis(500);
/// With so many of a hundred parts of its time unused the machine bears more.
const IDLE: u64 = 30;
/// With no more than this it bears no more than it was given at first.
const BUSY: u64 = 8;
/// So many of a hundred parts of its memory stay free.
const FREE: u64 = 30;
/// One more for so many that there are.
const STEP: usize = 6;

/// How many may run now.
#[derive(Debug)]
pub(super) struct Room {
    least: usize,
    most: usize,
    now: usize,
    looked: Option<Instant>,
    before: Option<Ticks>,
}

/// The machine's time so far, in the units of the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Ticks {
    idle: u64,
    all: u64,
}

impl Room {
    /// Room for `least`, and for up to `most` if the machine bears them.
    pub(super) fn new(least: usize, most: usize) -> Room {
        Room { least, most: most.max(least), now: least, looked: None, before: None }
    }

    /// How many may run, of which so many do.
    pub(super) fn now(&mut self, used: usize) -> usize {
        if self.least < self.most && self.looked.is_none_or(|looked| looked.elapsed() >= GLANCE) {
            self.looked = Some(Instant::now());
            let (ticks, memory) = (read("/proc/stat", ticks), read("/proc/meminfo", free_memory));
            self.change(used, ticks, memory.unwrap_or(0));
        }
        self.now
    }

    /// Follows what the machine says. One that says nothing gets what it was given at first.
    fn change(&mut self, used: usize, ticks: Option<Ticks>, memory: u64) {
        let before = std::mem::replace(&mut self.before, ticks);
        let (Some(before), Some(ticks)) = (before, ticks) else { return };
        let all = ticks.all.saturating_sub(before.all).max(1);
        let idle = ticks.idle.saturating_sub(before.idle) * 100 / all;
        if idle <= BUSY || memory < FREE / 2 {
            self.now = self.least;
        } else if idle >= IDLE && memory >= FREE && used >= self.now {
            self.now = (self.now + 1 + self.now / STEP).min(self.most);
        }
    }
}

fn read<T>(path: &str, meaning: impl Fn(&str) -> Option<T>) -> Option<T> {
    fs::read_to_string(path).ok().and_then(|text| meaning(&text))
}

/// The first line of the kernel's statistics: user, nice, system, idle, waiting for a disk, …
fn ticks(text: &str) -> Option<Ticks> {
    let words = text.lines().next()?.strip_prefix("cpu ")?.split_whitespace();
    let numbers: Vec<u64> = words.map_while(|word| word.parse().ok()).collect();
    let idle = numbers.get(3)? + numbers.get(4)?;
    Some(Ticks { idle, all: numbers.iter().take(8).sum() })
}

/// How many of a hundred parts of the memory can be had.
fn free_memory(text: &str) -> Option<u64> {
    let line = |name: &str| {
        let mut lines = text.lines().filter_map(|line| line.strip_prefix(name));
        lines.next()?.split_whitespace().next()?.parse::<u64>().ok()
    };
    Some(line("MemAvailable:")? * 100 / line("MemTotal:")?.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_is_understood() {
        let text = "cpu  100 5 30 1000 50 1 2 3 0 0\ncpu0 1 2 3\n";
        assert_eq!(ticks(text), Some(Ticks { idle: 1050, all: 1191 }));
        assert_eq!(free_memory("MemTotal: 4000 kB\nMemFree: 5 kB\nMemAvailable:    1000 kB\n"), Some(25));
        assert_eq!((ticks("no statistics"), free_memory("MemTotal: 1 kB")), (None, None));
    }

    #[test]
    fn there_are_more_while_the_machine_has_time_and_memory_and_all_of_them_are_used() {
        let mut room = Room::new(48, 100);
        let mut at = Ticks { idle: 0, all: 0 };
        let mut after = |room: &mut Room, idle: u64, used: usize, memory: u64| {
            at = Ticks { idle: at.idle + idle, all: at.all + 100 };
            room.change(used, Some(at), memory);
            room.now
        };
        assert_eq!(after(&mut room, 90, 48, 80), 48, "one look says nothing");
        assert_eq!(after(&mut room, 90, 48, 80), 57);
        assert_eq!(after(&mut room, 90, 20, 80), 57, "they are not used");
        assert_eq!(after(&mut room, 90, 57, 20), 57, "there is little memory");
        assert_eq!(after(&mut room, 20, 57, 80), 57, "there is little time");
        assert_eq!(after(&mut room, 90, 57, 80), 67);
        for _ in 0..9 {
            after(&mut room, 90, 100, 80);
        }
        assert_eq!(after(&mut room, 90, 100, 80), 100, "and never more than these");
        assert_eq!(after(&mut room, 3, 100, 80), 48, "there is no time");
        after(&mut room, 90, 48, 80);
        assert_eq!(after(&mut room, 90, 57, 10), 48, "there is no memory");
        room.change(48, None, 80);
        assert_eq!(room.now, 48);
    }

    #[test]
    fn who_asked_for_so_many_gets_so_many() {
        let mut room = Room::new(4, 4);
        assert_eq!(room.now(4), 4);
        assert!(room.looked.is_none(), "nobody has to look");
    }
}
