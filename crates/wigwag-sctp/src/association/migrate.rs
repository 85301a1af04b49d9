//! Exporting an association, and going on with it elsewhere (see [`crate::migration`]).

use super::Association;
use super::control_block::ControlBlock;
use super::state::Phase;
use crate::Config;
use crate::crypto::{CookieKey, KEY_LEN, SecretBytes};
use crate::error::{ExportError, ResumeError};
use crate::migration::{Reader, State, Writer};
use crate::parameter::Extensions;
use crate::wire;
use std::fmt;
use std::time::Instant;
use wigwag_sansio::{Monotonic, Rng, Seed};
use zeroize::Zeroizing;

const VERSION: u8 = 1;
/// The next call of `invariants` looks at everything.
const BEFORE_A_THOROUGH_LOOK: u32 = 63;

/// An association as bytes, all that is queued, in flight and half received included, in a format of this crate's own. They hold a key
/// and what the user has sent: they are wiped when dropped, and whoever stores them keeps them secret.
pub struct ExportedState(SecretBytes);

impl ExportedState {
    /// The bytes, for [`Association::resume`].
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for ExportedState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ExportedState({} bytes)", self.0.len())
    }
}

impl Association {
    /// Ends the association here, unnoticed by the peer, so that it goes on elsewhere by [`resume`](Self::resume), in whatever state it
    /// is. What was told by no event yet is told there; a packet that was owed to a stranger is lost.
    ///
    /// # Errors
    /// It has ended.
    pub fn export(mut self, now: Instant) -> Result<ExportedState, ExportError> {
        let now = self.advance(now);
        self.queue.stamp(now);
        let Self {
            config,
            mtu: _,
            clock: _,
            began,
            rng: _,
            cookie_key,
            local,
            peer_init,
            phase,
            block,
            queue,
            inbox,
            reply: _,
            is_shutdown_wanted,
            is_connected_owed,
            closed: _,
            notices,
            stats,
            calls: _,
        } = &self;
        if let Phase::Ended = phase {
            return Err(ExportError::Ended);
        }
        let mut out = Writer::new(now);
        (config.local_port, config.remote_port).write(&mut out);
        (*began, *local).write(&mut out);
        peer_init.write(&mut out);
        phase.write(&mut out);
        block.write(&mut out);
        queue.write(&mut out);
        inbox.write(&mut out);
        (*is_shutdown_wanted, *is_connected_owed).write(&mut out);
        notices.write(&mut out);
        stats.write(&mut out);
        let state = SecretBytes::new(out.into_bytes());
        // So much at once that no part of it is left behind.
        let mut bytes = SecretBytes::new(Vec::with_capacity(1 + KEY_LEN + state.len()));
        bytes.push(VERSION);
        bytes.extend_from_slice(cookie_key.bytes());
        bytes.extend_from_slice(&state);
        Ok(ExportedState(bytes))
    }

    /// Goes on with an association that was exported, as if no time had passed since. `config` is as it was there (but for limits and times,
    /// which count from now on; a controller of congestion is made anew and told how far the last one had come), `seed` is another
    /// one. What is in flight is not cut anew, so packets must be allowed to be as long as when they left: where [`set_mtu`](Self::set_mtu) has
    /// made them shorter since, resume with the [`Config::mtu`](field@Config::mtu) of before, and call it again. The bytes may be anybody's.
    ///
    /// # Errors
    /// The bytes are no exported association, or not with this configuration: see [`ResumeError`].
    #[expect(clippy::needless_pass_by_value, reason = "a seed is given away: nobody else uses it")]
    pub fn resume(config: Config, seed: Seed, bytes: &[u8], now: Instant) -> Result<Self, ResumeError> {
        let mut reader = wire::Reader::new(bytes);
        match reader.u8() {
            Some(VERSION) => {}
            found => return Err(ResumeError::Version { expected: VERSION, found: found.unwrap_or(0) }),
        }
        let key = reader.take::<KEY_LEN>().map(Zeroizing::new).ok_or(ResumeError::Malformed)?;
        let config = config.bounded();
        let mut from = Reader::new(reader, now, &config);
        let ports = <(u16, u16)>::read(&mut from).ok_or(ResumeError::Malformed)?;
        if ports != (config.local_port, config.remote_port) {
            return Err(ResumeError::OtherConfig("ports"));
        }
        // What an association of this seed has drawn at first does not come again.
        let rng = Rng::new(seed.fork("resumed"));
        let mut association = Self::read(&mut from, CookieKey::resume(&key), rng).ok_or(ResumeError::Malformed)?;
        let agreed = association.block.as_ref().map(|block| block.extensions).unwrap_or_default();
        if agreed != agreed.and(Extensions::ours(&config)) {
            return Err(ResumeError::OtherConfig("extensions"));
        }
        // It would be owed for ever.
        let needed = association.block.as_ref().map_or(0, |block| block.transmission.packet_len_max());
        let allowed = association.config.path_mtu_max();
        if needed > allowed {
            return Err(ResumeError::Mtu { needed, allowed });
        }
        association.invariants();
        Ok(association)
    }

    fn read(from: &mut Reader<'_>, cookie_key: CookieKey, rng: Rng) -> Option<Self> {
        let (began, local) = State::read(from)?;
        let peer_init = State::read(from)?;
        let phase = State::read(from)?;
        let block: Option<ControlBlock> = State::read(from)?;
        from.extensions = block.as_ref().map(|block| block.extensions).unwrap_or_default();
        let queue = State::read(from)?;
        let inbox = State::read(from)?;
        let (is_shutdown_wanted, is_connected_owed) = State::read(from)?;
        let (notices, stats) = State::read(from)?;
        let mut clock = Monotonic::default();
        clock.advance(from.now);
        let association = Self {
            config: from.config.clone(),
            mtu: block.as_ref().map_or(from.config.mtu, |block| block.path_mtu.current()),
            clock,
            began,
            rng,
            cookie_key,
            local,
            peer_init,
            phase,
            block,
            queue,
            inbox,
            reply: None,
            is_shutdown_wanted,
            is_connected_owed,
            closed: None,
            notices,
            stats,
            calls: BEFORE_A_THOROUGH_LOOK,
        };
        (from.is_empty() && association.is_possible()).then_some(association)
    }

    /// Whether the parts fit one another.
    fn is_possible(&self) -> bool {
        let is_drained = |block: &ControlBlock| self.queue.is_empty() && block.transmission.is_done();
        let is_state_possible = match &self.phase {
            Phase::Idle | Phase::CookieWait(_) => self.block.is_none(),
            // Longer than any that was taken, it might fit no packet.
            Phase::CookieEchoed { cookie, .. } => self.block.is_some() && cookie.len() <= self.cookie_len_max(),
            Phase::Established | Phase::ShutdownPending | Phase::ShutdownReceived => self.block.is_some(),
            Phase::ShutdownSent { .. } | Phase::ShutdownAckSent(_) => self.block.as_ref().is_some_and(is_drained),
            Phase::Ended => false,
        };
        let goes_on = |(stream, last)| {
            self.block
                .as_ref()
                .is_some_and(|block| block.transmission.may_go_on(last, stream) && !block.reconfig.is_asking_for_tsns())
        };
        let is_ended_by_somebody = self.takes_messages() || !self.queue.has_open();
        is_state_possible && is_ended_by_somebody && self.queue.begun().all(goes_on)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SendOptions;
    use crate::association::state::Attempt;
    use bytes::Bytes;

    /// The tag of the packet that is owed, and the one that its chunk tells, if it is an INIT or INIT ACK.
    fn packet(association: &mut Association, now: Instant) -> Vec<u8> {
        let mut out = Vec::new();
        assert!(association.poll_packet(now, 1200, &mut out));
        out
    }

    /// Two that are connected, and when.
    fn connected() -> ([Association; 2], Instant) {
        let now = wigwag_sim::origin();
        let mut both = [1, 2].map(|seed| Association::new(Config::default(), Seed::for_test(seed)));
        both[0].connect();
        for turn in 0..4 {
            let packet = packet(&mut both[turn % 2], now);
            both[1 - turn % 2].handle_input(&packet, now);
        }
        assert!(both.iter().all(Association::takes_messages));
        (both, now)
    }

    fn resumed(association: Association, now: Instant) -> Result<Association, ResumeError> {
        let state = association.export(now).expect("it lives");
        Association::resume(Config::default(), Seed::for_test(1), state.as_bytes(), now)
    }

    #[test]
    fn what_would_never_be_sent_or_never_end_is_refused() {
        for is_possible in [true, false] {
            let ([mut a, mut z], now) = connected();
            let cookie = vec![7; if is_possible { 1000 } else { 2000 }];
            a.phase = Phase::CookieEchoed { cookie, attempt: Attempt::new(a.config.rto_initial, a.config.rto_max) };
            assert_eq!(resumed(a, now).is_ok(), is_possible, "a cookie that no packet holds");

            z.begin_message(0, 51, SendOptions::default()).expect("there is room");
            z.append_part(0, Bytes::from_static(b"part")).expect("there is room");
            if !is_possible {
                z.phase = Phase::ShutdownPending;
            }
            assert_eq!(resumed(z, now).is_ok(), is_possible, "a message that nobody can finish");
        }
    }

    /// The seed is to be another one; if it is the same, the tag of before does not come again.
    #[test]
    fn whoever_goes_on_with_the_same_seed_has_another_tag_for_a_peer_that_begins_anew() {
        let ([a, _], now) = connected();
        let before = a.local.tag.to_be_bytes();
        let mut a = resumed(a, now).expect("it goes on");
        let mut z = Association::new(Config::default(), Seed::for_test(3));
        z.connect();
        a.handle_input(&packet(&mut z, now), now);
        assert_ne!(packet(&mut a, now)[16..20], before);
    }
}
