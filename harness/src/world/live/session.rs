//! One run over many cases: what is started when, what runs beside what, and what becomes of a result.
//!
//! Never the case: two dispatchers; everything is decided between two results, by one task.

use std::cell::Cell;
use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::pin;
use std::rc::{Rc, Weak};
use std::sync::atomic::Ordering;
use std::time::Duration;

use reference_broker::codec::ProtocolVersion;
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::{JoinHandle, JoinSet, LocalSet, spawn_local};
use tokio::time::{sleep, timeout};

use crate::scenario::{Capability, Plan, StepAct};
use crate::verdict::{Verdict, verdict_of};
use crate::world::shortest_span;

use super::agenda::{Agenda, Slot, Turn};
use super::discovered::Discovered;
use super::discovery::{Site, discover as discover_at};
use super::errand::{Errand, QUESTIONS, Run};
use super::neighbours::hears_others;
use super::places::Places;
use super::probe::{PATIENCE, Probe, probe, speaks_tls};
use super::process::{Server, Yard};
use super::program::version_of;
use super::room::Room;
use super::sort::{Place, needs, place, too_long};
use super::travel::{WORTH_IT, moves};
use super::{Crash, LiveCase, LiveError, LiveOptions, LiveOutcome, StartError, Summary, Target, crash_of};

/// How often the dispatcher looks whether the run was interrupted.
const GLANCE: Duration = Duration::from_millis(100);
/// A case that takes so long waits for something that no neighbour can hold up.
const LONG_WAIT: Duration = Duration::from_secs(9);
/// A case that takes so long is run again several times at once: it alone would be what all the rounds wait for.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// So many times as many cases run side by side when those that failed are run again.
const WAITING_JOBS: usize = 2;
/// The next round begins when no more of the last one than this part of what may run side by side is left.
const TAIL: usize = 8;
/// Where so many processes may run, a place is kept for the next one that cases share.
const MANY: usize = 4;
/// Between two questions.
pub(super) const PAUSE: Duration = Duration::from_millis(200);
/// Open files that suffice for any number of cases side by side that makes sense.
const ENOUGH_FILES: u64 = 16_384;
/// The exit code of a program that Ctrl-C ended.
const INTERRUPTED: i32 = 130;

pub(super) fn run(
    target: &Target,
    cases: Vec<LiveCase>,
    options: &LiveOptions<'_>,
    each: &mut dyn FnMut(LiveOutcome),
) -> Result<Summary, LiveError> {
    let mut agenda = Agenda::default();
    let mut skipped = Vec::new();
    for case in cases {
        let (plan, place) = place(&case, target, options)
            .map_err(|problems| LiveError::Plan { case: case.scenario.full_name(), problems })?;
        if let Place::Nowhere(reason) = place {
            skipped.push(LiveOutcome { skipped: Some(reason), ..outcome(case.index, plan) });
            continue;
        }
        let beside = place == Place::Shared;
        let follows = !needs(&plan).contains(&Capability::Configuration);
        agenda.add(Slot {
            index: case.index,
            plan: Rc::new(plan),
            seed: case.seed,
            beside,
            named_apart: beside,
            first: None,
            crash: None,
            attempts: Vec::new(),
            always: None,
            reruns: 0,
            follows,
        });
    }
    in_the_real_world(async {
        let session = Session { agenda, ..Session::new(target, options, each)? };
        for outcome in skipped {
            (session.each)(outcome);
        }
        session.run().await
    })
}

/// Many cases side by side need many sockets here and in the broker, which inherits the limit.
fn allow_many_sockets() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    let wanted = limit.maximum.map_or(ENOUGH_FILES, |maximum| maximum.min(ENOUGH_FILES));
    if limit.current.is_some_and(|current| current < wanted) {
        limit.current = Some(wanted);
        // With fewer, connections that cannot be opened say so.
        let _ = setrlimit(Resource::Nofile, limit);
    }
}

pub(super) fn discover(
    target: &Target,
    options: &LiveOptions<'_>,
) -> Result<(String, Discovered), LiveError> {
    in_the_real_world(async {
        let mut nobody = |_| {};
        let mut session = Session::new(target, options, &mut nobody)?;
        let found = match session.begin().await {
            Ok(()) => session.discover().await,
            Err(error) => Err(error),
        };
        let summary = session.end().await;
        found?;
        let interrupted = || LiveError::System(std::io::ErrorKind::Interrupted.into());
        Ok((summary.broker, summary.discovered.ok_or_else(interrupted)?))
    })
}

/// Starts a profile's broker and hands it over; what came of that.
pub(super) fn try_out<T>(
    target: &Target,
    options: &LiveOptions<'_>,
    ask: impl AsyncFnOnce(&Server) -> T,
) -> Result<(T, Summary), LiveError> {
    in_the_real_world(async {
        let mut nobody = |_| {};
        let mut session = Session::new(target, options, &mut nobody)?;
        let begun = session.begin().await;
        let server = session.servers.first().cloned();
        let asked = match &server {
            Some(server) => session.unless_interrupted(ask(server)).await,
            None => None,
        };
        drop(server);
        let summary = session.end().await;
        begun?;
        let interrupted = || LiveError::System(std::io::ErrorKind::Interrupted.into());
        Ok((asked.ok_or_else(interrupted)?, summary))
    })
}

/// Runs a session to its end.
fn in_the_real_world<T>(session: impl Future<Output = Result<T, LiveError>>) -> Result<T, LiveError> {
    allow_many_sockets();
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(LiveError::System)?;
    // Tasks hold processes and sockets; the set is dropped, and they with it, before the runtime is.
    let local = LocalSet::new();
    local.block_on(&runtime, session)
}

/// An outcome of which nothing is known.
fn outcome(index: usize, plan: Plan) -> LiveOutcome {
    LiveOutcome {
        index,
        broker: String::new(),
        plan,
        played: None,
        skipped: None,
        unanswered: None,
        crash: None,
        attempts: Vec::new(),
        always: None,
        real: Duration::ZERO,
    }
}

/// Where the brokers' output goes.
struct Logs {
    path: PathBuf,
    temporary: Option<tempfile::TempDir>,
}

impl Logs {
    fn new(wanted: Option<PathBuf>) -> std::io::Result<Logs> {
        match wanted {
            Some(path) => {
                std::fs::create_dir_all(&path)?;
                // Brokers run in folders of their own.
                Ok(Logs { path: std::path::absolute(path)?, temporary: None })
            }
            None => {
                let temporary = tempfile::Builder::new().prefix("assay-logs-").tempdir()?;
                Ok(Logs { path: temporary.path().to_path_buf(), temporary: Some(temporary) })
            }
        }
    }

    /// Where the output stays, if it does.
    fn close(&mut self, keep: bool) -> Option<PathBuf> {
        match self.temporary.take() {
            Some(temporary) if keep => Some(temporary.keep()),
            Some(_) => None,
            None => Some(self.path.clone()),
        }
    }
}

/// A broker's end, while the one who did it is looked for.
struct Death {
    /// Which it was.
    server: Weak<Server>,
    suspects: Vec<String>,
    pending: usize,
    found: bool,
    log: Vec<String>,
}

/// Where a case runs.
enum Where {
    /// Beside others: on a broker that was started for them, or on the one that was there already.
    Beside(Option<Rc<Server>>),
    /// With a broker to itself that others had before.
    Before(Rc<Server>),
    /// With a broker that is started for it, by leave to start one where a start costs much.
    Fresh(Option<OwnedSemaphorePermit>),
}

/// What a case's task brings back.
struct Done {
    slot: usize,
    turn: Turn,
    alone: bool,
    result: Result<Run, StartError>,
}

struct Session<'s, 'o> {
    target: &'s Target,
    options: &'s LiveOptions<'o>,
    each: &'s mut dyn FnMut(LiveOutcome),
    agenda: Agenda,
    yard: Option<Rc<Yard>>,
    /// Where a broker is that was there already.
    address: SocketAddr,
    /// The brokers on which cases run side by side: one, unless it bears fewer than run.
    servers: Vec<Rc<Server>>,
    /// The next such broker, while it starts.
    coming: Option<JoinHandle<Result<Rc<Server>, StartError>>>,
    /// Brokers on which the last of those that ran side by side still are, while others have begun elsewhere.
    leaving: Vec<Rc<Server>>,
    running: JoinSet<Done>,
    /// A round of cases to be run again has begun.
    in_rounds: bool,
    /// Brokers on which cases were that needed one to themselves, if a start costs too much to end them.
    idle: Vec<Rc<Server>>,
    /// How many run side by side, and how many have a broker to themselves.
    beside: usize,
    apart: usize,
    /// How many may have one to themselves.
    room: Room,
    deaths: Vec<Death>,
    summary: Summary,
    interrupted: Rc<Cell<bool>>,
    logs: Logs,
}

impl<'s, 'o> Session<'s, 'o> {
    /// A session without cases.
    fn new(
        target: &'s Target,
        options: &'s LiveOptions<'o>,
        each: &'s mut dyn FnMut(LiveOutcome),
    ) -> Result<Session<'s, 'o>, LiveError> {
        Ok(Session {
            target,
            options,
            each,
            agenda: Agenda::default(),
            yard: None,
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            servers: Vec::new(),
            coming: None,
            leaving: Vec::new(),
            room: Room::new(options.brokers, options.most_brokers),
            running: JoinSet::new(),
            in_rounds: false,
            idle: Vec::new(),
            beside: 0,
            apart: 0,
            deaths: Vec::new(),
            summary: Summary { broker: target.name().to_string(), ..Summary::default() },
            interrupted: Rc::new(Cell::new(false)),
            logs: Logs::new(options.logs.clone()).map_err(LiveError::System)?,
        })
    }

    async fn run(mut self) -> Result<Summary, LiveError> {
        if self.agenda.is_empty() {
            return Ok(self.end().await);
        }
        self.begin().await?;
        if self.options.discovery {
            self.discover().await?;
            self.leave_out();
        }
        self.try_the_clock().await;
        self.agenda.put_the_longest_first();
        if self.agenda.shared.is_empty() {
            self.servers.clear();
        }
        while !self.is_interrupted() {
            self.fill().await;
            match timeout(GLANCE, self.running.join_next()).await {
                Err(_) => {}
                Ok(None) if self.agenda.has_nothing_left() => break,
                Ok(None) => {}
                Ok(Some(Ok(done))) => self.take(done),
                Ok(Some(Err(error))) => {
                    if error.is_panic() {
                        std::panic::resume_unwind(error.into_panic());
                    }
                }
            }
        }
        Ok(self.end().await)
    }

    /// Starts the broker, or finds it.
    async fn begin(&mut self) -> Result<(), LiveError> {
        let mut version = None;
        if let Target::Profile(profile) = self.target {
            let assay = match &self.options.assay {
                Some(path) => path.clone(),
                None => std::env::current_exe().map_err(LiveError::System)?,
            };
            version = version_of(profile, &assay).await;
            let yard = Yard::new((**profile).clone(), assay, self.logs.path.clone(), self.options.nonce);
            self.yard = Some(Rc::new(yard));
        }
        self.listen_to_signals();
        match self.target {
            Target::Profile(profile) => {
                if let Some(version) = &version {
                    self.summary.broker = format!("{} ({version})", profile.name);
                }
                self.summary.version = version;
                // The first start proves the profile, whoever runs on it.
                match self.start().await {
                    Some(Ok(server)) => self.servers.push(server),
                    // The end of the output is in the message.
                    Some(Err(error)) => return Err(LiveError::Start(error)),
                    None => {}
                }
            }
            Target::Address { url, addresses, .. } => match self.find(addresses).await {
                Ok(address) => self.address = address,
                Err(Probe::Refuses) => return Err(LiveError::Refused { url: url.clone() }),
                Err(_) => {
                    for address in addresses {
                        if speaks_tls(*address).await {
                            return Err(LiveError::Tls { url: url.clone() });
                        }
                    }
                    return Err(LiveError::Silent { url: url.clone() });
                }
            },
        }
        Ok(())
    }

    /// Finds out what the broker has.
    async fn discover(&mut self) -> Result<(), LiveError> {
        let places = match (self.servers.first(), self.target) {
            (Some(server), _) => server.places,
            (None, Target::Address { .. }) => self.places(),
            // Interrupted before it had started.
            (None, Target::Profile(_)) => return Ok(()),
        };
        let site = Site {
            places,
            websocket: self.target.websocket_place(),
            credentials: self.target.credentials().cloned(),
            nonce: self.options.nonce,
        };
        let found = discover_at(&site, |capability| self.target.claim(capability));
        match self.unless_interrupted(found).await {
            Some(Ok(found)) => self.summary.discovered = Some(found),
            Some(Err(answers)) => {
                return Err(LiveError::Unwelcome {
                    name: self.target.name().to_string(),
                    answers: answers
                        .into_iter()
                        .map(|(version, fault)| (version, fault.to_string()))
                        .collect(),
                    credentials: site.credentials.is_some(),
                });
            }
            None => {}
        }
        // What killed it in all innocence is what the cases will find out.
        if self.servers.iter().any(|server| server.has_died()) {
            self.servers.clear();
            match self.start().await {
                Some(Ok(server)) => self.servers.push(server),
                Some(Err(error)) => return Err(LiveError::Start(error)),
                None => {}
            }
        }
        Ok(())
    }

    /// Finds out whether the broker's clock can be moved. If so, cases that wait get a process each; if not, those
    /// that wait too long are left out.
    async fn try_the_clock(&mut self) {
        let Target::Profile(profile) = self.target else { return };
        if profile.clock.is_none() || !self.options.travel {
            return;
        }
        let Some(yard) = self.yard.clone() else { return };
        let has = |capability: Capability| match &self.summary.discovered {
            Some(discovered) => discovered.obstacle(capability, "").is_none(),
            None => profile.has(capability),
        };
        let version = if has(Capability::Mqtt311) { ProtocolVersion::V3_1_1 } else { ProtocolVersion::V5 };
        let credentials = profile.credentials.clone();
        let proof = async {
            // A broker that does not even start with the library has no clock that can be moved.
            let Ok(server) = yard.start(&[], true).await else { return false };
            let moves = server.can_travel() && moves(&server, version, credentials.as_ref()).await;
            server.kill().await;
            moves
        };
        let Some(travels) = self.unless_interrupted(proof).await else { return };
        self.summary.travels = Some(travels);
        if travels {
            return self.agenda.set_apart_what_waits();
        }
        let max_wait = self.options.max_wait;
        self.skip(|slot| too_long(&slot.plan, max_wait));
    }

    /// Hands out the cases that need what the broker was found not to have.
    fn leave_out(&mut self) {
        let Some(discovered) = self.summary.discovered.clone() else { return };
        let target = self.target;
        self.skip(|slot| {
            let mut needs = needs(&slot.plan).into_iter();
            needs.find_map(|capability| discovered.obstacle(capability, target.name()))
        });
    }

    /// Hands out the cases that cannot be asked for a reason.
    fn skip(&mut self, reason: impl Fn(&Slot) -> Option<String>) {
        for (slot, reason) in self.agenda.strike_all(reason) {
            let plan = Rc::unwrap_or_clone(slot.plan);
            (self.each)(LiveOutcome { skipped: Some(reason), ..outcome(slot.index, plan) });
        }
    }

    /// Ends the run; what is known is handed out.
    async fn end(mut self) -> Summary {
        self.summary.interrupted = self.is_interrupted();
        self.running.abort_all();
        if let Some(coming) = self.coming.take() {
            coming.abort();
        }
        if let Some(yard) = self.yard.take() {
            yard.close().await;
            self.summary.warnings = yard.warnings();
        }
        self.servers.clear();
        self.leaving.clear();
        self.idle.clear();
        for number in self.agenda.begun() {
            self.hand_out(number, None);
        }
        let keep =
            !self.summary.unexplained.is_empty() || !self.deaths.is_empty() || self.summary.lost.is_some();
        self.summary.logs = self.logs.close(keep);
        self.summary
    }

    fn is_interrupted(&self) -> bool {
        self.interrupted.get() || self.options.interrupted.load(Ordering::Relaxed)
    }

    /// The first signal ends the run in order, the second at once.
    fn listen_to_signals(&self) {
        use tokio::signal::unix::{SignalKind, signal};
        for kind in [SignalKind::interrupt(), SignalKind::terminate()] {
            let Ok(mut signals) = signal(kind) else { continue };
            let interrupted = Rc::clone(&self.interrupted);
            let yard = self.yard.clone();
            spawn_local(async move {
                while signals.recv().await.is_some() {
                    if interrupted.replace(true) {
                        if let Some(yard) = &yard {
                            yard.kill_all();
                        }
                        std::process::exit(INTERRUPTED);
                    }
                }
            });
        }
    }

    /// Waits for something unless the run is interrupted.
    async fn unless_interrupted<T>(&self, future: impl Future<Output = T>) -> Option<T> {
        let mut future = pin!(future);
        while !self.is_interrupted() {
            if let Ok(done) = timeout(GLANCE, future.as_mut()).await {
                return Some(done);
            }
        }
        None
    }

    async fn start(&self) -> Option<Result<Rc<Server>, StartError>> {
        let yard = self.yard.as_ref()?;
        self.unless_interrupted(yard.start(&[], false)).await
    }

    /// A broker for those that run side by side, as soon as it has started: meanwhile others go on, if there are any.
    async fn next_server(&mut self) -> Option<Result<Rc<Server>, StartError>> {
        self.call_server();
        let coming = self.coming.take()?;
        if !coming.is_finished() && !self.running.is_empty() {
            self.coming = Some(coming);
            return None;
        }
        let come = self.unless_interrupted(coming).await?;
        Some(come.unwrap_or_else(|error| Err(StartError::Files(error.to_string()))))
    }

    /// Lets it start.
    fn call_server(&mut self) {
        let Some(yard) = self.yard.clone() else { return };
        self.coming.get_or_insert_with(|| spawn_local(async move { yard.start(&[], false).await }));
    }

    /// The address at which a broker answers.
    async fn find(&self, addresses: &[SocketAddr]) -> Result<SocketAddr, Probe> {
        let mut worst = Probe::Refuses;
        for round in 0..QUESTIONS {
            for address in addresses {
                for version in [ProtocolVersion::V3_1_1, ProtocolVersion::V5, ProtocolVersion::V3_1] {
                    match probe(*address, version, &self.probe_id(), self.target.credentials(), PATIENCE)
                        .await
                    {
                        Probe::Answers => return Ok(*address),
                        Probe::Silent => worst = Probe::Silent,
                        Probe::Refuses => break,
                    }
                }
            }
            // Who accepts connections is up, and had the time that an answer takes.
            if self.is_interrupted() || (worst == Probe::Silent && round > 0) {
                break;
            }
            sleep(PAUSE).await;
        }
        Err(worst)
    }

    /// Where a broker listens that was there already.
    fn places(&self) -> Places {
        let websocket = match self.target {
            Target::Address { websocket, .. } => websocket.as_ref().map(|(address, _)| *address),
            Target::Profile(_) => None,
        };
        Places::everywhere(self.address, websocket)
    }

    /// How many processes of the broker may run.
    fn processes(&self) -> usize {
        match self.target {
            Target::Profile(profile) => profile.start.processes.max(1),
            Target::Address { .. } => 1,
        }
    }

    /// How many cases one broker bears side by side.
    fn side_by_side(&self) -> usize {
        match self.target {
            Target::Profile(profile) => profile.start.side_by_side,
            Target::Address { .. } => usize::MAX,
        }
    }

    fn probe_id(&self) -> String {
        format!("assayprobe{:x}", self.options.nonce & 0xFF_FFFF)
    }

    /// Sets as many cases going as may run now.
    async fn fill(&mut self) {
        if let Some(reason) = self.summary.lost.clone() {
            return self.give_up(&reason);
        }
        let process = self.yard.is_some();
        // What failed mostly waits for what does not come.
        let jobs = self.options.jobs * if self.in_rounds { WAITING_JOBS } else { 1 };
        let side_by_side = self.side_by_side();
        // One that bears few has others beside it.
        let brokers = (self.options.jobs / side_by_side).clamp(1, self.processes());
        let jobs = jobs.min(side_by_side.saturating_mul(brokers)).max(1);
        self.take_leave().await;
        self.next_round(jobs);
        while self.beside < jobs && (process || self.apart == 0) {
            if self.agenda.shared.is_empty() {
                break;
            }
            let free = self.servers.iter().min_by_key(|server| server.guests.get()).cloned();
            let free = free.filter(|server| server.guests.get() < side_by_side);
            if process && free.is_none() {
                if self.servers.len() >= brokers {
                    break;
                }
                // One that waits for the next case has a place, and perhaps the port.
                let used = self.apart + self.leaving.len() + self.servers.len();
                while used + self.idle.len() >= self.processes() {
                    let Some(server) = self.idle.pop() else { break };
                    server.kill().await;
                }
                if used >= self.processes() {
                    break;
                }
                match self.next_server().await {
                    Some(Ok(server)) => self.servers.push(server),
                    Some(Err(error)) => {
                        let reason = format!("the broker did not start again: {error}");
                        self.summary.lost = Some(reason.clone());
                        return self.give_up(&reason);
                    }
                    None => break,
                }
                continue;
            }
            let Some((slot, turn)) = self.agenda.shared.pop_front() else { break };
            self.spawn(slot, turn, Where::Beside(free));
        }
        // The next round has a broker of its own, which starts while the last ones of this round begin: a place is kept for
        // it, where there is more than one.
        let soon = self.agenda.has_rounds() && !self.servers.is_empty() && self.coming.is_none();
        let shared = self.leaving.len() + self.servers.len() + usize::from(self.coming.is_some());
        if soon && self.agenda.shared.len() < jobs && shared + self.apart + self.idle.len() < self.processes()
        {
            self.call_server();
        }
        // While cases run side by side some of them may fail, and then there is a next round. Who has a broker to itself
        // may have it for long.
        let kept = soon
            || (self.processes() >= MANY
                && self.coming.is_none()
                && self.beside + self.agenda.shared.len() > 0);
        let free = self.processes().saturating_sub(shared + usize::from(kept));
        let most = if process { self.room.now(self.apart).max(1).min(free) } else { 1 };
        while self.apart < most && (process || (self.beside == 0 && self.agenda.shared.is_empty())) {
            if self.agenda.alone.is_empty() {
                self.agenda.begin_round_alone();
            }
            let Some((slot, turn)) = self.agenda.alone.front().copied() else { break };
            let place = match self.one_from_before(slot, turn) {
                Some(server) => Where::Before(server),
                None => {
                    let leave = self.yard.as_ref().map(|yard| yard.leave_to_start());
                    // Before one more has started another may be free again.
                    let Some(leave) = leave.unwrap_or(Some(None)) else { break };
                    self.make_room(most).await;
                    Where::Fresh(leave)
                }
            };
            self.agenda.alone.pop_front();
            self.spawn(slot, turn, place);
        }
        // What fails now comes again.
        if self.apart == 0 && self.agenda.has_nobody_alone() {
            for server in std::mem::take(&mut self.idle) {
                server.kill().await;
            }
        }
    }

    /// Ends brokers that wait for the next case until one more may start: first those that served most.
    async fn make_room(&mut self, most: usize) {
        self.idle.sort_by_key(|server| server.served.get());
        while self.apart + self.idle.len() >= most {
            let Some(server) = self.idle.pop() else { break };
            server.kill().await;
        }
    }

    /// Ends the brokers that nobody is on any more.
    async fn take_leave(&mut self) {
        if self.agenda.shared.is_empty() && self.beside == 0 {
            self.leaving.append(&mut self.servers);
        }
        // Who runs on one holds it.
        let (used, left) = self.leaving.drain(..).partition(|server| Rc::strong_count(server) > 1);
        self.leaving = used;
        let left: Vec<Rc<Server>> = left;
        for server in left {
            server.kill().await;
        }
    }

    /// Begins the next round when few of the last one are left: those few wait for what does not come, and what they
    /// wait for comes no sooner if the others wait for them.
    fn next_round(&mut self, jobs: usize) {
        if !self.agenda.shared.is_empty() || self.beside > jobs / TAIL {
            return;
        }
        if self.agenda.begin_round() {
            // A broker of its own is started for them.
            self.leaving.append(&mut self.servers);
            self.in_rounds = true;
        }
    }

    /// Whether a start of the broker costs so much that brokers are shared where that cannot change a verdict.
    fn is_costly(&self) -> bool {
        matches!(self.target, Target::Profile(profile) if profile.start.costly)
    }

    /// How many cases may have a broker to themselves one after the other.
    fn in_a_row(&self) -> usize {
        match self.target {
            Target::Profile(profile) => profile.start.in_a_row,
            Target::Address { .. } => usize::MAX,
        }
    }

    /// A broker that others have had to themselves, for a case that may follow them. The last word on a case that
    /// failed has a run behind few others, and on one that ends the broker a run behind none: what others left behind
    /// may come back with it. The rest is for those that have served most.
    fn one_from_before(&mut self, number: usize, turn: Turn) -> Option<Rc<Server>> {
        let slot = self.agenda.slot(number).filter(|slot| slot.follows)?;
        let travels = self.travels(&slot.plan, turn);
        let most = match turn {
            Turn::First | Turn::Again if self.is_costly() => usize::MAX,
            Turn::First | Turn::Again | Turn::Last => self.in_a_row(),
            Turn::Suspect(_) => return None,
        };
        if turn == Turn::Last && slot.plan.steps.iter().any(|step| matches!(step.act, StepAct::Broker(_))) {
            return None;
        }
        let served = |at: &usize| self.idle[*at].served.get();
        let fits = |at: &usize| served(at) < most && (!travels || self.idle[*at].has_clock());
        let at = (0..self.idle.len()).filter(fits).max_by_key(served)?;
        Some(self.idle.remove(at))
    }

    /// Whether the clock of the broker on which a case runs alone is moved. That costs the process time of its own, but
    /// what failed may have waited in vain.
    fn travels(&self, plan: &Plan, turn: Turn) -> bool {
        self.summary.travels == Some(true) && (turn.is_again() || shortest_span(plan) >= WORTH_IT)
    }

    /// Sets a case going.
    fn spawn(&mut self, number: usize, turn: Turn, place: Where) {
        // Its outcome may have been handed out meanwhile.
        let Some(slot) = self.agenda.slot(number) else { return };
        let alone = !matches!(place, Where::Beside(_));
        match &place {
            Where::Before(_) | Where::Fresh(_) => self.apart += 1,
            Where::Beside(server) => {
                self.beside += 1;
                if let Some(server) = server {
                    server.guests.set(server.guests.get() + 1);
                }
            }
        }
        let mut stage = self.options.stage;
        if slot.plan.clients.iter().any(|client| client.version != ProtocolVersion::V5) {
            stage.patience = stage.patience.max(self.options.resending);
        }
        let errand = Errand {
            plan: Rc::clone(&slot.plan),
            seed: slot.seed,
            stage,
            client_id: self.probe_id(),
            credentials: self.target.credentials().cloned(),
            travels: self.travels(&slot.plan, turn),
        };
        let yard = self.yard.clone();
        let stays = alone && !matches!(turn, Turn::Suspect(_)) && slot.follows && self.in_a_row() > 1;
        let places = self.places();
        self.running.spawn_local(async move {
            let result = match (yard, place) {
                (Some(_), Where::Before(server)) => Ok(errand.behind_others(server, stays).await),
                (Some(yard), Where::Fresh(leave)) => errand.on_a_new_one(&yard, leave, stays).await,
                (Some(_), Where::Beside(Some(server))) => Ok(errand.beside_others(server).await),
                (Some(_), Where::Beside(None)) => Err(StartError::Files("there is no broker".into())),
                (None, _) => Ok(errand.at(places).await),
            };
            Done { slot: number, turn, alone, result }
        });
    }

    /// What becomes of a result.
    fn take(&mut self, done: Done) {
        let number = done.slot;
        let together = self.beside + self.apart;
        if done.alone {
            self.apart -= 1;
        } else {
            self.beside -= 1;
            if let Ok(Run { server: Some(server), .. }) = &done.result {
                server.guests.set(server.guests.get().saturating_sub(1));
            }
        }
        let run = match done.result {
            Ok(run) => run,
            Err(error) => {
                if let Turn::Suspect(death) = done.turn {
                    self.cleared(death, false);
                }
                // If it has been run before, what is known of it stands.
                let unknown = !done.turn.is_again();
                let reason = unknown.then(|| format!("no broker could be started for it: {error}"));
                return self.hand_out(number, reason);
            }
        };
        if let (false, Some(log), Some(server)) = (done.alone, &run.died, &run.server) {
            return self.suspect(number, log, &Rc::clone(server));
        }
        let options = self.options;
        let costly = self.is_costly();
        let travels = self.summary.travels == Some(true);
        let Some(slot) = self.agenda.slot_mut(number) else { return };
        let findings = (options.judge)(&slot.plan, &run.played);
        let verdict = verdict_of(&findings);
        let mixed = self.yard.is_some()
            && slot.named_apart
            && verdict != Verdict::Pass
            && hears_others(&run.played.history, options.nonce, slot.index);
        if done.alone {
            let clear = matches!(verdict, Verdict::Pass | Verdict::Fail) && !(run.used && mixed);
            match run.server.clone() {
                Some(server) if clear => self.idle.push(server),
                // What those before left behind may be to blame: it is asked the same again.
                _ if run.used && !clear => {
                    slot.follows = false;
                    self.agenda.alone.push_front((number, done.turn));
                    return;
                }
                _ => {}
            }
        }
        if !done.alone && mixed {
            // What the broker gets wrong beside others is no finding about this case; what it gets wrong alone is.
            slot.beside = false;
            self.agenda.alone.push_back((number, done.turn));
            return;
        }
        let died = run.died.is_some();
        if run.gone {
            return self.lost(number, run, together);
        }
        if self.summary.lost.is_some() && verdict == Verdict::Fail {
            // It failed beside the one that noticed, and nobody can ask again.
            let reason = self.summary.lost.clone();
            slot.first.get_or_insert((run.played, run.real));
            return self.hand_out(number, reason);
        }
        if let Some(log) = run.died
            && slot.crash.is_none()
        {
            slot.crash = Some(crash_of(&slot.plan, &run.played.history, log));
        }
        slot.attempts.push(verdict);
        slot.broke(&findings);
        match done.turn {
            // A suspect may have been on its way through its runs again.
            Turn::Again | Turn::Last | Turn::Suspect(_) if slot.first.is_some() => {
                slot.reruns = slot.reruns.saturating_sub(1);
            }
            Turn::First | Turn::Again | Turn::Last | Turn::Suspect(_) => {
                slot.first = Some((run.played, run.real));
                if verdict == Verdict::Fail {
                    // The last word has a run on a broker of its own, where no neighbour can be to blame, unless
                    // a start costs too much, or the run waits so long that no neighbour can delay an answer beyond.
                    let took = slot.first.as_ref().map_or(Duration::ZERO, |(_, real)| *real);
                    let waits = took >= LONG_WAIT;
                    let rounds = match slot.beside && self.yard.is_some() {
                        true if took >= LONGEST_WAIT => 0,
                        // Where the clock can be moved nobody has to wait.
                        true if waits && travels && !costly => 0,
                        true if costly || waits => options.reruns,
                        true => options.reruns.saturating_sub(1),
                        false => 0,
                    };
                    self.agenda.again(number, options.reruns, rounds);
                }
            }
        }
        let over = self.agenda.slot(number).is_none_or(|slot| slot.reruns == 0);
        if let Turn::Suspect(death) = done.turn {
            self.cleared(death, died);
        }
        if over {
            self.hand_out(number, None);
        }
    }

    /// The broker died under several cases: each is asked again with a broker to itself.
    fn suspect(&mut self, number: usize, log: &[String], server: &Rc<Server>) {
        self.servers.retain(|current| !Rc::ptr_eq(current, server));
        let server = Rc::downgrade(server);
        let known = self.deaths.iter().position(|death| death.server.ptr_eq(&server));
        let death = known.unwrap_or_else(|| {
            let log = log.to_vec();
            self.deaths.push(Death { server, suspects: Vec::new(), pending: 0, found: false, log });
            self.deaths.len() - 1
        });
        if let Some(slot) = self.agenda.slot(number) {
            self.deaths[death].suspects.push(format!("{} {}", slot.plan.full_name(), slot.plan.version));
        }
        self.deaths[death].pending += 1;
        self.agenda.alone.push_back((number, Turn::Suspect(death)));
    }

    /// A suspect has been asked again.
    fn cleared(&mut self, number: usize, found: bool) {
        let death = &mut self.deaths[number];
        death.pending -= 1;
        death.found |= found;
        if death.pending == 0 && !death.found {
            self.summary.unexplained.push(Crash {
                cases: death.suspects.clone(),
                client: None,
                packet: None,
                version: ProtocolVersion::V5,
                log: death.log.clone(),
            });
        }
    }

    /// A broker that nobody here can start again is gone.
    fn lost(&mut self, number: usize, run: Run, together: usize) {
        let Some(slot) = self.agenda.slot_mut(number) else { return };
        let name = format!("{} {}", slot.plan.full_name(), slot.plan.version);
        let beside = match together {
            0 | 1 => String::new(),
            count => format!(", which ran beside {} others", count - 1),
        };
        let reason =
            format!("the broker at {} accepts no connection any more since {name}{beside}", self.address);
        let crash = crash_of(&slot.plan, &run.played.history, Vec::new());
        let alone = together <= 1;
        if alone {
            slot.attempts.push(verdict_of(&(self.options.judge)(&slot.plan, &run.played)));
            slot.crash = Some(crash);
        } else {
            self.summary.unexplained.push(crash);
        }
        slot.first.get_or_insert((run.played, run.real));
        self.summary.lost.get_or_insert(reason.clone());
        self.hand_out(number, (!alone).then_some(reason));
    }

    /// Nothing more can be asked.
    fn give_up(&mut self, reason: &str) {
        let (left, rounds) = self.agenda.clear();
        for (number, turn) in left {
            match turn {
                // What is known of it stands.
                Turn::Again | Turn::Last => self.hand_out(number, None),
                Turn::First | Turn::Suspect(_) => self.hand_out(number, Some(reason.to_string())),
            }
        }
        for number in rounds {
            self.hand_out(number, None);
        }
    }

    fn hand_out(&mut self, number: usize, unanswered: Option<String>) {
        let Some(slot) = self.agenda.strike(number) else { return };
        let (played, real) = slot.first.map_or((None, Duration::ZERO), |(played, real)| (Some(played), real));
        (self.each)(LiveOutcome {
            played,
            unanswered,
            crash: slot.crash,
            always: slot.always.filter(|_| slot.attempts.len() > 1),
            attempts: slot.attempts,
            real,
            broker: self.summary.broker.clone(),
            ..outcome(slot.index, Rc::unwrap_or_clone(slot.plan))
        });
    }
}
