//! The browser knows a post-quantum group and sends no share of it: wigwag, the DTLS server, asks for one by a
//! HelloRetryRequest (RFC 8446 §4.1.4).

use super::{Stage, sizes};
use crate::call::{Call, Role};
use anyhow::{Result, ensure};
use wigwag::{Group, PacketKind, Tapped, Version};

/// RFC 8446 §4.1.3: the random of a ServerHello that is a HelloRetryRequest begins so.
const RETRY_RANDOM: [u8; 8] = [0xCF, 0x21, 0xAD, 0x74, 0xE5, 0x9A, 0x61, 0x11];

pub(super) fn run(stage: &mut Stage<'_>) -> Result<String> {
    let mut call = Call::new(stage.browser, stage.page, stage.role, |config| config.tap.packets = true)?;
    call.setup = if call.role == Role::BrowserOffers { "active" } else { "passive" };
    call.open_by_offerer("first")?;
    call.connect()?;
    sizes::echoed_by_wigwag(&mut call, &[1200])?;
    sizes::echoed_by_browser(&mut call, &[1200])?;
    let (retries, transport) = call.peer.run(|connection| {
        let tapped = std::iter::from_fn(|| connection.poll_tap());
        (tapped.filter(is_retry).count(), connection.transport_stats())
    })?;
    ensure!(retries > 0, "nobody asked for another hello");
    ensure!(transport.dtls_version == Some(Version::Dtls13), "wigwag says it is {:?}", transport.dtls_version);
    ensure!(transport.group == Some(Group::X25519MlKem768), "{:?} was agreed upon", transport.group);
    Ok("the second hello has the share".to_owned())
}

/// A handshake record without protection, with a ServerHello that is a HelloRetryRequest.
fn is_retry(tapped: &Tapped) -> bool {
    let Tapped::Packet(packet) = tapped else { return false };
    // Behind the headers of record and message, and the version.
    let random = packet.payload.get(13 + 12 + 2..13 + 12 + 2 + RETRY_RANDOM.len());
    packet.kind == PacketKind::Datagram && packet.payload.first() == Some(&22) && random == Some(&RETRY_RANDOM)
}
