//! Every bound of the server, with its reason.

use std::time::Duration;

/// Bounds of connections, bodies and answers. [`Limits::default`] is for one machine; tests shrink some.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections served at once. Standard handlers open one an event, browsers six a page, and 10,000 idle ones are
    /// to be nobody's trouble; fewer where the process may not open as many files.
    pub connections_max: usize,
    /// Connections over the limit that are told so at once (`503`); any beyond are closed without a word. Few, because
    /// they exist only to be polite.
    pub refusals_max: usize,
    /// Time for a whole request head, and for an idle connection between two requests. A handler sends its head in one
    /// packet; 30 s forgives the slowest link and still frees a silent connection.
    pub head_time: Duration,
    /// Bytes of a request head. `HTTPHandler` with GET puts a whole record into the address, which the `http` crate
    /// holds to 65,534 bytes; the same again is room for headers.
    pub head_bytes_max: usize,
    /// Headers of a request: twice what browsers behind two proxies send.
    pub headers_max: usize,
    /// Bytes of an event body as sent (before inflating): 1,000 events of 10 KiB.
    pub body_bytes_max: usize,
    /// Bytes of any other body: an SQL statement is a page of text.
    pub statement_bytes_max: usize,
    /// Time for a whole body: 10 MiB at 1.4 Mbit/s.
    pub body_time: Duration,
    /// Time between two pieces of a body: a living sender never pauses as long.
    pub body_idle_time: Duration,
    /// Bytes of all event bodies in memory at once, so that many large ones end in `503` and not in the kernel's
    /// out-of-memory killer: a quarter of the ingest path's budget of 256 MB, because admission holds a text twice
    /// while it inflates.
    pub bodies_bytes_max: usize,
    /// Bodies longer than this, or packed ones, are admitted on a blocking thread: at 300 MB/s a body of 32 KiB takes
    /// 100 µs, and nothing should hold an async thread above 500 µs.
    pub inline_bytes_max: usize,
    /// Bodies admitted on blocking threads at once; more wait. Admission is pure CPU, so more than cores gains nothing.
    pub admissions_max: usize,
    /// Time for which such a body waits for its turn; then it is answered `503`. Short of the quarter of a second
    /// within which a sender is to know.
    pub admission_wait_time: Duration,
    /// Time in which a reader must take the next piece of an answer.
    pub write_idle_time: Duration,
    /// Bytes of a refused body that are read and thrown away, so that the sender gets to read the answer instead of a
    /// reset connection.
    pub linger_bytes_max: usize,
    /// Time for which a refused body is read and thrown away.
    pub linger_time: Duration,
    /// Time that open requests have to end after the stop signal.
    pub stop_time: Duration,
    /// Time for which an erasure is waited for, short of what clients and proxies commonly wait; then the answer says
    /// where to ask on.
    pub erasure_wait_time: Duration,
    /// For how long an answer of `/api/v1/now` is used again, so that a hundred open pages cost as much as one.
    pub now_fresh_time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 16_384,
            refusals_max: 64,
            head_time: Duration::from_secs(30),
            head_bytes_max: 128 * 1024,
            headers_max: 100,
            body_bytes_max: 10 * 1024 * 1024,
            statement_bytes_max: 64 * 1024,
            body_time: Duration::from_secs(60),
            body_idle_time: Duration::from_secs(10),
            bodies_bytes_max: 64 * 1024 * 1024,
            inline_bytes_max: 32 * 1024,
            admissions_max: std::thread::available_parallelism().map_or(2, usize::from),
            admission_wait_time: Duration::from_millis(200),
            write_idle_time: Duration::from_secs(30),
            linger_bytes_max: 32 * 1024 * 1024,
            linger_time: Duration::from_secs(2),
            stop_time: Duration::from_secs(10),
            erasure_wait_time: Duration::from_secs(20),
            now_fresh_time: Duration::from_secs(1),
        }
    }
}
