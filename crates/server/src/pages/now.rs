//! The line "Now" and the newest launches below it. `web/now.js` keeps both up to date.

use maud::{Markup, html};

use crate::api::now::{Launch, Now};
use crate::pages::words;

pub(crate) fn section(now: &Now) -> Markup {
    let newest = now.newest_seconds.map_or("none yet".to_owned(), |seconds| format!("{} ago", words::seconds(seconds)));
    let waiting = now.waiting.map(|waiting| if waiting == 0 { "nothing".to_owned() } else { words::count(waiting) });
    html! {
        section.now data-now aria-labelledby="now" {
            div.now-line {
                h2 id="now" { "Now" }
                span { "newest event " strong data-field="newest" { (newest) } }
                span { strong data-field="events" { (words::count(now.events)) } " events kept" }
                @if let Some(waiting) = waiting {
                    span { strong data-field="waiting" { (waiting) } " waiting for the table" }
                }
                span { a href="quarantine" { strong data-field="quarantined" { (words::count(now.quarantined)) } " in quarantine" } }
                @if let Some(seconds) = now.published_seconds {
                    span { a href="archive/" { "archive" } " published " strong { (words::seconds(seconds)) " ago" } }
                }
                span.bad data-field="lost" role="status" {}
            }
            ul.arrivals data-arrivals aria-label="Newest launches" {
                @for launch in now.launches.iter() { (item(launch)) }
            }
        }
    }
}

fn item(launch: &Launch) -> Markup {
    html! {
        li {
            time datetime=(launch.time) { (launch.time.get(11..19).unwrap_or_default()) }
            " "
            @match &launch.repo {
                Some(repo) => bdi { (repo.strip_prefix("https://").unwrap_or(repo)) },
                None => { bdi { (launch.provider.as_deref().unwrap_or("an unknown provider")) } ", no repository that can be read" }
            }
        }
    }
}
