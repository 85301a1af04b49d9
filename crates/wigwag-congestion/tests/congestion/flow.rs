//! A sender of media with a controller, and the receiver that reports to it, as browsers do.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};
use wigwag_congestion::{Config, Controller, Event, Reported};
use wigwag_sansio::Rng;
use wigwag_sim::origin;

const PACKET: usize = 1200;
const FRAME: Duration = Duration::from_micros(33_333);
/// The period of the clock of transport-wide feedback.
const WRAP: u128 = (1 << 24) * 64_000;

/// What is sent, and how it is reported.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    pub(crate) config: Config,
    /// When it begins.
    pub(crate) from: Duration,
    /// The encoder makes no more than this, from then on, in bit/s.
    pub(crate) most: Vec<(Duration, u64)>,
    /// Bytes of each packet of sound, every 20 ms; 0: none.
    pub(crate) sound: usize,
    /// Whether probes are filled with padding.
    pub(crate) pads: bool,
    pub(crate) desired: Option<u64>,
    /// How often the receiver reports.
    pub(crate) interval: Duration,
    /// No report arrives between these.
    pub(crate) silence: Option<(Duration, Duration)>,
    /// Of the reports, this part is lost.
    pub(crate) report_loss: f64,
    /// How much faster the receiver's clock runs, in millionths.
    pub(crate) skew: i64,
    /// What the receiver's clock shows in the beginning.
    pub(crate) clock: Duration,
}

impl Source {
    pub(crate) fn new() -> Self {
        Self {
            config: Config::new(),
            from: Duration::ZERO,
            most: vec![(Duration::ZERO, u64::MAX)],
            sound: 0,
            pads: true,
            desired: None,
            interval: Duration::from_millis(100),
            silence: None,
            report_loss: 0.0,
            skew: 0,
            clock: Duration::from_secs(1000),
        }
    }
}

/// See the module.
pub(crate) struct Flow {
    pub(crate) source: Source,
    pub(crate) controller: Controller,
    pub(crate) events: Vec<(Duration, u64)>,
    /// When it arrived, its size and how long it waited in the queue.
    pub(crate) arrived: Vec<(Duration, usize)>,
    rng: Rng,
    queue: VecDeque<(usize, Duration)>,
    queued_bytes: usize,
    frame: Duration,
    sound: Duration,
    report: Duration,
    sequence: u64,
    /// When each packet arrives; nothing if it is lost.
    sent: BTreeMap<u64, Option<Duration>>,
    /// The first number that no report has covered.
    uncovered: u64,
    reports: VecDeque<(Duration, Vec<Reported>)>,
    /// How long a packet waited for its pace, at most.
    pub(crate) paced_max: Duration,
}

impl Flow {
    pub(crate) fn new(source: Source, rng: Rng) -> Self {
        let mut controller = Controller::new(source.config.clone()).expect("a possible configuration");
        if let Some(desired) = source.desired {
            controller.set_desired_bitrate(desired);
        }
        Self {
            frame: source.from,
            sound: source.from,
            report: source.from + source.interval,
            source,
            controller,
            events: vec![],
            arrived: vec![],
            rng,
            queue: VecDeque::new(),
            queued_bytes: 0,
            sequence: 0,
            sent: BTreeMap::new(),
            uncovered: 0,
            reports: VecDeque::new(),
            paced_max: Duration::ZERO,
        }
    }

    /// When something is to be done.
    pub(crate) fn next(&self, now: Duration) -> Duration {
        let at = origin() + now;
        let since = |at: Instant| at.saturating_duration_since(origin());
        let mut next = self.frame.min(self.report);
        if self.source.sound > 0 {
            next = next.min(self.sound);
        }
        if let Some((arrival, _)) = self.reports.front() {
            next = next.min(*arrival);
        }
        if let Some(oldest) = self.queue.front() {
            next = next.min(self.departure(oldest.1, now));
        } else if self.source.pads
            && let Some(at) = self.controller.next_padding(at)
        {
            next = next.min(since(at));
        }
        let timeout = self.controller.poll_timeout(at).map_or(Duration::MAX, since);
        next.min(timeout).max(now)
    }

    fn departure(&self, oldest: Duration, now: Duration) -> Duration {
        let departure = self.controller.next_departure(self.queued_bytes, Some(origin() + oldest), origin() + now);
        departure.map_or(now, |at| at.saturating_duration_since(origin()))
    }

    /// Does what is to be done now; `carry` says when a packet of this size arrives.
    pub(crate) fn run(&mut self, now: Duration, mut carry: impl FnMut(usize, Duration) -> Option<Duration>) {
        let at = origin() + now;
        while self.reports.front().is_some_and(|(arrival, _)| *arrival <= now) {
            let (_, reported) = self.reports.pop_front().expect("the first");
            self.controller.handle_feedback(&reported, at);
        }
        self.controller.handle_timeout(at);
        while let Some(Event::TargetBitrate { bits_per_second }) = self.controller.poll_event() {
            self.events.push((now, bits_per_second));
        }
        assert!(self.controller.poll_timeout(at).is_none_or(|next| next > at), "it is due for nothing");
        while self.source.sound > 0 && self.sound <= now {
            self.sound += Duration::from_millis(20);
            self.send(self.source.sound, false, now, &mut carry);
        }
        self.make(now);
        while let Some((_, oldest)) = self.queue.front() {
            if self.departure(*oldest, now) > now {
                break;
            }
            let (size, oldest) = self.queue.pop_front().expect("the first");
            self.queued_bytes -= size;
            self.paced_max = self.paced_max.max(now - oldest);
            self.send(size, true, now, &mut carry);
        }
        while self.queue.is_empty() && self.source.pads {
            let wanted = self.controller.padding_wanted(at);
            if wanted == 0 {
                break;
            }
            self.send(wanted.clamp(50, 250), true, now, &mut carry);
        }
        if self.report <= now {
            self.report(now);
        }
    }

    /// What an encoder makes.
    fn make(&mut self, now: Duration) {
        if self.frame > now {
            return;
        }
        self.frame += FRAME;
        let most =
            self.source.most.iter().take_while(|(from, _)| *from <= now).last().expect("a rate from the beginning").1;
        let rate = self.controller.target_bitrate().min(most);
        // An encoder does not hit its target with each frame.
        let percent = 70 + self.rng.below(61);
        let mut bytes = (rate * percent / 100 / 30 / 8) as usize;
        while bytes > 0 {
            let size = bytes.min(PACKET);
            bytes -= size;
            self.queue.push_back((size.max(60), now));
            self.queued_bytes += size.max(60);
        }
    }

    fn send(
        &mut self,
        size: usize,
        is_paced: bool,
        now: Duration,
        carry: &mut impl FnMut(usize, Duration) -> Option<Duration>,
    ) {
        let at = origin() + now;
        self.controller.handle_sent(self.sequence, size, is_paced, at);
        let arrival = carry(size, now);
        self.arrived.extend(arrival.map(|arrival| (arrival, size)));
        self.sent.insert(self.sequence, arrival);
        self.sequence += 1;
    }

    /// The receiver reports what has arrived, and what is missing before it.
    fn report(&mut self, now: Duration) {
        self.report = now + self.source.interval;
        let has_arrived = |sent: &Option<Duration>| sent.is_some_and(|arrival| arrival <= now);
        let Some(last) = self.sent.iter().rev().find(|(_, sent)| has_arrived(sent)).map(|(sequence, _)| *sequence)
        else {
            return;
        };
        let covered = self.uncovered;
        let reported: Vec<_> = (self.sent.range(..=last))
            .filter(|(sequence, sent)| has_arrived(sent) || **sequence >= covered)
            .map(|(sequence, sent)| Reported {
                sequence: *sequence,
                arrival: sent.filter(|arrival| *arrival <= now).map(|arrival| self.clock(arrival)),
            })
            .collect();
        self.uncovered = self.uncovered.max(last + 1);
        let oldest = last.saturating_sub(2000);
        self.sent.retain(|sequence, sent| *sequence > oldest && !has_arrived(sent));
        let is_lost = self.rng.below(1_000_000) < (self.source.report_loss * 1e6) as u64;
        let is_silent = self.source.silence.is_some_and(|(from, until)| (from..until).contains(&now));
        if !is_lost && !is_silent {
            self.reports.push_back((now + Duration::from_millis(25), reported));
        }
    }

    /// What the receiver's clock shows, in ticks of 250 µs.
    fn clock(&self, at: Duration) -> Duration {
        let skewed = at.as_micros() as i128 * (1_000_000 + i128::from(self.source.skew)) / 1_000_000;
        let shown = (self.source.clock.as_micros() + skewed as u128) / 250 * 250 % WRAP;
        Duration::from_micros(shown as u64)
    }
}
