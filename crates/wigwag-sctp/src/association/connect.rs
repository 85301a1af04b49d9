//! Setting an association up, and what becomes of those who begin twice (RFC 9260 §5).

use super::control_block::{ControlBlock, Identity};
use super::cookie::{COOKIE_LEN, COOKIE_LIFE, Cookie};
use super::state::{Attempt, Phase};
use super::{Association, Reply};
use crate::cause::{self, code};
use crate::chunk::{COOKIE_ECHO_HEADER_LEN, Init, Unrecognized, kind};
use crate::event::CloseReason;
use crate::packet::{HEADER_LEN, Packet, RawChunk};
use crate::parameter::{self, Extensions};
use crate::send::Format;
use crate::wire::{Malformed, TLV_HEADER_LEN, Tlv, Tlvs};
use std::time::{Duration, Instant};

/// What an INIT ACK reports of unknown parameters, so that it fits into the smallest packet.
const UNRECOGNIZED_LEN_MAX: usize = 256;

/// What the parameters of an INIT or INIT ACK say.
#[derive(Debug, Default)]
pub(super) struct Parameters<'a> {
    pub(super) extensions: Extensions,
    cookie: Option<&'a [u8]>,
    /// What the peer asks to be told of: whole parameters, encoded.
    unrecognized: Vec<u8>,
    /// What it takes to tell of these, each in a parameter of its own.
    reported_len: usize,
    pub(super) host_name: Option<Tlv<'a>>,
}

impl<'a> Parameters<'a> {
    pub(super) fn read(parameters: Tlvs<'a>) -> Result<Self, Malformed> {
        let mut read = Self::default();
        for parameter in parameters {
            let parameter = parameter?;
            match parameter.kind {
                parameter::kind::STATE_COOKIE => read.cookie = Some(parameter.value),
                parameter::kind::HOST_NAME_ADDRESS => read.host_name = Some(parameter),
                // One path, below DTLS: addresses say nothing here (RFC 8261 §6).
                parameter::kind::IPV4_ADDRESS
                | parameter::kind::IPV6_ADDRESS
                | parameter::kind::UNRECOGNIZED
                | parameter::kind::COOKIE_PRESERVATIVE
                | parameter::kind::SUPPORTED_ADDRESS_TYPES => {}
                _ if read.extensions.read(parameter) => {}
                unknown => {
                    let action = Unrecognized::parameter(unknown);
                    let reported_len = read.reported_len + TLV_HEADER_LEN + parameter.len();
                    if action.is_reported && reported_len <= UNRECOGNIZED_LEN_MAX {
                        read.reported_len = reported_len;
                        parameter.write(&mut read.unrecognized);
                    }
                    if action.is_end {
                        break;
                    }
                }
            }
        }
        Ok(read)
    }
}

/// An INIT ACK that is owed. There is one at most: a later INIT takes its place.
#[derive(Debug)]
pub(crate) struct InitAck {
    local: Identity,
    tie_tags: (u32, u32),
    init: Init,
    extensions: Extensions,
    unrecognized: Vec<u8>,
}

impl InitAck {
    pub(crate) const fn tag(&self) -> u32 {
        self.init.initiate_tag
    }
}

impl Association {
    fn own_init(&self, local: Identity) -> Init {
        Init {
            initiate_tag: local.tag,
            a_rwnd: self.initial_window(),
            outbound_streams: self.config.outbound_streams(),
            inbound_streams: self.config.streams_max,
            initial_tsn: local.tsn,
        }
    }

    /// Returns the length of the padding.
    pub(super) fn write_init(&self, out: &mut Vec<u8>) -> usize {
        self.own_init(self.local).write(kind::INIT, out, |out| Extensions::ours(&self.config).write(out))
    }

    pub(super) fn write_init_ack(&self, ack: &InitAck, now: Instant, out: &mut Vec<u8>) {
        let cookie = Cookie {
            created_ms: self.age_ms(now),
            local_tag: ack.local.tag,
            local_tsn: ack.local.tsn,
            tie_tags: ack.tie_tags,
            ports: self.ports(),
            init: ack.init,
            extensions: ack.extensions,
        };
        let mut bytes = Vec::with_capacity(COOKIE_LEN);
        cookie.write(&self.cookie_key, &mut bytes);
        let mut init = self.own_init(ack.local);
        // RFC 9260 §5.1.1: "If the peer's MIS is less than the endpoint's OS […], the endpoint MUST use MIS outbound
        // streams".
        init.outbound_streams = init.outbound_streams.min(ack.init.inbound_streams);
        init.write(kind::INIT_ACK, out, |out| {
            Extensions::ours(&self.config).answer(ack.extensions).write(out);
            let mut unrecognized = Tlvs::new(&ack.unrecognized);
            while let Some(Ok(parameter)) = unrecognized.next() {
                let mut whole = Vec::new();
                let padding = parameter.write(&mut whole);
                whole.truncate(whole.len() - padding);
                Tlv { kind: parameter::kind::UNRECOGNIZED, value: &whole }.write(out);
            }
            Tlv { kind: parameter::kind::STATE_COOKIE, value: &bytes }.write(out)
        });
    }

    /// An INIT, which must be alone in its packet.
    pub(super) fn handle_init(&mut self, packet: &Packet<'_>, chunk: RawChunk<'_>) {
        // RFC 9260 §8.5: "A packet containing an INIT chunk MUST have a zero Verification Tag."
        if packet.verification_tag != 0 {
            self.stats.discarded.verification_tag += 1;
            return;
        }
        let is_alone = packet.chunks.count() == 1;
        let decoded = Init::decode(chunk).filter(|(init, _)| is_alone && init.initiate_tag != 0);
        let Some((init, parameters)) = decoded.and_then(|(init, tlvs)| Some((init, Parameters::read(tlvs).ok()?)))
        else {
            self.stats.discarded.malformed += 1;
            return;
        };
        if !init.is_valid() {
            self.reply(Reply::abort(init.initiate_tag, code::INVALID_MANDATORY_PARAMETER, &[]));
            return;
        }
        if let Some(host_name) = parameters.host_name {
            let cause = cause::unresolvable_address(host_name);
            self.reply(Reply::abort(init.initiate_tag, code::UNRESOLVABLE_ADDRESS, &cause));
            return;
        }
        let tags = self.block.as_ref().map_or((0, 0), |block| (block.local_tag, block.peer_tag));
        let (local, tie_tags) = match &mut self.phase {
            Phase::Idle | Phase::CookieWait(_) => (self.local, (0, 0)),
            // RFC 9260 §5.2.1: both began. The same tag as in our INIT, so that either's cookie makes the same association.
            Phase::CookieEchoed { .. } => (self.local, tags),
            // It does not know that we know it from its description: so with this.
            Phase::Established | Phase::ShutdownPending | Phase::ShutdownSent { .. }
                if self.block.as_ref().is_some_and(|block| block.is_presumed(&init)) =>
            {
                (self.local, tags)
            }
            Phase::Established | Phase::ShutdownPending | Phase::ShutdownSent { .. } | Phase::ShutdownReceived => {
                (Identity { tag: self.rng.u32().max(1), tsn: self.rng.u32() }, tags)
            }
            // RFC 9260 §9.2: "it SHOULD discard the INIT chunk and retransmit the SHUTDOWN ACK chunk."
            Phase::ShutdownAckSent(attempt) => return attempt.owe(),
            // RFC 9260 §5.1: "If an endpoint receives an INIT, INIT ACK, or COOKIE ECHO chunk but decides not to establish the
            // new association […], it SHOULD respond with an ABORT chunk."
            Phase::Ended => {
                self.stats.discarded.unexpected += 1;
                if self.reply.is_none() {
                    self.reply(Reply::abort(init.initiate_tag, code::USER_ABORT, &[]));
                }
                return;
            }
        };
        let Parameters { extensions, unrecognized, .. } = parameters;
        self.reply(Reply::InitAck(InitAck { local, tie_tags, init, extensions, unrecognized }));
    }

    pub(super) fn handle_init_ack(&mut self, chunk: RawChunk<'_>) {
        let Phase::CookieWait(attempt) = &self.phase else {
            self.stats.discarded.unexpected += 1;
            return;
        };
        let failures = attempt.failures;
        let decoded = Init::decode(chunk).and_then(|(init, tlvs)| Some((init, Parameters::read(tlvs).ok()?)));
        let Some((init, parameters)) = decoded else {
            self.stats.discarded.malformed += 1;
            return;
        };
        let cookie = match self.take_cookie(&init, &parameters) {
            Ok(cookie) => cookie.to_vec(),
            Err((cause, value, why)) => return self.refuse(init.initiate_tag, cause, &value, why),
        };
        let mut block = ControlBlock::new(&self.config, self.local, &init, parameters.extensions, self.clock.seen());
        if !parameters.unrecognized.is_empty() {
            // RFC 9260 §3.3.10.8: in an ERROR chunk beside the COOKIE ECHO.
            block.report(Tlv { kind: code::UNRECOGNIZED_PARAMETERS, value: &parameters.unrecognized });
        }
        self.begin_block(block, init.a_rwnd);
        let mut attempt = self.new_attempt();
        attempt.failures = failures;
        self.phase = Phase::CookieEchoed { cookie, attempt };
    }

    /// The cookie of an INIT ACK that makes sense, or the error cause and why it does not.
    fn take_cookie<'a>(
        &self,
        init: &Init,
        parameters: &Parameters<'a>,
    ) -> Result<&'a [u8], (u16, Vec<u8>, &'static str)> {
        // RFC 9260 §3.3.2.1: "The receiver of an INIT chunk or an INIT ACK containing a Host Name Address parameter MUST send
        // an ABORT chunk and MAY include an "Unresolvable Address" error cause."
        if let Some(host_name) = parameters.host_name {
            let value = cause::unresolvable_address(host_name);
            return Err((code::UNRESOLVABLE_ADDRESS, value, "an INIT ACK with a host name"));
        }
        if !init.is_valid() {
            return Err((code::INVALID_MANDATORY_PARAMETER, Vec::new(), "an INIT ACK that makes no sense"));
        }
        let Some(cookie) = parameters.cookie else {
            let missing = cause::missing_parameter(parameter::kind::STATE_COOKIE);
            return Err((code::MISSING_MANDATORY_PARAMETER, missing.to_vec(), "an INIT ACK without a cookie"));
        };
        if cookie.len() > self.cookie_len_max() {
            return Err((code::OUT_OF_RESOURCE, Vec::new(), "a cookie that no packet holds"));
        }
        Ok(cookie)
    }

    /// Of a cookie that a packet holds.
    pub(super) const fn cookie_len_max(&self) -> usize {
        self.mtu - HEADER_LEN - COOKIE_ECHO_HEADER_LEN
    }

    /// A COOKIE ECHO. `true`: it was taken, and what follows in the packet is for the association.
    pub(super) fn handle_cookie_echo(&mut self, packet: &Packet<'_>, chunk: RawChunk<'_>, now: Instant) -> bool {
        if self.is_ended() {
            return self.is_for_us(packet, chunk);
        }
        let Some(cookie) = Cookie::open(chunk.value, &self.cookie_key).filter(|cookie| cookie.ports == self.ports())
        else {
            self.stats.discarded.cookie += 1;
            return false;
        };
        if packet.verification_tag != cookie.local_tag {
            self.stats.discarded.verification_tag += 1;
            return false;
        }
        let tags = self.block.as_ref().map(|block| (block.local_tag, block.peer_tag));
        let is_same = tags == Some((cookie.local_tag, cookie.init.initiate_tag));
        let age = Duration::from_millis(self.age_ms(now).saturating_sub(cookie.created_ms));
        if age > COOKIE_LIFE && !is_same {
            self.stats.discarded.stale_cookie += 1;
            let staleness = cause::stale_cookie(age - COOKIE_LIFE);
            self.reply(Reply::error(cookie.init.initiate_tag, code::STALE_COOKIE, &staleness));
            return false;
        }
        let is_taken = match tags {
            None => self.take_first_cookie(&cookie),
            Some(tags) => self.take_second_cookie(&cookie, tags),
        };
        if !is_taken {
            self.stats.discarded.cookie += 1;
        }
        is_taken
    }

    fn take_first_cookie(&mut self, cookie: &Cookie) -> bool {
        let is_for_us = matches!(self.phase, Phase::Idle | Phase::CookieWait(_)) && cookie.local_tag == self.local.tag;
        if is_for_us {
            self.adopt(cookie);
            self.establish();
        }
        is_for_us
    }

    /// RFC 9260 §5.2.4, Table 12: whether the tags of the cookie are those of the association, ours and the peer's.
    fn take_second_cookie(&mut self, cookie: &Cookie, tags: (u32, u32)) -> bool {
        match (cookie.local_tag == tags.0, cookie.init.initiate_tag == tags.1) {
            // D: it is the one that there is.
            (true, true) => {
                if let Phase::CookieEchoed { .. } = self.phase {
                    self.establish();
                }
                self.owe_cookie_ack();
                true
            }
            // B: both began, and the peer has another tag than its INIT ACK told.
            (true, false) => {
                if let Phase::CookieEchoed { .. } = self.phase {
                    self.adopt(cookie);
                    self.establish();
                } else {
                    self.restart(cookie);
                }
                true
            }
            // C: ours, made before it began anew, and late. RFC 9260 §5.2.4: "silently discarded"
            (false, true) => false,
            // A: the peer has begun anew.
            (false, false) if cookie.tie_tags == tags => {
                if let Phase::ShutdownAckSent(attempt) = &mut self.phase {
                    attempt.owe();
                    self.reply(Reply::error(tags.1, code::COOKIE_WHILE_SHUTTING_DOWN, &[]));
                    return true;
                }
                self.restart(cookie);
                true
            }
            (false, false) => false,
        }
    }

    /// The association is the one that the cookie tells of.
    fn adopt(&mut self, cookie: &Cookie) {
        let local = Identity { tag: cookie.local_tag, tsn: cookie.local_tsn };
        let block = ControlBlock::new(&self.config, local, &cookie.init, cookie.extensions, self.clock.seen());
        self.begin_block(block, cookie.init.a_rwnd);
        self.owe_cookie_ack();
    }

    pub(super) fn begin_block(&mut self, block: ControlBlock, peer_window: u32) {
        self.queue.set_format(Format::new(block.extensions.has_interleaving), peer_window);
        self.mtu = self.config.mtu;
        self.block = Some(block);
    }

    fn restart(&mut self, cookie: &Cookie) {
        self.queue.clear();
        self.discard_incomplete();
        self.adopt(cookie);
        self.notices.clear();
        self.inbox.restarted();
        self.phase = if self.is_shutdown_wanted { Phase::ShutdownPending } else { Phase::Established };
        self.limit_streams();
    }

    fn owe_cookie_ack(&mut self) {
        if let Some(block) = &mut self.block {
            block.is_cookie_ack_owed = true;
        }
    }

    pub(super) fn handle_cookie_ack(&mut self) {
        if let Phase::CookieEchoed { .. } = self.phase {
            self.establish();
        } else {
            self.stats.discarded.unexpected += 1;
        }
    }

    /// An ERROR chunk: a stale cookie makes us begin again (RFC 9260 §5.2.6); the rest is for logs.
    pub(super) fn handle_error(&mut self, chunk: RawChunk<'_>) {
        for cause in Tlvs::new(chunk.value) {
            let Ok(cause) = cause else {
                self.stats.discarded.malformed += 1;
                return;
            };
            if cause.kind == code::STALE_COOKIE
                && let Phase::CookieEchoed { attempt, .. } = &self.phase
            {
                let failures = attempt.failures.saturating_add(1);
                if self.is_given_up(failures) {
                    return self.end(CloseReason::Unreachable);
                }
                self.block = None;
                let mut attempt = self.new_attempt();
                attempt.failures = failures;
                self.phase = Phase::CookieWait(attempt);
                return;
            }
        }
    }

    pub(super) fn establish(&mut self) {
        self.phase = if self.is_shutdown_wanted { Phase::ShutdownPending } else { Phase::Established };
        self.is_connected_owed = true;
        self.limit_streams();
    }

    pub(super) fn new_attempt(&self) -> Attempt {
        let rto = self.block.as_ref().map_or(self.config.rto_initial, |block| block.transmission.rto().current());
        let max = match (&self.phase, self.config.init_rto_max) {
            (Phase::Idle | Phase::CookieWait(_) | Phase::CookieEchoed { .. }, Some(max)) => max,
            _ => self.config.rto_max,
        };
        Attempt::new(rto.min(max), max)
    }

    /// Ends what has not become an association, and tells the peer why.
    fn refuse(&mut self, tag: u32, cause: u16, value: &[u8], why: &'static str) {
        self.reply(Reply::abort(tag, cause, value));
        self.end(CloseReason::ProtocolViolation(why));
    }
}
