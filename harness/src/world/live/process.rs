//! The process of a broker: started by a profile, asked whether it serves, halted, killed, started again.
//!
//! Each process is the leader of a group of its own, and signals go to the group; what the broker starts ends
//! with it. Ready means a CONNACK, not an open port. Output goes to one file for each start. Whatever
//! happens to this program short of SIGKILL, dropping a [`Server`] ends its group.
//!
//! Never the case: a signal to a process that was not started here, a folder for data that is used by two
//! servers, a start whose failure says nothing.

use std::cell::{Cell, RefCell};
use std::ffi::OsStr;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::rc::{Rc, Weak};
use std::time::Duration;

use reference_broker::codec::ProtocolVersion;
use rustix::process::{Pid, Signal, kill_process_group};
use tempfile::TempDir;
use tokio::process::Command;
use tokio::sync::watch;
use tokio::task::spawn_local;
use tokio::time::{Instant, sleep, timeout};

use crate::profile::{Profile, fill};
use crate::run::BrokerEvent;
use crate::scenario::{BrokerAct, Capability};
use crate::world::drive::Reporter;

use super::Tcp;
use super::probe::{Probe, probe};

/// Lines of output that a message or a report keeps.
const LOG_LINES: usize = 200;
/// Lines of output in an error message.
const SHOWN_LINES: usize = 12;
/// Bytes at the end of a log that are looked at for those lines.
const LOG_TAIL: u64 = 256 * 1024;
/// Between two questions whether a broker is ready.
const POLL: Duration = Duration::from_millis(25);
/// How long a port may still be open after its process has ended.
const PORT_PATIENCE: Duration = Duration::from_secs(5);
/// Ports to choose from. Ephemeral ports begin above: one of those could be taken by a connection of our own
/// while the broker is down, and a connection to it could even meet itself.
const PORTS: std::ops::Range<u16> = 18_000..30_000;
/// How often other ports are tried when one was taken by somebody else.
const PORT_TRIES: usize = 4;

/// Why a broker did not start.
#[derive(Debug, Clone)]
pub enum StartError {
    /// The program does not exist.
    Missing {
        /// What was looked for.
        program: String,
        /// Where.
        looked: Vec<PathBuf>,
        /// Packages that have it.
        install: Vec<String>,
    },
    /// The program cannot be run.
    Spawn {
        /// What was run.
        program: String,
        /// What the system said.
        error: String,
    },
    /// Somebody else has the port.
    PortInUse(u16),
    /// No port is free.
    NoPort,
    /// The process ended before it answered.
    Exited {
        /// What was run.
        command: String,
        /// How it ended.
        status: String,
        /// The end of its output.
        log: Vec<String>,
    },
    /// The process runs and answers no CONNECT.
    Unready {
        /// What was run.
        command: String,
        /// How long it was given.
        within: Duration,
        /// Whether connections were accepted.
        accepts: bool,
        /// The end of its output.
        log: Vec<String>,
    },
    /// A file or folder that it needs.
    Files(String),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tail = |f: &mut fmt::Formatter<'_>, log: &[String]| {
            if log.is_empty() {
                return write!(f, "; it printed nothing");
            }
            write!(f, "; its last output:")?;
            log[log.len().saturating_sub(SHOWN_LINES)..].iter().try_for_each(|line| write!(f, "\n    {line}"))
        };
        match self {
            StartError::Missing { program, looked, install } => {
                let places: Vec<String> = looked.iter().map(|path| path.display().to_string()).collect();
                write!(
                    f,
                    "the broker's program `{program}` does not exist (looked in {})",
                    places.join(", ")
                )?;
                if !install.is_empty() {
                    write!(f, "; install the package {}", install.join(" or "))?;
                }
                Ok(())
            }
            StartError::Spawn { program, error } => {
                write!(f, "the broker's program `{program}` cannot be run: {error}")
            }
            StartError::PortInUse(port) => write!(f, "port {port} is in use by another process"),
            StartError::NoPort => write!(f, "no free port from {} to {}", PORTS.start, PORTS.end - 1),
            StartError::Exited { command, status, log } => {
                write!(f, "the broker ended before it answered a CONNECT: `{command}` {status}")?;
                tail(f, log)
            }
            StartError::Unready { command, within, accepts, log } => {
                let what = if *accepts {
                    "accepts connections but sends no CONNACK"
                } else {
                    "accepts no connection"
                };
                write!(f, "the broker is not ready after {within:?}: `{command}` runs, {what}")?;
                tail(f, log)
            }
            StartError::Files(message) => f.write_str(message),
        }
    }
}

impl std::error::Error for StartError {}

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
}

impl Yard {
    pub(super) fn new(profile: Profile, assay: PathBuf, logs: PathBuf, nonce: u64) -> Yard {
        Yard {
            profile,
            assay,
            logs,
            nonce,
            servers: Cell::new(0),
            ports: Cell::new(0),
            alive: RefCell::new(Vec::new()),
        }
    }

    /// Starts a server on fresh data, with these settings of the reference broker.
    pub(super) async fn start(
        self: &Rc<Self>,
        settings: &[(String, String)],
    ) -> Result<Rc<Server>, StartError> {
        let mut tries = 0;
        loop {
            let (ports, result) = self.start_once(settings).await?;
            tries += 1;
            // Between the choice of a port and the broker's claim to it somebody else may have taken it.
            match result {
                Err(_) if tries < PORT_TRIES && self.chooses_ports() && !ports.into_iter().all(is_free) => {}
                result => return result,
            }
        }
    }

    fn chooses_ports(&self) -> bool {
        self.profile.start.port.is_none() && self.profile.start.websocket_port.is_none()
    }

    /// Starts a server; the ports that it was to have, and whether it did.
    async fn start_once(
        self: &Rc<Self>,
        settings: &[(String, String)],
    ) -> Result<(Vec<u16>, Result<Rc<Server>, StartError>), StartError> {
        let number = self.servers.get();
        self.servers.set(number + 1);
        let port = match self.profile.start.port {
            Some(port) if is_free(port) => port,
            Some(port) => return Err(StartError::PortInUse(port)),
            None => self.free_port().ok_or(StartError::NoPort)?,
        };
        let websocket = match (self.profile.start.listens_for_websocket(), self.profile.start.websocket_port)
        {
            (false, _) => None,
            (true, Some(port)) if is_free(port) => Some(port),
            (true, Some(port)) => return Err(StartError::PortInUse(port)),
            (true, None) => Some(self.free_port().ok_or(StartError::NoPort)?),
        };
        let dir = tempfile::Builder::new()
            .prefix("assay-data-")
            .tempdir()
            .map_err(|error| StartError::Files(format!("no folder for the broker's data: {error}")))?;
        let server = Rc::new(Server {
            yard: Rc::clone(self),
            number,
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
            websocket: websocket.map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port))),
            settings: settings.to_vec(),
            starts: Cell::new(0),
            running: RefCell::new(None),
            dir,
            given_up: Cell::new(false),
            paused: Cell::new(false),
            last_log: RefCell::new(None),
            reporters: RefCell::new(Vec::new()),
        });
        self.alive.borrow_mut().retain(|server| server.strong_count() > 0);
        self.alive.borrow_mut().push(Rc::downgrade(&server));
        let ports = server.ports().collect();
        let result = server.start().await.map(|_| server);
        Ok((ports, result))
    }

    /// Ends every process at once and removes its data, for a program that ends at once.
    pub(super) fn kill_all(&self) {
        for server in self.alive.borrow().iter().filter_map(Weak::upgrade) {
            server.signal(Signal::KILL);
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

fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// A process that runs or ran.
#[derive(Debug)]
struct Running {
    group: Pid,
    exit: watch::Receiver<Option<ExitStatus>>,
    /// Whether it ends because we want it to.
    wanted: Rc<Cell<bool>>,
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
    }
}

/// A broker that can be started again on the same port and data.
#[derive(Debug)]
pub(super) struct Server {
    yard: Rc<Yard>,
    number: u32,
    pub(super) address: SocketAddr,
    /// Where it listens for WebSocket, if its profile says so.
    websocket: Option<SocketAddr>,
    settings: Vec<(String, String)>,
    starts: Cell<u32>,
    /// Dropped before the folder that it writes to.
    running: RefCell<Option<Running>>,
    dir: TempDir,
    /// It was found to answer no more, or does not start on its own data, and counts as dead.
    given_up: Cell<bool>,
    /// The plan halted it.
    paused: Cell<bool>,
    last_log: RefCell<Option<PathBuf>>,
    /// Who wants to know what happens to the process.
    reporters: RefCell<Vec<Reporter>>,
}

impl Server {
    /// Where it listens.
    pub(super) fn wire(&self) -> Tcp {
        Tcp { address: self.address, websocket: self.websocket }
    }

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

    /// The end of what the last start printed.
    pub(super) fn log(&self) -> Vec<String> {
        self.last_log.borrow().as_deref().map(tail_of).unwrap_or_default()
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
        }
        self.port_is_free().await;
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

    /// Asks the process to end, and ends it if it does not.
    async fn stop(&self) {
        let running = self.running.borrow_mut().take();
        if let Some(mut running) = running {
            running.wanted.set(true);
            running.signal(Signal::CONT);
            running.signal(Signal::TERM);
            if !running.ended(self.yard.profile.start.stop_within).await {
                running.signal(Signal::KILL);
                running.ended(PORT_PATIENCE).await;
            }
        }
        self.port_is_free().await;
    }

    fn ports(&self) -> impl Iterator<Item = u16> {
        [Some(self.address), self.websocket].into_iter().flatten().map(|address| address.port())
    }

    async fn port_is_free(&self) {
        let end = Instant::now() + PORT_PATIENCE;
        let busy = || self.ports().any(|port| !is_free(port));
        while busy() && Instant::now() < end {
            sleep(Duration::from_millis(5)).await;
        }
    }

    /// Starts the process and waits until it answers a CONNECT.
    async fn start(self: &Rc<Self>) -> Result<(), StartError> {
        let profile = &self.yard.profile;
        if let Some(port) = self.ports().find(|port| !is_free(*port)) {
            return Err(StartError::PortInUse(port));
        }
        self.paused.set(false);
        let start = self.starts.get() + 1;
        self.starts.set(start);
        let files =
            |error: io::Error| StartError::Files(format!("the broker's files cannot be written: {error}"));
        let data = self.dir.path().join("data");
        fs::create_dir_all(&data).map_err(files)?;
        let config = self.dir.path().join("config");
        let value = |word: &str| match word {
            "port" => Some(self.address.port().to_string()),
            "websocket-port" => self.websocket.map(|address| address.port().to_string()),
            "dir" => Some(data.display().to_string()),
            "config" => Some(config.display().to_string()),
            "assay" => Some(self.yard.assay.display().to_string()),
            _ => None,
        };
        if let Some(template) = &profile.start.config {
            fs::write(&config, fill(template, value)).map_err(files)?;
        }
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
        let program = find_program(&words[0]).map_err(|looked| StartError::Missing {
            program: words[0].clone(),
            looked,
            install: profile.install.clone(),
        })?;
        let log = self.yard.logs.join(format!("{}-{}-{start}.log", profile.name, self.number));
        let output = File::create(&log).map_err(files)?;
        *self.last_log.borrow_mut() = Some(log.clone());
        let mut child = Command::new(&program)
            .args(&words[1..])
            .envs(profile.env.iter().map(|(key, text)| (key.clone(), fill(text, value))))
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
        let mut running = Running { group, exit: exit.clone(), wanted: Rc::clone(&wanted) };
        let server = Rc::downgrade(self);
        let told = Rc::clone(&wanted);
        let mut first = exit;
        spawn_local(async move {
            let status = child.wait().await.unwrap_or_default();
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
        let end = Instant::now() + profile.start.ready_within;
        let versions: Vec<ProtocolVersion> = [
            (Capability::Mqtt311, ProtocolVersion::V3_1_1),
            (Capability::Mqtt5, ProtocolVersion::V5),
            (Capability::Mqtt31, ProtocolVersion::V3_1),
        ]
        .into_iter()
        .filter(|(capability, _)| profile.has(*capability))
        .map(|(_, version)| version)
        .collect();
        let mut accepts = false;
        for attempt in 0.. {
            let version =
                versions.get(attempt % versions.len().max(1)).copied().unwrap_or(ProtocolVersion::V3_1_1);
            let id = format!("assayprobe{:x}", self.yard.nonce & 0xFF_FFFF);
            let answer = probe(self.address, version, &id, profile.credentials.as_ref()).await;
            if let Some(status) = *first.borrow_and_update() {
                let log = tail_of(&log);
                return Err(StartError::Exited { command, status: describe(status), log });
            }
            match answer {
                Probe::Answers => break,
                Probe::Silent => accepts = true,
                Probe::Refuses => {}
            }
            if Instant::now() >= end {
                running.signal(Signal::KILL);
                running.ended(PORT_PATIENCE).await;
                let within = profile.start.ready_within;
                return Err(StartError::Unready { command, within, accepts, log: tail_of(&log) });
            }
            sleep(POLL).await;
        }
        wanted.set(false);
        *self.running.borrow_mut() = Some(running);
        Ok(())
    }
}

fn describe(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("ended with exit code {code}"),
        (None, Some(signal)) => format!("was ended by signal {signal}"),
        (None, None) => "ended".into(),
    }
}

/// A word of a command that names this program, or another one.
fn filled(word: &str) -> String {
    let this = || std::env::current_exe().ok().map(|path| path.display().to_string());
    fill(word, |word| if word == "assay" { this() } else { None })
}

/// The program that a profile starts, and where it is; what does not exist has no path.
pub(super) fn program_of(profile: &Profile) -> Option<PathBuf> {
    find_program(&filled(profile.start.command.first()?)).ok()
}

/// The program's path, or where it was looked for. Servers are often installed where only root's PATH leads.
fn find_program(name: &str) -> Result<PathBuf, Vec<PathBuf>> {
    if name.contains('/') {
        let path = PathBuf::from(name);
        return if path.is_file() { Ok(path) } else { Err(vec![path]) };
    }
    // The environment of the command is where its programs come from.
    let path = std::env::var_os("PATH").unwrap_or_default();
    let more = [
        "/usr/sbin",
        "/usr/local/sbin",
        "/sbin",
        "/usr/local/bin",
        "/opt/homebrew/sbin",
        "/opt/homebrew/bin",
    ];
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    for folder in more {
        let folder = PathBuf::from(folder);
        if !folders.contains(&folder) {
            folders.push(folder);
        }
    }
    let found = folders.iter().map(|folder| folder.join(OsStr::new(name))).find(|path| path.is_file());
    found.ok_or(folders)
}

fn append(path: &Path, text: &str) {
    use std::io::Write;
    if let Ok(mut file) = File::options().append(true).open(path) {
        let _ = file.write_all(text.as_bytes());
    }
}

/// The last lines of a log, without colours.
fn tail_of(path: &Path) -> Vec<String> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|mut file| {
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(LOG_TAIL)))?;
        file.read_to_end(&mut bytes)
    });
    if read.is_err() {
        return Vec::new();
    }
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<String> = text.lines().map(without_colours).collect();
    lines[lines.len().saturating_sub(LOG_LINES)..].to_vec()
}

fn without_colours(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        if c != '\u{1b}' {
            out.push(c);
            continue;
        }
        if chars.next() == Some('[') {
            // A control sequence ends with a letter.
            chars.by_ref().find(char::is_ascii_alphabetic);
        }
    }
    out
}

/// The first line with a digit that a profile's version command prints.
pub(super) async fn version_of(profile: &Profile) -> Option<String> {
    let program = find_program(&filled(profile.version_command.first()?)).ok()?;
    let mut command = Command::new(program);
    command.args(&profile.version_command[1..]).stdin(Stdio::null()).kill_on_drop(true);
    let output = timeout(Duration::from_secs(5), command.output()).await.ok()?.ok()?;
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    text.lines()
        .find(|line| line.contains(|c: char| c.is_ascii_digit()))
        .map(|line| without_colours(line.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_left_out() {
        assert_eq!(without_colours("\u{1b}[1;32mINFO\u{1b}[0m it runs"), "INFO it runs");
    }

    #[test]
    fn a_program_that_is_not_there_tells_where_it_was_looked_for() {
        let looked = find_program("assay-no-such-program").expect_err("it does not exist");
        assert!(looked.contains(&PathBuf::from("/usr/sbin")), "{looked:?}");
        assert_eq!(find_program("/no/such/program"), Err(vec![PathBuf::from("/no/such/program")]));
    }
}
