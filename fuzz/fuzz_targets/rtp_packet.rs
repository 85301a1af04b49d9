#![cfg_attr(fuzzing, no_main)]
//! See `wigwag_fuzz::rtp_packet`.

wigwag_fuzz::target!(rtp_packet);
