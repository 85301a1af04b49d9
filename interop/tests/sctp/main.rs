//! SCTP with other stacks at the other end, in process, in a simulated world: both roles, and what both can.

mod features;
mod snap;
mod world;

mod bulk;
