//! What the server says to a request.

use super::allocation::{Allocation, Held, LIFETIME};
use super::peers::Name;
use super::request::Request;
use super::{Client, Whose, tell_refused};
use crate::attribute::{ALTERNATE_SERVER, XOR_RELAYED_ADDRESS, has_unknown, lifetime, value, xor_address};
use crate::event::ClientEvent;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};
use wigwag_stun::{Class, Failure, Message};

/// RFC 8489 §14.8.
const TRY_ALTERNATE: u16 = 300;
const UNAUTHENTICATED: u16 = 401;
const STALE_NONCE: u16 = 438;
/// RFC 8656 §18.8: there is no allocation, or there is one already.
const ALLOCATION_MISMATCH: u16 = 437;
/// So often one server sends us to another.
const REDIRECTIONS_MAX: usize = 3;

impl Client {
    pub(super) fn handle_response(&mut self, message: &Message<'_>, now: Instant) {
        let id = message.transaction();
        let awaiting = if self.allocation.is_awaiting(id) {
            Some(Whose::Allocation)
        } else {
            self.peers.awaiting(id).map(Whose::Grant)
        };
        let Some(whose) = awaiting.filter(|whose| self.method(*whose) == message.method()) else {
            self.stats.unknown_transaction = self.stats.unknown_transaction.saturating_add(1);
            return;
        };
        self.is_touched = true;
        let is_signed = self.request_mut(whose).is_some_and(|request| request.is_signed);
        let code = message.attributes.error_code.map(|error| error.code).unwrap_or_default();
        let is_error = message.class() == Class::ErrorResponse;
        let is_challenge = is_error && (code == STALE_NONCE || code == UNAUTHENTICATED && !is_signed);
        // RFC 8489 §9.2.5: what is not authentic "MUST be discarded, as if it had never been received"; and so is what asks for
        // credentials in a way that cannot be answered, which anybody may have said.
        let is_credible = match () {
            () if is_challenge => self.login.challenge(message),
            () => !is_signed || is_error && code == UNAUTHENTICATED || self.login.is_authentic(message),
        };
        match () {
            () if !is_credible => {
                self.stats.forged = self.stats.forged.saturating_add(1);
                self.request_mut(whose).into_iter().for_each(|request| request.heard(message));
            }
            () if is_challenge => self.ask_anew(whose, message, now),
            () if has_unknown(message) => self.refused(whose, Failure::Useless, now),
            () if code == TRY_ALTERNATE && self.redirect(whose, message) => {}
            () if is_error => self.refused(whose, Failure::refused(message), now),
            () => self.granted(whose, message, now),
        }
    }

    /// The server wants to know who we are, or that we have heard it lately.
    fn ask_anew(&mut self, whose: Whose, message: &Message<'_>, now: Instant) {
        let retransmission = self.config.retransmission;
        let request = match whose {
            Whose::Allocation => self.allocation.request_mut(),
            Whose::Grant(name) => self.peers.grant(name).and_then(|grant| grant.request.as_mut()),
        };
        if !request.is_some_and(|request| request.ask_anew(&mut self.rng, retransmission)) {
            self.refused(whose, Failure::refused(message), now);
        }
    }

    /// RFC 8489 §10: the server sends us to another, which may be one and was not asked yet.
    fn redirect(&mut self, whose: Whose, message: &Message<'_>) -> bool {
        let alternate = value(message, ALTERNATE_SERVER).and_then(|value| message.address(value));
        let is_new = |server: &SocketAddr| {
            may_be_server(*server, self.config.local) && *server != self.config.local && !self.asked.contains(server)
        };
        let (Allocation::Asking(_), Whose::Allocation) = (&self.allocation, whose) else { return false };
        let Some(server) = alternate.filter(is_new).filter(|_| self.asked.len() <= REDIRECTIONS_MAX) else {
            return false;
        };
        self.asked.push(server);
        self.server = server;
        self.stream.leave();
        self.login.forget();
        self.allocation = Allocation::Asking(Request::new(&mut self.rng, self.config.retransmission));
        true
    }

    fn refused(&mut self, whose: Whose, failure: Failure, now: Instant) {
        match (whose, &mut self.allocation, &failure) {
            // RFC 8489 §6.3.4: with 500 to 599 "the client MAY resend the request". What the server has given it has given.
            (Whose::Allocation, Allocation::Held(held), Failure::Refused { code: 500..=599, .. }) => {
                held.postpone(failure, now);
            }
            (Whose::Allocation, ..) => self.end(failure),
            // There is nothing to grant any more.
            (Whose::Grant(_), _, Failure::Refused { code: ALLOCATION_MISMATCH, .. }) => self.end(failure),
            (Whose::Grant(name), ..) => {
                let is_over = self.peers.grant(name).is_some_and(|grant| grant.refuse(now));
                if let (Name::Permission(peer), true) = (name, is_over) {
                    tell_refused(&mut self.owed, peer, failure);
                }
            }
        }
    }

    fn granted(&mut self, whose: Whose, message: &Message<'_>, now: Instant) {
        match (whose, &mut self.allocation) {
            (Whose::Grant(name), _) => self.peers.granted(name, now),
            (Whose::Allocation, Allocation::Asking(_)) => self.allocated(message, now),
            (Whose::Allocation, Allocation::Held(held)) => match lifetime(message).unwrap_or(LIFETIME) {
                Duration::ZERO => self.end(Failure::Useless),
                lifetime => held.prolong(lifetime, now),
            },
            (Whose::Allocation, Allocation::Releasing(_) | Allocation::Over) => self.allocation = Allocation::Over,
        }
    }

    fn allocated(&mut self, message: &Message<'_>, now: Instant) {
        let relayed = xor_address(message, XOR_RELAYED_ADDRESS);
        let relayed = relayed.filter(|relayed| !relayed.ip().is_unspecified() && relayed.port() != 0);
        let lifetime = lifetime(message).unwrap_or(LIFETIME);
        let Some(relayed) = relayed.filter(|_| !lifetime.is_zero()) else { return self.end(Failure::Useless) };
        let mapped = message.attributes.xor_mapped_address.unwrap_or(self.config.local);
        self.allocation = Allocation::Held(Held::new(relayed, mapped, lifetime, now));
        self.owed.push_back(ClientEvent::Allocated { relayed, mapped });
    }
}

/// Whether `local` may be sent there: whoever names an address may not have us show our name and a tag by our password to what listens
/// on this machine, or to everybody.
const fn may_be_server(server: SocketAddr, local: SocketAddr) -> bool {
    let is_unicast = match server.ip() {
        IpAddr::V4(ip) => !ip.is_unspecified() && !ip.is_multicast() && !ip.is_broadcast(),
        IpAddr::V6(ip) => !ip.is_unspecified() && !ip.is_multicast() && ip.to_ipv4_mapped().is_none(),
    };
    let is_alike = server.is_ipv4() == local.is_ipv4() && server.ip().is_loopback() == local.ip().is_loopback();
    is_unicast && is_alike && server.port() != 0
}
