//! Messages of others.
