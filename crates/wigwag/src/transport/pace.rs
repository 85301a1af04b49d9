//! How fast media leave: as what the peer reports of their arrival allows.

use crate::mapping;
use std::time::Instant;
use wigwag_congestion::{self as congestion, Controller};
use wigwag_ice::Path;
use wigwag_rtp as rtp;
use wigwag_sansio::earliest;

/// Congestion control of media, where it is asked for.
pub(crate) struct Pace {
    pub(crate) controller: Controller,
    path: Option<Path>,
}

/// What leaves next, at its time.
enum Next {
    /// What waits.
    Paced,
    /// To find out what the path takes.
    Padding,
}

impl Pace {
    pub(super) fn new(config: congestion::Config, rtp: &mut rtp::Session) -> Option<Self> {
        rtp.set_paced(true);
        // What is impossible was told where it can be.
        let controller = Controller::new(config.clamped()).ok()?;
        Some(Self { controller, path: None })
    }

    /// Packets leave this way from now on. What was known of another says nothing of it.
    pub(super) fn take_path(&mut self, path: Path, now: Instant) {
        if self.path.replace(path).is_some_and(|before| before != path) {
            self.controller.restart(now);
        }
    }

    /// Appends an RTP packet that may leave now, or changes nothing and says `false`.
    pub(super) fn append(&mut self, rtp: &mut rtp::Session, now: Instant, limit: usize, out: &mut Vec<u8>) -> bool {
        let (number, before) = (rtp.next_transport_sequence(), out.len());
        let is_urgent = rtp.poll_rtp(now, limit, out);
        let has_written = is_urgent
            || match self.next(rtp, now).filter(|(at, _)| *at <= now) {
                Some((_, Next::Paced)) => rtp.poll_paced(now, limit, out),
                Some((_, Next::Padding)) => rtp.poll_padding(now, self.controller.padding_wanted(now), limit, out),
                None => false,
            };
        // What is sent again under its own number has the number of the transport that it had, too, and nothing more is told of it.
        if has_written && rtp.is_paced() {
            let size = out.len() - before + mapping::MEDIA_OVERHEAD;
            if rtp.next_transport_sequence() == number {
                self.controller.handle_unreported(size, !is_urgent, now);
            } else {
                self.controller.handle_sent(number, size, !is_urgent, now);
            }
        }
        has_written
    }

    /// When something leaves that has a pace, and what.
    fn next(&self, rtp: &rtp::Session, now: Instant) -> Option<(Instant, Next)> {
        if !rtp.is_paced() {
            return None;
        }
        let queue = rtp.paced_queue();
        if queue.packets > 0 {
            let departure = self.controller.next_departure(queue.bytes, queue.oldest, now);
            return Some((departure.unwrap_or(now), Next::Paced));
        }
        let padding = self.controller.next_padding(now).filter(|_| rtp.can_pad());
        padding.map(|at| (at, Next::Padding))
    }

    /// Takes what the peer has reported.
    pub(super) fn take_feedback(&mut self, rtp: &mut rtp::Session, now: Instant) {
        while let Some(reported) = rtp.poll_feedback() {
            let reported: Vec<_> = reported.iter().map(mapping::reported).collect();
            self.controller.handle_feedback(&reported, now);
        }
    }

    pub(super) fn poll_timeout(&self, rtp: &rtp::Session, now: Instant) -> Option<Instant> {
        earliest([self.next(rtp, now).map(|(at, _)| at), self.controller.poll_timeout(now)])
    }
}
