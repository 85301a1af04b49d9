//! Hides an address of this machine behind a name and answers for it, or asks a link who has a name: a socket and a loop, as whoever
//! does without `wigwag-mio` needs them.
//!
//! ```sh
//! cargo run -p wigwag-mdns --example names                    # both, on the loopback interface
//! cargo run -p wigwag-mdns --example names -- 127.0.0.1/8
//! cargo run -p wigwag-mdns --example names -- 127.0.0.1/8 1f4712db-ea17-4bcf-a596-105139dfd8bf.local
//! ```

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a program has a clock, sockets and an output; the machine has none"
)]

use socket2::{Domain, Protocol, Socket, Type};
use std::error::Error;
use std::io::ErrorKind::{Interrupted, TimedOut, WouldBlock};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};
use wigwag_mdns::{Config, Event, Host, Interface, PORT};
use wigwag_sansio::{Datagram, Seed};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

const USAGE: &str =
    "say an IPv4 address of this machine and how many of its bits are the link's, as 10.0.0.5/24, and perhaps a name";
const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 251);
const SLEEP_MIN: Duration = Duration::from_millis(1);
const SLEEP_MAX: Duration = Duration::from_secs(1);

fn main() -> Result<()> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        [] => {
            let (send, names) = channel();
            thread::spawn(move || run("127.0.0.1/8", None, |name| _ = send.send(name)));
            let name = names.recv()?;
            println!("{name} is {}", run("127.0.0.1/8", Some(&name), |_| ())?);
        }
        [link] => _ = run(link, None, |name| println!("{name}"))?,
        [link, name] => println!("{name} is {}", run(link, Some(name), |_| ())?),
        _ => return Err(USAGE.into()),
    }
    Ok(())
}

/// Asks for this name until it is found, or answers for one of our own for ever.
fn run(link: &str, wanted: Option<&str>, tell: impl FnOnce(String)) -> Result<IpAddr> {
    let (address, prefix_len) = link.split_once('/').ok_or(USAGE)?;
    let (address, prefix_len): (Ipv4Addr, u8) = (address.parse()?, prefix_len.parse()?);
    let socket = open(address)?;

    let mut host = Host::new(Config::default(), Seed::from_secure_source(getrandom::fill)?);
    host.add_interface(Interface::new(IpAddr::V4(address), prefix_len))?;
    let local = SocketAddr::new(IpAddr::V4(address), PORT);
    match wanted {
        Some(name) => _ = host.resolve(name)?,
        None => tell(host.register(IpAddr::V4(address))?.to_string()),
    }

    let (mut out, mut buffer) = (Vec::new(), vec![0; 9001]);
    loop {
        let now = Instant::now();
        host.handle_timeout(now);
        match host.poll_event() {
            Some(Event::Resolved { address, .. }) => return Ok(address),
            Some(event) => return Err(format!("{event:?}").into()),
            None => {}
        }
        while let Some(transmit) = host.poll_transmit(now, &mut out) {
            socket.send_to(&out, transmit.remote)?;
        }
        let wait = host.poll_timeout(now).map_or(SLEEP_MAX, |at| at.saturating_duration_since(now));
        socket.set_read_timeout(Some(wait.clamp(SLEEP_MIN, SLEEP_MAX)))?;
        match socket.recv_from(&mut buffer) {
            Ok((len, from)) => host.handle_input(Datagram::udp(local, from, &mut buffer[..len]), Instant::now()),
            Err(error) if matches!(error.kind(), WouldBlock | TimedOut | Interrupted) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// A socket on the port that all programs share, which hears the group on the link of this address, and sends there.
fn open(address: Ipv4Addr) -> Result<UdpSocket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_reuse_address(true)?;
    #[cfg(unix)]
    socket.set_reuse_port(true)?;
    // Where it can be bound to the group, it hears nothing that was sent to us alone (RFC 6762 §6).
    let hears = if cfg!(target_os = "linux") { GROUP } else { Ipv4Addr::UNSPECIFIED };
    socket.bind(&SocketAddr::from((hears, PORT)).into())?;
    socket.join_multicast_v4(&GROUP, &address)?;
    socket.set_multicast_if_v4(&address)?;
    socket.set_multicast_ttl_v4(255)?;
    Ok(socket.into())
}
