//! The server from outside: real connections, a real store and engine.

mod access;
mod api;
mod connections;
mod door;
mod erasures;
mod http;
mod pages;
mod problems;
mod sandbox;
