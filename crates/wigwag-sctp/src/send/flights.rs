//! Every departure of a chunk, in the order in which they left, and what their arrivals tell: how long a round trip takes, and
//! how fast data arrives (draft-ietf-ccwg-bbr §4.1).

use super::congestion::DeliveryRate;
use super::outstanding::{Arrived, Outstanding};
use crate::migration::state;
use crate::serial::Tsn;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// So many departures find room once an association carries data.
const EXPECTED: usize = 128;

/// One departure, and what had arrived by then.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Departure {
    pub(crate) tsn: Tsn,
    pub(crate) at: Instant,
    /// The chunk had departed before.
    pub(crate) is_again: bool,
    is_user_limited: bool,
    /// In a packet that not every path carries.
    pub(crate) is_long: bool,
    /// Bytes that had arrived, and when the last of them had.
    delivered: u64,
    delivered_at: Instant,
    /// When what arrived last had departed.
    first_at: Instant,
}

state!(struct Departure { tsn, at, is_again, is_user_limited, is_long, delivered, delivered_at, first_at });

/// What arrivals tell.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sample {
    /// The last departure of what has arrived.
    pub(crate) latest: Option<(u64, Departure)>,
    pub(crate) rate: Option<DeliveryRate>,
}

impl Sample {
    /// How long the last departure was on its way, if no other one can be meant.
    pub(crate) fn round_trip(&self, now: Instant) -> Option<Duration> {
        let (_, latest) = self.latest.filter(|(_, latest)| !latest.is_again)?;
        Some(now.saturating_duration_since(latest.at))
    }
}

/// See the module. What has arrived or is lost goes when it is first: each departure comes and goes once.
#[derive(Debug, Default)]
pub(crate) struct Flights {
    /// The number of the first departure.
    first: u64,
    departures: VecDeque<Departure>,
    delivered: u64,
    delivered_at: Option<Instant>,
    first_at: Option<Instant>,
    /// Until so many bytes have arrived, the user was what limits.
    user_limited_until: u64,
    /// The round trip ends when this departure has arrived.
    round_end: u64,
    round: u64,
}

state!(struct Flights {
    first, departures, delivered, delivered_at, first_at, user_limited_until, round_end, round,
} if |flights, _| {
    flights.departures.iter().all(|departure| departure.delivered <= flights.delivered)
});

impl Flights {
    pub(crate) fn next(&self) -> u64 {
        self.first + self.departures.len() as u64
    }

    pub(crate) const fn round(&self) -> u64 {
        self.round
    }

    /// A chunk departs; if it `is_alone`, nothing else is on its way. Returns the number of the departure.
    pub(crate) fn depart(&mut self, tsn: Tsn, is_again: bool, is_alone: bool, now: Instant) -> u64 {
        if is_alone {
            (self.first_at, self.delivered_at) = (Some(now), Some(now));
        }
        let number = self.next();
        self.departures.push_back(Departure {
            tsn,
            at: now,
            is_again,
            is_user_limited: self.delivered < self.user_limited_until,
            is_long: false,
            delivered: self.delivered,
            delivered_at: self.delivered_at.unwrap_or(now),
            first_at: self.first_at.unwrap_or(now),
        });
        number
    }

    fn get(&self, number: u64) -> Option<&Departure> {
        self.departures.get(usize::try_from(number.checked_sub(self.first)?).ok()?)
    }

    /// All from this departure on have left in one packet, which is a long one.
    pub(crate) fn mark_long(&mut self, number: u64) {
        let of_packet = self.next().saturating_sub(number);
        let departures = self.departures.iter_mut().rev();
        departures.take(usize::try_from(of_packet).unwrap_or(0)).for_each(|departure| departure.is_long = true);
    }

    pub(crate) fn is_long(&self, number: u64) -> bool {
        self.get(number).is_some_and(|departure| departure.is_long)
    }

    /// The user had nothing more to send, though there was room.
    pub(crate) fn limit_by_user(&mut self, in_flight: usize) {
        self.user_limited_until = self.delivered + (in_flight as u64).max(1);
    }

    pub(crate) fn arrive(&mut self, arrived: &Arrived, now: Instant) -> Sample {
        if arrived.size == 0 {
            return Sample::default();
        }
        self.delivered += arrived.size as u64;
        self.delivered_at = Some(now);
        let latest = arrived.latest.and_then(|number| Some((number, *self.get(number)?)));
        let Some((number, departure)) = latest else { return Sample::default() };
        if number >= self.round_end {
            self.round_end = self.next();
            self.round += 1;
        }
        self.first_at = Some(departure.at);
        // The slower one: data cannot arrive faster than it departed, nor than its acknowledgements tell.
        let departing = departure.at.saturating_duration_since(departure.first_at);
        let arriving = now.saturating_duration_since(departure.delivered_at);
        let nanos = departing.max(arriving).as_nanos();
        let bytes = u128::from(self.delivered - departure.delivered);
        let rate = bytes.saturating_mul(1_000_000_000).checked_div(nanos).map(|rate| DeliveryRate {
            bytes_per_second: u64::try_from(rate).unwrap_or(u64::MAX),
            is_user_limited: departure.is_user_limited,
        });
        Sample { latest, rate }
    }

    /// Makes room for what an association that carries data will need.
    pub(crate) fn prepare(&mut self) {
        if self.departures.capacity() < EXPECTED {
            self.departures.reserve(EXPECTED);
        }
    }

    /// Nothing is on its way: gives back what is kept for more.
    pub(crate) fn rest(&mut self, outstanding: &Outstanding) {
        if self.first(outstanding).is_none() {
            self.departures = VecDeque::new();
        }
    }

    /// The first departure of which nobody knows yet whether it has arrived.
    pub(crate) fn first(&mut self, outstanding: &Outstanding) -> Option<(u64, Departure)> {
        while let Some(departure) = self.departures.front() {
            if outstanding.is_on_its_way(departure.tsn, self.first) {
                return Some((self.first, *departure));
            }
            self.departures.pop_front();
            self.first += 1;
        }
        None
    }

    /// The last such departure.
    pub(crate) fn last(&self, outstanding: &Outstanding) -> Option<Departure> {
        let mut numbered = self.departures.iter().enumerate().rev();
        let last = numbered.find(|(index, last)| outstanding.is_on_its_way(last.tsn, self.first + *index as u64));
        last.map(|(_, last)| *last)
    }
}
