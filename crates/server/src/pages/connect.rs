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
        @for emitter in [Emitter::Hub, Emitter::Binder, Emitter::Polls] {
            @let waiting = of(emitter);
            @let (id, title, wait) = match emitter {
                Emitter::Hub => ("connect-hub", "No JupyterHub is connected yet", "These questions wait for its first event:"),
                Emitter::Binder => ("connect-binder", "No BinderHub is connected yet", "These questions wait for its first event:"),
                Emitter::Polls => ("connect-polls", "No JupyterHub has told this yet", "These questions wait until hubscope asks it:"),
            };
            @if !waiting.is_empty() {
                section.panel.connect aria-labelledby=(id) {
                    h2 id=(id) { (title) }
                    p { (wait) }
                    ul.waiting { @for card in waiting { li { a href=(card.address) { (card.question) } } } }
                    @match emitter {
                        Emitter::Hub => (hub(&place)),
                        Emitter::Binder => (binder(&place)),
                        Emitter::Polls => (polls()),
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

/// What a hub tells to who asks it.
fn polls() -> Markup {
    html! {
        p { "Events do not tell it. Add these lines to " code { "jupyterhub_config.py" } " and restart the hub:" }
        (lines(
            "c.JupyterHub.services.append({\"name\": \"hubscope\", \"api_token\": \"REPLACE-WITH-openssl-rand-hex-32\"})\n\
             c.JupyterHub.load_roles.append({\n    \"name\": \"hubscope\",\n    \"services\": [\"hubscope\"],\n    \
             \"scopes\": [\"list:users\", \"read:users:activity\", \"read:servers\", \"read:metrics\"],\n})"
        ))
        p { "and these to the file that " code { "hubscope serve --config" } " names:" }
        (lines(
            "[[hub]]\nname = \"default\"\nurl = \"http://127.0.0.1:8000\"\n\
             token = \"REPLACE-WITH-openssl-rand-hex-32\""
        ))
        p.quiet {
            "Groups, and when accounts were made, the hub tells to who has the scope " code { "read:users" }
            " as well; what was chosen for a server only where its form names a profile or an image."
        }
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
