//! Tests that need a simulated disk or a look inside. What needs neither is in `tests/`.

mod aside;
mod crash;
mod damage;
mod disk;
mod flips;
mod inspect;
mod limits;
mod lost;
mod order;
mod reading;
mod room;
mod support;
