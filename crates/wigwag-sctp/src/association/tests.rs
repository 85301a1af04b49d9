//! Two associations.
