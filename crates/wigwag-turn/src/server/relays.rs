//! The sockets that a driver opens for clients, and where.
//!
//! ```text
//!   Wanted ──▶ Asked ──▶ Told ──▶ Open ──▶ Leaving ──▶ gone        Wanted ──▶ gone, or Abandoned if the client has gone meanwhile
//! ```

use super::allocation::Wanted;
use super::{CloseReason, FiveTuple, ServerConfig, Traffic};
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use wigwag_sansio::Rng;

/// So many ports are looked at for one that is free.
const LOOKED_AT_MAX: u32 = 64;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The driver is to be asked.
    Wanted(FiveTuple),
    /// And was.
    Asked(FiveTuple),
    /// It has said whether there is a socket, which nobody has looked at yet.
    Told(FiveTuple),
    Open(FiveTuple),
    /// The driver is to be told that it is of no use any more.
    Leaving(CloseReason, Traffic),
    /// Nobody wants it any more, and the driver knows nothing of it.
    Abandoned,
}

/// What a driver is to be told.
pub(super) enum Errand {
    Open { relayed: SocketAddr, client: FiveTuple },
    Close { relayed: SocketAddr, reason: CloseReason, traffic: Traffic },
}

/// All relayed addresses that are somebody's, or that the driver has not been told yet are nobody's.
#[derive(Debug, Default)]
pub(super) struct Relays {
    states: BTreeMap<SocketAddr, State>,
    /// Those of which the driver is to be told something, each at most once.
    errands: VecDeque<SocketAddr>,
    /// What the driver has said.
    told: VecDeque<(SocketAddr, bool)>,
}

impl Relays {
    /// A free address of this kind, at a port drawn by lot, so that nobody can guess it.
    pub(super) fn draw(&self, rng: &mut Rng, config: &ServerConfig, wanted: Wanted) -> Option<SocketAddr> {
        let Wanted { is_ipv6, is_even, .. } = wanted;
        let (ports, taken) = (&config.relay_ports, &config.listening);
        let of_family: Vec<_> = config.relay_addresses.iter().filter(|ip| ip.is_ipv6() == is_ipv6).collect();
        let at = usize::try_from(rng.below(u64::try_from(of_family.len()).ok()?)).ok()?;
        let ip = **of_family.get(at)?;
        let step = if is_even { 2 } else { 1 };
        let (start, end) = (u32::from(*ports.start()), u32::from(*ports.end()));
        let first = if is_even { start.next_multiple_of(2) } else { start };
        let count = end.checked_sub(first)?.checked_div(step)?.saturating_add(1);
        let begin = u32::try_from(rng.below(count.into())).ok()?;
        (0..count.min(LOOKED_AT_MAX)).find_map(|n| {
            let place = begin.saturating_add(n).checked_rem(count)?;
            let port = u16::try_from(first.saturating_add(place.saturating_mul(step))).ok()?;
            let address = SocketAddr::new(ip, port);
            (port != 0 && !taken.contains(&address) && !self.states.contains_key(&address)).then_some(address)
        })
    }

    pub(super) fn len(&self) -> usize {
        self.states.len()
    }

    /// A socket is wanted there.
    pub(super) fn want(&mut self, relayed: SocketAddr, client: FiveTuple) {
        self.states.insert(relayed, State::Wanted(client));
        self.errands.push_back(relayed);
    }

    /// The driver says whether there is one. What nobody has asked it for, or it has said before, is nothing.
    pub(super) fn tell(&mut self, relayed: SocketAddr, is_open: bool) {
        if let Some(state) = self.states.get_mut(&relayed)
            && let State::Asked(client) = *state
        {
            *state = State::Told(client);
            self.told.push_back((relayed, is_open));
        }
    }

    pub(super) fn has_been_told(&self) -> bool {
        !self.told.is_empty()
    }

    /// What the driver has said, and for whom it is: one that is open is from now on, one that is not is nobody's.
    pub(super) fn take_told(&mut self) -> Option<(SocketAddr, bool, FiveTuple)> {
        loop {
            let (relayed, is_open) = self.told.pop_front()?;
            if let Some(State::Told(client)) = self.states.get(&relayed).copied() {
                if is_open {
                    self.states.insert(relayed, State::Open(client));
                } else {
                    self.states.remove(&relayed);
                }
                return Some((relayed, is_open, client));
            }
        }
    }

    /// Whose an address is that is open.
    pub(super) fn client_of(&self, relayed: SocketAddr) -> Option<FiveTuple> {
        match self.states.get(&relayed)? {
            State::Open(client) => Some(*client),
            State::Wanted(_) | State::Asked(_) | State::Told(_) | State::Leaving(..) | State::Abandoned => None,
        }
    }

    /// Nobody wants it any more.
    pub(super) fn leave(&mut self, relayed: SocketAddr, reason: CloseReason, traffic: Traffic) {
        let Some(state) = self.states.get_mut(&relayed) else { return };
        match state {
            State::Wanted(_) => *state = State::Abandoned, // it is in the queue
            State::Asked(_) | State::Told(_) | State::Open(_) => {
                *state = State::Leaving(reason, traffic);
                self.errands.push_back(relayed);
            }
            State::Leaving(..) | State::Abandoned => {}
        }
    }

    pub(super) fn has_errand(&self) -> bool {
        !self.errands.is_empty()
    }

    /// What the driver is to be told next.
    pub(super) fn errand(&mut self) -> Option<Errand> {
        loop {
            let relayed = self.errands.pop_front()?;
            match self.states.get(&relayed).copied() {
                Some(State::Wanted(client)) => {
                    self.states.insert(relayed, State::Asked(client));
                    return Some(Errand::Open { relayed, client });
                }
                Some(State::Leaving(reason, traffic)) => {
                    self.states.remove(&relayed);
                    return Some(Errand::Close { relayed, reason, traffic });
                }
                Some(State::Abandoned) => _ = self.states.remove(&relayed),
                Some(State::Asked(_) | State::Told(_) | State::Open(_)) | None => {}
            }
        }
    }
}
