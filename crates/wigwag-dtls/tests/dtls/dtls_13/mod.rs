//! DTLS 1.3, as peers and strangers see it.

mod cookie;
mod handshake;
mod hellos;
mod hostile;
mod key_update;
mod network;
mod tickets;
mod versions;

use crate::common::{Pair, as_it_is, configs_of};
use std::time::Duration;
use wigwag_dtls::{Config, Version};

const LIMIT: Duration = Duration::from_secs(100);

fn configs() -> [Config; 2] {
    configs_of(Version::Dtls13)
}

fn pair(seed: u64) -> Pair {
    Pair::with(configs(), seed)
}

/// A pair that is connected, and has nothing more to say.
fn established(seed: u64) -> Pair {
    let mut pair = pair(seed);
    pair.run(LIMIT, as_it_is);
    pair.assert_alive();
    assert_eq!(pair.peers.each_ref().map(|peer| peer.poll_timeout(pair.now)), [None; 2], "all is acknowledged");
    pair
}
