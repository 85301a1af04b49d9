//! What Chromium 156 and Firefox ESR 153 said on a link of their own, and the questions that they answered.

use crate::dns;
use crate::{Lone, SECOND, host, ip, name};
use wigwag_mdns::{Config, Event};

/// Chromium, for 10.98.0.1: the address, and that there is nothing else.
const CHROMIUM: &str = "0000840000000001000000012462306332663163332d363732612d346663322d383030342d396430326464613237363862056c6f63616c\
    00000180010000007800040a6200012462306332663163332d363732612d346663322d383030342d396430326464613237363862056c6f63616c00002f80\
    01000000780005c046000140";
/// Chromium, for an address that it does not show: `::`.
const CHROMIUM_HIDDEN: &str = "0000840000000001000000012438656331396464622d633766612d346235652d396366642d306338663231653762326364056c6f6361\
    6c00001c8001000000780010000000000000000000000000000000002438656331396464622d633766612d346235652d396366642d3063386632316537623263\
    64056c6f63616c00002f8001000000780008c052000400000008";
/// Firefox, for 10.98.0.1: the address alone.
const FIREFOX: &str = "0000840000000001000000002462663632643131362d373434652d343639382d396664632d636133646466353062336362056c6f63616c\
    00000180010000007800040a620001";

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<_> = hex.chars().map(|digit| digit.to_digit(16).unwrap() as u8).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

#[test]
fn what_browsers_answer_is_understood() {
    for (said, text, address) in [
        (CHROMIUM, "b0c2f1c3-672a-4fc2-8004-9d02dda2768b.local", "10.98.0.1"),
        (FIREFOX, "bf62d116-744e-4698-9fdc-ca3ddf50b3cb.local", "10.98.0.1"),
    ] {
        let mut lone = Lone::new(host(Config::default()));
        lone.host.resolve(text).unwrap();
        lone.hear("10.0.0.2:5353", bytes(said));
        assert_eq!(lone.events(), [Event::Resolved { name: name(text), address: ip(address) }]);
    }
    let mut lone = Lone::new(host(Config::default()));
    lone.host.resolve("8ec19ddb-c7fa-4b5e-9cfd-0c8f21e7b2cd.local").unwrap();
    lone.hear("10.0.0.2:5353", bytes(CHROMIUM_HIDDEN));
    assert!(lone.events().is_empty() && lone.host.stats().unasked == 1, "it is nobody's address");
}

/// But for the name, which is drawn.
#[test]
fn our_answer_says_what_chromiums_does() {
    let mut host = host(Config::default());
    host.add_interface(wigwag_mdns::Interface::new(ip("10.98.0.1"), 24)).unwrap();
    let mut lone = Lone::new(host);
    let ours = lone.host.register(ip("10.98.0.1")).unwrap().to_string();
    lone.sent_within(10 * SECOND);
    lone.hear_at("10.98.0.1:5353", "10.98.0.2:5353", &mut dns::question(&ours, 1, 1));
    let mut said = dns::read(&bytes(CHROMIUM));
    for record in said.records.iter_mut().flatten() {
        record.0.clone_from(&ours);
        if record.1 == 47 {
            record.4.splice(1..37, ours.bytes().take(36));
        }
    }
    assert_eq!(lone.sent()[0].1, said);
}
