//! Questions asked from outside, over a real store: one program, since each test program links all of DataFusion.

mod activity;
mod answers;
mod books;
mod catalogue;
mod charts;
mod classes;
mod content;
mod coverage;
mod history;
mod hostile;
mod kpis;
mod limits;
mod oracle;
mod polls;
mod rollups;
mod sandbox;
mod scopes;
mod session_files;
mod sessions;
mod sql;
mod trend;
mod windows;
