//! Time travel: the clock of a broker's process, moved forward under libfaketime.
//!
//! The library reads how far the clock is moved from a file, every time that the process asks for the time. A process
//! that sleeps does not ask, so it is woken: by a CONNECT on a connection of our own, whose answer says at the same
//! time that the broker has come so far. The clock is moved in small steps, so that what the broker does by its clock
//! is seen at its time, within a step.
//!
//! Never the case: a clock that goes back; a leap after one that the broker did not notice.

use std::cell::Cell;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reference_broker::codec::ProtocolVersion;
use tokio::time::Instant;

use crate::profile::Credentials;

use super::probe::PATIENCE;
use super::process::Server;
use super::talk::Talk;

/// How far the clock is moved at once at most. A leap is never longer than the tolerance with which upper limits are
/// judged.
pub(super) const LEAP: Duration = Duration::from_millis(500);

/// Cases that wait at least so long are worth a process with a clock of its own.
pub(super) const WORTH_IT: Duration = Duration::from_secs(2);

/// The Keep Alive of the client that proves a clock.
const PROOF_KEEP_ALIVE: u16 = 6;
/// How far the clock is moved for that at most: brokers look at their clients now and then.
const PROOF: Duration = Duration::from_secs(60);

/// Whether the clock of a server can be moved: a client that falls silent is put out when its Keep Alive has passed by
/// that clock, while it has not by ours.
pub(super) async fn moves(
    server: &Server,
    version: ProtocolVersion,
    credentials: Option<&Credentials>,
) -> bool {
    let began = Instant::now();
    let Ok(mut talk) = Talk::open(server.places.mqtt(version), version, PATIENCE).await else { return false };
    if talk.connect_for("assaysilent", credentials, PROOF_KEEP_ALIVE).await.is_err() {
        return false;
    }
    // What ends later than this may have ended by our clock.
    let ours = Duration::from_secs(u64::from(PROOF_KEEP_ALIVE));
    let mut moved = Duration::ZERO;
    while moved < PROOF && began.elapsed() < ours {
        let (by, noticed) = server.travel(Duration::from_secs(1), version).await;
        if !noticed {
            return false;
        }
        moved += by;
        if talk.ends_within(Duration::from_millis(5)).await {
            return began.elapsed() < ours;
        }
    }
    talk.ends_within(Duration::from_millis(200)).await && began.elapsed() < ours
}

/// The clock of one broker.
#[derive(Debug)]
pub(super) struct ClockFile {
    library: PathBuf,
    file: PathBuf,
    moved: Cell<Duration>,
}

impl ClockFile {
    /// A clock that is not moved yet, with its file in this folder.
    pub(super) fn new(library: PathBuf, folder: &Path) -> io::Result<ClockFile> {
        let clock = ClockFile { library, file: folder.join("clock"), moved: Cell::new(Duration::ZERO) };
        clock.write(Duration::ZERO)?;
        Ok(clock)
    }

    /// What a process that follows this clock has in its environment.
    pub(super) fn env(&self) -> [(String, String); 3] {
        [
            ("LD_PRELOAD".into(), self.library.display().to_string()),
            ("FAKETIME_TIMESTAMP_FILE".into(), self.file.display().to_string()),
            ("FAKETIME_NO_CACHE".into(), "1".into()),
        ]
    }

    /// Moves the clock forward; how far it has been moved in all.
    pub(super) fn advance(&self, by: Duration) -> io::Result<Duration> {
        let moved = self.moved.get() + by;
        self.write(moved)?;
        self.moved.set(moved);
        Ok(moved)
    }

    /// Removes what the library leaves behind when the process that it was loaded into is killed: it shares memory and
    /// a semaphore, named by its number, with what that process starts.
    pub(super) fn forget(process: i32) {
        for name in [format!("faketime_shm_{process}"), format!("sem.faketime_sem_{process}")] {
            // It may have ended in order, and then they are gone.
            let _ = fs::remove_file(Path::new("/dev/shm").join(name));
        }
    }

    fn write(&self, moved: Duration) -> io::Result<()> {
        // A reader sees the old text or the new one, and never a part.
        let fresh = self.file.with_extension("new");
        fs::write(&fresh, format!("+{}.{:06}\n", moved.as_secs(), moved.subsec_micros()))?;
        fs::rename(fresh, &self.file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_says_how_far_the_clock_was_moved() {
        let folder = tempfile::tempdir().expect("a folder");
        let clock = ClockFile::new(PathBuf::from("/lib/x.so.1"), folder.path()).expect("a clock");
        let read = || fs::read_to_string(folder.path().join("clock")).expect("a file");
        assert_eq!(read(), "+0.000000\n");
        assert_eq!(clock.advance(Duration::from_millis(500)).ok(), Some(Duration::from_millis(500)));
        clock.advance(Duration::from_secs(61)).expect("it is written");
        assert_eq!(read(), "+61.500000\n");
        assert_eq!(clock.env()[0], ("LD_PRELOAD".to_string(), "/lib/x.so.1".to_string()));
    }
}
