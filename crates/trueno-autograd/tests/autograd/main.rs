//! The crate from outside: one binary, since most of the time of a test is linking.

mod autocast;
mod checkpoint;
mod checks;
mod families;
mod fused;
mod in_place;
mod rows;
mod samples;
mod tape;
