//! All that is above the path: DTLS, and what it gives keys or packets to.
//!
//! One struct, so that it can be borrowed whole while the path is.

use super::demultiplex::Kind;
use super::media_keys::MediaKeys;
use super::pace::Pace;
use crate::stats::TransportDrops;
use crate::tap::{self, PacketKind, Tap};
use std::time::Instant;
use wigwag_congestion as congestion;
use wigwag_dtls as dtls;
use wigwag_rtp as rtp;
use wigwag_sansio::{Datagram, Ecn, earliest};
use wigwag_sctp as sctp;
use wigwag_srtp::Cryptex;

/// What became of the DTLS connection.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Security {
    /// There is none yet: the peer's fingerprint is not known.
    New,
    Connecting,
    Connected,
    Closed(dtls::CloseReason),
}

pub(crate) struct Secured {
    pub(crate) dtls: Option<dtls::Connection>,
    pub(crate) media_keys: MediaKeys,
    /// What was agreed upon for the headers of media.
    pub(crate) cryptex: Cryptex,
    pub(crate) rtp: rtp::Session,
    /// If the application asked for congestion control of media.
    pub(crate) pace: Option<Box<Pace>>,
    pub(crate) sctp: Option<sctp::Association>,
    pub(crate) security: Security,
    /// What is shown to whoever debugs.
    pub(super) tap: Option<Box<Tap>>,
}

/// Appends one packet of a kind, or changes nothing and says `false`.
pub(super) type Append = fn(&mut Secured, Instant, usize, &mut Vec<u8>) -> bool;

impl Secured {
    pub(super) fn new(mut rtp: rtp::Session, pace: Option<congestion::Config>, tap: Option<Box<Tap>>) -> Self {
        let pace = pace.and_then(|config| Pace::new(config, &mut rtp)).map(Box::new);
        Self {
            dtls: None,
            media_keys: MediaKeys::None,
            cryptex: Cryptex::Off,
            rtp,
            pace,
            sctp: None,
            security: Security::New,
            tap,
        }
    }

    /// The kinds of batches, in the order in which they leave: a handshake, then media (paced), then data (windowed).
    pub(super) const KINDS: [Append; 4] =
        [Self::append_handshake, Self::append_feedback, Self::append_media, Self::append_data];

    pub(super) fn append_handshake(&mut self, now: Instant, limit: usize, out: &mut Vec<u8>) -> bool {
        let has_written = self.dtls.as_mut().is_some_and(|dtls| dtls.poll_packet(now, limit, out));
        self.take_dtls_events();
        has_written
    }

    /// Whether nothing was to be protected yet, and nothing is: keys that nobody uses need no context.
    fn has_no_media(&self, now: Instant) -> bool {
        self.media_keys.is_unused()
            && self.rtp.poll_timeout(now).is_none_or(|at| at > now)
            && self.rtp.paced_queue().packets == 0
    }

    pub(super) fn append_feedback(&mut self, now: Instant, limit: usize, out: &mut Vec<u8>) -> bool {
        if self.has_no_media(now) {
            return false;
        }
        let Some(srtp) = self.media_keys.context(self.cryptex) else { return false };
        let tapped = tap::len(&self.tap);
        let has_written = srtp.protect_rtcp(limit, out, |limit, out| {
            tap::sent(&mut self.tap, PacketKind::Rtcp, now, out, |out| self.rtp.poll_rtcp(now, limit, out))
        });
        tap::keep(&mut self.tap, has_written, tapped)
    }

    fn append_media(&mut self, now: Instant, limit: usize, out: &mut Vec<u8>) -> bool {
        if self.has_no_media(now) {
            return false;
        }
        let Some(srtp) = self.media_keys.context(self.cryptex) else { return false };
        // What SRTP refuses, because its number was used, holds up nothing that is due behind it.
        loop {
            let tapped = tap::len(&self.tap);
            let mut is_taken = false;
            let has_written = srtp.protect_rtp(limit, out, |limit, out| {
                is_taken = tap::sent(&mut self.tap, PacketKind::Rtp, now, out, |out| match &mut self.pace {
                    Some(pace) => pace.append(&mut self.rtp, now, limit, out),
                    None => self.rtp.poll_rtp(now, limit, out),
                });
                is_taken
            });
            if tap::keep(&mut self.tap, has_written, tapped) || !is_taken {
                return has_written;
            }
        }
    }

    pub(super) fn append_data(&mut self, now: Instant, limit: usize, out: &mut Vec<u8>) -> bool {
        let (Some(dtls), Some(sctp)) = (&mut self.dtls, &mut self.sctp) else { return false };
        let tapped = tap::len(&self.tap);
        let has_written = dtls.protect(limit, out, |limit, out| {
            tap::sent(&mut self.tap, PacketKind::Sctp, now, out, |out| sctp.poll_packet(now, limit, out))
        });
        tap::keep(&mut self.tap, has_written, tapped)
    }

    /// Whether what it held was the peer's, which only keys tell.
    #[expect(clippy::needless_pass_by_value, reason = "a datagram is handed over")]
    pub(super) fn handle_input(
        &mut self,
        kind: Kind,
        datagram: Datagram<'_>,
        now: Instant,
        drops: &mut TransportDrops,
    ) -> bool {
        match kind {
            Kind::Dtls => return self.handle_dtls(datagram.payload, now),
            Kind::Rtp | Kind::Rtcp if self.media_keys.is_none() => drops.media_before_keys += 1,
            Kind::Rtp => return self.handle_rtp(datagram.payload, datagram.ecn, now),
            Kind::Rtcp => return self.handle_rtcp(datagram.payload, now),
            Kind::Stun | Kind::Unknown => drops.unknown_protocol += 1,
        }
        false
    }

    pub(super) fn handle_dtls(&mut self, datagram: &mut [u8], now: Instant) -> bool {
        let Some(dtls) = &mut self.dtls else { return false };
        let (sctp, tap) = (&mut self.sctp, &mut self.tap);
        let mut is_authentic = false;
        dtls.handle_input(datagram, now, |packet| {
            is_authentic = true;
            tap::received(tap, PacketKind::Sctp, packet, now);
            if let Some(sctp) = sctp {
                sctp.handle_input(packet, now);
            }
        });
        self.take_dtls_events();
        is_authentic
    }

    fn handle_rtp(&mut self, packet: &mut [u8], ecn: Ecn, now: Instant) -> bool {
        let Some(Ok(packet)) = self.media_keys.context(self.cryptex).map(|srtp| srtp.unprotect_rtp(packet)) else {
            return false;
        };
        self.dtls.iter_mut().for_each(dtls::Connection::media_received);
        tap::received(&mut self.tap, PacketKind::Rtp, packet, now);
        self.rtp.handle_rtp(packet, ecn, now);
        true
    }

    fn handle_rtcp(&mut self, packet: &mut [u8], now: Instant) -> bool {
        let Some(Ok(packet)) = self.media_keys.context(self.cryptex).map(|srtp| srtp.unprotect_rtcp(packet)) else {
            return false;
        };
        self.dtls.iter_mut().for_each(dtls::Connection::media_received);
        tap::received(&mut self.tap, PacketKind::Rtcp, packet, now);
        self.rtp.handle_rtcp(packet, now);
        if let Some(pace) = &mut self.pace {
            pace.take_feedback(&mut self.rtp, now);
        }
        true
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        if let Some(dtls) = &mut self.dtls {
            dtls.handle_timeout(now);
            self.take_dtls_events();
        }
        self.rtp.handle_timeout(now);
        if let Some(pace) = &mut self.pace {
            pace.controller.handle_timeout(now);
        }
        if let Some(sctp) = &mut self.sctp {
            sctp.handle_timeout(now);
        }
    }

    /// The congestion control of media, if there are some.
    pub(crate) fn paced(&self) -> Option<&Pace> {
        self.pace.as_deref().filter(|_| !self.media_keys.is_none() && self.rtp.is_paced())
    }

    /// Only of what can leave: nothing is owed by a layer whose packets the one below would not take.
    pub(super) fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        let is_connected = self.security == Security::Connected;
        earliest([
            self.dtls.as_ref().and_then(|dtls| dtls.poll_timeout(now)),
            self.rtp.poll_timeout(now).filter(|_| !self.media_keys.is_none()),
            self.paced().and_then(|pace| pace.poll_timeout(&self.rtp, now)),
            self.sctp.as_ref().filter(|_| is_connected).and_then(|sctp| sctp.poll_timeout(now)),
        ])
    }

    /// DTLS tells nothing that waits for the user: its keys go to SRTP, its association begins.
    pub(super) fn take_dtls_events(&mut self) {
        if let (Some(tap), Some(dtls)) = (&mut self.tap, &mut self.dtls) {
            while let Some(line) = dtls.poll_key_log() {
                tap.key(line);
            }
        }
        while let Some(event) = self.dtls.as_mut().and_then(dtls::Connection::poll_event) {
            match event {
                dtls::Event::Connected { srtp } => self.connected(srtp),
                dtls::Event::Closed(reason) => self.security = Security::Closed(reason),
                _ => {}
            }
        }
    }

    fn connected(&mut self, keys: Option<dtls::SrtpKeys>) {
        self.security = Security::Connected;
        self.media_keys = MediaKeys::new(keys);
        if let Some(sctp) = &mut self.sctp {
            sctp.connect();
        }
    }

    /// The association of the data channels; it begins when DTLS is up.
    pub(super) fn set_association(&mut self, mut association: sctp::Association) {
        if self.security == Security::Connected {
            association.connect();
        }
        self.sctp = Some(association);
    }
}
