#![cfg_attr(fuzzing, no_main)]
//! See `wigwag_fuzz::sdp_candidate`.

wigwag_fuzz::target!(sdp_candidate);
