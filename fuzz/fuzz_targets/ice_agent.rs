#![cfg_attr(fuzzing, no_main)]
//! See `wigwag_fuzz::ice_agent`.

wigwag_fuzz::target!(ice_agent);
