//! A ClientHello can overtake the signalling: the peer has our description before we have theirs.

/// How many datagrams are kept: two make a browser's ClientHello, and it may come twice.
const DATAGRAMS_MAX: usize = 4;

/// DTLS datagrams from open paths that came before the DTLS connection could be made.
#[derive(Debug, Default)]
pub(super) struct EarlyDtls(Vec<Vec<u8>>);

impl EarlyDtls {
    /// Keeps a datagram; `false` if there are too many.
    pub(super) fn keep(&mut self, datagram: &[u8]) -> bool {
        let has_room = self.0.len() < DATAGRAMS_MAX;
        if has_room {
            self.0.push(datagram.to_vec());
        }
        has_room
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn take(&mut self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.0)
    }
}
