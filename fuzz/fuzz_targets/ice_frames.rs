#![cfg_attr(fuzzing, no_main)]
//! See `wigwag_fuzz::ice_frames`.

wigwag_fuzz::target!(ice_frames);
