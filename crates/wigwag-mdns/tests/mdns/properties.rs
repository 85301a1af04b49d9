//! Whatever names, addresses and messages there are.

use crate::dns::{self, Message};
use crate::{Lone, host, ip};
use proptest::prelude::*;
use std::net::IpAddr;
use wigwag_mdns::{Config, Event, Host, Interface};
use wigwag_sansio::Seed;

fn addresses() -> impl Strategy<Value = IpAddr> {
    let v4 = any::<[u8; 4]>().prop_map(IpAddr::from);
    prop_oneof![v4, any::<[u8; 16]>().prop_map(IpAddr::from)]
}

fn uuids() -> impl Strategy<Value = String> {
    "[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
}

fn is_usable(address: IpAddr) -> bool {
    let is_host = match address {
        IpAddr::V4(ip) => !ip.is_broadcast(),
        IpAddr::V6(ip) => ip.to_ipv4_mapped().is_none(),
    };
    is_host && !address.is_unspecified() && !address.is_multicast() && !address.is_loopback()
}

proptest! {
    /// What somebody else writes, in whatever company, is read.
    #[test]
    fn an_answer_in_any_company_is_found(
        uuid in uuids(),
        address in addresses(),
        others in prop::collection::vec((uuids(), addresses(), 0_usize..3), 0..20),
        place in 0_usize..3,
    ) {
        let mut records: [Vec<dns::Record>; 3] = Default::default();
        for (other, address, section) in others {
            records[section].push(dns::record(&format!("{other}.local"), address));
        }
        let text = format!("{uuid}.local");
        records[place].insert(0, dns::record(&text, address));
        let mut lone = Lone::new(host(Config::default()));
        let name = lone.host.resolve(&text).unwrap();
        lone.hear("10.0.0.2:5353", dns::write(&Message { flags: 0x8400, records, ..Message::default() }));
        let expected: Vec<_> = (place != 1 && is_usable(address)).then_some(Event::Resolved { name, address }).into_iter().collect();
        prop_assert_eq!(lone.events(), expected);
    }

    /// What we write is what somebody else reads.
    #[test]
    fn what_is_told_is_read_by_others(address in addresses(), seed in any::<u64>(), kind in any::<u16>(), count in 1_usize..40) {
        prop_assume!(is_usable(address));
        let mut host = Host::new(Config::default(), Seed::for_test(seed));
        host.add_interface(Interface::new(address, 128)).unwrap();
        let local = format!("{}", std::net::SocketAddr::new(address, 5353));
        let mut lone = Lone::new(host);
        let names: Vec<_> = (0..count).map(|_| lone.host.register(address).unwrap().to_string()).collect();
        let mut announced: Vec<_> = lone.sent().into_iter().flat_map(|(_, it)| it.records[0].clone()).collect();
        announced.sort();
        let mut expected: Vec<_> = names.iter().map(|name| dns::record(name, address)).collect();
        expected.sort();
        prop_assert_eq!(announced, expected);
        lone.now += std::time::Duration::from_secs(10);
        lone.sent();
        lone.now += std::time::Duration::from_secs(10);
        lone.hear_at(&local, &local, &mut dns::question(&names[0], kind, 1));
        let sent = lone.sent();
        let (is_address, record) = (kind == 255 || kind == dns::kind(address), dns::record(&names[0], address));
        let denial = dns::denial(&names[0], address, 0x8001, 120);
        let (answer, added) = if is_address { (record, denial) } else { (denial, record) };
        prop_assert_eq!(&sent[0].1.records, &[vec![answer], vec![], vec![added]]);
    }

    #[test]
    fn any_bytes_are_survived_and_counted_once(bytes in prop::collection::vec(any::<u8>(), 1..600), port in any::<u16>()) {
        let mut lone = Lone::new(host(Config::default()));
        lone.host.resolve(crate::UUID).unwrap();
        lone.host.register(ip("10.0.0.1")).unwrap();
        lone.hear(&format!("10.0.0.2:{port}"), bytes);
        prop_assert_eq!((lone.host.stats().dropped(), lone.events().len()), (1, 0));
    }

    #[test]
    fn only_uuids_are_names(text in "\\PC{0,60}") {
        let mut lone = Lone::new(host(Config::default()));
        prop_assert!(lone.host.resolve(&text).is_err());
    }
}
