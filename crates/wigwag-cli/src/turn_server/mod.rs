//! `wigwag turn-server`: relays for clients over UDP and TCP.

mod sockets;

use crate::console::{self, say};
use crate::failure::{Failure, random_seed};
use sockets::Sockets;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use wigwag_turn::{Credentials, Prefix, Server, ServerConfig, ServerEvent};

/// No sleep is longer: so soon it is seen that somebody ends the program.
const SLEEP_MAX: Duration = Duration::from_millis(200);

/// What `wigwag turn-server` takes.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Peers near the server (its machine, its network, private and reserved addresses) are refused unless \
                        --allow names them: for a test on one machine, --allow 127.0.0.0/8. With --secret an application lets its users \
                        in for a while: name EXPIRY:NAME in seconds since 1970, password base64(HMAC-SHA1(secret, name)), as coturn's \
                        use-auth-secret."
)]
pub(crate) struct Args {
    /// Where clients are served, over UDP and TCP: an address of this machine and a port
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:3478", value_parser = parse_listen)]
    listen: SocketAddr,
    /// Where peers reach clients: an address of this machine; that of --listen if there is none
    #[arg(long, value_name = "ADDRESS", value_parser = parse_relay)]
    relay: Vec<IpAddr>,
    /// And at which ports
    #[arg(long, value_name = "FIRST-LAST", default_value = "49152-65535", value_parser = parse_ports)]
    ports: RangeInclusive<u16>,
    /// Somebody who is served, by name and password (may be repeated)
    #[arg(long, value_name = "NAME:PASSWORD", value_parser = parse_user, required_unless_present = "secret")]
    user: Vec<Credentials>,
    /// A secret that is shared with an application (may be repeated)
    #[arg(long, value_name = "SECRET")]
    secret: Vec<String>,
    /// What the passwords are for
    #[arg(long, value_name = "NAME", default_value = "wigwag")]
    realm: String,
    /// Peers that are reached although they are near, such as 10.0.0.0/8 (may be repeated)
    #[arg(long, value_name = "PREFIX")]
    allow: Vec<Prefix>,
    /// Peers that are not reached in any case (may be repeated)
    #[arg(long, value_name = "PREFIX")]
    deny: Vec<Prefix>,
}

fn parse_listen(text: &str) -> Result<SocketAddr, String> {
    let address = text.parse().ok().filter(|address: &SocketAddr| !address.ip().is_unspecified());
    address.ok_or_else(|| "write an address of this machine and a port, such as 192.0.2.1:3478".to_owned())
}

fn parse_relay(text: &str) -> Result<IpAddr, String> {
    let address = text.parse().ok().filter(|address: &IpAddr| !address.is_unspecified());
    address.ok_or_else(|| "write an address of this machine, such as 192.0.2.1: peers are told it".to_owned())
}

fn parse_ports(text: &str) -> Result<RangeInclusive<u16>, String> {
    let ports = text.split_once('-').and_then(|(first, last)| Some(first.parse().ok()?..=last.parse().ok()?));
    let ports = ports.filter(|ports: &RangeInclusive<u16>| *ports.start() > 0 && !ports.is_empty());
    ports.ok_or_else(|| "write the first and the last port, such as 49152-65535".to_owned())
}

fn parse_user(text: &str) -> Result<Credentials, String> {
    let user = text.split_once(':').filter(|(name, password)| !name.is_empty() && !password.is_empty());
    let user = user.map(|(name, password)| Credentials::new(name, password));
    user.ok_or_else(|| "write a name, a colon and a password".to_owned())
}

/// Serves until somebody ends the program.
pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let mut sockets = Sockets::listening(args.listen)
        .map_err(|error| Failure::bind("UDP and TCP", args.listen, "--listen", &error))?;
    let mut server = Server::new(config(args, sockets.address)?, random_seed()?);
    let is_stopped = Arc::new(AtomicBool::new(false));
    let stop = Arc::clone(&is_stopped);
    console::on_stop(move || stop.store(true, Ordering::Relaxed))?;
    say(format_args!("relaying for clients at {} over UDP and TCP; Ctrl-C ends it", sockets.address));
    let mut out = Vec::new();
    while !is_stopped.load(Ordering::Relaxed) {
        let now = Instant::now();
        server.handle_timeout(now);
        while let Some(event) = server.poll_event() {
            obey(&mut server, &mut sockets, &event);
        }
        while let Some(transmit) = server.poll_transmit(now, &mut out) {
            sockets.send(&transmit, &out);
        }
        let wait = server.poll_timeout(now).map_or(SLEEP_MAX, |at| at.saturating_duration_since(Instant::now()));
        sockets
            .read(wait.min(SLEEP_MAX), |datagram| server.handle_input(datagram, Instant::now()))
            .map_err(|error| Failure::new(format!("the network is gone: {error}")))?;
    }
    Ok(())
}

fn config(args: &Args, listening: SocketAddr) -> Result<ServerConfig, Failure> {
    let relays = if args.relay.is_empty() { vec![listening.ip()] } else { args.relay.clone() };
    let failure = |error| Failure::new(format!("{error}: choose another with --realm"));
    let mut config = ServerConfig::new(&args.realm, [listening], relays).map_err(failure)?;
    let clock = wigwag_mio::wall_clock();
    args.user.iter().for_each(|user| config.add_user(user));
    args.secret.iter().for_each(|secret| config.share_secret(secret.as_bytes(), clock));
    config.relay_ports = args.ports.clone();
    (config.peers.allow, config.peers.deny) = (args.allow.clone(), args.deny.clone());
    Ok(config)
}

fn obey(server: &mut Server, sockets: &mut Sockets, event: &ServerEvent) {
    match event {
        ServerEvent::RelayRequested { relayed, client, username } => {
            let opened = sockets.open(*relayed);
            match &opened {
                Ok(()) => tracing::info!("{username} at {client} has {relayed}"),
                Err(error) => tracing::info!("{relayed} cannot be had: {error}"),
            }
            server.relay_opened(*relayed, opened.is_ok());
        }
        ServerEvent::RelayClosed { relayed, reason, traffic } => {
            sockets.close(*relayed);
            tracing::info!(
                "{relayed} is given back, {reason:?}: {} bytes to peers, {} back",
                traffic.to_peers,
                traffic.to_client
            );
        }
        event => tracing::debug!("{event:?}"),
    }
}
