//! What the acceptance tests share: a fresh folder, the real program in it, and a client that sends exact bytes.
//!
//! The tests know the program as its users do: by its command line, its HTTP doors and the files it leaves. They link
//! none of its code. The program is the one that the same build made, beside the test's own executable; another can be
//! named in the variable `ACCEPTANCE_BINARY`.

mod client;
mod fixture;
mod program;
mod random;
mod server;

pub use client::{Client, Response};
pub use fixture::{fixture, fixtures_below, lines_of};
pub use program::{Ended, Sandbox, TIME_LIMIT, wrapped};
pub use random::Random;
pub use server::{Listening, Server};
