//! Where a hub is.

use std::fmt;

use url::{Host, Url};

/// The address of a hub: scheme, host, port and the path that its own begin with.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    url: Url,
    host: String,
    port: u16,
}

/// It is no address of a hub.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{text}' is no address of a hub: {problem}; one is like http://127.0.0.1:8000 or https://hub.example.org/jupyter"
)]
pub struct BadAddress {
    /// As written, without what stood before the host.
    pub text: String,
    /// What is wrong.
    pub problem: &'static str,
}

impl Address {
    /// Reads `http://127.0.0.1:8000/jupyter`: the address at which people open the hub, with its base path.
    ///
    /// # Errors
    /// When it is no such address; also when it holds a name or a password, a query or a fragment.
    pub fn parse(text: &str) -> Result<Self, BadAddress> {
        let wrong = |problem| {
            let shown = text.rsplit_once('@').map_or(text, |(_, rest)| rest);
            BadAddress { text: shown.to_owned(), problem }
        };
        let mut url = Url::parse(text).map_err(|_| wrong("it cannot be read"))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(wrong("it begins neither with http:// nor with https://"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(wrong("a name or a password does not belong in it"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(wrong("nothing may follow the path"));
        }
        let host = match url.host() {
            Some(Host::Ipv6(address)) => address.to_string(),
            Some(host) => host.to_string(),
            None => return Err(wrong("it has no host")),
        };
        let port = url.port_or_known_default().ok_or_else(|| wrong("it has no port"))?;
        // People copy the address from a browser, where it ends with /hub or /hub/home.
        let path = url.path().trim_end_matches('/').to_owned();
        let path = path.strip_suffix("/home").unwrap_or(&path);
        let path = path.strip_suffix("/hub").unwrap_or(path).to_owned();
        url.set_path(&path);
        Ok(Self { url, host, port })
    }

    /// Whether the connection is encrypted.
    pub fn is_encrypted(&self) -> bool {
        self.url.scheme() == "https"
    }

    /// Name or number of the host.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The path of `below`, which begins with `/`, on this hub.
    pub(crate) fn path(&self, below: &str) -> String {
        format!("{}{below}", self.url.path().trim_end_matches('/'))
    }

    /// The header `Host`.
    pub(crate) fn authority(&self) -> String {
        let host = self.url.host_str().unwrap_or_default();
        self.url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.url.as_str().trim_end_matches('/'))
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_those_of_a_browser() {
        for (text, host, port, path, authority) in [
            ("http://127.0.0.1:8000", "127.0.0.1", 8000, "/hub/api/users", "127.0.0.1:8000"),
            ("https://hub.example.org/", "hub.example.org", 443, "/hub/api/users", "hub.example.org"),
            (
                "https://hub.example.org/jupyter/hub/home",
                "hub.example.org",
                443,
                "/jupyter/hub/api/users",
                "hub.example.org",
            ),
            ("http://[::1]:8000/a/b/", "::1", 8000, "/a/b/hub/api/users", "[::1]:8000"),
        ] {
            let address = Address::parse(text).unwrap();
            let found = (address.host(), address.port(), address.path("/hub/api/users"), address.authority());
            assert_eq!(found, (host, port, path.to_owned(), authority.to_owned()), "{text}");
        }
        for text in ["hub", "ftp://hub", "http://", "http://hub?x=1", "http://hub#x", "http://me:secret@hub"] {
            let error = Address::parse(text).unwrap_err().to_string();
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
