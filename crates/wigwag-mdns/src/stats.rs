//! What a host counts.

/// What a host has sent, received and dropped. Each counts messages unless said otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Questions were sent to all of a link.
    pub queries_sent: u64,
    /// Answers and announcements were sent to all of a link.
    pub responses_sent: u64,
    /// Answers were sent to who asked, alone.
    pub replies_sent: u64,
    /// Names that were found (names).
    pub resolved: u64,
    /// Names for which nobody answered in time (names).
    pub unresolved: u64,
    /// Somebody says that a name of ours has another address (records). Nothing is done about it: a name is drawn at random, so it is
    /// nobody's mistake.
    pub conflicts: u64,

    /// Dropped: came to none of our interfaces, or by something else than UDP.
    pub unknown_interface: u64,
    /// Dropped: more than 9000 bytes, which no message has (RFC 6762 §17).
    pub too_long: u64,
    /// Dropped: from an address that is not of the link.
    pub off_link: u64,
    /// Dropped: no DNS message, or none of those that are used on links.
    pub malformed: u64,
    /// Dropped: a response that is not from port 5353.
    pub wrong_port: u64,
    /// Dropped: a response that tells nothing that was asked for.
    pub unasked: u64,
    /// Dropped: a response that gives a name more than one address.
    pub ambiguous: u64,
    /// Dropped: a query that asks for nothing of ours.
    pub not_ours: u64,
    /// Dropped: a query that asks for what it knows already.
    pub known: u64,
    /// Dropped: a query of somebody who hears nothing that is told to all, after as many as are answered alone in one second.
    pub too_many_queries: u64,
}

impl Stats {
    /// All messages that were dropped, for whatever reason.
    pub const fn dropped(&self) -> u64 {
        self.unknown_interface
            .saturating_add(self.too_long)
            .saturating_add(self.off_link)
            .saturating_add(self.malformed)
            .saturating_add(self.wrong_port)
            .saturating_add(self.unasked)
            .saturating_add(self.ambiguous)
            .saturating_add(self.not_ours)
            .saturating_add(self.known)
            .saturating_add(self.too_many_queries)
    }
}
