//! The keys of one DTLS association, in both directions, and what was sealed and opened with them.

use crate::rtp::Opened;
use crate::{Cryptex, Error, Profile, Stats, key_derivation, rtcp, rtp};
use std::fmt;

/// How many sources a context seals, and how many it opens, each for RTP and for RTCP.
///
/// A source is kept as long as the context: one that was forgotten could be replayed, and one of ours could use an index
/// twice. A packet of one more source is refused. Only authenticated packets make a source.
pub(crate) const SOURCES_MAX: usize = 1024;

/// A master key and its salt, as the key exchange exports them. The bytes stay the caller's, who wipes them.
#[derive(Clone, Copy)]
pub struct MasterKey<'a> {
    /// [`Profile::key_len`] bytes.
    pub key: &'a [u8],
    /// [`Profile::salt_len`] bytes.
    pub salt: &'a [u8],
}

impl fmt::Debug for MasterKey<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey(…)")
    }
}

/// Why a packet was not sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    Malformed,
    HeaderInClear,
    Reused,
    Exhausted,
    TooManySources,
}

/// Seals what we send and opens what the peer sent, where it lies.
pub struct Context {
    profile: Profile,
    cryptex: Cryptex,
    rtp_sealer: rtp::Sealer,
    rtcp_sealer: rtcp::Sealer,
    rtp_opener: rtp::Opener,
    rtcp_opener: rtcp::Opener,
    stats: Stats,
}

impl Context {
    /// Seals with what is derived from `local`, and opens with what is derived from `remote`.
    ///
    /// # Errors
    /// If a key or a salt is not as long as the profile says.
    pub fn new(profile: Profile, local: MasterKey<'_>, remote: MasterKey<'_>) -> Result<Self, Error> {
        let (rtp_sealer, rtcp_sealer) = key_derivation::ciphers(profile, local)?;
        let (rtp_opener, rtcp_opener) = key_derivation::ciphers(profile, remote)?;
        Ok(Self {
            profile,
            cryptex: Cryptex::Off,
            rtp_sealer: rtp::Sealer::new(rtp_sealer),
            rtcp_sealer: rtcp::Sealer::new(profile, rtcp_sealer),
            rtp_opener: rtp::Opener::new(rtp_opener, profile.rtp_overhead()),
            rtcp_opener: rtcp::Opener::new(profile, rtcp_opener),
            stats: Stats::default(),
        })
    }

    /// The ciphers in use.
    pub const fn profile(&self) -> Profile {
        self.profile
    }

    /// Whether CSRCs and header extensions are encrypted, too (RFC 9335). At first, they are not.
    pub const fn cryptex(&self) -> Cryptex {
        self.cryptex
    }

    /// Says whether they are from now on. A packet that was sealed in the one way is not sealed again in the other, for it would be other
    /// bytes under the same keystream: it is refused and counted as `refused_reused`.
    pub const fn set_cryptex(&mut self, cryptex: Cryptex) {
        self.cryptex = cryptex;
    }

    /// Appends the RTP packet that `write` appends, sealed where it lies and at most `limit` bytes long.
    ///
    /// `write(limit, out)` is offered what is left for the packet itself; it appends one, or changes nothing and says
    /// `false`. So does this, also when the packet must not be sealed, which is counted: such a packet is lost. A packet that
    /// is longer than was offered is taken back, and it is `false`.
    ///
    /// A packet may be sealed again while it is among its source's last 1,024 (as the answer to a NACK), if it is the
    /// same to the last bit, header extensions included: then its sealed form is the same too. Other bytes with a
    /// sequence number that was used are refused, for they would tell the keystream.
    pub fn protect_rtp(
        &mut self,
        limit: usize,
        out: &mut Vec<u8>,
        write: impl FnOnce(usize, &mut Vec<u8>) -> bool,
    ) -> bool {
        let overhead = self.profile.rtp_overhead() + self.cryptex.rtp_overhead();
        let Some(start) = write_within(limit, overhead, out, write) else { return false };
        let result = self.rtp_sealer.seal(self.cryptex, out, start);
        self.stats.cryptex_protected += u64::from(result == Ok(true));
        self.finish(result.map(drop), start, out, |stats| &mut stats.rtp_protected)
    }

    /// Appends the RTCP compound that `write` appends, sealed where it lies and at most `limit` bytes long; otherwise as
    /// [`protect_rtp`](Self::protect_rtp).
    pub fn protect_rtcp(
        &mut self,
        limit: usize,
        out: &mut Vec<u8>,
        write: impl FnOnce(usize, &mut Vec<u8>) -> bool,
    ) -> bool {
        let Some(start) = write_within(limit, self.profile.rtcp_overhead(), out, write) else { return false };
        let result = self.rtcp_sealer.seal(out, start);
        self.finish(result, start, out, |stats| &mut stats.rtcp_protected)
    }

    /// The RTP packet within a sealed one, opened where it lies.
    ///
    /// # Errors
    /// If it is refused, for whatever reason; its bytes and the context's state are as before, but for the counters.
    pub fn unprotect_rtp<'a>(&mut self, packet: &'a mut [u8]) -> Result<&'a mut [u8], Error> {
        let result = self.rtp_opener.open(self.cryptex, packet);
        let Opened { len, is_cryptex } = self.count_opened(result, |stats| &mut stats.rtp_unprotected)?;
        self.stats.cryptex_unprotected += u64::from(is_cryptex);
        packet.get_mut(..len).ok_or(Error::Malformed)
    }

    /// The RTCP compound within a sealed one, opened where it lies.
    ///
    /// # Errors
    /// As [`unprotect_rtp`](Self::unprotect_rtp).
    pub fn unprotect_rtcp<'a>(&mut self, packet: &'a mut [u8]) -> Result<&'a mut [u8], Error> {
        let result = self.rtcp_opener.open(packet);
        let len = self.count_opened(result, |stats| &mut stats.rtcp_unprotected)?;
        packet.get_mut(..len).ok_or(Error::Malformed)
    }

    /// What was sealed, opened and refused.
    pub const fn stats(&self) -> Stats {
        self.stats
    }

    fn finish(
        &mut self,
        result: Result<(), Refused>,
        start: usize,
        out: &mut Vec<u8>,
        sealed: impl FnOnce(&mut Stats) -> &mut u64,
    ) -> bool {
        let stats = &mut self.stats;
        *match result {
            Ok(()) => sealed(stats),
            Err(Refused::Malformed) => &mut stats.refused_malformed,
            Err(Refused::HeaderInClear) => &mut stats.refused_header_in_clear,
            Err(Refused::Reused) => &mut stats.refused_reused,
            Err(Refused::Exhausted) => &mut stats.refused_exhausted,
            Err(Refused::TooManySources) => &mut stats.refused_too_many_sources,
        } += 1;
        if result.is_err() {
            out.truncate(start);
        }
        result.is_ok()
    }

    fn count_opened<T>(
        &mut self,
        result: Result<T, Error>,
        opened: impl FnOnce(&mut Stats) -> &mut u64,
    ) -> Result<T, Error> {
        let stats = &mut self.stats;
        *match result {
            Ok(_) => opened(stats),
            Err(Error::Malformed | Error::KeyLength) => &mut stats.dropped_malformed,
            Err(Error::Unauthentic) => &mut stats.dropped_unauthentic,
            Err(Error::Replayed) => &mut stats.dropped_replayed,
            Err(Error::TooOld) => &mut stats.dropped_too_old,
            Err(Error::Unencrypted) => &mut stats.dropped_unencrypted,
            Err(Error::HeaderInClear) => &mut stats.dropped_header_in_clear,
            Err(Error::TooManySources) => &mut stats.dropped_too_many_sources,
        } += 1;
        result
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("profile", &self.profile)
            .field("cryptex", &self.cryptex)
            .field("stats", &self.stats)
            .finish_non_exhaustive()
    }
}

/// Where the packet begins that `write` appended, leaving room for `overhead`. What is too long is taken back, and so is what
/// it says it has not written: neither may leave.
fn write_within(
    limit: usize,
    overhead: usize,
    out: &mut Vec<u8>,
    write: impl FnOnce(usize, &mut Vec<u8>) -> bool,
) -> Option<usize> {
    let room = limit.checked_sub(overhead)?;
    let start = out.len();
    let has_written = write(room, out);
    let len = out.len().saturating_sub(start);
    if !has_written || len == 0 || len > room {
        out.truncate(start);
        return None;
    }
    Some(start)
}
