//! Two peers as tasks of an async runtime: nothing is polled in vain, each task sleeps until a datagram, a signal or a
//! deadline comes. wigwag itself knows no runtime; tokio is the choice of this program.
//!
//! ```sh
//! cargo run -p wigwag --example tokio
//! ```

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a program has a clock, sockets and an output; the machines have none"
)]

use std::error::Error;
use std::time::{Duration, Instant, SystemTime};
use tokio::net::UdpSocket;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::sleep_until;
use wigwag::{
    Config, DataChannelInit, Datagram, Event, IceCandidate, PeerConnection, SdpType, Seed, SessionDescription,
    WallClock,
};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// No sleep is shorter: what is due in a microsecond may wait for what arrives meanwhile.
const SLEEP_MIN: Duration = Duration::from_millis(1);
/// A connection that owes nothing sleeps until something arrives; any long time will do.
const SLEEP_MAX: Duration = Duration::from_secs(60);
/// No more datagrams are taken before it is asked what shall be sent.
const BURST_MAX: usize = 64;

/// What travels over your own signalling.
enum Signal {
    Description(SessionDescription),
    Candidate(Option<IceCandidate>),
}

fn main() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let ((to_bob, from_ann), (to_ann, from_bob)) = (unbounded_channel(), unbounded_channel());
        let bob = tokio::spawn(run("bob", false, to_ann, from_ann));
        run("ann", true, to_bob, from_bob).await?;
        bob.await?
    })
}

async fn run(name: &str, calls: bool, to: UnboundedSender<Signal>, mut from: UnboundedReceiver<Signal>) -> Result<()> {
    let socket = UdpSocket::bind("127.0.0.1:0").await?;
    let local = socket.local_addr()?;
    let clock = WallClock::new(Instant::now(), SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?);
    let mut peer = PeerConnection::new(Config::new(clock), Seed::from_secure_source(getrandom::fill)?);
    peer.add_local_address(local)?;
    if calls {
        peer.create_data_channel("greetings", DataChannelInit::default())?;
        let offer = peer.create_offer()?;
        peer.set_local_description(offer.clone())?;
        to.send(Signal::Description(offer))?;
    }

    let (mut out, mut buffer) = (Vec::new(), vec![0; 65_536]);
    loop {
        let now = Instant::now();
        peer.handle_timeout(now);
        while let Some(event) = peer.poll_event() {
            println!("{name}: {event:?}");
            match event {
                // The peer may be gone already: then nobody needs our candidates.
                Event::IceCandidate(candidate) => _ = to.send(Signal::Candidate(candidate)),
                Event::ChannelOpened(id) if calls => peer.send(id, "hello".into(), false)?,
                Event::Message { .. } if calls => peer.close(),
                Event::Message { channel, data, is_binary } => peer.send(channel, data, is_binary)?,
                Event::Closed(_) => return Ok(()),
                _ => {}
            }
        }
        while let Some(transmit) = peer.poll_transmit(now, &mut out) {
            for datagram in out.chunks(transmit.segment_size) {
                let _ = socket.send_to(datagram, transmit.remote).await; // or it is lost, as on any network
            }
        }
        let wait = peer.poll_timeout(now).map_or(SLEEP_MAX, |at| at.saturating_duration_since(now)).max(SLEEP_MIN);
        tokio::select! {
            received = socket.recv_from(&mut buffer) => {
                let (len, remote) = received?;
                peer.handle_input(Datagram::udp(local, remote, &mut buffer[..len]), Instant::now());
                // What waits behind it is taken now: what overflows the socket's buffer is lost.
                for _ in 1..BURST_MAX {
                    let Ok((len, remote)) = socket.try_recv_from(&mut buffer) else { break };
                    peer.handle_input(Datagram::udp(local, remote, &mut buffer[..len]), Instant::now());
                }
            }
            // Once the other task is gone there are no signals, but a goodbye may still be on its way.
            Some(signal) = from.recv() => handle_signal(&mut peer, signal, &to)?,
            () = sleep_until((now + wait).into()) => {}
        }
    }
}

fn handle_signal(peer: &mut PeerConnection, signal: Signal, to: &UnboundedSender<Signal>) -> Result<()> {
    match signal {
        Signal::Candidate(candidate) => peer.add_ice_candidate(candidate.as_ref())?,
        Signal::Description(description) => {
            let is_offer = description.kind == SdpType::Offer;
            peer.set_remote_description(description)?;
            if is_offer {
                let answer = peer.create_answer()?;
                peer.set_local_description(answer.clone())?;
                to.send(Signal::Description(answer))?;
            }
        }
    }
    Ok(())
}
