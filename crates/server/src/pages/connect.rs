//! The lines that connect a hub, with the right address.

use axum::http::{HeaderMap, header};
use maud::{Markup, html};

use crate::pages::card::{Card, Content, Emitter};

/// Shown as long as no event has come at all.
pub(crate) fn first(headers: &HeaderMap) -> Markup {
    let place = place(headers);
    html! {
        section.panel.connect aria-labelledby="connect" {
            h2 id="connect" { "No event has come yet. Connect your hub" }
            (hub(&place))
            (binder(&place))
            p.quiet { "Or try it from a shell: an event that nobody knows is kept too, in quarantine." }
            (lines(&format!("curl -d '{{\"hello\": \"hubscope\"}}' -H 'content-type: application/json' \\\n     http://{place}/api/v1/events")))
        }
    }
}

/// The questions that wait for something that was never sent, with the lines that connect what sends it.
pub(crate) fn waiting(cards: &[&Card], headers: &HeaderMap) -> Markup {
    let place = place(headers);
    let of = |emitter: Emitter| -> Vec<&Card> {
        cards
            .iter()
            .copied()
            .filter(|card| matches!(card.content, Content::NotConnected(found) if found == emitter))
            .collect()
    };
    html! {
        @for (emitter, name) in [(Emitter::Hub, "JupyterHub"), (Emitter::Binder, "BinderHub")] {
            @let waiting = of(emitter);
            @if !waiting.is_empty() {
                section.panel.connect aria-labelledby={ "connect-" (name) } {
                    h2 id={ "connect-" (name) } { "No " (name) " is connected yet" }
                    p { "These questions wait for its first event:" }
                    ul.waiting { @for card in waiting { li { a href=(card.address) { (card.question) } } } }
                    @match emitter {
                        Emitter::Hub => (hub(&place)),
                        Emitter::Binder => (binder(&place)),
                    }
                }
            }
        }
    }
}

fn hub(place: &str) -> Markup {
    html! {
        p {
            "Add these lines to " code { "jupyterhub_config.py" }
            " (JupyterHub 5 or newer) and restart the hub. It needs nothing installed."
        }
        (lines(&python(place, "c.EventLogger.handlers = [hubscope]")))
        p.quiet {
            "On JupyterHub 1.1 to 4 the last line is "
            code { "c.EventLog.handlers = [hubscope]" } ", with "
            code { "c.EventLog.allowed_schemas = [\"hub.jupyter.org/server-action\"]" } " below it."
        }
    }
}

fn binder(place: &str) -> Markup {
    html! {
        p { "Add these lines to " code { "binderhub_config.py" } " and restart BinderHub." }
        (lines(&python(place, "c.EventLog.handlers_maker = lambda log: [hubscope]")))
    }
}

fn lines(text: &str) -> Markup {
    html! { pre tabindex="0" role="region" aria-label="Lines to copy" { code { (text) } } }
}

fn python(place: &str, last: &str) -> String {
    format!(
        "from logging.handlers import HTTPHandler\n\
         hubscope = HTTPHandler(\"{place}\", \"/api/v1/events\", method=\"POST\")\n\
         {last}"
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
            assert!(python(&place(&headers), "").contains(&format!("HTTPHandler(\"{shown}\",")), "{host}");
        }
    }
}
