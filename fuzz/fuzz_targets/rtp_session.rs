#![cfg_attr(fuzzing, no_main)]
//! See `wigwag_fuzz::rtp_session`.

wigwag_fuzz::target!(rtp_session);
