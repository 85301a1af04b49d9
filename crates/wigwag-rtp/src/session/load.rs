//! How full the lists of a session are (law 8).

use super::streams::{ENDS_MAX, SOURCES_MAX};
use super::{GOODBYES_MAX, STREAMS_MAX, Session};
use crate::demultiplex;
use crate::stats::Load;

impl Session {
    /// How full that queue or list is which is nearest to its limit. It looks at every stream.
    pub fn load(&self) -> Load {
        let senders = self.senders.values().flat_map(|sender| {
            let config = &self.config;
            [
                (sender.queued_packets, config.send_queue_packets_max),
                (sender.queued_bytes, config.send_queue_bytes_max),
                sender.cache.load(config.packet_len_max),
            ]
        });
        let streams = self.streams.iter().map(|stream| stream.missing.load());
        let all = self.lists().into_iter().chain(self.events.loads()).chain(senders).chain(streams);
        let all = all.map(|(held, bound)| Load { held, bound });
        all.max_by_key(Load::share).unwrap_or(Load { held: 0, bound: 0 })
    }

    /// What there is one of: how many are in it, and how many may be.
    fn lists(&self) -> [(usize, usize); 13] {
        [
            self.queue.resends(),
            self.history.load(),
            self.arrivals.load(),
            self.stream_arrivals.load(),
            self.stream_arrivals.sources(),
            (self.streams.iter().count(), SOURCES_MAX),
            (self.streams.ends_len(), ENDS_MAX),
            (self.sections.sources_len(), demultiplex::SOURCES_MAX),
            (self.unreported.senders.len(), STREAMS_MAX),
            (self.unreported.streams.len(), SOURCES_MAX),
            (self.owed.sender_reports.len(), STREAMS_MAX),
            (self.owed.blocks.len(), SOURCES_MAX),
            (self.owed.goodbyes.len(), GOODBYES_MAX),
        ]
    }
}
