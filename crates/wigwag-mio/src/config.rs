//! What a driver is told before it starts.

use crate::interfaces;
use crate::tls::Tls;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// Which sockets and listeners a [`Driver`](crate::Driver) opens, and how large their buffers are.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DriverConfig {
    /// Each gets one UDP socket. Port 0 asks the system for a free one; an unspecified address (`0.0.0.0`, `[::]`) is
    /// one socket for all addresses of its family, each of which becomes a local address of the endpoint, also of those that come later.
    pub addresses: Vec<SocketAddr>,
    /// Each gets one listener for streams of TCP (RFC 6544: a passive candidate), for peers whose UDP is blocked; it may have the address
    /// and port of a UDP socket. Port 0 asks the system for a free one; an unspecified address is one listener for all addresses of its
    /// family, also of those that come later ([`refresh_interval`](Self::refresh_interval)): each becomes a local address of the endpoint, but those of loopback interfaces only where
    /// there are no others. With a listener, [`addresses`](Self::addresses) may be empty. By default none.
    ///
    /// [`nat_1to1`](Self::nat_1to1) and [`skip_unavailable`](Self::skip_unavailable) are about listeners, too.
    pub tcp_listeners: Vec<SocketAddr>,
    /// Whether streams of TCP are opened to peers that listen (RFC 6544: an active candidate), from each address that has a UDP socket.
    /// Where there is none, [`addresses`](Self::addresses) being empty, from the addresses of the listeners; and without any, from all that
    /// this machine has. Default: false.
    pub tcp_active: bool,
    /// How many streams that peers have opened there may be at once. Each may hold 64 KiB here, besides what the kernel holds, and is a
    /// file of this process; what is beyond is closed at once ([`DriverStats::streams_refused`](crate::DriverStats::streams_refused)).
    /// Default: 1024.
    pub streams_max: usize,
    /// How long a peer may say nothing on a stream that it has opened. The endpoint, which has more to say of it, does not know of it before.
    pub(crate) silence_max: Duration,
    /// Addresses of this machine, and what peers are told in place of each: the public address that a NAT before it, as
    /// of a cloud's machines, maps to it one to one, port for port. The endpoint then knows the public address only, as a
    /// host candidate (RFC 8445 §5.1.1.1 has no kind of its own for it), and no STUN server is needed; who is on this side of
    /// the NAT reaches us through it, or not at all. What arrives at the socket came to the public address, and what leaves
    /// from there leaves by that socket. By default none.
    ///
    /// ```
    /// let mut config = wigwag_mio::DriverConfig::new(["10.0.0.5:40000".parse()?]);
    /// config.nat_1to1.push(("10.0.0.5".parse()?, "203.0.113.7".parse()?));
    /// # Ok::<(), std::net::AddrParseError>(())
    /// ```
    pub nat_1to1: Vec<(IpAddr, IpAddr)>,
    /// What the kernel is asked to hold of what has arrived, in bytes for each socket; it may grant less. Default: 4 MiB.
    pub receive_buffer_size: usize,
    /// What the kernel is asked to hold of what is to be sent, in bytes for each socket; it may grant less. Default: 4 MiB.
    pub send_buffer_size: usize,
    /// Whether an address that this machine has not (any more) is passed over, as long as another one is left. An
    /// address that was asked for by name should not be; one that was found a moment ago may have gone. Default: false.
    pub skip_unavailable: bool,
    /// How often [`refresh_interfaces`](crate::Driver::refresh_interfaces) is done; without it, only when it is called. It
    /// wakes a driver that sleeps. Default: every 3 s for [`all_interfaces`](Self::all_interfaces) and where one of
    /// [`new`](Self::new)'s addresses is unspecified; else never, also where one of [`tcp_listeners`](Self::tcp_listeners) alone is.
    pub refresh_interval: Option<Duration>,
    /// Whether names that hide addresses of peers are resolved, as those of browsers' pages that were granted no camera and no
    /// microphone: asked for by multicast on the links of our own addresses, by sockets on port 5353 that are open only meanwhile (RFC 6762,
    /// draft-ietf-mmusic-mdns-ice-candidates). Names of other forms, and those that are told to a connection that wants
    /// [relays alone](wigwag::IceTransportPolicy), never are. And whether those are answered for that hide addresses of ours
    /// ([`hide_local_addresses`](field@wigwag::Config::hide_local_addresses)), until their connection ends: 1024 at a time, and those of a
    /// connection that has ended for up to a second more, in which the link is told. Otherwise the application is told of them
    /// ([`Event::NameResolutionNeeded`](wigwag::Event::NameResolutionNeeded),
    /// [`Event::NameRegistrationNeeded`](wigwag::Event::NameRegistrationNeeded)). Default: true.
    pub resolve_names: bool,
    /// Whether the sockets are those of all interfaces, also of ones to come.
    pub(crate) all_interfaces: Option<AllInterfaces>,
    /// Whom to trust where a TURN server is asked over TLS ([`TurnServer::over_tls`](wigwag::TurnServer::over_tls)). Without it there is no
    /// stream in TLS, which is told. Default: nobody.
    #[cfg(feature = "tls")]
    pub tls: Option<Tls>,
    /// How many datagrams may be handed to the kernel in one call, where it can take several. Default: 64; 1 turns it off.
    pub max_segments: usize,
}

/// What sockets of all interfaces have in common.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AllInterfaces {
    pub(crate) port: u16,
    pub(crate) with_loopback: bool,
}

/// A laptop that changes its network should not be without a path for much longer than browsers are, which look every 2 s.
const REFRESH_INTERVAL: Duration = Duration::from_secs(3);

impl DriverConfig {
    /// One socket for each of `addresses`.
    pub fn new(addresses: impl IntoIterator<Item = SocketAddr>) -> Self {
        let addresses: Vec<_> = addresses.into_iter().collect();
        let is_any = addresses.iter().any(|address| address.ip().is_unspecified());
        Self {
            addresses,
            tcp_listeners: Vec::new(),
            tcp_active: false,
            streams_max: 1024,
            silence_max: Duration::from_secs(10),
            nat_1to1: Vec::new(),
            receive_buffer_size: 4 << 20,
            send_buffer_size: 4 << 20,
            max_segments: 64,
            skip_unavailable: false,
            refresh_interval: is_any.then_some(REFRESH_INTERVAL),
            resolve_names: true,
            all_interfaces: None,
            #[cfg(feature = "tls")]
            tls: None,
        }
    }

    /// One socket on `port` for each usable address of this machine (see [`interfaces`](crate::interfaces())): those of
    /// loopback interfaces only if `with_loopback`. Addresses that come later get theirs, and those that vanish lose them. To listen for
    /// TCP at all of them, give [`tcp_listeners`](Self::tcp_listeners) the unspecified addresses.
    ///
    /// # Errors
    /// What the system says when it is asked for its interfaces, and [`io::ErrorKind::AddrNotAvailable`] if it has none.
    pub fn all_interfaces(port: u16, with_loopback: bool) -> io::Result<Self> {
        let found = interfaces(with_loopback)?;
        if found.is_empty() {
            return Err(io::Error::new(io::ErrorKind::AddrNotAvailable, "this machine has no usable network address"));
        }
        let addresses = found.into_iter().map(|interface| SocketAddr::new(interface.address, port));
        Ok(Self {
            skip_unavailable: true,
            refresh_interval: Some(REFRESH_INTERVAL),
            all_interfaces: Some(AllInterfaces { port, with_loopback }),
            ..Self::new(addresses)
        })
    }

    /// Whom to trust, as far as this driver has TLS.
    pub(crate) const fn trusted(&self) -> Option<&Tls> {
        #[cfg(feature = "tls")]
        let trusted = self.tls.as_ref();
        #[cfg(not(feature = "tls"))]
        let trusted = None;
        trusted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_address_is_looked_for_again_and_one_by_name_is_not() {
        let of =
            |addresses: &[&str]| DriverConfig::new(addresses.iter().map(|text| text.parse().unwrap())).refresh_interval;
        assert_eq!([of(&["127.0.0.1:0"]), of(&[])], [None, None]);
        assert_eq!([of(&["0.0.0.0:0"]), of(&["127.0.0.1:0", "[::]:1"])], [Some(REFRESH_INTERVAL); 2]);
    }
}
