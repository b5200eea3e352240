//! Questions asked from outside, over a real store: one program, since each test program links all of DataFusion.

mod answers;
mod charts;
mod hostile;
mod kpis;
mod limits;
mod sandbox;
mod sql;
