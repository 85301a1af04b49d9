#![cfg_attr(fuzzing, no_main)]
//! See `wigwag_fuzz::rtcp_compound`.

wigwag_fuzz::target!(rtcp_compound);
