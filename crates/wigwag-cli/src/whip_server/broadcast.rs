//! All sessions, on one thread, one endpoint and one UDP port for each address of this machine.

use super::offer::{Refused, Role};
use super::streams::{Created, Patched, Streams};
use crate::console::say;
use crate::worker::{Commands, Line, Work};
use std::ops::Range;
use std::sync::mpsc::{self, SendError, SyncSender};
use std::time::{Duration, Instant};
use wigwag::Config;
use wigwag::jsep::Codec;
use wigwag_mio::wall_clock;
use wigwag_sansio::Rng;

/// How long an answer may take: the thread is busy with media then.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(5);
/// How often it is looked whether somebody waits in vain.
const TICK: Duration = Duration::from_secs(1);

type Reply<T> = SyncSender<Result<T, Refused>>;

/// What clients want.
pub(super) enum Command {
    Begin { role: Role, name: String, offer: String, reply: Reply<Created> },
    Patch { id: String, if_match: Option<String>, fragment: String, reply: Reply<Patched> },
    End { id: String, reply: Reply<()> },
}

/// Reaches the sessions from the threads of clients.
#[derive(Clone)]
pub(super) struct Broadcast {
    commands: Commands<Command>,
}

impl Broadcast {
    pub(super) const fn new(commands: Commands<Command>) -> Self {
        Self { commands }
    }

    pub(super) fn begin(&self, role: Role, name: String, offer: String) -> Result<Created, Refused> {
        self.ask(|reply| Command::Begin { role, name, offer, reply })
    }

    pub(super) fn patch(&self, id: String, if_match: Option<String>, fragment: String) -> Result<Patched, Refused> {
        self.ask(|reply| Command::Patch { id, if_match, fragment, reply })
    }

    pub(super) fn end(&self, id: String) -> Result<(), Refused> {
        self.ask(|reply| Command::End { id, reply })
    }

    fn ask<T>(&self, command: impl FnOnce(Reply<T>) -> Command) -> Result<T, Refused> {
        let (reply, answer) = mpsc::sync_channel(1);
        let is_sent = self.commands.send(command(reply));
        let answer = if is_sent { answer.recv_timeout(ANSWER_TIME_MAX).ok() } else { None };
        answer.unwrap_or_else(|| Err(Refused::new(503, "The server is too busy, or ends.")))
    }
}

/// All sessions.
pub(super) struct Studio {
    line: Line,
    streams: Streams,
}

impl Studio {
    pub(super) fn new(line: Line, random: Rng) -> Self {
        Self { line, streams: Streams::new(random) }
    }

    fn begin(&mut self, role: Role, name: &str, offer: &str) -> Result<Created, Refused> {
        let mut config = Config::new(wall_clock());
        config.negotiation.codecs = codecs();
        self.line.recording.ask(&mut config);
        self.streams.begin(self.line.driver.endpoint_mut(), role, name, offer, config, Instant::now())
    }
}

impl Work for Studio {
    type Command = Command;

    fn line(&mut self) -> &mut Line {
        &mut self.line
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Begin { role, name, offer, reply } => {
                let begun = self.begin(role, &name, &offer);
                // Who does not wait any more knows of no session.
                if let Err(SendError(Ok(created))) = reply.send(begun) {
                    let _ = self.streams.end(self.line.driver.endpoint_mut(), &created.id);
                }
            }
            Command::Patch { id, if_match, fragment, reply } => {
                let endpoint = self.line.driver.endpoint_mut();
                drop(reply.send(self.streams.patch(endpoint, &id, if_match.as_deref(), &fragment)));
            }
            Command::End { id, reply } => drop(reply.send(self.streams.end(self.line.driver.endpoint_mut(), &id))),
        }
    }

    fn proceed(&mut self) -> Option<Duration> {
        while let Some(event) = self.line.driver.poll_event() {
            self.streams.handle_event(self.line.driver.endpoint_mut(), event);
        }
        self.streams.handle_timeout(self.line.driver.endpoint_mut(), Instant::now());
        while let Some(notice) = self.streams.poll_notice() {
            say(notice);
        }
        self.streams.awaits().then_some(TICK)
    }
}

/// Where the profiles of H.264 are among these.
pub(super) const H264: Range<usize> = 5..10;

/// What may be published; nothing is decoded, so what browsers, OBS and ffmpeg know is known here.
fn codecs() -> Vec<Codec> {
    // Constrained baseline, baseline, main, high and constrained high (RFC 6184 §8.1): the names differ, and decoders read them all.
    let h264 = ["42e01f", "42001f", "4d001f", "64001f", "640c1f"].map(|profile| {
        let mut codec = Codec::h264();
        codec.parameters = format!("level-asymmetry-allowed=1;packetization-mode=1;profile-level-id={profile}");
        codec
    });
    let sound = [Codec::opus(), Codec::g722(), Codec::pcmu(), Codec::pcma()];
    let pictures = [Codec::vp8()].into_iter().chain(h264).chain([Codec::vp9(), Codec::av1()]);
    sound.into_iter().chain(pictures).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_profiles_of_h264_are_where_they_are_said_to_be() {
        let is_there = |(index, codec): (usize, &Codec)| (codec.name == "H264") == H264.contains(&index);
        assert!(codecs().iter().enumerate().all(is_there));
    }
}
