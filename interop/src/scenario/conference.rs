//! The conference server of `examples/sfu`, with the pages of browsers as its members: each must decode the pictures of all the others.

#[path = "../../../crates/wigwag/examples/sfu/room.rs"]
mod room;

use super::Stage;
use crate::browser::Browser;
use crate::call::{Role, text};
use crate::namespace;
use crate::peer::PATIENCE;
use anyhow::{Context, Result, anyhow, bail, ensure};
use room::{Room, Told};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use wigwag::jsep::DtlsRole;
use wigwag::{Config, ConnectionId, Endpoint, EndpointConfig, SessionDescription, congestion};
use wigwag_mio::{Driver, DriverConfig, Handle};

/// Four pages that draw, encode and decode share this machine: so many frames in two seconds are pictures that move.
const FRAMES_MIN: f64 = 10.0;

/// A page has all members: each is a connection of its own, and says as much as `docs/sfu.md` has it say.
const MEMBERS: &str = "(() => {
  const members = (window.members = {});
  // With several sizes, the camera is larger; without a camera, there is sound alone.
  members.join = async (name, encodings, has_camera) => {
    const pc = new RTCPeerConnection();
    members[name] = { pc, of: new Map() };
    const camera = await navigator.mediaDevices.getUserMedia({ audio: true, video: has_camera && (encodings ? { width: 640, height: 480 } : { width: 320, height: 240 }) });
    for (const track of camera.getTracks()) {
      const sendEncodings = track.kind === 'video' && encodings;
      pc.addTransceiver(track, { direction: 'sendonly', ...(sendEncodings && { sendEncodings }) });
    }
    pc.ontrack = ({ track, transceiver, streams: [stream] }) => {
      members[name].of.set(transceiver, stream.id);
      const element = document.createElement(track.kind);
      element.muted = true;
      element.srcObject = new MediaStream([track]);
      document.body.append(element);
      element.play().catch(() => {});
      if (track.kind === 'video') members[name].picture = element;
    };
    await pc.setLocalDescription();
    return pc.localDescription.sdp;
  };
  members.describe = async (name, type, sdp) => {
    const { pc } = members[name];
    await pc.setRemoteDescription({ type, sdp });
    if (pc.signalingState === 'stable') return null;
    await pc.setLocalDescription();
    return pc.localDescription.sdp;
  };
  // How wide the picture is that a member sees now, and how many were decoded.
  members.width = async (name) => {
    const { picture, of } = members[name];
    let frames = 0;
    for (const transceiver of of.keys())
      for (const report of (await transceiver.receiver.getStats()).values())
        if (report.type === 'inbound-rtp') frames += report.framesDecoded ?? 0;
    return { width: picture?.videoWidth ?? 0, frames };
  };
  // What a member decodes now: by whom, how many frames and packets of sound.
  members.seen = async (name) => {
    const seen = {};
    for (const [transceiver, of] of members[name].of) {
      if (transceiver.currentDirection !== 'recvonly') continue;
      for (const report of (await transceiver.receiver.getStats()).values()) {
        if (report.type !== 'inbound-rtp') continue;
        seen[of] ??= { frames: 0, sounds: 0 };
        seen[of].frames += report.framesDecoded ?? 0;
        seen[of].sounds += report.kind === 'audio' ? report.packetsReceived : 0;
      }
    }
    return seen;
  };
  return true;
})()";

/// The room, on a thread of its own.
pub(super) struct Server {
    handle: Handle<Endpoint>,
    room: Arc<Mutex<Room>>,
    told: Receiver<Told>,
    is_over: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
    dtls_role: DtlsRole,
}

impl Server {
    fn start(dtls_role: DtlsRole) -> Result<Self> {
        let address: IpAddr = if namespace::is_inside() { namespace::ADDRESS } else { "127.0.0.1" }.parse()?;
        let mut driver = Driver::bind(&DriverConfig::new([(address, 0).into()]), EndpointConfig::default())?;
        let (handle, room, is_over) = (driver.handle(), Arc::<Mutex<Room>>::default(), Arc::<AtomicBool>::default());
        let (tell, told) = channel();
        let (of_thread, flag) = (Arc::clone(&room), Arc::clone(&is_over));
        let thread = std::thread::spawn(move || {
            while !flag.load(Ordering::Relaxed) && driver.run_once(Some(Duration::from_millis(100))).is_ok() {
                let Ok(mut room) = of_thread.lock() else { return };
                while let Some(event) = driver.poll_event() {
                    let told = room.handle_event(driver.endpoint_mut(), event);
                    told.into_iter().for_each(|told| _ = tell.send(told));
                }
            }
        });
        Ok(Self { handle, room, told, is_over, thread: Some(thread), dtls_role })
    }

    /// Lets the room do something, on its thread.
    pub(super) fn run<T: Send + 'static>(
        &self,
        act: impl FnOnce(&mut Room, &mut Endpoint) -> T + Send + 'static,
    ) -> Result<T> {
        let room = Arc::clone(&self.room);
        let result = self.handle.call(move |endpoint| room.lock().ok().map(|mut room| act(&mut room, endpoint)))?;
        result.context("the room's thread panicked")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        self.thread.take().map(std::thread::JoinHandle::join);
    }
}

pub(super) struct Conference<'a> {
    pub(super) browser: &'a mut dyn Browser,
    pub(super) server: Server,
    names: BTreeMap<ConnectionId, &'static str>,
    left: Vec<String>,
}

impl Conference<'_> {
    fn join(&mut self, name: &'static str) -> Result<()> {
        self.join_with(name, &Value::Null, true).map(|_| ())
    }

    /// `encodings`: W3C's `sendEncodings` of the camera, if it is sent in several sizes.
    pub(super) fn join_with(
        &mut self,
        name: &'static str,
        encodings: &Value,
        has_camera: bool,
    ) -> Result<ConnectionId> {
        let join = format!("members.join({}, {encodings}, {has_camera})", json!(name));
        let offer = text(&self.browser.evaluate(&join)?)?;
        let dtls_role = self.server.dtls_role;
        let joined = self.server.run(move |room, endpoint| {
            let mut config = Config::new(wigwag_mio::wall_clock());
            config.negotiation.dtls_role = Some(dtls_role);
            config.media_congestion_control = Some(congestion::Config::new());
            room.join(endpoint, name, config, SessionDescription::offer(offer)).map_err(|error| error.to_string())
        })?;
        let (id, answer) = joined.map_err(|error| anyhow!(error))?;
        self.names.insert(id, name);
        self.describe(name, "answer", &answer.sdp)?;
        Ok(id)
    }

    fn describe(&mut self, name: &str, kind: &str, sdp: &str) -> Result<Value> {
        self.browser.evaluate(&format!("members.describe({}, {}, {})", json!(name), json!(kind), json!(sdp)))
    }

    /// Carries what the room has told meanwhile.
    pub(super) fn carry(&mut self) -> Result<()> {
        while let Ok(told) = self.server.told.try_recv() {
            match told {
                Told::Offer(id, offer) => {
                    let Some(name) = self.names.get(&id).copied() else { continue };
                    let answer = SessionDescription::answer(text(&self.describe(name, "offer", &offer.sdp)?)?);
                    self.server.run(move |room, endpoint| room.describe(endpoint, id, answer))??;
                }
                Told::Left(id, name) => {
                    self.names.remove(&id);
                    self.left.push(name);
                }
            }
        }
        Ok(())
    }

    fn seen(&mut self, by: &str) -> Result<Value> {
        self.browser.evaluate(&format!("members.seen({})", json!(by)))
    }

    /// Waits until each of these decodes all the others and nobody else; how many frames the least were in two seconds.
    fn assert_all_see(&mut self, names: &[&str]) -> Result<f64> {
        let deadline = Instant::now() + PATIENCE;
        let all = |conference: &mut Self| -> Result<BTreeMap<String, Value>> {
            names.iter().map(|by| Ok(((*by).to_owned(), conference.seen(by)?))).collect()
        };
        let is_seen = |seen: &Value, by: &str| {
            let others = names.iter().filter(|of| **of != by);
            let has_each = others.clone().all(|of| seen[*of]["frames"].as_f64() > Some(0.0));
            has_each && seen.as_object().is_some_and(|seen| seen.len() == others.count())
        };
        let before = loop {
            self.carry()?;
            let seen = all(self)?;
            if seen.iter().all(|(by, seen)| is_seen(seen, by)) {
                break seen;
            }
            if Instant::now() > deadline {
                bail!("{names:?} do not see each other: {seen:?}");
            }
            std::thread::sleep(Duration::from_millis(50));
        };
        std::thread::sleep(Duration::from_secs(2));
        let after = all(self)?;
        let mut least = f64::MAX;
        for by in names {
            for of in names.iter().filter(|of| *of != by) {
                let grown = |what: &str| {
                    let of_both = [&after, &before].map(|seen| seen[*by][*of][what].as_f64().unwrap_or_default());
                    of_both[0] - of_both[1]
                };
                let (frames, sounds) = (grown("frames"), grown("sounds"));
                ensure!(frames >= FRAMES_MIN, "{by} decoded {frames} frames of {of} in 2 s: {before:?} {after:?}");
                ensure!(sounds >= 80.0, "{by} got {sounds} packets of sound of {of} in 2 s: {before:?} {after:?}");
                least = least.min(frames);
            }
        }
        Ok(least)
    }
}

/// In the one role the server's DTLS is active, in the other passive: the page offers first, and the room ever after.
pub(super) fn open<'a>(stage: &'a mut Stage<'_>) -> Result<Conference<'a>> {
    let dtls_role = if stage.role == Role::BrowserOffers { DtlsRole::Client } else { DtlsRole::Server };
    stage.browser.navigate(stage.page)?;
    stage.browser.evaluate(MEMBERS)?;
    let server = Server::start(dtls_role)?;
    let (names, left) = (BTreeMap::new(), Vec::new());
    Ok(Conference { browser: stage.browser, server, names, left })
}

pub(super) fn run(stage: &mut Stage<'_>) -> Result<String> {
    let mut conference = open(stage)?;
    for name in ["ann", "bob", "cem"] {
        conference.join(name)?;
    }
    let three = conference.assert_all_see(&["ann", "bob", "cem"])?;
    conference.browser.evaluate("members.bob.pc.close()")?;
    let deadline = Instant::now() + PATIENCE;
    while conference.left != ["bob"] {
        ensure!(Instant::now() < deadline, "nobody has left, or others: {:?}", conference.left);
        conference.carry()?;
        std::thread::sleep(Duration::from_millis(50));
    }
    let two = conference.assert_all_see(&["ann", "cem"])?;
    conference.join("dan")?;
    let again = conference.assert_all_see(&["ann", "cem", "dan"])?;
    for name in ["ann", "cem", "dan"] {
        conference.browser.evaluate(&format!("members.{name}.pc.close()"))?;
    }
    Ok(format!("{three}, {two} and {again} frames in 2 s at least"))
}
