//! HTTP/1.1 as bytes, so that a test decides what goes over the wire.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// No answer takes longer.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(60);

/// One connection, kept open between requests.
#[derive(Debug)]
pub struct Client {
    stream: BufReader<TcpStream>,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// Status code.
    pub status: u16,
    /// Names in lower case, and values.
    pub headers: Vec<(String, String)>,
    /// The body, out of its chunks if it came in some.
    pub body: Vec<u8>,
}

impl Response {
    /// The value of the header `name`, given in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// When it is none.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {} {}", self.status, self.text()))
    }
}

impl Client {
    /// Connects.
    ///
    /// # Errors
    /// When nobody listens there.
    pub fn connect(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(ANSWER_TIME_MAX))?;
        stream.set_write_timeout(Some(ANSWER_TIME_MAX))?;
        Ok(Self { stream: BufReader::new(stream) })
    }

    /// `GET path`.
    ///
    /// # Errors
    /// When the answer does not come whole.
    pub fn get(&mut self, path: &str) -> io::Result<Response> {
        self.exchange(format!("GET {path} HTTP/1.1\r\nHost: hubscope\r\n\r\n").as_bytes())
    }

    /// `POST path` with a body of that content type.
    ///
    /// # Errors
    /// When the answer does not come whole.
    pub fn post(&mut self, path: &str, content_type: &str, body: &[u8]) -> io::Result<Response> {
        self.post_with(path, &[("Content-Type", content_type)], body)
    }

    /// `POST path` with these headers and the body's length.
    ///
    /// # Errors
    /// When the answer does not come whole.
    pub fn post_with(&mut self, path: &str, headers: &[(&str, &str)], body: &[u8]) -> io::Result<Response> {
        let mut request = format!("POST {path} HTTP/1.1\r\nHost: hubscope\r\nContent-Length: {}\r\n", body.len());
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        request.push_str("\r\n");
        let mut request = request.into_bytes();
        request.extend_from_slice(body);
        self.exchange(&request)
    }

    /// Sends these bytes, which are one request, and reads one answer.
    ///
    /// # Errors
    /// When the answer does not come whole. A server may answer and close before it has read all of a request that it
    /// refuses: an answer that came counts, whatever became of the sending.
    pub fn exchange(&mut self, request: &[u8]) -> io::Result<Response> {
        let sent = self.stream.get_mut().write_all(request);
        match (self.answer(), sent) {
            (Ok(response), _) => Ok(response),
            (Err(_), Err(unsent)) => Err(unsent),
            (Err(error), Ok(())) => Err(error),
        }
    }

    fn answer(&mut self) -> io::Result<Response> {
        let status_line = self.line()?;
        let status = status_line.split(' ').nth(1).and_then(|code| code.parse().ok());
        let status = status.ok_or_else(|| broken(format!("no status in '{status_line}'")))?;
        let mut headers = Vec::new();
        loop {
            let line = self.line()?;
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(':').ok_or_else(|| broken(format!("no header: '{line}'")))?;
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let mut response = Response { status, headers, body: Vec::new() };
        response.body = self.body(&response)?;
        Ok(response)
    }

    fn body(&mut self, head: &Response) -> io::Result<Vec<u8>> {
        if head.header("transfer-encoding") == Some("chunked") {
            return self.chunks();
        }
        match head.header("content-length") {
            Some(length) => {
                let length = length.parse().map_err(|_| broken(format!("length '{length}'")))?;
                self.exactly(length)
            }
            None if head.status == 204 || head.status == 304 => Ok(Vec::new()),
            None => {
                let mut body = Vec::new();
                self.stream.read_to_end(&mut body)?;
                Ok(body)
            }
        }
    }

    fn chunks(&mut self) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let line = self.line()?;
            let length = usize::from_str_radix(&line, 16).map_err(|_| broken(format!("chunk length '{line}'")))?;
            let chunk = self.exactly(length)?;
            self.line()?;
            if length == 0 {
                return Ok(body);
            }
            body.extend_from_slice(&chunk);
        }
    }

    fn exactly(&mut self, length: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        self.stream.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if self.stream.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(line.trim_end_matches(['\r', '\n']).to_owned())
    }
}

fn broken(what: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use std::net::{Shutdown, TcpListener};
    use std::thread;

    use super::*;

    /// A server that says these bytes to whoever connects, whatever it is asked.
    fn says(answer: &'static [u8]) -> Client {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.write_all(answer).unwrap();
            stream.shutdown(Shutdown::Write).unwrap();
            // Reads to the end, so that closing does not reset what was said.
            io::copy(&mut stream, &mut io::sink()).unwrap();
        });
        Client::connect(address).unwrap()
    }

    #[test]
    fn answers_come_whole_however_they_are_framed() {
        for (answer, body) in [
            (&b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"[..], "hello"),
            (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", "hello"),
            (b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello", "hello"),
            (b"HTTP/1.1 204 No Content\r\n\r\n", ""),
        ] {
            let response = says(answer).get("/").unwrap();
            assert_eq!(response.text(), body);
        }
    }

    #[test]
    fn an_answer_that_is_cut_off_is_an_error() {
        for answer in
            [&b""[..], b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell", b"HTTP/1.1 200 OK\r\nConte", b"no\r\n"]
        {
            assert!(says(answer).get("/").is_err(), "{}", String::from_utf8_lossy(answer));
        }
    }
}
