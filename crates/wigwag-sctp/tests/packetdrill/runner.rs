//! Plays a script in virtual time.

use crate::calls;
use crate::check;
use crate::encode;
use crate::host::{Host, PORTS};
use crate::numbers::Numbers;
use crate::script::{self, Action, Direction, Event, PacketSpec, When};
use std::time::{Duration, Instant};

/// How long a packet is waited for that may come at any time.
const PATIENCE: Duration = Duration::from_secs(600);

/// `Err` says in which line, and what.
pub(crate) fn run(text: &str) -> Result<(), String> {
    let script = script::parse(text)?;
    let begin = wigwag_sim::origin();
    let mut player =
        Player { host: Host::new(begin), numbers: Numbers::default(), begin, last: begin, tolerance: script.tolerance };
    for event in &script.events {
        player.play(event).map_err(|error| format!("line {}: {error}", event.line))?;
    }
    Ok(())
}

struct Player {
    host: Host,
    numbers: Numbers,
    begin: Instant,
    /// When the event before happened, as the script tells it.
    last: Instant,
    tolerance: Duration,
}

impl Player {
    fn play(&mut self, event: &Event) -> Result<(), String> {
        let times = match event.when {
            When::Absolute(first, last) => Some((self.begin + first, self.begin + last)),
            When::Relative(first, last) => Some((self.last + first, self.last + last)),
            When::Any => None,
        };
        if let Action::Packet(Direction::Out, spec) = &event.action {
            return self.expect(spec, times);
        }
        let (at, _) = times.unwrap_or((self.last, self.last));
        self.last = at;
        self.host.pass(at, |_| false);
        match &event.action {
            Action::Packet(Direction::In, spec) => {
                let packet = encode::packet(spec, (PORTS.1, PORTS.0), &mut self.numbers)?;
                self.host.input(&packet);
                Ok(())
            }
            Action::Packet(Direction::Out, _) => Ok(()),
            Action::Command(command) => run_command(command),
            Action::Call(call) => {
                if let Some(blocks) = call.blocks
                    && call.name != "connect"
                {
                    self.host.pass(at + blocks, |_| false);
                }
                calls::run(&mut self.host, call)
            }
        }
    }

    fn expect(&mut self, spec: &PacketSpec, times: Option<(Instant, Instant)>) -> Result<(), String> {
        let latest = times.map_or(self.host.now + PATIENCE, |(_, last)| last + self.tolerance);
        self.host.pass(latest, |host| !host.sent.is_empty());
        let Some((at, packet)) = self.host.sent.pop_front() else { return Err("nothing was sent".into()) };
        let what = check::describe(&packet);
        check::packet(spec, &packet, &mut self.numbers).map_err(|error| format!("{error}: {what}"))?;
        match times {
            None => self.last = at,
            Some((first, last)) => {
                if at + self.tolerance < first || at > last + self.tolerance {
                    let off = if at < first { first - at } else { at - last };
                    return Err(format!("{off:?} beside its time: {what}"));
                }
                self.last = first;
            }
        }
        Ok(())
    }
}

/// `sysctl` settings of the kernels that the suite was made for: those that turn off what we do not have anyway.
fn run_command(command: &str) -> Result<(), String> {
    let mut words = command.split_whitespace();
    if words.next() != Some("sysctl") {
        return Err(format!("the command {command} is not known"));
    }
    for word in words {
        let setting = word.split_once('=').map(|(name, value)| (name.rsplit('.').next().unwrap_or(name), value));
        match (word, setting) {
            ("-i" | "-w" | "-q" | "-iw" | "-wq", _) => {}
            // Ours are offered to a peer that has them, and else to nobody.
            (_, Some(("pr_enable" | "reconfig_enable" | "prsctp_enable", "0"))) => {}
            (_, Some(("ecn_enable" | "asconf_enable" | "pktdrop_enable" | "auth_enable", "0"))) => {}
            (_, Some(("nrsack_enable" | "nrsack_on_off" | "addip_enable", "0"))) => {}
            (_, Some(("auth_disable", "1"))) => {}
            _ => return Err(format!("the setting {word} is not known")),
        }
    }
    Ok(())
}
