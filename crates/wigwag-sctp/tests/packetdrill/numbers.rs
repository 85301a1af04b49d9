//! A script has numbers of its own for the machine's random ones: tags and TSNs.

use crate::schema::Space;
use crate::script::Direction;

/// A number of the machine's, and what the script calls it.
#[derive(Clone, Copy, Debug, Default)]
struct Pair {
    script: u32,
    live: u32,
}

/// What both know, and what was in the packets before that a packet may refer to.
#[derive(Debug, Default)]
pub(crate) struct Numbers {
    tag: Option<Pair>,
    tsn: Pair,
    /// The tags of the script's own side, which are what it says.
    remote_tags: Vec<u32>,
    pub(crate) last_tag_in: u32,
    /// Of the last INIT ACK, and of the last HEARTBEAT, of the machine.
    pub(crate) cookie: Vec<u8>,
    pub(crate) heartbeat: Vec<u8>,
}

impl Numbers {
    /// The machine's number for one of the script's.
    pub(crate) const fn live_tsn(&self, script: u32, space: Space, direction: Direction) -> u32 {
        if is_of_machine(space, direction) {
            script.wrapping_sub(self.tsn.script).wrapping_add(self.tsn.live)
        } else {
            script
        }
    }

    /// The script's number for one of the machine's.
    pub(crate) const fn script_tsn(&self, live: u32, space: Space, direction: Direction) -> u32 {
        if is_of_machine(space, direction) {
            live.wrapping_sub(self.tsn.live).wrapping_add(self.tsn.script)
        } else {
            live
        }
    }

    /// The verification tag of an injected packet.
    pub(crate) fn tag_in(&self, explicit: Option<u32>, is_reflected: bool) -> u32 {
        if is_reflected {
            return explicit.or(self.remote_tags.last().copied()).unwrap_or_default();
        }
        let Pair { script, live } = self.tag.unwrap_or_default();
        match explicit {
            None => live,
            Some(0) => 0,
            Some(tag) => tag.wrapping_sub(script).wrapping_add(live).max(1),
        }
    }

    pub(crate) fn is_remote_tag(&self, tag: u32) -> bool {
        self.remote_tags.contains(&tag)
    }

    pub(crate) fn learn_remote_tag(&mut self, tag: u32) {
        self.remote_tags.push(tag);
    }

    /// An INIT or INIT ACK of the machine's: what the script calls its tag and its TSN, if it says so.
    pub(crate) fn learn(&mut self, script: (Option<u32>, Option<u32>), live: (u32, u32)) -> Result<(), String> {
        let Some(tag) = script.0 else { return Ok(()) };
        match self.tag {
            Some(known) if known.script == tag && known.live != live.0 => {
                return Err(format!("tag {tag} was {:#x} before, and is {:#x} now", known.live, live.0));
            }
            Some(known) if known.script == tag => {}
            _ => {
                self.tag = Some(Pair { script: tag, live: live.0 });
                if let Some(tsn) = script.1 {
                    self.tsn = Pair { script: tsn, live: live.1 };
                }
            }
        }
        Ok(())
    }

    pub(crate) fn script_tag(&self, live: u32) -> u32 {
        self.tag.filter(|tag| tag.live == live).map_or(live, |tag| tag.script)
    }
}

const fn is_of_machine(space: Space, direction: Direction) -> bool {
    matches!((space, direction), (Space::Sender, Direction::Out) | (Space::Receiver, Direction::In))
}
