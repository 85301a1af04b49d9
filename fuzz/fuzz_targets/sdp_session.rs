#![cfg_attr(fuzzing, no_main)]
//! See `wigwag_fuzz::sdp_session`.

wigwag_fuzz::target!(sdp_session);
