//! All sessions, on one thread, one endpoint and one UDP port for each address of this machine.

use super::offer::{Refused, Role};
use super::streams::{Created, Patched, Streams};
use crate::console::say;
use crate::failure::Failure;
use crate::recording::Recording;
use crate::worker::Worker;
use std::ops::Range;
use std::sync::mpsc::{self, Receiver, SendError, SyncSender};
use std::time::{Duration, Instant};
use wigwag::jsep::Codec;
use wigwag::{Config, Endpoint};
use wigwag_mio::{Driver, Handle, wall_clock};
use wigwag_sansio::Rng;

/// What clients have asked and the sessions have not heard yet; a client that is ahead waits.
const COMMANDS_MAX: usize = 1024;
/// How long an answer may take: the thread is busy with media then.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(5);
/// How often it is looked whether somebody waits in vain.
const TICK: Duration = Duration::from_secs(1);
/// How long the peers may take to hear that it is over.
const FAREWELL_TIME_MAX: Duration = Duration::from_millis(300);

type Reply<T> = SyncSender<Result<T, Refused>>;

enum Command {
    Begin { role: Role, name: String, offer: String, reply: Reply<Created> },
    Patch { id: String, if_match: Option<String>, fragment: String, reply: Reply<Patched> },
    End { id: String, reply: Reply<()> },
    Stop,
}

/// Reaches the sessions from the threads of clients.
#[derive(Clone)]
pub(super) struct Broadcast {
    commands: SyncSender<Command>,
    handle: Handle<Endpoint>,
}

impl Broadcast {
    pub(super) fn begin(&self, role: Role, name: String, offer: String) -> Result<Created, Refused> {
        self.ask(|reply| Command::Begin { role, name, offer, reply })
    }

    pub(super) fn patch(&self, id: String, if_match: Option<String>, fragment: String) -> Result<Patched, Refused> {
        self.ask(|reply| Command::Patch { id, if_match, fragment, reply })
    }

    pub(super) fn end(&self, id: String) -> Result<(), Refused> {
        self.ask(|reply| Command::End { id, reply })
    }

    /// Ends all sessions.
    pub(super) fn stop(&self) {
        self.send(Command::Stop);
    }

    fn ask<T>(&self, command: impl FnOnce(Reply<T>) -> Command) -> Result<T, Refused> {
        let (reply, answer) = mpsc::sync_channel(1);
        let is_sent = self.send(command(reply));
        let answer = if is_sent { answer.recv_timeout(ANSWER_TIME_MAX).ok() } else { None };
        answer.unwrap_or_else(|| Err(Refused::new(503, "The server is too busy, or ends.")))
    }

    fn send(&self, command: Command) -> bool {
        self.commands.send(command).is_ok() && self.handle.wake().is_ok()
    }
}

/// Has all sessions live on a thread.
pub(super) fn start(driver: Driver, recording: Recording) -> Result<(Broadcast, Worker), Failure> {
    let seed = wigwag_mio::seed().map_err(|error| Failure::new(format!("the system gives no randomness: {error}")))?;
    let (commands, waiting) = mpsc::sync_channel(COMMANDS_MAX);
    let broadcast = Broadcast { commands, handle: driver.handle() };
    let studio = Studio { driver, waiting, streams: Streams::new(Rng::new(seed)), recording };
    let worker = Worker::start("media", move || studio.run())?;
    Ok((broadcast, worker))
}

struct Studio {
    driver: Driver,
    waiting: Receiver<Command>,
    streams: Streams,
    recording: Recording,
}

impl Studio {
    fn run(mut self) -> Result<(), String> {
        let result = self.carry_on().map_err(|error| error.to_string());
        result.and(self.recording.finish().map_err(|failure| failure.to_string()))
    }

    fn carry_on(&mut self) -> std::io::Result<()> {
        loop {
            while let Ok(command) = self.waiting.try_recv() {
                match command {
                    Command::Begin { role, name, offer, reply } => {
                        let begun = self.begin(role, &name, &offer);
                        // Who does not wait any more knows of no session.
                        if let Err(SendError(Ok(created))) = reply.send(begun) {
                            let _ = self.streams.end(self.driver.endpoint_mut(), &created.id);
                        }
                    }
                    Command::Patch { id, if_match, fragment, reply } => {
                        let endpoint = self.driver.endpoint_mut();
                        drop(reply.send(self.streams.patch(endpoint, &id, if_match.as_deref(), &fragment)));
                    }
                    Command::End { id, reply } => drop(reply.send(self.streams.end(self.driver.endpoint_mut(), &id))),
                    Command::Stop => return self.say_goodbye(),
                }
            }
            self.turn(self.streams.awaits().then_some(TICK))?;
        }
    }

    fn begin(&mut self, role: Role, name: &str, offer: &str) -> Result<Created, Refused> {
        let mut config = Config::new(wall_clock());
        config.negotiation.codecs = codecs();
        self.recording.ask(&mut config);
        self.streams.begin(self.driver.endpoint_mut(), role, name, offer, config, Instant::now())
    }

    fn turn(&mut self, max_wait: Option<Duration>) -> std::io::Result<()> {
        while let Some(event) = self.driver.poll_event() {
            self.streams.handle_event(self.driver.endpoint_mut(), event);
        }
        self.streams.handle_timeout(self.driver.endpoint_mut(), Instant::now());
        while let Some(notice) = self.streams.poll_notice() {
            say(notice);
        }
        self.driver.run_once(max_wait)?;
        self.recording.take(self.driver.endpoint_mut());
        Ok(())
    }

    fn say_goodbye(&mut self) -> std::io::Result<()> {
        let connections: Vec<_> = self.driver.endpoint().ids().collect();
        for id in connections {
            if let Some(connection) = self.driver.endpoint_mut().connection_mut(id) {
                connection.close();
            }
        }
        let deadline = Instant::now() + FAREWELL_TIME_MAX;
        while !self.driver.endpoint().is_empty() && Instant::now() < deadline {
            self.turn(Some(Duration::from_millis(10)))?;
        }
        Ok(())
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
