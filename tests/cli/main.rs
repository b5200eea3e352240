//! The command line, as a user meets it.

mod config;
mod folder;
mod forget;
mod help;
mod inspect;
mod kpi;
mod query;
mod rebuild;
mod schema;
mod token;
mod verify;
