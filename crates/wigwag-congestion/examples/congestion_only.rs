//! How the estimate follows a link, in virtual time: the loop of a sender, with a link of a few lines where yours has sockets.
//!
//! ```sh
//! cargo run -p wigwag-congestion --example congestion_only -- 2000 500 1500
//! ```
//!
//! The arguments are what the link carries, in kbit/s, for ten seconds each.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a program has a clock and an output; the machine has none"
)]

use std::collections::VecDeque;
use std::error::Error;
use std::time::{Duration, Instant};
use wigwag_congestion::{Config, Controller, Event, Reported};

const FRAME: Duration = Duration::from_millis(33);
const REPORT: Duration = Duration::from_millis(100);
const DELAY: Duration = Duration::from_millis(25);
const STEP: Duration = Duration::from_millis(1);
const PACKET: usize = 1200;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = std::env::args().skip(1).map(|kbps| kbps.parse()).collect::<Result<Vec<u64>, _>>()?;
    let capacities = if arguments.is_empty() { vec![2000, 500, 1500] } else { arguments };
    let begin = Instant::now();
    let mut sender = Sender::new(begin)?;
    let mut link = Link { begin, free: begin, on_their_way: VecDeque::new() };
    for (n, kbps) in capacities.into_iter().enumerate() {
        for millisecond in 0..10_000 {
            let now = begin + Duration::from_secs(n as u64 * 10) + STEP * millisecond;
            sender.turn(now, |sequence, size, now| link.carry(sequence, size, kbps.max(1) * 1000, now));
            if millisecond % 1000 == 999 {
                let seconds = n as u64 * 10 + u64::from(millisecond) / 1000 + 1;
                println!("{seconds:>3} s: the link carries {kbps} kbit/s, {}", sender.state());
            }
            if millisecond % REPORT.as_millis() as u32 == 0 {
                sender.controller.handle_feedback(&link.arrived(now), now);
            }
        }
    }
    Ok(())
}

/// An encoder, and the queue of its packets.
struct Sender {
    controller: Controller,
    queue: VecDeque<(usize, Instant)>,
    next_frame: Instant,
    sequence: u64,
}

impl Sender {
    fn new(now: Instant) -> Result<Self, wigwag_congestion::Error> {
        let controller = Controller::new(Config::new())?;
        Ok(Self { controller, queue: VecDeque::new(), next_frame: now, sequence: 0 })
    }

    /// One turn of the loop. It comes each millisecond; yours sleeps until `poll_timeout`, `next_departure` or `next_padding`.
    fn turn(&mut self, now: Instant, mut send: impl FnMut(u64, usize, Instant)) {
        self.controller.handle_timeout(now);
        while let Some(event) = self.controller.poll_event() {
            match event {
                // Here an encoder is told.
                Event::TargetBitrate { .. } => {}
                event => println!("{event:?}"),
            }
        }
        if self.next_frame <= now {
            self.next_frame += FRAME;
            self.encode(now);
        }
        while let Some((size, since)) = self.queue.front().copied() {
            let waiting = self.queue.iter().map(|(size, _)| size).sum();
            if self.controller.next_departure(waiting, Some(since), now).is_some() {
                return;
            }
            self.queue.pop_front();
            self.send(size, now, &mut send);
        }
        while self.controller.padding_wanted(now) > 0 {
            let size = self.controller.padding_wanted(now).clamp(50, 250);
            self.send(size, now, &mut send);
        }
    }

    /// A frame of the size that the estimate allows.
    fn encode(&mut self, now: Instant) {
        let mut left = (self.controller.target_bitrate() as f64 * FRAME.as_secs_f64() / 8.0) as usize;
        while left > 0 {
            let size = left.min(PACKET);
            self.queue.push_back((size, now));
            left -= size;
        }
    }

    fn send(&mut self, size: usize, now: Instant, send: &mut impl FnMut(u64, usize, Instant)) {
        self.controller.handle_sent(self.sequence, size, true, now);
        send(self.sequence, size, now);
        self.sequence += 1;
    }

    fn state(&self) -> String {
        let (told, stats) = (self.controller.target_bitrate() / 1000, self.controller.stats());
        let round_trip = stats.round_trip.unwrap_or_default().as_millis();
        format!("we are told {told} kbit/s, {} were lost, a round trip takes {round_trip} ms", stats.packets_lost)
    }
}

/// A queue, and a receiver that notes arrivals.
struct Link {
    begin: Instant,
    /// When all that waits has passed.
    free: Instant,
    on_their_way: VecDeque<Reported>,
}

impl Link {
    fn carry(&mut self, sequence: u64, size: usize, bits_per_second: u64, now: Instant) {
        let has_room = self.free.saturating_duration_since(now) < Duration::from_millis(500);
        if has_room {
            self.free = self.free.max(now) + Duration::from_micros(size as u64 * 8_000_000 / bits_per_second);
        }
        let arrival = has_room.then(|| self.free + DELAY - self.begin);
        self.on_their_way.push_back(Reported { sequence, arrival });
    }

    /// What has arrived, or is lost, until now, and was not reported yet; the report needs its time, too.
    fn arrived(&mut self, now: Instant) -> Vec<Reported> {
        let then = now.saturating_duration_since(self.begin).saturating_sub(DELAY);
        let is_there = |packet: &&Reported| packet.arrival.is_none_or(|arrival| arrival <= then);
        let count = self.on_their_way.iter().take_while(is_there).count();
        self.on_their_way.drain(..count).collect()
    }
}
