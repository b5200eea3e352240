//! What stands around every page: head, time range, notes, foot.

use maud::{DOCTYPE, Markup, html};

use crate::address;
use crate::app::App;
use crate::assets;
use crate::pages::sentence;
use crate::range::{Kind, Preset, Range};

/// A page's surroundings.
pub(crate) struct Frame<'a> {
    pub(crate) app: &'a App,
    /// The way from this page to the first one: `""` or `"../"`.
    pub(crate) root: &'a str,
    pub(crate) title: &'a str,
    /// The choice of a time range, on pages that have one.
    pub(crate) ranges: Option<Ranges>,
}

/// The choice of a time range.
pub(crate) struct Ranges {
    pub(crate) chosen: Range,
    /// Parameters that stay as they are when the range changes.
    pub(crate) others: Vec<(String, String)>,
}

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
                    script type="module" src=(assets::address(self.root, "now.js")) {}
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
                    span.quiet { "hub “" (self.app.hub) "”" }
                }
                @if let Some(ranges) = &self.ranges { (ranges.nav()) }
            }
        }
    }

    fn notes(&self) -> Markup {
        html! {
            @if !self.app.notes.is_empty() {
                ul.notes aria-label="Notes on the data" {
                    @for note in &self.app.notes {
                        li { strong { (sentence(&note.label)) ":" } " " (note.text) }
                    }
                }
            }
        }
    }

    fn foot(&self) -> Markup {
        html! {
            footer.page-foot {
                span { "All times are UTC." }
                @if self.app.archive.is_some() {
                    a href={ (self.root) "archive/" } { "Public archive" }
                }
                a href={ (self.root) "api/v1/kpis" } { "Catalogue as JSON" }
                a href={ (self.root) "quarantine" } { "Quarantine" }
                span.end { "hubscope " (env!("CARGO_PKG_VERSION")) }
            }
        }
    }
}

impl Ranges {
    fn nav(&self) -> Markup {
        let is_dates = self.chosen.kind == Kind::Dates;
        html! {
            nav.range aria-label="Time range" {
                ul {
                    @for preset in Preset::ALL {
                        li {
                            a href=(self.address(preset)) aria-current=[self.is_chosen(preset).then_some("true")] {
                                (preset.label())
                            }
                        }
                    }
                }
                details.dates.chosen[is_dates] {
                    summary { "Dates" }
                    (self.form())
                }
            }
        }
    }

    fn form(&self) -> Markup {
        let value = |day: Option<event::Day>| day.map(|day| day.to_string());
        html! {
            form method="get" {
                @for (name, value) in &self.others {
                    input type="hidden" name=(name) value=(value);
                }
                label for="from" { "From" }
                input id="from" type="date" name="from" value=[value(self.chosen.from)];
                label for="to" { "Before" }
                input id="to" type="date" name="to" value=[value(self.chosen.to)];
                button type="submit" { "Show these dates" }
            }
        }
    }

    fn is_chosen(&self, preset: Preset) -> bool {
        self.chosen.kind == Kind::Preset(preset)
    }

    fn address(&self, preset: Preset) -> String {
        let mut parts = vec![("range", preset.code())];
        parts.extend(self.others.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        address::query(&parts)
    }
}
