//! Beginning without a handshake: both INITs travel in the session descriptions (SNAP, draft-hancke-tsvwg-snap §6), so each end
//! knows the other before a first packet. Whether the peer knows us as well shows when something of it comes; until then
//! its INIT is answered as if ours had crossed it.

use super::Association;
use super::connect::Parameters;
use super::control_block::ControlBlock;
use super::state::Phase;
use crate::chunk::{Init, kind};
use crate::error::InitError;
use crate::migration::state;
use crate::packet::Chunks;
use crate::parameter::Extensions;

/// The INIT chunk of the peer, as its description tells it (`a=sctp-init`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerInit {
    init: Init,
    extensions: Extensions,
}

state!(struct PeerInit { init, extensions } if |peer, _| peer.init.is_valid());

impl PeerInit {
    /// Reads one INIT chunk, with the padding at its end or without, and checks what is checked of one that comes in a packet.
    ///
    /// # Errors
    /// The bytes are something else, or no association can come of it.
    pub fn decode(bytes: &[u8]) -> Result<Self, InitError> {
        let mut chunks = Chunks::new(bytes);
        let chunk = chunks.next().and_then(Result::ok).filter(|chunk| chunk.kind == kind::INIT && chunks.is_empty());
        let (init, parameters) = chunk.and_then(Init::decode).ok_or(InitError::Malformed)?;
        let parameters = Parameters::read(parameters).map_err(|_| InitError::Malformed)?;
        if parameters.host_name.is_some() {
            return Err(InitError::HostName);
        }
        if !init.is_valid() {
            return Err(InitError::Invalid);
        }
        Ok(Self { init, extensions: parameters.extensions })
    }
}

impl Association {
    /// Our INIT chunk, without padding, for our description: the same whenever it is asked for before the association begins.
    pub fn init_chunk(&self) -> Vec<u8> {
        let mut chunk = Vec::new();
        let padding = self.write_init(&mut chunk);
        chunk.truncate(chunk.len().saturating_sub(padding));
        chunk
    }

    /// Takes note of the INIT that the peer's description told, if the peer has ours: then [`connect`](Self::connect) needs no
    /// handshake. Later than that it does nothing, nor if the peer has our tag: then it has told us our own INIT, or the handshake parts us.
    pub const fn set_peer_init(&mut self, peer: PeerInit) {
        if let Phase::Idle = self.phase
            && peer.init.initiate_tag != self.local.tag
        {
            self.peer_init = Some(peer);
        }
    }

    // draft-hancke-tsvwg-snap §6: "When the "sctp-init" attribute has been negotiated, both endpoints SHOULD consider the
    // SCTP association to be in the ESTABLISHED state, as described in Section 4 of RFC9260, once the DTLS handshake
    // finishes."
    pub(super) fn presume(&mut self, peer: &PeerInit) {
        let mut block = ControlBlock::new(&self.config, self.local, &peer.init, peer.extensions, self.clock.seen());
        block.is_unheard = true;
        self.begin_block(block, peer.init.a_rwnd);
        self.establish();
    }
}
