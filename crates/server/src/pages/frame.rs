//! What stands around every page: head, controls, notes, foot.

use maud::{DOCTYPE, Markup, html};

use crate::app::App;
use crate::assets;
use crate::pages::controls::Controls;
use crate::pages::sentence;

/// A page's surroundings.
pub(crate) struct Frame<'a> {
    pub(crate) app: &'a App,
    /// The way from this page to the first one: `""` or `"../"`.
    pub(crate) root: &'a str,
    pub(crate) title: &'a str,
    /// Where the page stands among the main ones.
    pub(crate) place: Place,
    /// What may be changed, on pages that have something.
    pub(crate) controls: Option<Controls<'a>>,
    /// The query string that keeps the page's state on the way to another.
    pub(crate) query: String,
}

/// The main pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Home,
    Catalogue,
    Data,
    /// None of them.
    Elsewhere,
}

const PLACES: [(Place, &str, &str); 3] =
    [(Place::Home, "./", "Overview"), (Place::Catalogue, "kpi/", "Questions"), (Place::Data, "data", "Data")];

impl Frame<'_> {
    /// The whole page around `body`.
    pub(crate) fn page(&self, body: Markup) -> Markup {
        html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    title { (self.title) " · hubscope" }
                    link rel="icon" type="image/svg+xml" href=(assets::address(self.root, "icon.svg"));
                    link rel="stylesheet" href=(assets::address(self.root, "page.css"));
                    link rel="stylesheet" href=(assets::address(self.root, "chart.css"));
                    script type="module" src=(assets::address(self.root, "page.js")) {}
                }
                body {
                    a.skip href="#content" { "Skip to the content" }
                    (self.head())
                    main id="content" tabindex="-1" {
                        (self.notes())
                        (body)
                    }
                    (self.foot())
                }
            }
        }
    }

    fn head(&self) -> Markup {
        html! {
            header.page-head {
                div.brand {
                    a href={ (self.root) "./" } {
                        img src=(assets::address(self.root, "icon.svg")) alt="" width="24" height="24";
                        "hubscope"
                    }
                    span.quiet { "hub “" bdi { (self.app.hub) } "”" }
                }
                nav.places aria-label="Pages" {
                    ul {
                        @for (place, way, label) in PLACES {
                            li {
                                a href={ (self.root) (way) (self.query) }
                                    aria-current=[(self.place == place).then_some("page")] { (label) }
                            }
                        }
                    }
                }
                @if let Some(controls) = &self.controls { (controls.markup()) }
            }
        }
    }

    fn notes(&self) -> Markup {
        html! {
            @if !self.app.notes.is_empty() {
                ul.notes aria-label="Notes on the data" {
                    @for note in &self.app.notes {
                        li { strong { bdi { (sentence(&note.label)) } ":" } " " bdi { (note.text) } }
                    }
                }
            }
        }
    }

    fn foot(&self) -> Markup {
        html! {
            footer.page-foot {
                span { "Times of day are UTC; a chart names the zone of its days." }
                @if self.app.archive.is_some() {
                    a href={ (self.root) "archive/" } { "Public archive" }
                }
                a href={ (self.root) "api/v1/kpis" } { "Catalogue as JSON" }
                a href={ (self.root) "quarantine" } { "Quarantine" }
                span.end {
                    "hubscope " (env!("CARGO_PKG_VERSION")) " · "
                    a href=(assets::address(self.root, "LICENSES.txt")) { "licences" }
                }
            }
        }
    }
}
