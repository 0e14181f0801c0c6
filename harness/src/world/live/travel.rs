//! Time travel: the clock of a broker's process, moved forward under libfaketime.
//!
//! The library reads how far the clock is moved from a file, every time that the process asks for the time. A process
//! that sleeps does not ask, so it is woken: by a CONNECT on a connection of our own, whose answer says at the same
//! time that the broker has come so far. The clock is moved in small steps, so that what the broker does by its clock
//! is seen at its time, within a step.
//!
//! Never the case: a clock that goes back; a wait that is cut short although the broker did not notice.

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

/// How far the clock is moved at once. Upper limits are judged with the profile's tolerance, which is not less.
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
    let leap = Duration::from_secs(1);
    for _ in 0..PROOF.as_secs() {
        server.travel(leap, version).await;
        let ended = talk.ends_within(Duration::from_millis(5)).await;
        // What ends later than this may have ended by our clock.
        if ended || began.elapsed() >= Duration::from_secs(u64::from(PROOF_KEEP_ALIVE)) {
            return ended && began.elapsed() < Duration::from_secs(u64::from(PROOF_KEEP_ALIVE));
        }
    }
    talk.ends_within(Duration::from_millis(200)).await
        && began.elapsed() < Duration::from_secs(u64::from(PROOF_KEEP_ALIVE))
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
        clock.write()?;
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

    /// Moves the clock forward.
    pub(super) fn advance(&self, by: Duration) -> io::Result<()> {
        self.moved.set(self.moved.get() + by);
        self.write()
    }

    fn write(&self) -> io::Result<()> {
        let moved = self.moved.get();
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
        clock.advance(Duration::from_millis(500)).expect("it is written");
        clock.advance(Duration::from_secs(61)).expect("it is written");
        assert_eq!(read(), "+61.500000\n");
        assert_eq!(clock.env()[0], ("LD_PRELOAD".to_string(), "/lib/x.so.1".to_string()));
    }
}
