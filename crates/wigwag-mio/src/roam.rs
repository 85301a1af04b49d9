//! The addresses of this machine come and go while a driver runs: its sockets and its endpoint follow.

use crate::driver::{Driver, FIRST_SOCKET};
use crate::interfaces;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;
use wigwag::TcpType;

/// What a driver knows of this machine's addresses.
#[derive(Debug)]
pub(crate) struct Surroundings {
    /// Those that were there when it looked last.
    present: Vec<IpAddr>,
    /// Those of sockets that were there once, and are not now.
    missing: Vec<IpAddr>,
    /// Those that should have a socket and could not be given one yet.
    pub(crate) unopened: Vec<IpAddr>,
    /// When to look again.
    pub(crate) look_at: Option<Instant>,
    /// Where streams begin, as the endpoint was told.
    pub(crate) tcp: Vec<(SocketAddr, TcpType)>,
}

/// The port of who opens streams means nothing, and is told as this one (RFC 6544 §4.5).
const DISCARD: u16 = 9;

impl Surroundings {
    pub(crate) const fn new(present: Vec<IpAddr>, unopened: Vec<IpAddr>, look_at: Option<Instant>) -> Self {
        Self { present, missing: Vec::new(), unopened, look_at, tcp: Vec::new() }
    }

    /// What peers may be told of a socket or listener: its address, or all of its family that this machine has (those of loopback
    /// interfaces only where there are no others).
    fn of(&self, bound: SocketAddr) -> Vec<SocketAddr> {
        if !bound.ip().is_unspecified() {
            return Some(bound).filter(|bound| !self.missing.contains(&bound.ip())).into_iter().collect();
        }
        let all = |with_loopback: bool| -> Vec<_> {
            let wanted = |ip: &&IpAddr| ip.is_ipv4() == bound.is_ipv4() && (with_loopback || !ip.is_loopback());
            self.present.iter().filter(wanted).map(|ip| SocketAddr::new(*ip, bound.port())).collect()
        };
        let addresses = all(false);
        if addresses.is_empty() { all(true) } else { addresses }
    }
}

impl Driver {
    /// Opens one more socket and tells the endpoint of its addresses: candidates of all its connections. Returns the
    /// address with the port that the system chose.
    ///
    /// # Errors
    /// The address cannot be bound, which the error names.
    pub fn bind_address(&mut self, address: SocketAddr) -> io::Result<SocketAddr> {
        let bound = self.sockets.open(address, &self.config, self.poll.registry(), FIRST_SOCKET)?;
        self.tell_addresses();
        Ok(bound)
    }

    /// Closes the socket that is bound to this address, if there is one, and tells the endpoint: calls go on over other
    /// addresses, if there are any or come in time.
    pub fn unbind_address(&mut self, bound: SocketAddr) {
        self.sockets.close(bound, self.poll.registry());
        self.tell_addresses();
    }

    /// Looks which addresses this machine has by now, and tells the endpoint what has come and what has vanished since the
    /// last look. Of a driver for [all interfaces](crate::DriverConfig::all_interfaces) new addresses get sockets, and the
    /// sockets of vanished ones are closed; other sockets stay, for their address may come back.
    /// [`DriverConfig::refresh_interval`](crate::DriverConfig::refresh_interval) has this done in turn, and
    /// [`DriverStats::address_changes`](crate::DriverStats::address_changes) tells how often there was something.
    ///
    /// Whether anything has changed.
    ///
    /// # Errors
    /// What the system says when it is asked for its interfaces.
    pub fn refresh_interfaces(&mut self) -> io::Result<bool> {
        let now: Vec<_> = interfaces(true)?.into_iter().map(|found| found.address).collect();
        Ok(self.surround(now))
    }

    /// These addresses are there now.
    pub(crate) fn surround(&mut self, now: Vec<IpAddr>) -> bool {
        let before = std::mem::replace(&mut self.surroundings.present, now);
        let now = &self.surroundings.present;
        let gone: Vec<_> = before.iter().filter(|address| !now.contains(address)).copied().collect();
        let come: Vec<_> = now.iter().filter(|address| !before.contains(address)).copied().collect();
        let has_opened = self.open_again(&come);
        if gone.is_empty() && come.is_empty() {
            if has_opened {
                self.tell_addresses();
            }
            return has_opened;
        }
        tracing::info!(?gone, ?come, "the addresses of this machine have changed");
        self.sockets.stats.address_changes += 1;
        self.follow(&gone, &come);
        let bound: Vec<_> = self.sockets.bound().chain(self.listeners.bound()).map(|bound| bound.ip()).collect();
        let missing = &mut self.surroundings.missing;
        missing.extend(gone.iter().filter(|address| bound.contains(address)));
        missing.retain(|address| !come.contains(address));
        self.tell_addresses();
        true
    }

    /// A driver for all interfaces has a socket for each of their addresses.
    fn follow(&mut self, gone: &[IpAddr], come: &[IpAddr]) {
        let Some(all) = self.config.all_interfaces else { return };
        let lost: Vec<_> = self.sockets.bound().filter(|bound| gone.contains(&bound.ip())).collect();
        lost.into_iter().for_each(|bound| self.sockets.close(bound, self.poll.registry()));
        for address in come.iter().filter(|address| all.with_loopback || !address.is_loopback()) {
            let socket = SocketAddr::new(*address, all.port);
            if let Err(error) = self.sockets.open(socket, &self.config, self.poll.registry(), FIRST_SOCKET) {
                tracing::warn!(address = %socket, %error, "a new address is not used yet");
                self.surroundings.unopened.push(*address);
            }
        }
    }

    /// What could not be opened is tried again: a new IPv6 address can be used only when nobody else claims it, a second
    /// after it is seen (RFC 4862 §5.4). Whether any could.
    fn open_again(&mut self, come: &[IpAddr]) -> bool {
        let Some(all) = self.config.all_interfaces else { return false };
        let before = std::mem::take(&mut self.surroundings.unopened);
        let (mut unopened, mut has_opened) = (Vec::new(), false);
        let present = &self.surroundings.present;
        // One that has come (again) has its turn as such.
        for address in before.into_iter().filter(|address| present.contains(address) && !come.contains(address)) {
            let socket = SocketAddr::new(address, all.port);
            match self.sockets.open(socket, &self.config, self.poll.registry(), FIRST_SOCKET) {
                Ok(_) => has_opened = true,
                Err(_) => unopened.push(address),
            }
        }
        self.surroundings.unopened = unopened;
        has_opened
    }

    /// The endpoint knows what the sockets have, as far as it is there.
    pub(crate) fn tell_addresses(&mut self) {
        let ours = self.sockets.bound().flat_map(|bound| self.surroundings.of(bound));
        let wanted: Vec<_> = ours.map(|address| self.nat.outside(address)).collect();
        let told = self.endpoint.local_addresses().to_vec();
        if let Some(names) = &mut self.names {
            names.addresses_changed();
        }
        for gone in told.iter().filter(|told| !wanted.contains(told)) {
            self.endpoint.remove_local_address(*gone);
        }
        for address in wanted {
            if let Err(error) = self.endpoint.add_local_address(address) {
                tracing::warn!(%address, %error, "no peer is told of it");
            }
        }
        self.tell_tcp_addresses();
    }

    /// The endpoint knows where peers may open streams, and from where we may.
    fn tell_tcp_addresses(&mut self) {
        let listeners = self.listeners.bound().flat_map(|bound| self.surroundings.of(bound));
        let mut wanted: Vec<_> = listeners.map(|address| (self.nat.outside(address), TcpType::Passive)).collect();
        if self.config.tcp_active {
            let active = self.opening_from().into_iter().flat_map(|bound| self.surroundings.of(bound));
            let active = active.map(|address| SocketAddr::new(self.nat.outside(address).ip(), DISCARD));
            wanted.extend(active.map(|address| (address, TcpType::Active)));
        }
        wanted.sort_by_key(|(address, _)| *address);
        wanted.dedup();
        let told = std::mem::replace(&mut self.surroundings.tcp, wanted.clone());
        for (gone, tcp_type) in told.iter().filter(|told| !wanted.contains(told)) {
            self.endpoint.remove_local_tcp_address(*gone, *tcp_type);
        }
        for (address, tcp_type) in wanted.into_iter().filter(|wanted| !told.contains(wanted)) {
            if let Err(error) = self.endpoint.add_local_tcp_address(address, tcp_type) {
                tracing::warn!(%address, ?tcp_type, %error, "no peer is told of it");
            }
        }
    }

    /// Whose addresses streams are opened from: those of the sockets, or else of the listeners, or, where no address was asked for, all.
    fn opening_from(&self) -> Vec<SocketAddr> {
        let sockets: Vec<_> = self.sockets.bound().collect();
        if !sockets.is_empty() || !self.config.addresses.is_empty() {
            return sockets;
        }
        let listeners: Vec<_> = self.listeners.bound().collect();
        let all = [IpAddr::from([0; 4]), IpAddr::from([0; 16])].map(|ip| SocketAddr::new(ip, DISCARD));
        if listeners.is_empty() { all.into() } else { listeners }
    }

    /// Looks for addresses, if it is time to.
    pub(crate) fn refresh_in_turn(&mut self, now: Instant) {
        let Some(interval) = self.config.refresh_interval else { return };
        if self.surroundings.look_at.is_none_or(|at| at <= now) {
            self.surroundings.look_at = now.checked_add(interval);
            if let Err(error) = self.refresh_interfaces() {
                tracing::warn!(%error, "the interfaces cannot be read");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DriverConfig;
    use wigwag::EndpointConfig;

    fn ips(addresses: &[&str]) -> Vec<IpAddr> {
        addresses.iter().map(|address| address.parse().unwrap()).collect()
    }

    fn told(driver: &Driver) -> Vec<String> {
        let mut told: Vec<_> = driver.endpoint.local_addresses().iter().map(|told| told.ip().to_string()).collect();
        told.sort();
        told
    }

    fn driver(config: &DriverConfig, present: &[&str]) -> Driver {
        let mut driver = Driver::bind(config, EndpointConfig::default()).unwrap();
        driver.surroundings.present = ips(present);
        driver.tell_addresses();
        driver
    }

    /// 127.0.0.0/8 is all here, whatever the interfaces say.
    #[test]
    fn a_driver_for_all_interfaces_gets_a_socket_for_each_new_address_and_closes_those_of_vanished_ones() {
        let mut config = DriverConfig::new(["127.0.0.1:0".parse().unwrap()]);
        config.all_interfaces = Some(crate::config::AllInterfaces { port: 0, with_loopback: true });
        let mut driver = driver(&config, &["127.0.0.1"]);
        assert!(driver.surround(ips(&["127.0.0.1", "127.0.0.2", "127.0.0.3"])));
        assert_eq!(told(&driver), ["127.0.0.1", "127.0.0.2", "127.0.0.3"]);
        let changes = driver.stats().address_changes;
        assert!(!driver.surround(ips(&["127.0.0.1", "127.0.0.2", "127.0.0.3"])), "nothing has changed");
        assert_eq!((changes > 0, driver.stats().address_changes), (true, changes));
        assert!(driver.surround(ips(&["127.0.0.3", "127.0.0.4"])));
        assert_eq!(told(&driver), ["127.0.0.3", "127.0.0.4"]);
        assert_eq!(driver.bound_addresses().count(), 2);
    }

    /// As an IPv6 address that is being checked for others who have it.
    #[test]
    fn an_address_that_cannot_be_used_yet_is_tried_again() {
        let blocker = std::net::UdpSocket::bind("127.0.0.2:0").unwrap();
        let port = blocker.local_addr().unwrap().port();
        let mut config = DriverConfig::new(["127.0.0.1:0".parse().unwrap()]);
        config.all_interfaces = Some(crate::config::AllInterfaces { port, with_loopback: true });
        let mut driver = driver(&config, &["127.0.0.1"]);
        let both = ips(&["127.0.0.1", "127.0.0.2"]);
        assert!(driver.surround(both.clone()));
        assert!(!driver.surround(both.clone()), "it cannot be used yet");
        assert_eq!(told(&driver), ["127.0.0.1"]);
        drop(blocker);
        assert!(driver.surround(both.clone()));
        assert_eq!(told(&driver), ["127.0.0.1", "127.0.0.2"]);
        assert!(!driver.surround(both));
        driver.unbind_address(SocketAddr::new("127.0.0.2".parse().unwrap(), port));
        assert!(!driver.surround(ips(&["127.0.0.1", "127.0.0.2"])), "what was closed stays closed");
    }

    /// An address of 192.0.2.0/24 stands for one that was found and is not there when its socket is made.
    #[test]
    fn an_address_that_could_not_be_used_at_first_is_remembered() {
        let mut config = DriverConfig::new(["192.0.2.77:0".parse().unwrap(), "127.0.0.1:0".parse().unwrap()]);
        config.skip_unavailable = true;
        config.all_interfaces = Some(crate::config::AllInterfaces { port: 0, with_loopback: true });
        let mut driver = Driver::bind(&config, EndpointConfig::default()).unwrap();
        assert_eq!(driver.surroundings.unopened, ips(&["192.0.2.77"]));

        // It had vanished, and comes back: as one.
        driver.surroundings.unopened = ips(&["127.0.0.2"]);
        driver.surround(ips(&["127.0.0.1", "127.0.0.2"]));
        assert_eq!(driver.bound_addresses().count(), 2);
        assert!(driver.surroundings.unopened.is_empty());
    }

    #[test]
    fn without_loopback_no_socket_is_opened_there() {
        let mut config = DriverConfig::new(["127.0.0.1:0".parse().unwrap()]);
        config.all_interfaces = Some(crate::config::AllInterfaces { port: 0, with_loopback: false });
        let mut driver = driver(&config, &["127.0.0.1"]);
        driver.surround(ips(&["127.0.0.1", "127.0.0.2"]));
        assert_eq!(told(&driver), ["127.0.0.1"]);
    }

    #[test]
    fn a_socket_of_one_address_is_told_as_long_as_its_address_is_there() {
        let mut driver = driver(&DriverConfig::new(["127.0.0.1:0".parse().unwrap()]), &["127.0.0.1"]);
        driver.surround(ips(&["10.0.0.1"]));
        assert!(told(&driver).is_empty() && driver.bound_addresses().count() == 1);
        driver.surround(ips(&["10.0.0.1", "127.0.0.1"]));
        assert_eq!(told(&driver), ["127.0.0.1"]);
    }

    /// As a link-local address, which the list of interfaces leaves out.
    #[test]
    fn a_socket_whose_address_was_never_seen_is_told() {
        let mut driver = driver(&DriverConfig::new(["127.0.0.1:0".parse().unwrap()]), &["10.0.0.1"]);
        driver.surround(ips(&["10.0.0.2"]));
        assert_eq!(told(&driver), ["127.0.0.1"]);
    }

    #[test]
    fn a_socket_for_all_addresses_is_told_as_those_that_there_are() {
        let mut driver = driver(&DriverConfig::new(["0.0.0.0:0".parse().unwrap()]), &["127.0.0.1", "::1"]);
        assert_eq!(told(&driver), ["127.0.0.1"]);
        driver.surround(ips(&["127.0.0.1", "10.0.0.1", "2001:db8::1"]));
        assert_eq!(told(&driver), ["10.0.0.1"]);
        driver.surround(ips(&["127.0.0.1", "10.0.0.2", "10.0.0.3"]));
        assert_eq!(told(&driver), ["10.0.0.2", "10.0.0.3"]);
    }

    #[test]
    fn an_address_behind_a_nat_comes_and_vanishes_by_its_public_name() {
        let mut config = DriverConfig::new(["0.0.0.0:0".parse().unwrap()]);
        config.nat_1to1 = vec![("10.0.0.5".parse().unwrap(), "203.0.113.7".parse().unwrap())];
        let mut driver = driver(&config, &["10.0.0.5", "10.0.0.6"]);
        assert_eq!(told(&driver), ["10.0.0.6", "203.0.113.7"]);
        driver.surround(ips(&["10.0.0.6"]));
        assert_eq!(told(&driver), ["10.0.0.6"]);
        driver.surround(ips(&["10.0.0.6", "10.0.0.5"]));
        assert_eq!(told(&driver), ["10.0.0.6", "203.0.113.7"]);
    }

    fn told_of_tcp(driver: &Driver, tcp_type: TcpType) -> Vec<String> {
        let told = driver.surroundings.tcp.iter().filter(|told| told.1 == tcp_type);
        told.map(|told| told.0.to_string()).collect()
    }

    #[test]
    fn listeners_are_told_as_the_addresses_that_there_are_by_their_public_names() {
        let mut config = DriverConfig::new([]);
        config.tcp_listeners = vec!["0.0.0.0:0".parse().unwrap(), "127.0.0.1:0".parse().unwrap()];
        config.nat_1to1 = vec![("10.0.0.5".parse().unwrap(), "203.0.113.7".parse().unwrap())];
        let mut driver = driver(&config, &["127.0.0.1", "10.0.0.5", "::1"]);
        let [all, one] = driver.listening_addresses().map(|bound| bound.port()).collect::<Vec<_>>()[..] else {
            panic!()
        };
        let one = format!("127.0.0.1:{one}");
        let passive = |driver: &Driver| told_of_tcp(driver, TcpType::Passive);
        assert_eq!(passive(&driver), [one.clone(), format!("203.0.113.7:{all}")]);
        driver.surround(ips(&["127.0.0.1", "10.0.0.5", "10.0.0.6"]));
        assert_eq!(passive(&driver), [format!("10.0.0.6:{all}"), one.clone(), format!("203.0.113.7:{all}")]);
        driver.surround(ips(&["10.0.0.6"]));
        assert_eq!(passive(&driver), [format!("10.0.0.6:{all}")]);
        driver.surround(ips(&["127.0.0.1"]));
        let mut loopback = [one, format!("127.0.0.1:{all}")];
        loopback.sort_by_key(|address| address.parse::<SocketAddr>().unwrap());
        assert_eq!(passive(&driver), loopback);
        assert!(told_of_tcp(&driver, TcpType::Active).is_empty() && driver.endpoint.local_addresses().is_empty());
    }

    #[test]
    fn streams_are_opened_from_where_there_are_sockets_or_else_listeners_or_else_from_everywhere() {
        let active = |driver: &Driver| told_of_tcp(driver, TcpType::Active);
        let mut config = DriverConfig::new([]);
        config.tcp_active = true;
        let mut all = driver(&config, &["127.0.0.1", "10.0.0.5", "::1"]);
        assert_eq!(active(&all), ["10.0.0.5:9", "[::1]:9"]);
        all.surround(ips(&["10.0.0.5", "10.0.0.6"]));
        assert_eq!(active(&all), ["10.0.0.5:9", "10.0.0.6:9"]);

        config.tcp_listeners = vec!["127.0.0.2:0".parse().unwrap()];
        assert_eq!(active(&driver(&config, &["127.0.0.1", "10.0.0.5"])), ["127.0.0.2:9"]);

        config.addresses = vec!["127.0.0.1:0".parse().unwrap(), "127.0.0.1:0".parse().unwrap()];
        let mut of_sockets = driver(&config, &["127.0.0.1", "10.0.0.5"]);
        assert_eq!(active(&of_sockets), ["127.0.0.1:9"], "once");
        let third = of_sockets.bind_address("127.0.0.3:0".parse().unwrap()).unwrap();
        assert_eq!(active(&of_sockets), ["127.0.0.1:9", "127.0.0.3:9"]);
        for bound in of_sockets.bound_addresses().filter(|bound| *bound != third).collect::<Vec<_>>() {
            of_sockets.unbind_address(bound);
        }
        assert_eq!(active(&of_sockets), ["127.0.0.3:9"]);
        of_sockets.unbind_address(third);
        assert!(active(&of_sockets).is_empty(), "whoever has named addresses gives no others away");
    }

    #[test]
    fn sockets_may_be_added_and_taken_away() {
        let mut driver = driver(&DriverConfig::new(["127.0.0.1:0".parse().unwrap()]), &["127.0.0.1"]);
        let first = driver.bound_addresses().next().unwrap();
        let second = driver.bind_address("127.0.0.2:0".parse().unwrap()).unwrap();
        assert_eq!(told(&driver), ["127.0.0.1", "127.0.0.2"]);
        driver.unbind_address(first);
        assert_eq!(driver.bound_addresses().collect::<Vec<_>>(), [second]);
        assert_eq!(told(&driver), ["127.0.0.2"]);
        driver.bind_address(first).unwrap();
        assert!(driver.bind_address(first).is_err(), "it is ours already");
    }
}
