//! Where two hosts are: on the internet, behind NATs of their own, or behind the same one.

use super::Draw;
use crate::{Behavior, Host, INTERNET, Node, PortAssignment, Realm, World};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

/// Where a STUN server would be, for [`Home::reflexive`].
pub const STUN_SERVER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::new(198, 51, 100, 100)), 3478);

/// Where a host shall be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Home {
    /// The internet, or what is behind a NAT.
    pub realm: Realm,
    /// An address there. Behind different NATs, both hosts have the same.
    pub address: SocketAddr,
}

impl Home {
    /// What [`STUN_SERVER`] would tell the host that lives here: its address as the internet sees it. `None` if it is
    /// the address it has.
    pub fn reflexive<N: Node>(&self, world: &mut World<N>, host: Host) -> Option<SocketAddr> {
        world.reflexive(host, self.address, STUN_SERVER).filter(|reflexive| *reflexive != self.address)
    }
}

/// Who is together with whom.
#[derive(Clone, Copy, Debug)]
enum Neighbourhood {
    Apart,
    /// Behind one NAT of a carrier, and perhaps another of their own.
    OneCarrier,
    /// Behind one and the same NAT.
    OneHome,
}

/// Draws where two hosts are, and adds the NATs before them: none, one, or one behind another, which map as one of
/// `mappings`, filter, assign ports and forget in any way, and hairpin.
///
/// If all map independently of endpoints, both reach each other's reflexive address by hole punching.
pub fn homes<N: Node>(draw: &mut Draw, world: &mut World<N>, mappings: &[Behavior]) -> [Home; 2] {
    draw.within("homes", |draw| {
        match draw.pick("are", &[Neighbourhood::Apart, Neighbourhood::OneCarrier, Neighbourhood::OneHome]) {
            Neighbourhood::Apart => [("a", 1), ("z", 2)].map(|(name, n)| {
                let nats = draw.number(&format!("{name} is behind"), 0..=2);
                let mut realm = INTERNET;
                for depth in 0..nats {
                    let [high, low] = if depth == 0 { [203, 113] } else { [100, 0] };
                    let external = Ipv4Addr::new(high, u8::from(depth > 0) * 64, low, n);
                    realm = nat(draw, world, &format!("{name}.nat{depth}"), realm, external, mappings);
                }
                if nats == 0 { home(realm, [198, 51, 100, n]) } else { home(realm, [192, 168, 1, 2]) }
            }),
            Neighbourhood::OneCarrier => {
                let carrier = nat(draw, world, "carrier", INTERNET, Ipv4Addr::new(203, 0, 113, 1), mappings);
                [("a", 1), ("z", 2)].map(|(name, n)| {
                    if !draw.chance(&format!("{name} has a NAT"), 50) {
                        return home(carrier, [100, 64, 0, n]);
                    }
                    let external = Ipv4Addr::new(100, 64, 0, n);
                    home(nat(draw, world, name, carrier, external, mappings), [192, 168, 1, 2])
                })
            }
            Neighbourhood::OneHome => {
                let realm = nat(draw, world, "nat", INTERNET, Ipv4Addr::new(203, 0, 113, 1), mappings);
                [2, 3].map(|n| home(realm, [192, 168, 1, n]))
            }
        }
    })
}

fn home(realm: Realm, ip: [u8; 4]) -> Home {
    Home { realm, address: SocketAddr::from((ip, 1000)) }
}

fn nat<N: Node>(
    draw: &mut Draw,
    world: &mut World<N>,
    name: &str,
    outside: Realm,
    external: Ipv4Addr,
    mappings: &[Behavior],
) -> Realm {
    let realm = world.add_nat(outside, external);
    draw.within(name, |draw| {
        let nat = world.nat(realm);
        nat.mapping(draw.pick("mapping", mappings))
            .filtering(draw.pick("filtering", &Behavior::ALL))
            .ports(draw.pick("ports", &[PortAssignment::Preserving, PortAssignment::Random]))
            .inbound_refresh(draw.chance("refreshed inbound", 50));
        // RFC 4787 demands two minutes; many NATs forget after thirty seconds.
        nat.lifetime(Duration::from_secs(draw.pick("lifetime", &[120, 30])));
    });
    realm
}
