//! Media whose CSRCs and header extensions are encrypted (RFC 9335), on the wire, and what the extensions say is understood.

use super::{Stage, media};
use crate::call::{Call, Media};
use crate::peer::PATIENCE;
use anyhow::{Context, Result, ensure};
use std::collections::BTreeMap;
use wigwag::jsep::{HeaderEncryption, HeaderExtension};
use wigwag::pcapng::Direction;
use wigwag::{PacketKind, PeerConnection, Tapped};

const POLICY: &str = "peer.make({configuration: {rtpHeaderEncryptionPolicy: 'require'}})";
/// What stands before extensions: as RFC 8285 has it, and as RFC 9335 does.
const CLEAR: u16 = 0xbede;
const ENCRYPTED: u16 = 0xc0de;

pub(super) fn run(stage: &mut Stage<'_>) -> Result<String> {
    let mut call = Call::new(stage.browser, stage.page, stage.role, |config| {
        config.negotiation.header_encryption = HeaderEncryption::Require;
        config.tap.packets = true;
        config.tap.buffer = 64 << 20;
    })?;
    call.browser.evaluate(POLICY)?;
    let policy = call.browser.evaluate("peer.pc.getConfiguration().rtpHeaderEncryptionPolicy")?;
    ensure!(policy == "require", "the browser knows no such policy: {policy}");
    let both = Media { audio: true, video: true };
    call.add_media(both)?;
    call.open_by_offerer("first")?;
    call.connect()?;
    let watched = media::watch(&mut call, both)?;
    // Chromium 156 has the policy, and does not say what came of it.
    let theirs = "peer.pc.getTransceivers().map((one) => one.rtpHeaderEncryptionNegotiated ?? true)";
    let theirs = call.browser.evaluate(theirs)?;
    ensure!(theirs == serde_json::json!([true, true]), "the browser says that it was agreed upon: {theirs}");
    let tapped = call.peer.run(Counted::of)??;
    let drops = call.peer.run(|connection| connection.drops())?;
    let drops: Vec<_> = drops.into_iter().filter(|(name, count)| name.starts_with("srtp.") && *count > 0).collect();
    ensure!(drops.is_empty(), "{drops:?}");
    let reported = call.peer.wait("", PATIENCE, |seen| Some(seen.arrivals_reported))?;
    tapped.judge(reported).with_context(|| format!("{tapped:?}"))?;
    Ok(format!("{watched}; {:?} packets with 0xC0DE, {reported} of ours reported to have come", tapped.wire_counts()))
}

/// What was tapped.
#[derive(Debug, Default)]
struct Counted {
    /// Datagrams of media each way, by what stands before their extensions.
    wire: BTreeMap<(bool, Option<u16>), usize>,
    /// The same of packets of the browser's, decrypted.
    plain: BTreeMap<Option<u16>, usize>,
    /// Of these, those that name their section.
    named: usize,
    /// Of these, those that have a number among all.
    numbered: usize,
    /// Reports of arrivals that we sent.
    reports: usize,
}

impl Counted {
    fn of(connection: &mut PeerConnection) -> Result<Self> {
        let mut counted = Self::default();
        let of_each = connection.transceivers().map(|transceiver| {
            let agreed = transceiver.negotiated.as_ref().context("nothing was agreed upon")?;
            ensure!(agreed.cryptex, "we say that it was not agreed upon");
            let id =
                |uri| agreed.extensions.iter().find(|extension| extension.uri == uri).map(|extension| extension.id);
            let mid = transceiver.mid.clone().unwrap_or_default();
            Ok((id(HeaderExtension::MID), id(HeaderExtension::TRANSPORT_CC), mid))
        });
        let of_each = of_each.collect::<Result<Vec<_>>>()?;
        ensure!(of_each.len() == 2, "there are {} transceivers", of_each.len());
        while let Some(tapped) = connection.poll_tap() {
            let Tapped::Packet(packet) = tapped else { continue };
            let (payload, is_ours) = (packet.payload.as_ref(), packet.direction == Direction::Sent);
            let is_media = matches!(payload, [128..=191, second, ..] if !(192..=223).contains(second));
            match packet.kind {
                PacketKind::Datagram if is_media => *counted.wire.entry((is_ours, tag(payload))).or_default() += 1,
                PacketKind::Rtp if !is_ours => {
                    *counted.plain.entry(tag(payload)).or_default() += 1;
                    let elements = elements(payload);
                    let has = |id: Option<u8>, is_it: &dyn Fn(&[u8]) -> bool| {
                        elements.iter().any(|(found, value)| Some(*found) == id && is_it(value))
                    };
                    let names = of_each.iter().any(|(id, _, mid)| has(*id, &|value| value == mid.as_bytes()));
                    counted.named += usize::from(names);
                    let numbers = of_each.iter().any(|(_, id, _)| has(*id, &|value| value.len() == 2));
                    counted.numbered += usize::from(numbers);
                }
                // RTPFB 15.
                PacketKind::Rtcp if is_ours => {
                    counted.reports += usize::from(payload.windows(2).any(|two| two == [0x8f, 205]));
                }
                _ => {}
            }
        }
        Ok(counted)
    }

    /// Of packets with encrypted headers, those that the browser has sent and ours.
    fn wire_counts(&self) -> [usize; 2] {
        [false, true].map(|is_ours| self.wire.get(&(is_ours, Some(ENCRYPTED))).copied().unwrap_or_default())
    }

    fn judge(&self, reported: usize) -> Result<()> {
        let is_clear = |tag: &Option<u16>| tag.is_some_and(|tag| tag != ENCRYPTED);
        ensure!(self.wire.keys().all(|(_, tag)| !is_clear(tag)), "something was sent in the clear");
        ensure!(self.wire_counts().iter().all(|count| *count > 100), "too few were encrypted");
        ensure!(self.plain.get(&Some(CLEAR)).is_some_and(|count| *count > 100), "too few were decrypted");
        ensure!(self.named > 0 && self.numbered > 100, "what the browser's extensions say is not read");
        ensure!(self.reports > 10 && reported > 100, "what came is not reported from numbers in extensions");
        Ok(())
    }
}

/// What stands before a packet's extension, if it has one.
fn tag(packet: &[u8]) -> Option<u16> {
    let at = 12 + 4 * usize::from(packet.first()? & 15);
    let is_there = packet.first()? & 0x10 != 0;
    Some(u16::from_be_bytes([*packet.get(at)?, *packet.get(at + 1)?])).filter(|_| is_there)
}

/// The elements of a one-byte extension (RFC 8285 §4.2).
fn elements(packet: &[u8]) -> Vec<(u8, &[u8])> {
    let mut found = Vec::new();
    let at = 12 + 4 * usize::from(packet.first().unwrap_or(&0) & 15);
    let words = packet.get(at + 2..at + 4).map_or(0, |len| usize::from(u16::from_be_bytes([len[0], len[1]])));
    let mut rest = packet.get(at + 4..at + 4 + 4 * words).filter(|_| tag(packet) == Some(CLEAR)).unwrap_or_default();
    while let Some((first, behind)) = rest.split_first() {
        let len = if *first == 0 { 0 } else { usize::from(first & 15) + 1 };
        let Some((value, behind)) = behind.split_at_checked(len) else { break };
        if *first != 0 {
            found.push((first >> 4, value));
        }
        rest = behind;
    }
    found
}
