//! A STUN server of wigwag's, which every peer gathers with (RFC 8489 §6.3.1).

use crate::namespace;
use anyhow::{Context, Result};
use std::net::{SocketAddr, UdpSocket};
use std::sync::OnceLock;

/// Where it is; the first call starts it, and it answers until the program ends.
pub(super) fn server() -> Result<SocketAddr> {
    static ADDRESS: OnceLock<Option<SocketAddr>> = OnceLock::new();
    (*ADDRESS.get_or_init(|| start().ok())).context("no STUN server could be started")
}

fn start() -> Result<SocketAddr> {
    let socket = UdpSocket::bind((namespace::ADDRESS, 0))?;
    let address = socket.local_addr()?;
    std::thread::spawn(move || {
        let (mut request, mut answer) = ([0; 1500], Vec::new());
        while let Ok((len, source)) = socket.recv_from(&mut request) {
            if wigwag_stun::answer(request.get(..len).unwrap_or_default(), source, &mut answer) {
                let _ = socket.send_to(&answer, source);
            }
        }
    });
    Ok(address)
}
