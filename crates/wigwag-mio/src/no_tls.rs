//! TLS, where the feature `tls` is off: there is none.

/// Why there is no stream in TLS.
pub(crate) const MISSING: &str = "this driver has no TLS: build wigwag-mio with its feature `tls`";

/// What TLS would need; nobody has it.
#[derive(Clone, Debug)]
pub(crate) enum Tls {}

/// A session, which nobody has.
pub(crate) enum Session {}

impl Session {
    pub(crate) const fn new(tls: &Tls, _server_name: &str) -> Result<Self, String> {
        match *tls {}
    }

    pub(crate) const fn is_handshaking(&self) -> bool {
        match *self {}
    }

    pub(crate) const fn waiting(&self) -> usize {
        match *self {}
    }

    pub(crate) const fn write(&mut self, _bytes: &[u8], _out: &mut Vec<u8>) {
        match *self {}
    }

    pub(crate) const fn read(
        &mut self,
        _bytes: &[u8],
        _out: &mut Vec<u8>,
        _each: &mut impl FnMut(&mut [u8]),
    ) -> Result<(), String> {
        match *self {}
    }

    pub(crate) const fn close(&mut self, _out: &mut Vec<u8>) {
        match *self {}
    }
}
