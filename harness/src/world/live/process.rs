//! The process of a broker: started by a profile, asked whether it serves, halted, killed, started again.
//!
//! Each process is the leader of a group of its own, and signals go to the group; what the broker starts ends
//! with it, also what left the group ([`strays`]). Ready means a CONNACK on every listener, not an open port. Output
//! goes to one file for each start. Whatever happens to this program short of SIGKILL, dropping a [`Server`] ends
//! its group.
//!
//! Never the case: a signal to a process that was not started here, a folder for data that is used by two
//! servers, a start whose failure says nothing.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::Duration;

use reference_broker::codec::ProtocolVersion;
use rustix::process::{Pid, Signal, kill_process_group};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::spawn_local;
use tokio::time::{Instant, sleep, timeout};

use crate::profile::{PortUse, Profile, StopSignal, fill};
use crate::run::BrokerEvent;
use crate::scenario::{BrokerAct, Capability};
use crate::world::drive::Reporter;

use super::output::{MOST_LOG, append, cut, tail_of};
use super::places::{PORTS, Places, is_free};
use super::probe::{Probe, probe, speaks_tls};
use super::program::{find_clock, find_program};
use super::start_error::{Instead, StartError};
use super::strays::{self, MARK};
use super::travel::ClockFile;

/// Between two questions whether a broker is ready.
const POLL: Duration = Duration::from_millis(25);
/// How long the first question waits for its answer; each one that gets none doubles it.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long a listener for WebSocket may open after the others.
const WEBSOCKET_PATIENCE: Duration = Duration::from_secs(2);
/// How long a port may still be open after its process has ended.
const PORT_PATIENCE: Duration = Duration::from_secs(5);
/// How often other ports are tried when one was taken by somebody else.
const PORT_TRIES: usize = 4;
/// Bytes that have to be free in memory for data to be kept there.
const MEMORY_ROOM: u64 = 1 << 30;
/// Between two looks at the size of a log.
const LOG_GLANCE: Duration = Duration::from_millis(500);

/// So many brokers may be starting at a time for each thread of this machine, where another may be free sooner.
const STARTS_PER_THREAD: usize = 2;

/// Where servers put things, and what they are numbered by.
#[derive(Debug)]
pub(super) struct Yard {
    profile: Profile,
    assay: PathBuf,
    logs: PathBuf,
    /// Distinguishes this run's client identifiers, and where the search for ports begins.
    nonce: u64,
    servers: Cell<u32>,
    /// How many ports were looked at.
    ports: Cell<u64>,
    alive: RefCell<Vec<Weak<Server>>>,
    /// So many may be starting at a time, where a start costs much: all at once, none of them would be ready in time.
    starting: Arc<Semaphore>,
    /// What there is to know about the broker's conduct as a process.
    warnings: RefCell<BTreeSet<String>>,
}

impl Yard {
    pub(super) fn new(profile: Profile, assay: PathBuf, logs: PathBuf, nonce: u64) -> Yard {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        Yard {
            profile,
            assay,
            logs,
            nonce,
            servers: Cell::new(0),
            ports: Cell::new(0),
            alive: RefCell::new(Vec::new()),
            starting: Arc::new(Semaphore::new(STARTS_PER_THREAD * threads)),
            warnings: RefCell::new(BTreeSet::new()),
        }
    }

    /// Starts a server on fresh data, with these settings of the reference broker; with a clock that can be moved, if
    /// that is asked for and the profile has one.
    pub(super) async fn start(
        self: &Rc<Self>,
        settings: &[(String, String)],
        clock: bool,
    ) -> Result<Rc<Server>, StartError> {
        let mut tries = 0;
        loop {
            let (ports, result) = self.start_once(settings, clock).await?;
            tries += 1;
            // Between the choice of a port and the broker's claim to it somebody else may have taken it.
            match result {
                Err(_) if tries < PORT_TRIES && self.chooses_ports() && !ports.into_iter().all(is_free) => {}
                result => return result,
            }
        }
    }

    /// Leave to start a server for one case, to be held until it has started; `None` while there is none to be had. Where
    /// cases do not follow each other on a server there always is.
    pub(super) fn leave_to_start(&self) -> Option<Option<OwnedSemaphorePermit>> {
        match self.profile.start.in_a_row > 1 {
            true => Arc::clone(&self.starting).try_acquire_owned().ok().map(Some),
            false => Some(None),
        }
    }

    fn chooses_ports(&self) -> bool {
        self.profile.start.ports.values().all(Option::is_none)
    }

    /// Notes something about the broker's conduct, once.
    fn warn(&self, text: impl Into<String>) {
        self.warnings.borrow_mut().insert(text.into());
    }

    /// What was noted.
    pub(super) fn warnings(&self) -> Vec<String> {
        self.warnings.borrow().iter().cloned().collect()
    }

    /// Starts a server; the ports that it was to have, and whether it did.
    async fn start_once(
        self: &Rc<Self>,
        settings: &[(String, String)],
        clock: bool,
    ) -> Result<(Vec<u16>, Result<Rc<Server>, StartError>), StartError> {
        let number = self.servers.get();
        self.servers.set(number + 1);
        let mut ports = BTreeMap::new();
        for (port, wanted) in &self.profile.start.ports {
            let given = match wanted {
                Some(wanted) if is_free(*wanted) => *wanted,
                Some(wanted) => return Err(StartError::PortInUse(*wanted)),
                None => self.free_port().ok_or(StartError::NoPort)?,
            };
            ports.insert(port.clone(), given);
        }
        let mut builder = tempfile::Builder::new();
        builder.prefix("assay-data-");
        let dir = match memory() {
            Some(folder) => builder.tempdir_in(folder),
            None => builder.tempdir(),
        };
        let dir =
            dir.map_err(|error| StartError::Files(format!("no folder for the broker's data: {error}")))?;
        let library = self.profile.clock.filter(|_| clock).and_then(find_clock);
        let clock = match library {
            Some(library) => Some(ClockFile::new(library, dir.path()).map_err(files)?),
            None => None,
        };
        let server = Rc::new(Server {
            yard: Rc::clone(self),
            clock,
            number,
            mark: format!("{:x}-{}-{number}", self.nonce, std::process::id()),
            places: Places::local(&ports),
            ports,
            settings: settings.to_vec(),
            starts: Cell::new(0),
            ready_after: Cell::new(Duration::ZERO),
            running: RefCell::new(None),
            dir,
            given_up: Cell::new(false),
            served: Cell::new(0),
            guests: Cell::new(0),
            paused: Cell::new(false),
            last_log: RefCell::new(None),
            reporters: RefCell::new(Vec::new()),
        });
        self.alive.borrow_mut().retain(|server| server.strong_count() > 0);
        self.alive.borrow_mut().push(Rc::downgrade(&server));
        let ports = server.ports.values().copied().collect();
        let result = server.start().await.map(|_| server);
        Ok((ports, result))
    }

    /// Ends every process at once and removes its data, for a program that ends at once.
    pub(super) fn kill_all(&self) {
        for server in self.alive.borrow().iter().filter_map(Weak::upgrade) {
            server.signal(Signal::KILL);
            strays::end(&server.mark);
            let _ = fs::remove_dir_all(server.dir.path());
        }
    }

    /// Ends every process and waits for its end.
    pub(super) async fn close(&self) {
        for server in self.alive.borrow().iter().filter_map(Weak::upgrade) {
            server.signal(Signal::KILL);
        }
        let alive: Vec<Rc<Server>> = self.alive.borrow().iter().filter_map(Weak::upgrade).collect();
        for server in alive {
            server.kill().await;
        }
    }

    /// A port that nobody listens on, and that was not given out before as long as there are others.
    fn free_port(&self) -> Option<u16> {
        let count = u64::from(PORTS.end - PORTS.start);
        let first = self.nonce.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
        (0..count)
            .map(|_| {
                let at = self.ports.get();
                self.ports.set(at + 1);
                PORTS.start + ((first + at) % count) as u16
            })
            .find(|port| is_free(*port))
    }
}

/// A process that runs or ran.
#[derive(Debug)]
struct Running {
    group: Pid,
    exit: watch::Receiver<Option<ExitStatus>>,
    /// Whether it ends because we want it to.
    wanted: Rc<Cell<bool>>,
    /// What the environments of all that it starts have.
    mark: String,
    /// Whether it has a clock that can be moved.
    clock: bool,
}

impl Running {
    fn signal(&self, signal: Signal) {
        // The group may be gone already.
        let _ = kill_process_group(self.group, signal);
    }

    fn has_ended(&self) -> bool {
        self.exit.borrow().is_some()
    }

    /// Waits for the end, for at most this long.
    async fn ended(&mut self, within: Duration) -> bool {
        timeout(within, self.exit.wait_for(Option::is_some)).await.is_ok()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.wanted.set(true);
        if !self.has_ended() {
            self.signal(Signal::KILL);
        }
        strays::end(&self.mark);
        if self.clock {
            ClockFile::forget(self.group.as_raw_nonzero().get());
        }
    }
}

/// A broker that can be started again on the same port and data.
#[derive(Debug)]
pub(super) struct Server {
    yard: Rc<Yard>,
    number: u32,
    /// What the environments of all that it starts have, and no other.
    mark: String,
    ports: BTreeMap<PortUse, u16>,
    /// Its clock, if that can be moved.
    clock: Option<ClockFile>,
    /// Where it listens.
    pub(super) places: Places,
    settings: Vec<(String, String)>,
    starts: Cell<u32>,
    ready_after: Cell<Duration>,
    /// Dropped before the folder that it writes to.
    running: RefCell<Option<Running>>,
    dir: TempDir,
    /// It was found to answer no more, or does not start on its own data, and counts as dead.
    given_up: Cell<bool>,
    /// How many cases have had it to themselves.
    pub(super) served: Cell<usize>,
    /// How many cases run on it now, side by side.
    pub(super) guests: Cell<usize>,
    /// The plan halted it.
    paused: Cell<bool>,
    last_log: RefCell<Option<PathBuf>>,
    /// Who wants to know what happens to the process.
    reporters: RefCell<Vec<Reporter>>,
}

impl Server {
    pub(super) fn attach(&self, reporter: Reporter) {
        let mut reporters = self.reporters.borrow_mut();
        reporters.retain(Reporter::is_wanted);
        reporters.push(reporter);
    }

    /// Whether the process ended by itself.
    pub(super) fn has_died(&self) -> bool {
        self.given_up.get()
            || self
                .running
                .borrow()
                .as_ref()
                .is_some_and(|running| running.has_ended() && !running.wanted.get())
    }

    /// Whether it ended by itself, or does so within a moment: its connections end a little earlier.
    pub(super) async fn dies_within(&self, moment: Duration) -> bool {
        let end = Instant::now() + moment;
        while !self.has_died() {
            if Instant::now() >= end {
                return false;
            }
            sleep(Duration::from_millis(5)).await;
        }
        true
    }

    /// Whether it should be there for everyone: the plan has neither ended nor halted it.
    pub(super) fn should_answer(&self) -> bool {
        self.running.borrow().is_some() && !self.paused.get()
    }

    /// Ends a process that runs but answers nobody: for everyone on it, it has died.
    pub(super) fn give_up(&self) {
        if !self.has_died() {
            self.given_up.set(true);
            self.note("it runs, but answers no CONNECT any more");
            self.signal(Signal::KILL);
            self.tell(BrokerEvent::Died);
        }
    }

    /// Adds a line of ours to the output of the last start.
    fn note(&self, text: &str) {
        if let Some(log) = &*self.last_log.borrow() {
            append(log, &format!("assay: {text}\n"));
        }
    }

    /// The end of what the last start printed, and of the log that the broker writes itself.
    pub(super) fn log(&self) -> Vec<String> {
        let own = self.yard.profile.log_file.as_ref();
        let own =
            own.map(|path| tail_of(Path::new(&fill(path, |word| self.value(word))))).unwrap_or_default();
        let printed = self.last_log.borrow().as_deref().map(tail_of).unwrap_or_default();
        [own, printed].concat()
    }

    /// What a word in braces stands for.
    fn value(&self, word: &str) -> Option<String> {
        let path = |name: &str| self.dir.path().join(name).display().to_string();
        match word {
            "dir" => Some(path("data")),
            "config" => Some(path("config")),
            "assay" => Some(self.yard.assay.display().to_string()),
            "settings" => Some(self.yard.profile.settings_text(&self.settings)),
            _ => match word.strip_prefix("file-") {
                Some(name) => {
                    self.yard.profile.start.files.contains_key(name).then(|| path(&format!("files/{name}")))
                }
                None => {
                    let port = self.ports.iter().find(|(port, _)| port.placeholder() == word);
                    port.map(|(_, number)| number.to_string())
                }
            },
        }
    }

    /// The additions to the environment of everything that is started here.
    fn env(&self) -> Vec<(String, String)> {
        let profile = self.yard.profile.env.iter();
        let filled = profile.map(|(key, text)| (key.clone(), fill(text, |word| self.value(word))));
        let clock = self.clock.iter().flat_map(ClockFile::env);
        filled.chain(clock).chain([(MARK.to_string(), self.mark.clone())]).collect()
    }

    /// Whether it was started with a clock that can be moved.
    pub(super) fn has_clock(&self) -> bool {
        self.clock.is_some()
    }

    /// Whether its clock can be moved now: a process that is halted or gone would not notice.
    pub(super) fn can_travel(&self) -> bool {
        self.clock.is_some() && self.should_answer() && !self.has_died()
    }

    /// Moves its clock and wakes it. How far the clock was moved, and whether the broker answers a CONNECT since.
    pub(super) async fn travel(&self, by: Duration, version: ProtocolVersion) -> (Duration, bool) {
        let Some(clock) = &self.clock else { return (Duration::ZERO, false) };
        let Ok(moved) = clock.advance(by) else { return (Duration::ZERO, false) };
        // Each has a Client Identifier of its own: none may end another.
        let id = format!("assayclock{:x}n{}", self.yard.nonce & 0xFF_FFFF, moved.as_millis());
        let credentials = self.yard.profile.credentials.as_ref();
        let answer = probe(self.places.mqtt(version), version, &id, credentials, PATIENCE).await;
        (by, answer == Probe::Answers)
    }

    /// Does what a plan says and tells everyone what came of it.
    pub(super) async fn act(self: Rc<Self>, act: BrokerAct) {
        match act {
            // What a process on this machine has written is in the kernel's hands, so here a power loss is a kill.
            BrokerAct::Kill | BrokerAct::PowerLoss => {
                self.kill().await;
                self.tell(BrokerEvent::Stopped);
            }
            BrokerAct::Start => self.start_again().await,
            BrokerAct::Restart => {
                self.stop().await;
                self.tell(BrokerEvent::Stopped);
                self.start_again().await;
            }
            BrokerAct::Pause => {
                self.paused.set(true);
                self.signal(Signal::STOP);
                self.halted().await;
                self.tell(BrokerEvent::Paused);
            }
            BrokerAct::Resume => {
                self.paused.set(false);
                self.signal(Signal::CONT);
                self.tell(BrokerEvent::Resumed);
            }
        }
    }

    async fn start_again(self: &Rc<Self>) {
        match self.start().await {
            Ok(()) => self.tell(BrokerEvent::Started),
            // A broker that does not come up again on its own data has failed as much as one that dies.
            Err(error) => {
                self.note(&error.to_string());
                self.given_up.set(true);
                self.tell(BrokerEvent::Died);
            }
        }
    }

    fn tell(&self, event: BrokerEvent) {
        for reporter in &*self.reporters.borrow() {
            reporter.tell(event);
        }
    }

    fn signal(&self, signal: Signal) {
        if let Some(running) = &*self.running.borrow()
            && !running.has_ended()
        {
            running.signal(signal);
        }
    }

    /// Ends the process at once and waits until its port is free.
    pub(super) async fn kill(&self) {
        let running = self.running.borrow_mut().take();
        if let Some(mut running) = running {
            running.wanted.set(true);
            running.signal(Signal::KILL);
            running.ended(PORT_PATIENCE).await;
            drop(running);
            self.ports_are_free().await;
        }
    }

    /// Returns when the process has really stopped: a signal takes effect a moment after it was sent, and on a
    /// busy machine the process may still answer a packet in that moment.
    async fn halted(&self) {
        // The child leads its own process group, so the group's number is its own.
        let group = self.running.borrow().as_ref().map(|running| running.group.as_raw_nonzero());
        let Some(pid) = group else { return };
        let stat = format!("/proc/{pid}/stat");
        for _ in 0..200 {
            // The state stands behind the name, which is in parentheses. Without /proc there is only time.
            let text = std::fs::read_to_string(&stat).unwrap_or_default();
            let state = text.rsplit(')').next().and_then(|rest| rest.trim_start().chars().next());
            if matches!(state, Some('T' | 't')) {
                return;
            }
            sleep(Duration::from_millis(5)).await;
            if state.is_none() {
                sleep(Duration::from_millis(45)).await;
                return;
            }
        }
    }

    /// How long the last start took until a CONNECT was answered.
    pub(super) fn ready_after(&self) -> Duration {
        self.ready_after.get()
    }

    /// Asks the process to end, and ends it if it does not; how long its end took if it was its own.
    pub(super) async fn stop(&self) -> Option<Duration> {
        let running = self.running.borrow_mut().take();
        let mut running = running?;
        let asked = Instant::now();
        let stop = &self.yard.profile.stop;
        running.wanted.set(true);
        running.signal(Signal::CONT);
        let how = match stop.command.first() {
            Some(program) => {
                let problem = self.stop_by_command(&stop.command).await;
                let how = format!("after `{program}`");
                if let Some(problem) = problem {
                    self.yard.warn(format!("the broker's stop command does not work: {problem}"));
                }
                how
            }
            None => {
                running.signal(match stop.signal {
                    StopSignal::Term => Signal::TERM,
                    StopSignal::Int => Signal::INT,
                    StopSignal::Quit => Signal::QUIT,
                    StopSignal::Hup => Signal::HUP,
                });
                format!("of SIG{}", stop.signal.name())
            }
        };
        let mut took = None;
        if running.ended(stop.within).await {
            took = Some(asked.elapsed());
        } else {
            self.yard.warn(format!(
                "the broker hangs when it is stopped: it did not end within {:?} {how} and was killed",
                stop.within
            ));
            running.signal(Signal::KILL);
            running.ended(PORT_PATIENCE).await;
        }
        drop(running);
        self.ports_are_free().await;
        took
    }

    /// Runs the profile's command; what went wrong, if anything did.
    async fn stop_by_command(&self, words: &[String]) -> Option<String> {
        let words: Vec<String> = words.iter().map(|word| fill(word, |word| self.value(word))).collect();
        let look_in = &self.yard.profile.start.look_in;
        let Ok(program) = find_program(&words[0], look_in) else {
            return Some(format!("`{}` does not exist", words[0]));
        };
        let mut command = Command::new(program);
        command.args(&words[1..]).envs(self.env()).current_dir(self.dir.path()).kill_on_drop(true);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        match timeout(self.yard.profile.stop.within, command.status()).await {
            Err(_) => Some(format!("`{}` does not end", words[0])),
            Ok(Err(error)) => Some(format!("`{}`: {error}", words[0])),
            Ok(Ok(status)) if !status.success() => Some(format!("`{}` {}", words[0], describe(status))),
            Ok(Ok(_)) => None,
        }
    }

    async fn ports_are_free(&self) {
        let end = Instant::now() + PORT_PATIENCE;
        let busy = || self.ports.values().any(|port| !is_free(*port));
        while busy() && Instant::now() < end {
            sleep(Duration::from_millis(5)).await;
        }
    }

    /// Starts the process and waits until it answers a CONNECT.
    async fn start(self: &Rc<Self>) -> Result<(), StartError> {
        let profile = &self.yard.profile;
        if let Some(port) = self.ports.values().find(|port| !is_free(**port)) {
            return Err(StartError::PortInUse(*port));
        }
        self.paused.set(false);
        let start = self.starts.get() + 1;
        self.starts.set(start);
        let data = self.write_files()?;
        let value = |word: &str| self.value(word);
        let mut words: Vec<String> = profile.start.command.iter().map(|word| fill(word, value)).collect();
        for (key, setting) in &self.settings {
            words.extend(profile.set_arguments.iter().map(|argument| {
                fill(argument, |word| match word {
                    "key" => Some(key.clone()),
                    "value" => Some(setting.clone()),
                    _ => None,
                })
            }));
        }
        let program = find_program(&words[0], &profile.start.look_in).map_err(|looked| {
            StartError::Missing { program: words[0].clone(), looked, install: profile.install.clone() }
        })?;
        let log = self.yard.logs.join(format!("{}-{}-{start}.log", profile.name, self.number));
        // Written at its end, so that it can be cut while the broker writes.
        let _ = fs::remove_file(&log);
        let output = File::options().create(true).append(true).open(&log).map_err(files)?;
        *self.last_log.borrow_mut() = Some(log.clone());
        let mut child = Command::new(&program)
            .args(&words[1..])
            .envs(self.env())
            .current_dir(&data)
            .stdin(Stdio::null())
            .stdout(Stdio::from(output.try_clone().map_err(files)?))
            .stderr(Stdio::from(output))
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| StartError::Spawn {
                program: program.display().to_string(),
                error: error.to_string(),
            })?;
        let command = words.join(" ");
        let Some(group) = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw) else {
            return Err(StartError::Spawn { program: command, error: "it has no process number".into() });
        };
        let (ended, exit) = watch::channel(None);
        let wanted = Rc::new(Cell::new(false));
        let running = Running {
            group,
            exit: exit.clone(),
            wanted: Rc::clone(&wanted),
            mark: self.mark.clone(),
            clock: self.clock.is_some(),
        };
        let server = Rc::downgrade(self);
        let told = Rc::clone(&wanted);
        spawn_local(async move {
            let status = loop {
                match timeout(LOG_GLANCE, child.wait()).await {
                    Ok(status) => break status.unwrap_or_default(),
                    Err(_) if cut(&log, MOST_LOG) => {
                        if let Some(server) = server.upgrade() {
                            let most = MOST_LOG >> 20;
                            server.yard.warn(format!(
                                "the broker floods its log: only the end of each {most} MiB is kept"
                            ));
                        }
                    }
                    Err(_) => {}
                }
            };
            // Helpers that the broker started end with it.
            let _ = kill_process_group(group, Signal::KILL);
            let _ = ended.send(Some(status));
            if !told.get()
                && let Some(server) = server.upgrade()
            {
                server.tell(BrokerEvent::Died);
            }
        });
        // Until it is ready its end is an answer to us, not an event of the run.
        wanted.set(true);
        let began = Instant::now();
        let running = self.ready(running, exit, &command).await?;
        self.ready_after.set(began.elapsed());
        wanted.set(false);
        *self.running.borrow_mut() = Some(running);
        Ok(())
    }

    /// Writes the configuration and what stands beside it; the folder for data.
    fn write_files(&self) -> Result<PathBuf, StartError> {
        let start = &self.yard.profile.start;
        let data = self.dir.path().join("data");
        fs::create_dir_all(&data).map_err(files)?;
        let folder = self.dir.path().join("files");
        fs::create_dir_all(&folder).map_err(files)?;
        if let Some(template) = &start.config {
            fs::write(self.dir.path().join("config"), fill(template, |word| self.value(word)))
                .map_err(files)?;
        }
        for (name, template) in &start.files {
            fs::write(folder.join(name), fill(template, |word| self.value(word))).map_err(files)?;
        }
        Ok(data)
    }

    /// The listeners that have to answer, each with the versions that it may be asked with.
    pub(super) fn listeners(&self) -> Vec<(SocketAddr, Vec<ProtocolVersion>)> {
        self.places.listeners(|version| {
            self.yard.profile.has(match version {
                ProtocolVersion::V3_1 => Capability::Mqtt31,
                ProtocolVersion::V3_1_1 => Capability::Mqtt311,
                ProtocolVersion::V5 => Capability::Mqtt5,
            })
        })
    }

    /// Waits until every listener answers a CONNECT.
    async fn ready(
        &self,
        mut running: Running,
        mut exit: watch::Receiver<Option<ExitStatus>>,
        command: &str,
    ) -> Result<Running, StartError> {
        let profile = &self.yard.profile;
        let within = profile.start.ready_within;
        let end = Instant::now() + within;
        let id = format!("assayprobe{:x}", self.yard.nonce & 0xFF_FFFF);
        let credentials = profile.credentials.as_ref();
        for (address, versions) in self.listeners() {
            let mut patience = PATIENCE;
            let mut does = Instead::Refuses;
            for attempt in 0.. {
                let version = versions[attempt % versions.len()];
                let asked = Instant::now();
                let answer = probe(address, version, &id, credentials, patience).await;
                if let Some(status) = *exit.borrow_and_update() {
                    return Err(StartError::Exited {
                        command: command.to_string(),
                        status: describe(status),
                        log: self.log(),
                    });
                }
                match answer {
                    Probe::Answers if asked.elapsed() > profile.tolerance => {
                        // The first answer may have waited for the start.
                        let asked = Instant::now();
                        probe(address, version, &id, credentials, patience).await;
                        self.is_slow(asked.elapsed());
                        break;
                    }
                    Probe::Answers => break,
                    Probe::Silent => {
                        does = Instead::Silent;
                        // One that takes its time is given it.
                        if attempt % versions.len() == versions.len() - 1 && asked.elapsed() >= patience {
                            patience = (patience * 2).min(end.saturating_duration_since(Instant::now()));
                            patience = patience.max(PATIENCE);
                        }
                    }
                    Probe::Refuses => {}
                }
                if Instant::now() >= end {
                    if does == Instead::Silent && speaks_tls(address).await {
                        does = Instead::Tls;
                    }
                    running.signal(Signal::KILL);
                    running.ended(PORT_PATIENCE).await;
                    let (command, port) = (command.to_string(), address.port());
                    return Err(StartError::Unready { command, port, within, does, log: self.log() });
                }
                sleep(POLL).await;
            }
        }
        // Whether it serves there is for those to find out who ask it.
        let end = end.min(Instant::now() + WEBSOCKET_PATIENCE);
        for address in ProtocolVersion::ALL.into_iter().filter_map(|version| self.places.websocket(version)) {
            while TcpStream::connect(address).await.is_err() && Instant::now() < end {
                sleep(POLL).await;
            }
        }
        Ok(running)
    }

    /// Warns of a broker that is slow enough to be late for everything.
    fn is_slow(&self, took: Duration) {
        let tolerance = self.yard.profile.tolerance;
        if took > tolerance {
            self.yard.warn(format!(
                "the broker is slow: it answers a CONNECT after {:.1} s, and its profile's tolerance is {:.1} s; \
                 what comes later than that counts as missing",
                took.as_secs_f64(),
                tolerance.as_secs_f64()
            ));
        }
    }
}

/// A file system in memory with room for data, unless the environment names a folder for what is temporary. A broker
/// that waits for its disk would answer late for no fault of its own, and what a killed process has written is
/// kept by the kernel either way.
fn memory() -> Option<&'static Path> {
    const FOLDER: &str = "/dev/shm";
    if std::env::var_os("TMPDIR").is_some() {
        return None;
    }
    let room = rustix::fs::statvfs(FOLDER).ok()?;
    (room.f_bavail.saturating_mul(room.f_frsize) >= MEMORY_ROOM).then_some(Path::new(FOLDER))
}

fn files(error: io::Error) -> StartError {
    StartError::Files(format!("the broker's files cannot be written: {error}"))
}

fn describe(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("ended with exit code {code}"),
        (None, Some(signal)) => format!("was ended by signal {signal}"),
        (None, None) => "ended".into(),
    }
}
