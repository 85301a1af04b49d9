#![cfg_attr(fuzzing, no_main)]
//! See `wigwag_fuzz::rtp_dependency_descriptor`.

wigwag_fuzz::target!(rtp_dependency_descriptor);
