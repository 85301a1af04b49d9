//! `--media-port` and `--nat-1to1`: the sockets of connections.

use crate::failure::Failure;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use wigwag::EndpointConfig;
use wigwag_mio::{Driver, DriverConfig};

/// Where the connections are.
#[derive(Debug, clap::Args)]
pub(crate) struct Sockets {
    /// The port of the calls, for UDP and TCP, on each address of this machine; 0 takes free ones
    #[arg(long, value_name = "PORT", default_value_t = 0, value_parser = parse_media_port)]
    media_port: u16,
    /// What peers are told in place of an address of this machine, as on a cloud's machine behind its NAT: 10.0.0.5=203.0.113.7 (may be
    /// repeated)
    #[arg(long = "nat-1to1", value_name = "OURS=PUBLIC", value_parser = parse_nat)]
    nat_1to1: Vec<(IpAddr, IpAddr)>,
}

fn parse_nat(text: &str) -> Result<(IpAddr, IpAddr), String> {
    let pair = text.split_once('=').and_then(|(ours, public)| Some((ours.parse().ok()?, public.parse().ok()?)));
    let pair = pair.filter(|(ours, public): &(IpAddr, IpAddr)| ours.is_ipv4() == public.is_ipv4());
    pair.ok_or_else(|| "write two addresses of one family, such as 10.0.0.5=203.0.113.7".to_owned())
}

fn parse_media_port(text: &str) -> Result<u16, String> {
    text.parse().map_err(|_| "write a port from 1 to 65535, or 0 for free ones".to_owned())
}

impl Sockets {
    /// Opens the sockets.
    pub(crate) fn bind(&self, endpoint: EndpointConfig) -> Result<Driver, Failure> {
        let no_sockets = |error| Failure::sockets("--media-port", &error);
        // Browsers on this machine may know it by its loopback address only, others by any but that.
        let mut config = DriverConfig::all_interfaces(self.media_port, true).map_err(no_sockets)?;
        config.nat_1to1.clone_from(&self.nat_1to1);
        // Where UDP is blocked, browsers open streams.
        config.tcp_listeners = [IpAddr::from(Ipv4Addr::UNSPECIFIED), IpAddr::from(Ipv6Addr::UNSPECIFIED)]
            .map(|address| SocketAddr::new(address, self.media_port))
            .to_vec();
        Driver::bind(&config, endpoint).map_err(no_sockets)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_for_the_calls_is_a_number_with_bounds() {
        assert_eq!(["0", "65535"].map(parse_media_port), [Ok(0), Ok(65_535)]);
        for text in ["", "abc", "-1", "65536", "127.0.0.1:80"] {
            assert!(parse_media_port(text).unwrap_err().contains("from 1 to 65535"), "{text}");
        }
    }

    #[test]
    fn an_address_and_its_public_one_are_of_one_family() {
        let pair = ("10.0.0.5".parse().unwrap(), "203.0.113.7".parse().unwrap());
        assert_eq!(parse_nat("10.0.0.5=203.0.113.7"), Ok(pair));
        for text in ["", "10.0.0.5", "10.0.0.5=", "=203.0.113.7", "10.0.0.5=2001:db8::1", "10.0.0.5:1=203.0.113.7"] {
            assert!(parse_nat(text).is_err(), "{text}");
        }
    }
}
