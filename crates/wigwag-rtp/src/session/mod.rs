//! One RTP session: all streams of a bundle, in both directions (RFC 3550, 4585, 9143).

mod checks;
mod events;
mod input;
mod invariants;
mod key_frames;
mod load;
pub(crate) mod pacing;
mod queue;
pub(crate) mod retransmission;
mod rtcp_output;
mod rtp_output;
mod sending;
mod sources;
mod streams;
mod timeout;

use crate::config::{Config, ReceiverConfig, SenderConfig};
use crate::demultiplex::Demultiplexer;
use crate::error::Error;
use crate::event::{Event, ReceiverId, SenderId};
use crate::rtcp::NackPair;
use crate::stats::{ReceiverStats, SenderStats, Stats};
use crate::stream::receive::ReceiveStream;
use crate::stream::send::Sender;
use crate::stream_feedback::arrivals::StreamArrivals;
use crate::time::Clock;
use crate::transport_wide::arrivals::Arrivals;
use crate::transport_wide::history::History;
use checks::{check_receiver, checked};
use events::Events;
use queue::{Lane, Queue};
use sources::Sources;
use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};
use streams::Streams;
use wigwag_sansio::{Ecn, Monotonic, Rng, Seed, Timer, earliest};

/// So many senders, and so many media sections, a session takes: ten times the largest conferences.
const STREAMS_MAX: usize = 1024;
/// SRTP remembers no more of what it sealed.
const RESEND_CACHE_MAX: usize = 1024;
/// Before anything was measured.
const ROUND_TRIP_DEFAULT: Duration = Duration::from_millis(100);
/// A satellite is not so far; who reports more is not to be believed, or what is missing would be asked for once a day.
const ROUND_TRIP_MAX: Duration = Duration::from_secs(2);
/// Those that miss packets are gone through no more often, if they are many.
const NACK_INTERVAL: Duration = Duration::from_millis(5);
/// So many ends of streams may be owed.
const GOODBYES_MAX: usize = STREAMS_MAX;
/// So many runs of missing packets find room when a first one is asked for.
const PAIRS_EXPECTED: usize = 16;

/// All streams of a bundle.
///
/// Packets come in decrypted and authenticated, and leave to be sealed; nothing here knows SRTP. What SRTP relies on:
/// a sequence number is never used again for other bytes, not even when a packet is resent.
#[derive(Debug)]
pub struct Session {
    config: Config,
    rng: Rng,
    now: Monotonic,
    clock: Clock,
    stats: Stats,
    events: Events,
    next_id: u64,

    senders: BTreeMap<SenderId, Sender>,
    by_ssrc: BTreeMap<u32, SenderId>,
    /// Whose retransmissions a source is for (RFC 4588).
    by_rtx_ssrc: BTreeMap<u32, SenderId>,
    queue: Queue,
    /// Whether the owner says when video and what is sent again may leave.
    is_paced: bool,
    /// How many senders' packets the peer reports on.
    reported_senders: usize,
    /// The sender of pictures that sent last, if the peer reports on it: padding may follow.
    padder: Option<SenderId>,
    history: History,

    sections: Demultiplexer,
    streams: Streams,
    wishes: key_frames::Wishes,
    arrivals: Arrivals,
    stream_arrivals: StreamArrivals,

    /// Who says what we say when no sender does.
    own_ssrc: u32,
    unreported: Unreported,
    owed: OwedRtcp,
    timers: Timers,
    /// No more media is sent.
    is_ending: bool,
}

/// What the next report is about: streams that sent or received since the last.
#[derive(Debug, Default)]
struct Unreported {
    senders: VecDeque<SenderId>,
    streams: VecDeque<u32>,
}

impl Unreported {
    fn is_empty(&self) -> bool {
        self.senders.is_empty() && self.streams.is_empty()
    }
}

/// RTCP that the next poll writes.
#[derive(Debug, Default)]
struct OwedRtcp {
    sender_reports: VecDeque<SenderId>,
    /// Sources to report on.
    blocks: VecDeque<u32>,
    goodbyes: VecDeque<u32>,
    nacks: Sources,
    key_frames: Sources,
    transport_feedback: bool,
    congestion_feedback: bool,
    /// Kept for its capacity.
    pairs: Vec<NackPair>,
}

impl OwedRtcp {
    fn is_empty(&self) -> bool {
        self.sender_reports.is_empty()
            && self.blocks.is_empty()
            && self.goodbyes.is_empty()
            && self.nacks.is_empty()
            && self.key_frames.is_empty()
            && !self.transport_feedback
            && !self.congestion_feedback
    }
}

/// What becomes owed when its time has come. Each is armed only while there is something to wait for.
#[derive(Debug, Default)]
struct Timers {
    report: Timer,
    nack: Timer,
    key_frame: Timer,
    transport_feedback: Timer,
    congestion_feedback: Timer,
    /// When those that miss packets were last gone through, if they were many.
    many_nacks: Option<Instant>,
}

impl Timers {
    /// Packets that are missing are to be asked for then. All that miss some are gone through, so a flood of gaps waits for a few
    /// milliseconds.
    fn arm_nack(&mut self, at: Instant) {
        let soonest = self.many_nacks.and_then(|last| last.checked_add(NACK_INTERVAL));
        sooner(&mut self.nack, soonest.map_or(at, |soonest| soonest.max(at)));
    }
}

impl Session {
    /// A session without streams; `seed` is consumed, for two sessions never run on one.
    #[expect(clippy::needless_pass_by_value, reason = "a seed is used once")]
    pub fn new(config: Config, seed: Seed) -> Self {
        let mut rng = Rng::new(seed);
        let own_ssrc = rng.u32();
        let cname_len = (0..=255).rev().find(|len| config.cname.is_char_boundary(*len)).unwrap_or(0);
        let cname = config.cname.get(..cname_len.min(config.cname.len())).unwrap_or_default().to_owned();
        let resend_cache_packets = config.resend_cache_packets.min(RESEND_CACHE_MAX);
        Self {
            clock: Clock::new(config.clock),
            events: Events::new(config.event_packets_max),
            config: Config { cname, resend_cache_packets, ..config },
            rng,
            now: Monotonic::default(),
            stats: Stats::default(),
            next_id: 0,
            senders: BTreeMap::new(),
            by_ssrc: BTreeMap::new(),
            by_rtx_ssrc: BTreeMap::new(),
            queue: Queue::default(),
            is_paced: false,
            reported_senders: 0,
            padder: None,
            history: History::default(),
            sections: Demultiplexer::default(),
            streams: Streams::default(),
            wishes: key_frames::Wishes::default(),
            arrivals: Arrivals::default(),
            stream_arrivals: StreamArrivals::default(),
            own_ssrc,
            unreported: Unreported::default(),
            owed: OwedRtcp::default(),
            timers: Timers::default(),
            is_ending: false,
        }
    }

    /// A source that no stream of this session has, in either direction.
    pub fn unused_ssrc(&mut self) -> u32 {
        loop {
            let ssrc = self.rng.u32();
            if ssrc != self.own_ssrc && !self.is_ours(ssrc, None) && self.streams.get(ssrc).is_none() {
                return ssrc;
            }
        }
    }

    /// Starts a stream of ours.
    ///
    /// A source that a removed sender had must not be used again with the same SRTP keys, as its sequence numbers would
    /// begin anew; [`update_sender`](Self::update_sender) changes a stream that goes on.
    ///
    /// # Errors
    /// If the source is in use, an identifier or payload type is impossible, or there are too many senders.
    pub fn add_sender(&mut self, config: SenderConfig) -> Result<SenderId, Error> {
        let config = checked(config)?;
        self.check_sources(&config, None)?;
        if self.senders.len() >= STREAMS_MAX {
            return Err(Error::TooMany);
        }
        let id = SenderId(self.new_id());
        self.by_ssrc.insert(config.ssrc, id);
        self.describe_sender(id, None, Some((&config).into()));
        // RFC 3711 §3.3.1: a receiver that misses the first packets finds the rollover counter only if the sequence
        // number does not wrap around meanwhile, so it begins in the lower half.
        let first_sequence = self.rng.u16() >> 1;
        self.senders.insert(id, Sender::new(config, first_sequence, self.config.resend_cache_packets));
        self.begin_rtx(id);
        self.prepare_for_sender();
        self.invariants();
        Ok(id)
    }

    /// Makes room for what a stream of ours will need at times: a report, an answer to loss, a word of it.
    fn prepare_for_sender(&mut self) {
        let senders = self.senders.len();
        for list in [&mut self.unreported.senders, &mut self.owed.sender_reports] {
            list.reserve(senders.saturating_sub(list.len()));
        }
        self.wishes.prepare(senders);
        self.queue.prepare();
        self.events.prepare();
    }

    /// The same for a stream of the peer, which is about to begin.
    fn prepare_for_stream(&mut self) {
        let streams = self.streams.len() + 1;
        for list in [&mut self.unreported.streams, &mut self.owed.blocks] {
            list.reserve(streams.saturating_sub(list.len()));
        }
        let Streams { incomplete, wanting, .. } = &mut self.streams;
        for sources in [incomplete, wanting, &mut self.owed.nacks, &mut self.owed.key_frames] {
            sources.prepare(streams);
        }
        self.owed.pairs.reserve(PAIRS_EXPECTED);
    }

    /// Changes what was negotiated for a stream of ours; its source stays, whatever `config` says, and its sequence
    /// numbers go on. Packets that wait and can no longer be sent are discarded and counted.
    ///
    /// # Errors
    /// If an identifier or payload type is impossible, or there is no such sender.
    pub fn update_sender(&mut self, id: SenderId, config: SenderConfig) -> Result<(), Error> {
        let ssrc = self.senders.get(&id).ok_or(Error::UnknownStream)?.config.ssrc;
        let config = SenderConfig { ssrc, ..checked(config)? };
        self.check_sources(&config, Some(id))?;
        let sender = self.senders.get_mut(&id).ok_or(Error::UnknownStream)?;
        let after = (&config).into();
        let before = (&std::mem::replace(&mut sender.config, config)).into();
        self.describe_sender(id, Some(before), Some(after));
        self.begin_rtx(id);
        // Its next packet tells whether the peer still reports on it.
        self.padder = self.padder.filter(|padder| *padder != id);
        self.invariants();
        Ok(())
    }

    /// Ends a stream of ours: what waits to be sent is discarded, and a BYE is owed.
    pub fn remove_sender(&mut self, id: SenderId) {
        let Some(sender) = self.senders.remove(&id) else { return };
        self.by_ssrc.remove(&sender.config.ssrc);
        self.wishes.remove(sender.config.ssrc);
        self.describe_sender(id, Some((&sender.config).into()), None);
        self.padder = self.padder.filter(|padder| *padder != id);
        self.queue.remove(id);
        self.events.remove_sender(id);
        self.owed.sender_reports.retain(|owed| *owed != id);
        self.unreported.senders.retain(|unreported| *unreported != id);
        if sender.has_sent() && self.owed.goodbyes.len() < GOODBYES_MAX {
            self.owed.goodbyes.push_back(sender.config.ssrc);
        }
        self.go_on_reporting();
        self.invariants();
    }

    /// Expects the streams of a media section.
    ///
    /// # Errors
    /// If a payload type is impossible, or there are too many sections.
    pub fn add_receiver(&mut self, config: ReceiverConfig) -> Result<ReceiverId, Error> {
        check_receiver(&config)?;
        if self.sections.len() >= STREAMS_MAX {
            return Err(Error::TooMany);
        }
        let id = ReceiverId(self.new_id());
        self.describe(id, config);
        Ok(id)
    }

    /// Changes what was negotiated for a media section; its streams go on.
    ///
    /// # Errors
    /// If a payload type is impossible, or there is no such receiver.
    pub fn update_receiver(&mut self, id: ReceiverId, config: ReceiverConfig) -> Result<(), Error> {
        check_receiver(&config)?;
        self.sections.receiver(id).ok_or(Error::UnknownStream)?;
        self.describe(id, config);
        Ok(())
    }

    /// A description that names a source knows better than the packets did where it belongs.
    fn describe(&mut self, id: ReceiverId, config: ReceiverConfig) {
        let (asks_for_packets, asks_for_key_frames) = (config.nack, config.pli || config.fir);
        self.streams.keep_layers(id, &config.rids);
        for ssrc in self.sections.insert(id, config) {
            if self.streams.move_to(id, ssrc) {
                self.ask_if_awaited(id, ssrc);
            }
        }
        self.ask_no_longer(id, asks_for_packets, asks_for_key_frames);
        self.invariants();
    }

    /// Of what was negotiated away, nothing is owed or waited for.
    fn ask_no_longer(&mut self, id: ReceiverId, asks_for_packets: bool, asks_for_key_frames: bool) {
        let sources: Vec<u32> = self.streams.of(id).map(|stream| stream.ssrc).collect();
        for ssrc in sources {
            let Some(stream) = self.streams.get_mut(ssrc) else { continue };
            if !asks_for_key_frames {
                stream.key_frame.cancel();
                self.owed.key_frames.remove(ssrc);
                self.streams.wanting.remove(ssrc);
            }
            if !asks_for_packets && let Some(stream) = self.streams.get_mut(ssrc) {
                stream.stats.packets_given_up += stream.missing.clear();
                self.owed.nacks.remove(ssrc);
                self.streams.incomplete.remove(ssrc);
            }
        }
    }

    /// Forgets a media section and its streams. Packets of it that wait to be polled are still told.
    pub fn remove_receiver(&mut self, id: ReceiverId) {
        self.sections.remove(id);
        self.streams.forget_section(id);
        let gone: Vec<u32> = self.streams.of(id).map(|stream| stream.ssrc).collect();
        for ssrc in gone {
            self.forget_stream(ssrc);
        }
        self.invariants();
    }

    /// Says whether feedback may be sent without a report and a canonical name around it (`a=rtcp-rsize`, RFC 5506).
    pub const fn set_reduced_size(&mut self, is_reduced_size: bool) {
        self.config.is_reduced_size = is_reduced_size;
    }

    /// Ends everything that we send: what waits is discarded, a BYE for each stream of ours is owed, and nothing more can
    /// be sent.
    pub fn end(&mut self) {
        if std::mem::replace(&mut self.is_ending, true) {
            return;
        }
        let senders: Vec<SenderId> = self.senders.keys().copied().collect();
        for id in senders {
            self.queue.remove(id);
            if let Some(sender) = self.senders.get_mut(&id) {
                (sender.queued_packets, sender.queued_bytes) = (0, 0);
                if sender.has_sent() && self.owed.goodbyes.len() < GOODBYES_MAX {
                    self.owed.goodbyes.push_back(sender.config.ssrc);
                }
            }
        }
        self.invariants();
    }

    /// Whether the peer is still to be told of a stream that has ended.
    pub fn is_goodbye_owed(&self) -> bool {
        !self.owed.goodbyes.is_empty()
    }

    /// Takes an RTP packet, decrypted and authenticated.
    pub fn handle_rtp(&mut self, packet: &[u8], ecn: Ecn, now: Instant) {
        let now = self.advance(now);
        input::handle_rtp(self, packet, ecn, now);
        self.invariants();
    }

    /// Takes an RTCP compound, decrypted and authenticated.
    pub fn handle_rtcp(&mut self, packet: &[u8], now: Instant) {
        let now = self.advance(now);
        input::handle_rtcp(self, packet, now);
        self.invariants();
    }

    /// What was waited for is owed now.
    pub fn handle_timeout(&mut self, now: Instant) {
        let now = self.advance(now);
        if self.timers.report.expire(now) {
            self.owe_reports();
        }
        if self.timers.nack.expire(now) {
            self.owe_nacks(now);
        }
        if self.timers.key_frame.expire(now) {
            self.owe_key_frames(now);
        }
        self.tell_of_key_frames(now);
        if self.timers.transport_feedback.expire(now) {
            self.owed.transport_feedback = !self.arrivals.is_empty();
        }
        if self.timers.congestion_feedback.expire(now) {
            self.owed.congestion_feedback = !self.stream_arrivals.is_empty();
        }
        self.invariants();
    }

    /// Appends an RTP packet of at most `limit` bytes to `out`, or changes nothing and says `false`. Audio comes before
    /// packets that are sent again, and these before video.
    pub fn poll_rtp(&mut self, now: Instant, limit: usize, out: &mut Vec<u8>) -> bool {
        let now = self.advance(now);
        let lane = if self.is_paced() { Lane::Audio } else { Lane::All };
        let has_written = self.write_rtp(lane, now, limit, out);
        self.invariants();
        has_written
    }

    /// Appends an RTCP compound of at most `limit` bytes to `out`, or changes nothing and says `false`.
    pub fn poll_rtcp(&mut self, now: Instant, limit: usize, out: &mut Vec<u8>) -> bool {
        let now = self.advance(now);
        let has_written = self.write_rtcp(now, limit, out);
        self.stats.rtcp_sent += u64::from(has_written);
        self.invariants();
        has_written
    }

    /// What has happened.
    pub fn poll_event(&mut self) -> Option<Event> {
        let event = self.events.poll();
        match &event {
            Some(Event::KeyFrameRequested { sender }) => {
                if let Some(sender) = self.senders.get_mut(sender) {
                    sender.is_key_frame_event_owed = false;
                }
            }
            Some(Event::Writable { sender }) => {
                if let Some(sender) = self.senders.get_mut(sender) {
                    sender.is_writable_event_owed = false;
                }
            }
            Some(Event::Packet(_) | Event::Ended { .. } | Event::TransportFeedback(_)) | None => {}
        }
        event
    }

    /// When to call again: `Some(now)` if anything is owed.
    pub fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        let lane = if self.is_paced() { Lane::Audio } else { Lane::All };
        if self.events.is_empty() && !self.queue.has(lane) && self.owed.is_empty() {
            let Timers { report, nack, key_frame, transport_feedback, congestion_feedback, .. } = &self.timers;
            let timers = [report, nack, key_frame, transport_feedback, congestion_feedback, self.wishes.timer()];
            earliest(timers.map(Timer::deadline))
        } else {
            Some(self.now.latest(now))
        }
    }

    /// What the session did as a whole.
    pub const fn stats(&self) -> Stats {
        self.stats
    }

    /// What a stream of ours did.
    pub fn sender_stats(&self, id: SenderId) -> Option<SenderStats> {
        self.senders.get(&id).map(|sender| sender.stats)
    }

    /// What arrived from each source of a media section.
    pub fn receiver_stats(&self, id: ReceiverId) -> impl Iterator<Item = ReceiverStats> + '_ {
        self.streams.of(id).map(ReceiveStream::stats)
    }

    /// The canonical name of a source that the peer sends, if it was told: what has one name is to be played in step
    /// (RFC 3550 §6.5.1).
    pub fn canonical_name(&self, ssrc: u32) -> Option<&[u8]> {
        self.streams.get(ssrc).map(|stream| stream.canonical_name.as_slice()).filter(|name| !name.is_empty())
    }

    /// When the peer captured what this timestamp of a source names, by the peer's clock, once a sender report has told
    /// (RFC 3550 §6.4.1): since 1900, or since anything, for streams of one canonical name the same.
    pub fn capture_time(&self, ssrc: u32, timestamp: u32) -> Option<Duration> {
        self.streams.get(ssrc)?.capture_time(timestamp)
    }

    fn advance(&mut self, now: Instant) -> Instant {
        let now = self.now.advance(now);
        self.clock.start(now);
        self.queue.advance(now);
        now
    }

    const fn new_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    /// Before anything was measured, a guess.
    fn round_trip(&self) -> Duration {
        self.round_trip_time().unwrap_or(ROUND_TRIP_DEFAULT).min(ROUND_TRIP_MAX)
    }

    fn forget_stream(&mut self, ssrc: u32) {
        self.streams.remove(ssrc);
        self.unreported.streams.retain(|unreported| *unreported != ssrc);
        self.owed.nacks.remove(ssrc);
        self.owed.key_frames.remove(ssrc);
        self.owed.blocks.retain(|owed| *owed != ssrc);
        self.go_on_reporting();
    }

    /// What happened while reports were owed is reported next time: none is owed any more, if these were the last.
    fn go_on_reporting(&mut self) {
        if let Some(now) = self.now.seen()
            && !self.unreported.is_empty()
        {
            self.arm_report(now);
        }
    }

    /// There is something to report: it will be, about one interval from now.
    // RFC 3550 §6.2: "the interval between RTCP packets is varied randomly over the range [0.5,1.5] times the calculated
    // interval to avoid unintended synchronization of all participants"
    fn arm_report(&mut self, now: Instant) {
        if !self.timers.report.is_armed() && self.owed.sender_reports.is_empty() && self.owed.blocks.is_empty() {
            let interval = u64::try_from(self.config.report_interval.as_micros()).unwrap_or(u64::MAX);
            let interval = (interval / 2).saturating_add(self.rng.below(interval));
            self.timers.report = Timer::after(now, Duration::from_micros(interval));
        }
    }
}

/// Arms the timer for `at`, unless it is armed for an earlier time.
fn sooner(timer: &mut Timer, at: Instant) {
    if timer.deadline().is_none_or(|armed| at < armed) {
        *timer = Timer::at(at);
    }
}
