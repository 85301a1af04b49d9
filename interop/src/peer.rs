//! wigwag's part in a scenario: an endpoint on a real socket, driven by a thread of its own.

use crate::selecting::{Selecting, Told};
use anyhow::{Context, Result, anyhow, bail};
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use wigwag::{
    ChannelId, Config, ConnectionId, ConnectionState, Endpoint, EndpointConfig, EndpointEvent, Event, Frame,
    IceCandidate, PeerConnection, ReceivedFrame, SendError, TransceiverId,
};
use wigwag_mio::{Driver, DriverConfig, Handle, Tls};

/// What has happened so far, as a scenario may ask.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) events: Vec<String>,
    pub(crate) connection: Option<ConnectionState>,
    pub(crate) candidates: Vec<Option<IceCandidate>>,
    /// By label: what arrived on channels that do not echo.
    pub(crate) messages: BTreeMap<String, Vec<(Bytes, bool)>>,
    pub(crate) opened: BTreeMap<String, ChannelId>,
    pub(crate) closed_channels: usize,
    pub(crate) media_packets: u64,
    /// Packets of each layer.
    pub(crate) layers: BTreeMap<String, u64>,
    /// By payload type: how many frames came, of them key frames, and how often some were lost.
    pub(crate) frames: BTreeMap<u8, (u64, u64)>,
    pub(crate) frames_lost: u64,
    pub(crate) keys_pressed: String,
    pub(crate) key_frames_requested: u64,
    pub(crate) negotiations_needed: u32,
    /// Of pictures with layers.
    pub(crate) told: Told,
    /// Of how many packets of ours the browser has told whether they arrived (transport-wide feedback).
    pub(crate) arrivals_reported: usize,
    pub(crate) closed: Option<String>,
}

/// What the driver's thread shares with the scenario's.
#[derive(Default)]
struct Shared {
    seen: Mutex<Seen>,
    changed: Condvar,
    /// An address to bind as well.
    wanted: Mutex<Option<IpAddr>>,
    /// The highest temporal layer that is sent back, where packets tell it.
    temporal_max: AtomicU8,
}

pub(crate) struct Peer {
    handle: Handle<Endpoint>,
    id: ConnectionId,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    is_over: Arc<std::sync::atomic::AtomicBool>,
}

impl Peer {
    /// What arrives on channels that the browser opened and whose label begins with `echo`, and all media, is sent back.
    pub(crate) fn start(address: IpAddr, adapt: impl FnOnce(&mut Config)) -> Result<Self> {
        Self::start_trusting(address, None, adapt)
    }

    /// ... who trusts these in TLS.
    pub(crate) fn start_trusting(
        address: IpAddr,
        trusted: Option<Tls>,
        adapt: impl FnOnce(&mut Config),
    ) -> Result<Self> {
        let mut driver_config = DriverConfig::new([SocketAddr::new(address, 0)]);
        driver_config.tls = trusted;
        Self::start_with(driver_config, adapt)
    }

    /// ... whom UDP does not reach: browsers open streams to it.
    pub(crate) fn start_listening(address: IpAddr, adapt: impl FnOnce(&mut Config)) -> Result<Self> {
        let mut driver_config = DriverConfig::new([]);
        driver_config.tcp_listeners = vec![SocketAddr::new(address, 0)];
        Self::start_with(driver_config, adapt)
    }

    /// ... whom UDP does not reach either: it opens streams to peers that listen.
    pub(crate) fn start_opening(adapt: impl FnOnce(&mut Config)) -> Result<Self> {
        let mut driver_config = DriverConfig::new([]);
        driver_config.tcp_active = true;
        Self::start_with(driver_config, adapt)
    }

    fn start_with(mut driver_config: DriverConfig, adapt: impl FnOnce(&mut Config)) -> Result<Self> {
        driver_config.refresh_interval = Some(Duration::from_millis(500));
        let mut driver = Driver::bind(&driver_config, EndpointConfig::default())?;
        let mut config = Config::new(wigwag_mio::wall_clock());
        adapt(&mut config);
        let id = driver.endpoint_mut().create(config)?;
        let handle = driver.handle();
        let shared = Arc::new(Shared::default());
        let is_over = Arc::new(std::sync::atomic::AtomicBool::new(false));
        let (theirs, flag) = (Arc::clone(&shared), Arc::clone(&is_over));
        let thread = std::thread::spawn(move || {
            let mut echo = Echo::default();
            while !flag.load(std::sync::atomic::Ordering::Relaxed) {
                if let Err(error) = driver.run_once(Some(Duration::from_millis(100))) {
                    eprintln!("the driver failed: {error}");
                    return;
                }
                if let Some(address) = theirs.wanted.lock().ok().and_then(|mut wanted| wanted.take())
                    && let Err(error) = driver.bind_address(SocketAddr::new(address, 0))
                {
                    eprintln!("{error}");
                }
                while let Some(event) = driver.poll_event() {
                    if let EndpointEvent::Connection(id, event) = event {
                        echo.handle(driver.endpoint_mut(), id, event, &theirs);
                    }
                }
            }
        });
        Ok(Self { handle, id, shared, thread: Some(thread), is_over })
    }

    /// From now on, of pictures whose packets tell their layers, temporal layers up to this one are sent back.
    pub(crate) fn select_temporal_layers(&self, temporal_max: u8) -> Result<()> {
        self.shared.temporal_max.store(temporal_max, Ordering::Relaxed);
        Ok(self.handle.wake()?)
    }

    /// Opens another socket, at this address.
    pub(crate) fn bind(&self, address: IpAddr) -> Result<()> {
        *self.shared.wanted.lock().map_err(|_| anyhow!("the driver's thread panicked"))? = Some(address);
        Ok(self.handle.wake()?)
    }

    /// Runs a command on the connection, in the driver's thread.
    pub(crate) fn run<R: Send + 'static>(
        &self,
        command: impl FnOnce(&mut PeerConnection) -> R + Send + 'static,
    ) -> Result<R> {
        let id = self.id;
        let done = self.handle.call(move |endpoint: &mut Endpoint| endpoint.connection_mut(id).map(command));
        done.map_err(|error| anyhow!("{error}"))?.context("the connection is gone")
    }

    /// Waits until what was seen satisfies `is_so`, and returns what it makes of it.
    pub(crate) fn wait<R>(
        &self,
        what: &str,
        patience: Duration,
        mut is_so: impl FnMut(&mut Seen) -> Option<R>,
    ) -> Result<R> {
        let deadline = Instant::now() + patience;
        let mut seen = self.shared.seen.lock().map_err(|_| anyhow!("the driver's thread panicked"))?;
        loop {
            if let Some(result) = is_so(&mut seen) {
                return Ok(result);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                bail!("wigwag waited in vain for {what}; it saw: {}", seen.events.join(", "));
            }
            seen = self.shared.changed.wait_timeout(seen, left).map_err(|_| anyhow!("the driver's thread panicked"))?.0;
        }
    }

    pub(crate) fn wait_state(&self, state: ConnectionState, patience: Duration) -> Result<()> {
        self.wait(&format!("the state {state}"), patience, |seen| (seen.connection == Some(state)).then_some(()))
    }

    pub(crate) fn wait_open(&self, label: &str) -> Result<ChannelId> {
        self.wait(&format!("channel {label}"), PATIENCE, |seen| seen.opened.get(label).copied())
    }

    /// Sends and, when the buffer is full, waits for room.
    pub(crate) fn send(&self, channel: ChannelId, data: impl Into<Bytes>, is_binary: bool) -> Result<()> {
        let mut data = data.into();
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            match self.run(move |connection| connection.send(channel, data, is_binary))? {
                Ok(()) => return Ok(()),
                Err(SendError::Full(refused)) => data = refused,
                Err(error) => return Err(error.into()),
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        bail!("the send buffer stayed full")
    }
}

pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

impl Drop for Peer {
    fn drop(&mut self) {
        self.is_over.store(true, std::sync::atomic::Ordering::Relaxed);
        let _ = self.handle.wake();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A frame goes back as it came, under the number that the browser has for its codec.
fn echo_frame(connection: &mut PeerConnection, id: TransceiverId, frame: ReceivedFrame) -> Result<()> {
    let parameters = connection.transceiver(id).and_then(|transceiver| transceiver.negotiated.as_ref());
    let codec = parameters.and_then(|parameters| parameters.send_codec_for(frame.payload_type));
    let payload_type = codec.context("the codec is not sent")?.payload_type;
    Ok(connection.write_frame(id, Frame::new(payload_type, frame.rtp_time, frame.data))?)
}

/// What the driver's thread does with events: notes them, and echoes.
#[derive(Default)]
struct Echo {
    labels: BTreeMap<ChannelId, String>,
    /// The channels that the browser opened.
    theirs: BTreeSet<ChannelId>,
    backlog: VecDeque<(ChannelId, Bytes, bool)>,
    selecting: Selecting,
}

impl Echo {
    fn handle(&mut self, endpoint: &mut Endpoint, id: ConnectionId, event: Event, shared: &Shared) {
        let Ok(mut seen) = shared.seen.lock() else { return };
        self.note(endpoint, id, &event, &mut seen);
        match event {
            Event::Message { channel, data, is_binary } => {
                let label = self.labels.get(&channel).cloned().unwrap_or_default();
                if label.starts_with("echo") && self.theirs.contains(&channel) {
                    self.backlog.push_back((channel, data, is_binary));
                    self.send_backlog(endpoint, id);
                } else {
                    seen.messages.entry(label).or_default().push((data, is_binary));
                }
            }
            Event::Writable => self.send_backlog(endpoint, id),
            Event::RtpPacket { transceiver, packet } => {
                seen.media_packets += 1;
                if let Some(rid) = packet.rid {
                    *seen.layers.entry(rid.to_string()).or_default() += 1; // several of them are not sent back as one
                } else if let Some(connection) = endpoint.connection_mut(id)
                    && packet.packet.dependency_descriptor.is_some()
                {
                    let wish = (shared.temporal_max.load(Ordering::Relaxed), &mut seen.told);
                    if let Err(error) = self.selecting.take(connection, transceiver, packet, wish) {
                        seen.events.push(format!("not forwarded: {error}"));
                    }
                } else if let Some(connection) = endpoint.connection_mut(id) {
                    let len = packet.packet.payload.len();
                    if let Err(error) = connection.write_packet(transceiver, packet.packet) {
                        seen.events.push(format!("not echoed: {len} bytes: {error}"));
                    }
                }
            }
            Event::Frame { transceiver, frame, .. } => {
                let (count, key_frames) = seen.frames.entry(frame.payload_type).or_default();
                (*count, *key_frames) = (*count + 1, *key_frames + u64::from(frame.is_key_frame));
                if let Some(connection) = endpoint.connection_mut(id)
                    && let Err(error) = echo_frame(connection, transceiver, frame)
                {
                    seen.events.push(format!("not echoed: {error}"));
                }
            }
            Event::FramesLost { .. } => seen.frames_lost += 1,
            Event::KeyPressed { key, .. } => seen.keys_pressed.extend(key),
            Event::KeyFrameRequested { transceiver, .. } => {
                seen.key_frames_requested += 1;
                if let Some(connection) = endpoint.connection_mut(id) {
                    connection.request_key_frame(transceiver);
                }
            }
            _ => {}
        }
        shared.changed.notify_all();
    }

    fn note(&mut self, endpoint: &Endpoint, id: ConnectionId, event: &Event, seen: &mut Seen) {
        match event {
            Event::ConnectionStateChanged(state) => seen.connection = Some(*state),
            Event::NegotiationNeeded => seen.negotiations_needed += 1,
            Event::DataChannel(channel) => _ = self.theirs.insert(*channel),
            Event::IceCandidate(candidate) => seen.candidates.push(candidate.clone()),
            Event::ChannelOpened(channel) => {
                let label = endpoint
                    .connection(id)
                    .and_then(|c| c.data_channel(*channel))
                    .map(|channel| channel.label().to_owned());
                let label = label.unwrap_or_default();
                self.labels.insert(*channel, label.clone());
                seen.opened.insert(label, *channel);
            }
            Event::ChannelClosed(channel) => {
                seen.closed_channels += 1;
                self.theirs.remove(channel);
                if let Some(label) = self.labels.remove(channel) {
                    seen.opened.remove(&label);
                }
            }
            Event::TransportFeedback(reported) => seen.arrivals_reported += reported.len(),
            Event::Closed(reason) => {
                seen.closed = Some(reason.to_string());
                seen.connection = Some(ConnectionState::Closed);
            }
            _ => {}
        }
        if !matches!(
            event,
            Event::Message { .. } | Event::RtpPacket { .. } | Event::Frame { .. } | Event::TransportFeedback(_)
        ) && seen.events.len() < 200
        {
            seen.events.push(format!("{event:?}"));
        }
    }

    fn send_backlog(&mut self, endpoint: &mut Endpoint, id: ConnectionId) {
        let Some(connection) = endpoint.connection_mut(id) else { return self.backlog.clear() };
        while let Some((channel, data, is_binary)) = self.backlog.pop_front() {
            if let Err(SendError::Full(data)) = connection.send(channel, data, is_binary) {
                return self.backlog.push_front((channel, data, is_binary));
            }
        }
    }
}
