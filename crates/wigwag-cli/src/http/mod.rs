//! As much HTTP/1.1 as pages and their signalling need.

mod listener;
mod request;
mod response;
mod stream;
mod tls;

pub(crate) use listener::{Listen, Listener};
pub(crate) use request::Request;
pub(crate) use response::{Response, write_upgrade};
pub(crate) use stream::{Stream, answer};
