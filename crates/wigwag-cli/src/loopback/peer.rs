//! One of the two peers, on its own thread.

use super::cpu;
use super::data::Source;
use super::media::Media;
use super::sum::{Sum, Summing};
use crate::recording::Recording;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::{Duration, Instant};
use wigwag::{
    ChannelId, Config, ConnectionId, DataChannelInit, Direction, Endpoint, EndpointEvent, Event, IceCandidate,
    MediaKind, PeerConnection, SdpType, SessionDescription, TransportStats, Version,
};
use wigwag_mio::{Driver, DriverStats, Handle, wall_clock};

/// How long it may take until data flows.
const SETUP_TIME_MAX: Duration = Duration::from_secs(15);
/// How long what is on its way may take.
const DRAIN_TIME_MAX: Duration = Duration::from_secs(30);
/// The longest sleep: the other thread may have finished.
const TURN_TIME_MAX: Duration = Duration::from_millis(50);
const FAREWELL_TIME_MAX: Duration = Duration::from_secs(5);

/// Said once everything was sent, and once everything has arrived.
const END: &[u8] = b"end";
const ARRIVED: &[u8] = b"arrived";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Offerer,
    Answerer,
}

/// What whoever shows the progress may look at; first the offerer, then the answerer.
#[derive(Debug, Default)]
pub(super) struct Shared {
    pub(super) is_open: [AtomicBool; 2],
    pub(super) is_finished: [AtomicBool; 2],
    pub(super) has_failed: AtomicBool,
    /// Somebody wants it to end before its time: what is on its way still arrives.
    pub(super) is_stopped: AtomicBool,
    pub(super) bytes_received: [AtomicU64; 2],
    pub(super) packets_received: [AtomicU64; 2],
}

enum Signal {
    Description(SessionDescription),
    Candidate(Option<IceCandidate>),
}

/// Everything that one peer has seen.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) setup: Duration,
    /// From the first byte to the last.
    pub(super) time: Duration,
    /// Processor time of the whole process in that time.
    pub(super) cpu: Option<Duration>,
    /// That part of it which went into the two sums of this end.
    pub(super) sums_cpu: Option<Duration>,
    pub(super) sent: Sum,
    pub(super) received: Sum,
    pub(super) media_sent: u64,
    pub(super) media_received: u64,
    pub(super) media_refused: u64,
    pub(super) transport: TransportStats,
    pub(super) drops: BTreeMap<&'static str, u64>,
    pub(super) driver: DriverStats,
}

/// Data in both directions.
struct Exchange {
    channel: ChannelId,
    began: Instant,
    cpu_at_begin: Option<Duration>,
    setup: Duration,
    source: Source,
    received: Summing,
    has_said_end: bool,
    /// What is still to be said, in order.
    to_say: Vec<&'static [u8]>,
    has_heard_end: bool,
    has_heard_arrived: bool,
}

pub(super) struct Peer {
    role: Role,
    driver: Driver,
    signals: Receiver<Signal>,
    other: Sender<Signal>,
    other_handle: Handle<Endpoint>,
    duration: Duration,
    /// The newest to speak.
    dtls: Version,
    shared: Arc<Shared>,
    media: Media,
    exchange: Option<Exchange>,
    /// Of the offerer alone: what the answerer sees is the same.
    recording: Recording,
}

impl Peer {
    /// Two peers that can signal to each other.
    pub(super) fn pair(
        a: Driver,
        z: Driver,
        duration: Duration,
        dtls: Version,
        shared: &Arc<Shared>,
        recording: Recording,
    ) -> (Self, Self) {
        let (to_a, from_z) = mpsc::channel();
        let (to_z, from_a) = mpsc::channel();
        let (a_handle, z_handle) = (a.handle(), z.handle());
        let peer = |role, driver, signals, other, other_handle, recording| Self {
            role,
            driver,
            signals,
            other,
            other_handle,
            duration,
            dtls,
            shared: Arc::clone(shared),
            media: Media::default(),
            exchange: None,
            recording,
        };
        (
            peer(Role::Offerer, a, from_z, to_z, z_handle, recording),
            peer(Role::Answerer, z, from_a, to_a, a_handle, Recording::default()),
        )
    }

    /// # Errors
    /// Why nothing was measured, in words.
    pub(super) fn run(mut self) -> Result<Outcome, String> {
        let result = self.connect_and_exchange();
        if result.is_err() {
            self.shared.has_failed.store(true, Ordering::Relaxed);
        }
        let outcome = result?;
        self.recording.finish().map_err(text)?;
        Ok(outcome)
    }

    fn connect_and_exchange(&mut self) -> Result<Outcome, String> {
        let began = Instant::now();
        let mut config = Config::new(wall_clock());
        config.dtls_versions = Version::Dtls12..=self.dtls;
        self.recording.ask(&mut config);
        let id = self.driver.endpoint_mut().create(config).map_err(text)?;
        if self.role == Role::Offerer {
            let offer = offer(self.connection(id)?)?;
            self.signal(Signal::Description(offer))?;
        }
        loop {
            self.take_signals(id)?;
            self.take_events(id, began)?;
            let now = Instant::now();
            self.pump(id, now)?;
            if let Some(outcome) = self.finished(id, now)? {
                return Ok(outcome);
            }
            if self.shared.has_failed.load(Ordering::Relaxed) {
                return Err("the other peer has failed".to_owned());
            }
            if self.exchange.is_none() && self.shared.is_stopped.load(Ordering::Relaxed) {
                return Err("stopped before the peers were connected".to_owned());
            }
            if self.exchange.is_none() && now.saturating_duration_since(began) > SETUP_TIME_MAX {
                let state = self.connection(id)?.connection_state();
                return Err(format!("the peers did not connect in {SETUP_TIME_MAX:?}; the connection is {state}"));
            }
            let wait = self.wait(now);
            self.turn(wait)?;
        }
    }

    fn turn(&mut self, wait: Duration) -> Result<(), String> {
        self.driver.run_once(Some(wait)).map_err(text)?;
        self.recording.take(self.driver.endpoint_mut());
        Ok(())
    }

    fn connection(&mut self, id: ConnectionId) -> Result<&mut PeerConnection, String> {
        self.driver.endpoint_mut().connection_mut(id).ok_or_else(|| "the connection is gone".to_owned())
    }

    fn signal(&self, signal: Signal) -> Result<(), String> {
        self.other.send(signal).map_err(|_| "the other peer has ended")?;
        self.other_handle.wake().map_err(text)
    }

    fn take_signals(&mut self, id: ConnectionId) -> Result<(), String> {
        while let Ok(signal) = self.signals.try_recv() {
            let connection = self.connection(id)?;
            match signal {
                Signal::Description(description) if description.kind == SdpType::Offer => {
                    let answer = answer(connection, description)?;
                    self.signal(Signal::Description(answer))?;
                }
                Signal::Description(description) => connection.set_remote_description(description).map_err(text)?,
                Signal::Candidate(candidate) => connection.add_ice_candidate(candidate.as_ref()).map_err(text)?,
            }
        }
        Ok(())
    }

    fn take_events(&mut self, id: ConnectionId, began: Instant) -> Result<(), String> {
        while let Some(event) = self.driver.poll_event() {
            let EndpointEvent::Connection(_, event) = event else { continue };
            match event {
                Event::IceCandidate(candidate) => self.signal(Signal::Candidate(candidate))?,
                Event::ChannelOpened(channel) => self.start(id, channel, began)?,
                Event::Message { data, is_binary, .. } => self.hear(data, is_binary),
                Event::Writable => {
                    if let Some(exchange) = &mut self.exchange {
                        exchange.source.unblock();
                    }
                }
                Event::RtpPacket { .. } => {
                    self.media.packets_received += 1;
                    self.count(&self.shared.packets_received, self.media.packets_received);
                }
                Event::Closed(reason) => return Err(format!("the connection ended: {reason}")),
                event => tracing::debug!(role = ?self.role, ?event),
            }
        }
        Ok(())
    }

    fn count(&self, counters: &[AtomicU64; 2], value: u64) {
        if let Some(counter) = counters.get(self.role as usize) {
            counter.store(value, Ordering::Relaxed);
        }
    }

    fn start(&mut self, id: ConnectionId, channel: ChannelId, began: Instant) -> Result<(), String> {
        let now = Instant::now();
        let seed = wigwag_mio::seed().map_err(text)?;
        if let Some(connection) = self.driver.endpoint().connection(id) {
            self.media.start(connection, now);
        }
        self.exchange = Some(Exchange {
            channel,
            began: now,
            cpu_at_begin: cpu::time(),
            setup: now.saturating_duration_since(began),
            source: Source::new(seed, Summing::start().map_err(text)?),
            received: Summing::start().map_err(text)?,
            has_said_end: false,
            to_say: Vec::new(),
            has_heard_end: false,
            has_heard_arrived: false,
        });
        if let Some(flag) = self.shared.is_open.get(self.role as usize) {
            flag.store(true, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Bytes are data, strings say how far the other is.
    fn hear(&mut self, data: Bytes, is_binary: bool) {
        let Some(exchange) = &mut self.exchange else { return };
        match data.as_ref() {
            _ if is_binary => exchange.received.add(data),
            END => {
                exchange.has_heard_end = true;
                exchange.to_say.push(ARRIVED);
            }
            ARRIVED => exchange.has_heard_arrived = true,
            other => tracing::warn!(len = other.len(), "an unknown word"),
        }
        let received = exchange.received.bytes;
        self.count(&self.shared.bytes_received, received);
    }

    /// Sends what is to be sent now.
    fn pump(&mut self, id: ConnectionId, now: Instant) -> Result<(), String> {
        let Some(exchange) = &mut self.exchange else { return Ok(()) };
        let Some(connection) = self.driver.endpoint_mut().connection_mut(id) else { return Ok(()) };
        let is_over = now.saturating_duration_since(exchange.began) >= self.duration
            || self.shared.is_stopped.load(Ordering::Relaxed);
        if is_over && !exchange.has_said_end {
            self.media.stop();
            exchange.has_said_end = true;
            exchange.to_say.push(END);
        }
        self.media.send(connection, now);
        if !is_over {
            exchange.source.send(connection, exchange.channel).map_err(text)?;
        }
        while let Some(word) = exchange.to_say.first() {
            match connection.send(exchange.channel, Bytes::from_static(word), false) {
                Ok(()) => drop(exchange.to_say.remove(0)),
                Err(wigwag::SendError::Full(_)) => break,
                Err(error) => return Err(error.to_string()),
            }
        }
        Ok(())
    }

    fn wait(&self, now: Instant) -> Duration {
        let until = |at: Instant| at.saturating_duration_since(now);
        let is_sending = |exchange: &Exchange| !exchange.has_said_end && exchange.source.may_send();
        if self.exchange.as_ref().is_some_and(is_sending) {
            return Duration::ZERO;
        }
        self.media.due().map_or(TURN_TIME_MAX, until).min(TURN_TIME_MAX)
    }

    /// The outcome, once both directions are through at both ends.
    fn finished(&mut self, id: ConnectionId, now: Instant) -> Result<Option<Outcome>, String> {
        let Some(exchange) = &self.exchange else { return Ok(None) };
        if !(exchange.has_heard_end && exchange.has_heard_arrived && exchange.to_say.is_empty()) {
            let time = now.saturating_duration_since(exchange.began);
            if time > self.duration + DRAIN_TIME_MAX {
                return Err(format!("what was sent did not arrive in {DRAIN_TIME_MAX:?} after the last byte"));
            }
            return Ok(None);
        }
        let outcome = self.outcome(id, now)?;
        self.part(id)?;
        Ok(Some(outcome))
    }

    fn outcome(&mut self, id: ConnectionId, now: Instant) -> Result<Outcome, String> {
        let exchange = self.exchange.take().ok_or("no data was exchanged")?;
        let (sent, sent_cpu) = exchange.source.sent.finish()?;
        let (received, received_cpu) = exchange.received.finish()?;
        let connection = self.driver.endpoint().connection(id).ok_or("the connection is gone")?;
        Ok(Outcome {
            setup: exchange.setup,
            time: now.saturating_duration_since(exchange.began),
            cpu: cpu::time().zip(exchange.cpu_at_begin).map(|(end, begin)| end.saturating_sub(begin)),
            sums_cpu: sent_cpu.zip(received_cpu).map(|(sent, received)| sent + received),
            sent,
            received,
            media_sent: self.media.packets_sent,
            media_received: self.media.packets_received,
            media_refused: self.media.packets_refused,
            transport: connection.transport_stats(),
            drops: connection.drops().into_iter().collect(),
            driver: self.driver.stats(),
        })
    }

    /// Goes on until the other has finished too, which may still wait for a word of ours, and says goodbye.
    fn part(&mut self, id: ConnectionId) -> Result<(), String> {
        if let Some(flag) = self.shared.is_finished.get(self.role as usize) {
            flag.store(true, Ordering::Relaxed);
        }
        let _ = self.other_handle.wake();
        let deadline = Instant::now() + FAREWELL_TIME_MAX;
        while Instant::now() < deadline && !self.driver.endpoint().is_empty() {
            if self.shared.is_finished.iter().all(|flag| flag.load(Ordering::Relaxed))
                && let Some(connection) = self.driver.endpoint_mut().connection_mut(id)
            {
                connection.close();
            }
            while self.driver.poll_event().is_some() {}
            self.turn(Duration::from_millis(5))?;
        }
        Ok(())
    }
}

fn offer(connection: &mut PeerConnection) -> Result<SessionDescription, String> {
    for kind in [MediaKind::Audio, MediaKind::Video] {
        connection.add_transceiver(kind, Direction::Sendrecv).map_err(text)?;
    }
    connection.create_data_channel("loopback", DataChannelInit::default()).map_err(text)?;
    let offer = connection.create_offer().map_err(text)?;
    connection.set_local_description(offer.clone()).map_err(text)?;
    Ok(offer)
}

fn answer(connection: &mut PeerConnection, offer: SessionDescription) -> Result<SessionDescription, String> {
    connection.set_remote_description(offer).map_err(text)?;
    let transceivers: Vec<_> = connection.transceivers().map(|transceiver| transceiver.id).collect();
    for id in transceivers {
        connection.set_direction(id, Direction::Sendrecv).map_err(text)?;
    }
    let answer = connection.create_answer().map_err(text)?;
    connection.set_local_description(answer.clone()).map_err(text)?;
    Ok(answer)
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn text(error: impl ToString) -> String {
    error.to_string()
}
