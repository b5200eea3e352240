//! The lines that connect a hub, with the right address.

use axum::http::{HeaderMap, header};
use maud::{Markup, html};

/// Shown as long as no event has come.
pub(crate) fn connect(headers: &HeaderMap) -> Markup {
    let place = place(headers);
    html! {
        section.panel.connect aria-labelledby="connect" {
            h2 id="connect" { "No event has come yet. Connect your hub" }
            p {
                "Add these lines to " code { "jupyterhub_config.py" }
                " (JupyterHub 5 or newer) and restart the hub. It needs nothing installed."
            }
            pre { code { (hub_lines(&place)) } }
            p.quiet {
                "On JupyterHub 1.1 to 4 the last line is "
                code { "c.EventLog.handlers = [hubscope]" } ", with "
                code { "c.EventLog.allowed_schemas = [\"hub.jupyter.org/server-action\"]" } " below it."
            }
            p { "In " code { "binderhub_config.py" } " the last line is:" }
            pre { code { "c.EventLog.handlers_maker = lambda log: [hubscope]" } }
            p.quiet { "Or try it from a shell: an event that nobody knows is kept too, in quarantine." }
            pre { code { (format!("curl -d '{{\"hello\": \"hubscope\"}}' -H 'content-type: application/json' \\\n     http://{place}/api/v1/events")) } }
        }
    }
}

fn hub_lines(place: &str) -> String {
    format!(
        "from logging.handlers import HTTPHandler\n\
         hubscope = HTTPHandler(\"{place}\", \"/api/v1/events\", method=\"POST\")\n\
         c.EventLogger.handlers = [hubscope]"
    )
}

/// Host and port as the reader's browser reached us, when they can be nothing else; they go into a line of Python.
fn place(headers: &HeaderMap) -> String {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let is_plain = |host: &&str| {
        !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte))
    };
    host.filter(is_plain).unwrap_or("localhost:8080").to_owned()
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn the_lines_hold_the_readers_own_address_and_never_a_hostile_one() {
        for (host, shown) in [
            ("127.0.0.1:8080", "127.0.0.1:8080"),
            ("[::1]:8080", "[::1]:8080"),
            ("hub.example.org", "hub.example.org"),
            ("x\", evil(), \"", "localhost:8080"),
            ("", "localhost:8080"),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, HeaderValue::from_str(host).unwrap());
            assert!(hub_lines(&place(&headers)).contains(&format!("HTTPHandler(\"{shown}\",")), "{host}");
        }
    }
}
