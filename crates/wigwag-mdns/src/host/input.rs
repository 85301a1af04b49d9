//! What arrives: queries of others, and what they tell.

use super::reply::{NAMES_MAX, Reply};
use super::{Host, owned};
use crate::interface::PORT;
use crate::message::{ANY, LEN_MAX, Message, Question, Record, kind_of};
use crate::{Event, Name};
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};
use wigwag_sansio::{Datagram, Protocol};

// RFC 6762 §6.3: "Unlike single-question queries, where responding without delay is allowed in appropriate cases, for query messages
// containing more than one question, all (non-defensive) answers SHOULD be randomly delayed in the range 20-120 ms, or 400-500 ms if
// the TC (truncated) bit is set."
const DELAY_MS: u64 = 20;
const DELAY_TRUNCATED_MS: u64 = 400;
const DELAY_SPREAD_MS: u64 = 101;

/// Before all others in the order of addresses.
const LOWEST: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

impl Host {
    pub(super) fn read(&mut self, datagram: &Datagram<'_>, now: Instant) {
        let (link, from) = (datagram.local, datagram.remote);
        let Some(interface) = self.interfaces.get(&link).filter(|_| datagram.protocol == Protocol::Udp) else {
            return count(&mut self.stats.unknown_interface);
        };
        if datagram.payload.len() > LEN_MAX {
            return count(&mut self.stats.too_long);
        }
        // RFC 6762 §11 asks this of what was sent to our address alone, for the group is of the link by itself. The driver does not say
        // which it was, and whoever is on the link has an address of it.
        if !interface.is_on_link(from.ip()) {
            return count(&mut self.stats.off_link);
        }
        let (queries, owned) = (&self.queries, &self.owned);
        let is_wanted = |name: &Name| queries.contains_key(name) || owned.contains_key(name);
        match Message::decode(datagram.payload, is_wanted) {
            None => count(&mut self.stats.malformed),
            // RFC 6762 §6: "Multicast DNS implementations MUST silently ignore any Multicast DNS responses they receive where the
            // source UDP port is not 5353."
            Some(message) if message.is_response && from.port() != PORT => count(&mut self.stats.wrong_port),
            Some(message) if message.is_response => self.read_response(&message, link),
            Some(message) => self.read_query(&message, link, from, now),
        }
    }

    fn read_response(&mut self, message: &Message, link: SocketAddr) {
        message.records.iter().for_each(|record| self.notice_conflict(record));
        let names: BTreeSet<Name> = message.records.iter().map(|record| record.name).collect();
        let (mut has_resolved, mut is_ambiguous) = (false, false);
        for name in names {
            if !self.queries.contains_key(&name) {
                continue;
            }
            match self.only_address(message, name, link) {
                Some(Some(address)) => {
                    has_resolved = true;
                    self.queries.remove(&name);
                    self.stats.resolved = self.stats.resolved.saturating_add(1);
                    self.told.push_back(Event::Resolved { name, address });
                    self.is_touched = true;
                }
                // draft-ietf-mmusic-mdns-ice-candidates §3.2.2: "An ICE agent SHOULD ignore candidates where the hostname resolution
                // returns more than one IP address."
                Some(None) => is_ambiguous = true,
                None => {}
            }
        }
        match (has_resolved, is_ambiguous) {
            (true, _) => {}
            (false, true) => count(&mut self.stats.ambiguous),
            (false, false) => count(&mut self.stats.unasked),
        }
    }

    /// The address that a message gives a name; within, `None` if there are several.
    fn only_address(&self, message: &Message, name: Name, link: SocketAddr) -> Option<Option<IpAddr>> {
        let interface = self.interfaces.get(&link)?;
        let first = Record { name, address: LOWEST, ttl_s: 0 };
        let of_name = message.records.range(first..).take_while(|it| it.name == name);
        // RFC 6762 §10.1: with a TTL of zero it is a goodbye.
        let alive = of_name.filter(|it| it.ttl_s > 0);
        let mut addresses = alive.map(|it| it.address).filter(|address| interface.may_have(*address));
        let first = addresses.next()?;
        Some(addresses.all(|other| other == first).then_some(first))
    }

    fn notice_conflict(&mut self, record: &Record) {
        let owned = self.owned.get(&record.name).filter(|owned| !owned.is_leaving());
        if owned.is_some_and(|owned| owned.address != record.address) {
            count(&mut self.stats.conflicts);
        }
    }

    fn read_query(&mut self, message: &Message, link: SocketAddr, from: SocketAddr, now: Instant) {
        let owned = &self.owned;
        let is_ours = |question: &&Question| owned.get(&question.name).is_some_and(|owned| owned.is_on(link));
        let ours: Vec<_> = message.questions.iter().filter(is_ours).copied().collect();
        if ours.is_empty() {
            return count(&mut self.stats.not_ours);
        }
        if from.port() != PORT {
            if !self.owe_reply(link, from, Some(message.id), ours, now) {
                count(&mut self.stats.too_many_queries);
            }
            return;
        }
        let mut asked: Vec<_> = ours.into_iter().filter(|question| !self.is_known(question, message)).collect();
        if asked.is_empty() {
            return count(&mut self.stats.known);
        }
        // RFC 6762 §5.4: "When receiving a question with the unicast-response bit set, a responder SHOULD usually respond with a unicast
        // packet directed back to the querier."
        // RFC 6762 §5.4: "However, if the responder has not multicast that record recently (within one quarter of its TTL), then the
        // responder SHOULD instead multicast the response so as to keep all the peer caches up to date, and to permit passive conflict
        // detection."
        let wants_alone = |question: &mut Question| question.wants_unicast && self.is_fresh(question, link, now);
        let alone: Vec<_> = asked.extract_if(.., wants_alone).collect();
        // What is not told to the asker alone, because that is too much or too often, is told to all.
        let told = alone.get(..NAMES_MAX).unwrap_or(&alone);
        let is_told = !told.is_empty() && self.owe_reply(link, from, None, told.to_vec(), now);
        asked.extend(alone.iter().skip(if is_told { NAMES_MAX } else { 0 }));
        let at = now.checked_add(self.delay(message)).unwrap_or(now);
        for question in asked {
            if let Some(owned) = self.owned.get_mut(&question.name) {
                owned.want(link, at, is_for(&question, owned.address));
                self.is_touched = true;
            }
        }
    }

    /// Whether there is room for one more.
    fn owe_reply(
        &mut self,
        link: SocketAddr,
        to: SocketAddr,
        legacy: Option<u16>,
        mut questions: Vec<Question>,
        now: Instant,
    ) -> bool {
        questions.truncate(NAMES_MAX);
        let has_room = self.replies.push(Reply { link, to, legacy, questions }, now);
        self.is_touched |= has_room;
        has_room
    }

    fn is_fresh(&self, question: &Question, link: SocketAddr, now: Instant) -> bool {
        self.owned.get(&question.name).is_some_and(|owned| owned.is_fresh(link, now))
    }

    /// RFC 6762 §7.1: "A Multicast DNS responder MUST NOT answer a Multicast DNS query if the answer it would give is already included in
    /// the Answer Section with an RR TTL at least half the correct value."
    fn is_known(&self, question: &Question, message: &Message) -> bool {
        let Some(owned) = self.owned.get(&question.name) else { return false };
        let with_ttl = |ttl_s| Record { name: question.name, address: owned.address, ttl_s };
        let mut known = message.records.range(with_ttl(owned::TTL_S / 2)..=with_ttl(u32::MAX));
        is_for(question, owned.address) && question.kind != ANY && known.next().is_some()
    }

    fn delay(&mut self, message: &Message) -> Duration {
        let least = match message.asked {
            _ if message.is_truncated => DELAY_TRUNCATED_MS,
            0 | 1 => return Duration::ZERO,
            _ => DELAY_MS,
        };
        Duration::from_millis(least.saturating_add(self.delays.below(DELAY_SPREAD_MS)))
    }
}

/// Whether a question is for such an address, or for all there is.
pub(super) const fn is_for(question: &Question, address: IpAddr) -> bool {
    question.kind == ANY || question.kind == kind_of(address)
}

const fn count(counter: &mut u64) {
    *counter = counter.saturating_add(1);
}
