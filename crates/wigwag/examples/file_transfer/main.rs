//! A file from one loop to another, over a data channel: read no faster than the path takes it, compared by its hash, and sent to the
//! end though the path may vanish for a while. The transfer itself is in `transfer.rs`.
//!
//! ```sh
//! cargo run -p wigwag --example file_transfer             # eight megabytes that are made up
//! cargo run -p wigwag --example file_transfer -- PATH     # a file of yours, which is copied into the folder for temporary files
//! ```

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a program has a clock, sockets, threads and an output; the machines have none"
)]

mod transfer;

use std::error::Error;
use std::fs::File;
use std::io::ErrorKind::{Interrupted, TimedOut, WouldBlock};
use std::io::{BufWriter, Read};
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver as Signals, Sender as Signal, channel};
use std::thread;
use std::time::{Duration, Instant, SystemTime};
use transfer::{Outcome, Receiver, Sender};
use wigwag::{
    CloseReason, Config, ConnectionState, DataChannelInit, Datagram, Event, PeerConnection, SdpType, Seed,
    SessionDescription, WallClock,
};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

const MADE_UP: u64 = 8_000_001;
const SLEEP_MIN: Duration = Duration::from_millis(1);
const SLEEP_MAX: Duration = Duration::from_millis(20);
/// No more datagrams are taken before it is asked what shall be sent.
const BURST_MAX: usize = 64;

fn main() -> Result<()> {
    let path = std::env::args_os().nth(1).map(PathBuf::from);
    let is_made_up = path.is_none();
    let ((to_receiver, from_sender), (to_sender, from_receiver)) = (channel(), channel());
    let receiver = thread::spawn(move || receive(&to_sender, &from_sender, is_made_up));
    send(path.as_deref(), &to_receiver, &from_receiver)?;
    receiver.join().map_err(|_| "the receiver panicked")?
}

fn send(path: Option<&Path>, to: &Signal<SessionDescription>, from: &Signals<SessionDescription>) -> Result<()> {
    let name = path.and_then(Path::file_name).map_or("report.bin".into(), |name| name.to_string_lossy());
    let file: Box<dyn Read> = match path {
        Some(path) => Box::new(File::open(path)?),
        None => Box::new(std::io::repeat(7).take(MADE_UP)),
    };
    let mut sender = Sender::new(file);
    let mut peer = new_peer()?;
    peer.create_data_channel(&name, DataChannelInit::default().protocol("file"))?;
    run(peer, to, from, |peer, event| {
        match event {
            // The first offer, and one that begins ICE anew.
            Event::NegotiationNeeded => {
                let offer = peer.create_offer()?;
                peer.set_local_description(offer)?;
                to.send(peer.local_description().ok_or("just set")?)?;
            }
            // There is no path any more. What is on its way stays there, until there is one again.
            Event::ConnectionStateChanged(ConnectionState::Failed) => peer.restart_ice()?,
            // The receiver has the channel closed as well: now nothing can be lost.
            Event::ChannelClosed(_) => peer.close(),
            event => match sender.handle_event(peer, event)? {
                Some(Outcome::Whole(len)) => println!("sender: {len} bytes are there"),
                Some(Outcome::Broken) => return Err("the receiver has something else".into()),
                None => {}
            },
        }
        Ok(())
    })
}

fn receive(to: &Signal<SessionDescription>, from: &Signals<SessionDescription>, is_made_up: bool) -> Result<()> {
    let path = std::env::temp_dir().join(format!("wigwag-received-{}", std::process::id()));
    let mut receiver = Receiver::new(BufWriter::new(File::create(&path)?));
    let mut name = String::new();
    let ended = run(new_peer()?, to, from, |peer, event| {
        if let Event::ChannelOpened(channel) = event {
            // What a peer says is shown, and is never a path.
            name = peer.data_channel(*channel).map_or_else(String::new, |found| found.label().escape_debug().collect());
        }
        match receiver.handle_event(peer, event)? {
            Some(Outcome::Whole(_)) => println!("receiver: {name} is whole, in {}", path.display()),
            Some(Outcome::Broken) => println!("receiver: {name} is broken"),
            None => {}
        }
        Ok(())
    });
    if is_made_up {
        std::fs::remove_file(&path)?;
    }
    ended
}

fn new_peer() -> Result<PeerConnection> {
    let clock = WallClock::new(Instant::now(), SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?);
    let mut config = Config::new(clock);
    // Messages of any length are taken, in parts.
    config.partial_delivery_from = Some(64 << 10);
    config.negotiation.max_message_size = 0;
    Ok(PeerConnection::new(config, Seed::from_secure_source(getrandom::fill)?))
}

/// The loop of `own_loop`, until the connection is over.
fn run(
    mut peer: PeerConnection,
    to: &Signal<SessionDescription>,
    from: &Signals<SessionDescription>,
    mut handle: impl FnMut(&mut PeerConnection, &Event) -> Result<()>,
) -> Result<()> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    let local = socket.local_addr()?;
    peer.add_local_address(local)?;
    let (mut out, mut buffer) = (Vec::new(), vec![0; 65_536]);
    loop {
        while let Ok(description) = from.try_recv() {
            let is_offer = description.kind == SdpType::Offer;
            peer.set_remote_description(description)?;
            if is_offer {
                let answer = peer.create_answer()?;
                peer.set_local_description(answer)?;
                to.send(peer.local_description().ok_or("just set")?)?;
            }
        }
        let now = Instant::now();
        peer.handle_timeout(now);
        while let Some(event) = peer.poll_event() {
            match event {
                Event::Closed(CloseReason::Local | CloseReason::Peer) => return Ok(()),
                Event::Closed(reason) => return Err(reason.into()),
                event => handle(&mut peer, &event)?,
            }
        }
        while let Some(transmit) = peer.poll_transmit(now, &mut out) {
            for datagram in out.chunks(transmit.segment_size) {
                let _ = socket.send_to(datagram, transmit.remote); // or it is lost, as on any network
            }
        }
        let wait = peer.poll_timeout(now).map_or(SLEEP_MAX, |at| at.saturating_duration_since(now));
        socket.set_read_timeout(Some(wait.clamp(SLEEP_MIN, SLEEP_MAX)))?;
        socket.set_nonblocking(false)?;
        for _ in 0..BURST_MAX {
            match socket.recv_from(&mut buffer) {
                Ok((len, remote)) => {
                    peer.handle_input(Datagram::udp(local, remote, &mut buffer[..len]), Instant::now());
                }
                Err(error) if matches!(error.kind(), WouldBlock | TimedOut | Interrupted) => break,
                Err(error) => return Err(error.into()),
            }
            socket.set_nonblocking(true)?;
        }
    }
}
