//! Congestion control of media by what the browser reports: on a path that becomes narrow, and wide again.

use super::Stage;
use crate::call::{Call, Media};
use crate::namespace;
use crate::peer::PATIENCE;
use anyhow::{Context, Result, bail, ensure};
use std::time::{Duration, Instant};
use wigwag::{Config, Frame, MediaError, PeerConnection, congestion};

/// What a good picture takes.
const CAMERA: u64 = 4_000_000;
const NARROW: u64 = 800_000;
const WIDE: u64 = 1_500_000;
const PICTURE: Duration = Duration::from_micros(33_333);

pub(super) fn run(stage: &mut Stage<'_>) -> Result<String> {
    with(stage, |_| {}, |_| Ok(()))
}

/// ... reported in another way, and it is looked into what came of it.
pub(super) fn with(
    stage: &mut Stage<'_>,
    adapt: impl FnOnce(&mut Config),
    judge: impl FnOnce(&mut Call<'_>) -> Result<()>,
) -> Result<String> {
    if !namespace::is_inside() {
        bail!("a relay is in a network namespace only: run this as root");
    }
    let controlled = |config: &mut Config| {
        let mut control = congestion::Config::new();
        control.max_bitrate = CAMERA;
        config.media_congestion_control = Some(control);
        adapt(config);
    };
    let mut call = Call::new(stage.browser, stage.page, stage.role, controlled)?;
    call.add_media(Media { audio: false, video: true })?;
    // The browser takes, and sends nothing.
    call.browser.evaluate("Promise.all(peer.pc.getSenders().map((sender) => sender.replaceTrack(null))), 0")?;
    call.open_by_offerer("first")?;
    let relay = call.connect_through_relay()?;
    let mut film = Film::default();
    film.roll_until(&call, |target| target > WIDE).context("nothing is in the way")?;
    let wide = film.target;
    relay.limit(NARROW);
    film.roll_until(&call, |target| target < NARROW).context("the path has become narrow")?;
    film.roll(&call, 2)?;
    let before = (bytes(&mut call)?, Instant::now());
    film.roll(&call, 6)?;
    let arrived = (bytes(&mut call)? - before.0) * 8_000 / before.1.elapsed().as_millis() as u64;
    let narrow = film.target;
    ensure!(narrow < NARROW * 3 / 2, "a path of {NARROW} bit/s, and the target is {narrow}");
    ensure!((NARROW / 3..NARROW * 5 / 4).contains(&arrived), "of {NARROW} bit/s {arrived} arrived");
    relay.limit(0);
    film.roll_until(&call, |target| target > WIDE).context("the way is free again")?;
    judge(&mut call)?;
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
    /// Goes on until the target is as it should be.
    fn roll_until(&mut self, call: &Call<'_>, is_so: impl Fn(u64) -> bool) -> Result<()> {
        let deadline = Instant::now() + 2 * PATIENCE;
        while !is_so(self.target) {
            ensure!(Instant::now() < deadline, "the target stays at {} bit/s", self.target);
            self.roll(call, 1)?;
        }
        Ok(())
    }

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
    let codecs =
        transceiver.negotiated.as_ref().map(|parameters| parameters.send_codecs.as_slice()).unwrap_or_default();
    let vp8 = codecs.iter().find(|codec| codec.name.eq_ignore_ascii_case("VP8")).context("no VP8")?;
    let (id, payload_type) = (transceiver.id, vp8.payload_type);
    let data = vec![0x55; (target * 9 / 10 / 30 / 8).max(20) as usize];
    match connection.write_frame(id, Frame::new(payload_type, rtp_time, data.into())) {
        Ok(()) | Err(MediaError::Full(_)) => Ok(target),
        Err(error) => Err(error.into()),
    }
}
