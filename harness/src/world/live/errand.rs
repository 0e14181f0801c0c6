//! How one case is played on a broker, and what is asked of the broker afterwards.
//!
//! Never the case: a decision about other cases.

use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use reference_broker::codec::ProtocolVersion;
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::spawn_local;
use tokio::time::{Instant, sleep};

use crate::history::History;
use crate::profile::Credentials;
use crate::run::{Stage, StageOptions};
use crate::scenario::{BrokerAct, Plan};
use crate::verdict::{Finding, Weight};
use crate::world::Played;
use crate::world::drive::{Control, Reporter, drive};

use super::StartError;
use super::places::Places;
use super::probe::{PATIENCE, Probe, Traces, probe};
use super::process::{Server, Yard};
use super::session::PAUSE;
use super::travel::LEAP;

/// How long after its connections a process may end.
const DYING: Duration = Duration::from_millis(150);
/// Questions to a broker after a case that went wrong, before it is given up.
pub(super) const QUESTIONS: usize = 5;
/// How long the last of them waits for its answer.
const LONGEST_PATIENCE: Duration = Duration::from_secs(4);
/// After this nothing more is asked.
const LIMIT: Duration = Duration::from_secs(8);

/// What came of one run of a case.
pub(super) struct Run {
    pub(super) played: Played,
    pub(super) real: Duration,
    /// The process ended by itself; its last output.
    pub(super) died: Option<Vec<String>>,
    /// It cannot be connected to any more.
    pub(super) gone: bool,
    /// The shared server it ran on, or one that it leaves to others.
    pub(super) server: Option<Rc<Server>>,
    /// Others were there before it, and had it to themselves.
    pub(super) used: bool,
}

/// What a task needs to play a case.
pub(super) struct Errand {
    pub(super) plan: Rc<Plan>,
    pub(super) seed: u64,
    pub(super) stage: StageOptions,
    pub(super) client_id: String,
    pub(super) credentials: Option<Credentials>,
    /// Whether a broker of its own gets a clock that can be moved.
    pub(super) travels: bool,
}

impl Errand {
    /// On a broker that is started for it.
    pub(super) async fn on_a_new_one(
        self,
        yard: &Rc<Yard>,
        leave: Option<OwnedSemaphorePermit>,
        stays: bool,
    ) -> Result<Run, StartError> {
        let server = yard.start(&self.plan.config, self.travels).await?;
        drop(leave);
        Ok(self.on_its_own(server, false, stays).await)
    }

    /// On a broker that others had to themselves before.
    pub(super) async fn behind_others(self, server: Rc<Server>, stays: bool) -> Run {
        self.on_its_own(server, true, stays).await
    }

    /// On a broker that nobody else uses meanwhile. It stays for others if it may and lives.
    async fn on_its_own(self, server: Rc<Server>, used: bool, stays: bool) -> Run {
        let (played, real) = self.play(server.places, Some(Rc::clone(&server))).await;
        let died = self.death(&played, &server).await;
        let stays = stays && died.is_none() && server.should_answer();
        if stays {
            server.served.set(server.served.get() + 1);
            self.clear(&played, &server.places).await;
        } else {
            server.kill().await;
        }
        Run { played, real, died, gone: false, server: stays.then_some(server), used }
    }

    /// On a broker that others use at the same time.
    pub(super) async fn beside_others(self, server: Rc<Server>) -> Run {
        let (played, real) = self.play(server.places, Some(Rc::clone(&server))).await;
        let died = self.death(&played, &server).await;
        if died.is_none() {
            self.clear(&played, &server.places).await;
        }
        Run { played, real, died, gone: false, server: Some(server), used: false }
    }

    /// On a broker that was there before.
    pub(super) async fn at(self, places: Places) -> Run {
        let (played, real) = self.play(places, None).await;
        let gone = !played.findings.is_empty() && !self.answers(&places.listeners(|_| true)).await;
        if !gone {
            self.clear(&played, &places).await;
        }
        Run { played, real, died: None, gone, server: None, used: false }
    }

    /// Plays the case; a panic of the harness is a finding about the harness.
    async fn play(&self, wire: Places, server: Option<Rc<Server>>) -> (Played, Duration) {
        let began = Instant::now();
        let (plan, seed, options) = (Rc::clone(&self.plan), self.seed, self.stage);
        let version = plan.version;
        // What comes a leap late must still be in time.
        let leap = LEAP.min(plan.tolerance);
        let task = spawn_local(async move {
            let mut stage = Stage::new(&plan, seed, options);
            drive(&mut stage, wire, &mut Hand { server, version, leap }).await;
            let (history, findings, recorded) = stage.finish();
            Played { history, findings, recorded }
        });
        let played = task.await.unwrap_or_else(|error| Played {
            history: History::new(),
            recorded: Vec::new(),
            findings: vec![Finding {
                weight: Weight::Harness,
                requirement: self.plan.requirements.first().cloned().unwrap_or_default(),
                also: Vec::new(),
                expected: "the harness plays the plan to its end".into(),
                observed: error.to_string(),
                events: Vec::new(),
                step: None,
                by: "live".into(),
            }],
        });
        (played, began.elapsed())
    }

    /// The last output of a process that ended by itself, or that answers nobody any more.
    async fn death(&self, played: &Played, server: &Server) -> Option<Vec<String>> {
        let suspicious = !played.findings.is_empty();
        if server.has_died() || (suspicious && server.dies_within(DYING).await) {
            return Some(server.log());
        }
        if suspicious && server.should_answer() && !self.answers(&server.listeners()).await {
            server.give_up();
            return Some(server.log());
        }
        None
    }

    /// Whether the broker still answers somebody who has done nothing wrong, at every listener.
    async fn answers(&self, listeners: &[(SocketAddr, Vec<ProtocolVersion>)]) -> bool {
        for (address, versions) in listeners {
            if !self.answers_at(*address, versions).await {
                return false;
            }
        }
        true
    }

    async fn answers_at(&self, address: SocketAddr, versions: &[ProtocolVersion]) -> bool {
        // Many at a time may keep a slow broker busy for a while; that is no death.
        let mut patience = PATIENCE;
        let end = Instant::now() + LIMIT;
        for round in 0..QUESTIONS {
            for version in versions {
                if round > 0 && Instant::now() > end {
                    return false;
                }
                let credentials = self.credentials.as_ref();
                if probe(address, *version, &self.client_id, credentials, patience).await == Probe::Answers {
                    return true;
                }
            }
            patience = (patience * 2).min(LONGEST_PATIENCE);
            sleep(PAUSE).await;
        }
        false
    }

    async fn clear(&self, played: &Played, places: &Places) {
        let plan = &self.plan;
        let version =
            |client: u32| plan.clients.get(client as usize).map_or(plan.version, |client| client.version);
        let traces = Traces::of(&played.history, version);
        traces.clear(places, &self.client_id, self.credentials.as_ref()).await;
    }
}

/// The hand on a broker's process, if there is one.
struct Hand {
    server: Option<Rc<Server>>,
    /// The version that the plan is for: the broker listens for it.
    version: ProtocolVersion,
    /// How far its clock is moved at once; not at all once it did not notice.
    leap: Duration,
}

impl Control for Hand {
    fn attach(&mut self, reporter: Reporter) {
        if let Some(server) = &self.server {
            server.attach(reporter);
        }
    }

    fn act(&mut self, act: BrokerAct) {
        if let Some(server) = &self.server {
            spawn_local(Rc::clone(server).act(act));
        }
    }

    fn leap(&self) -> Option<Duration> {
        let server = self.server.as_ref()?;
        (server.can_travel() && !self.leap.is_zero()).then_some(self.leap)
    }

    async fn travel(&mut self, by: Duration) -> Duration {
        let Some(server) = &self.server else { return Duration::ZERO };
        let (moved, noticed) = server.travel(by, self.version).await;
        if !noticed {
            // The rest is waited for in real time.
            self.leap = Duration::ZERO;
        }
        moved
    }
}
