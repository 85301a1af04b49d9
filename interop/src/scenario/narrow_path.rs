//! Congestion control of media by what the browser reports: on a path that becomes narrow, and wide again.

use super::Stage;
use crate::call::{Call, Media};
use crate::namespace;
use anyhow::{Context, Result, bail, ensure};
use std::time::{Duration, Instant};
use wigwag::{Config, Frame, MediaError, PeerConnection, congestion};

const NARROW: u64 = 800_000;
const PICTURE: Duration = Duration::from_micros(33_333);

pub(super) fn run(stage: &mut Stage<'_>) -> Result<String> {
    if !namespace::is_inside() {
        bail!("a relay is in a network namespace only: run this as root");
    }
    let controlled = |config: &mut Config| config.media_congestion_control = Some(congestion::Config::new());
    let mut call = Call::new(stage.browser, stage.page, stage.role, controlled)?;
    call.add_media(Media { audio: false, video: true })?;
    // The browser takes, and sends nothing.
    call.browser.evaluate("Promise.all(peer.pc.getSenders().map((sender) => sender.replaceTrack(null))), 0")?;
    call.open_by_offerer("first")?;
    let relay = call.connect_through_relay()?;
    let mut film = Film::default();
    film.roll(&call, 8)?;
    let wide = film.target;
    ensure!(wide > 2_000_000, "nothing is in the way, and after 8 s the target is {wide} bit/s");
    relay.limit(NARROW);
    film.roll(&call, 8)?;
    let before = bytes(&mut call)?;
    film.roll(&call, 6)?;
    let (narrow, arrived) = (film.target, (bytes(&mut call)? - before) * 8 / 6);
    ensure!(narrow < NARROW * 5 / 4, "a path of {NARROW} bit/s, and the target is {narrow}");
    ensure!(arrived > NARROW / 2, "of {NARROW} bit/s {arrived} arrived");
    relay.limit(0);
    film.roll(&call, 12)?;
    ensure!(film.target > 1_500_000, "the way is free again, and after 12 s the target is {} bit/s", film.target);
    Ok(format!("{wide} bit/s; {narrow} of {NARROW}, where {arrived} arrived; {} again", film.target))
}

/// What the browser has received of our pictures.
fn bytes(call: &mut Call<'_>) -> Result<u64> {
    let inbound = call.browser.evaluate("peer.inbound('video')")?;
    let of = |name: &str| inbound[name].as_u64().with_context(|| format!("no {name}: {inbound}"));
    Ok(of("bytesReceived")? + of("headerBytesReceived")?)
}

/// Pictures as large as they may be, that show nothing.
#[derive(Default)]
struct Film {
    pictures: u32,
    target: u64,
}

impl Film {
    fn roll(&mut self, call: &Call<'_>, seconds: u32) -> Result<()> {
        let began = Instant::now();
        for n in 0..seconds * 30 {
            let rtp_time = self.pictures * 3000;
            self.target = call.peer.run(move |connection| show(connection, rtp_time))??;
            self.pictures += 1;
            std::thread::sleep((began + PICTURE * n).saturating_duration_since(Instant::now()));
        }
        Ok(())
    }
}

fn show(connection: &mut PeerConnection, rtp_time: u32) -> Result<u64> {
    let target = connection.target_bitrate().context("the browser has not agreed to report arrivals")?;
    let transceiver = connection.transceivers().next().context("no transceiver")?;
    let codecs = transceiver.negotiated.as_ref().map(|parameters| parameters.send_codecs.as_slice()).unwrap_or_default();
    let vp8 = codecs.iter().find(|codec| codec.name.eq_ignore_ascii_case("VP8")).context("no VP8")?;
    let (id, payload_type) = (transceiver.id, vp8.payload_type);
    let data = vec![0x55; (target * 9 / 10 / 30 / 8).max(20) as usize];
    match connection.write_frame(id, Frame::new(payload_type, rtp_time, data.into())) {
        Ok(()) | Err(MediaError::Full(_)) => Ok(target),
        Err(error) => Err(error.into()),
    }
}
