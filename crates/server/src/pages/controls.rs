//! What a reader may change about a page: audience, range, comparison, hub. Links and plain forms in menus that fold
//! into one line, so that they need no script and the address holds all of it.

use maud::{Markup, html};
use query::Audience;

use crate::pages::ask::{AUDIENCES, Asked, COMPARISONS};
use crate::range::{Kind, Preset};

/// The menus of a page.
pub(crate) struct Controls<'a> {
    pub(crate) asked: &'a Asked,
    /// Whether the page differs by audience.
    pub(crate) has_audience: bool,
    /// The hubs to choose from.
    pub(crate) hubs: Vec<String>,
}

impl Controls<'_> {
    pub(crate) fn markup(&self) -> Markup {
        html! {
            div.controls {
                @if self.has_audience { (self.audience()) }
                (self.range())
                (self.compare())
                @if self.hubs.len() > 1 { (self.hub()) }
            }
        }
    }

    fn audience(&self) -> Markup {
        let of = |audience: Audience| audience.to_string();
        let items = AUDIENCES.iter().map(|(audience, label)| Item {
            label: (*label).to_owned(),
            address: self.asked.query_with(&["audience"], &[("audience", &of(*audience))]),
            is_chosen: self.asked.audience == *audience,
        });
        menu("Audience", "For", &items.collect::<Vec<_>>(), html! {})
    }

    fn range(&self) -> Markup {
        let chosen = self.asked.range.kind;
        let range = ["range", "from", "to"];
        let mut items: Vec<Item> = Preset::ALL
            .into_iter()
            .map(|preset| Item {
                label: preset.label().to_owned(),
                address: self.asked.query_with(&range, &[("range", preset.code())]),
                is_chosen: chosen == Kind::Preset(preset),
            })
            .collect();
        if chosen == Kind::Dates {
            let parts = self.asked.range.parts();
            let parts: Vec<(&str, &str)> = parts.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let address = self.asked.query_with(&range, &parts);
            items.push(Item { label: self.asked.range.label(), address, is_chosen: true });
        }
        menu("Time range", "Range", &items, self.dates())
    }

    fn dates(&self) -> Markup {
        let value = |day: Option<event::Day>| day.map(|day| day.to_string());
        let kept = self.asked.parts();
        html! {
            form method="get" {
                @for (name, value) in kept.iter().filter(|(name, _)| !["range", "from", "to"].contains(&name.as_str())) {
                    input type="hidden" name=(name) value=(value);
                }
                label for="from" { "From" }
                input id="from" type="date" name="from" value=[value(self.asked.range.from)];
                label for="to" { "Before" }
                input id="to" type="date" name="to" value=[value(self.asked.range.to)];
                button type="submit" { "Show these dates" }
            }
        }
    }

    fn compare(&self) -> Markup {
        let items = COMPARISONS.iter().map(|(code, label)| Item {
            label: (*label).to_owned(),
            address: self.asked.query_with(&["compare"], &[("compare", code)]),
            is_chosen: self.asked.compare == *code,
        });
        menu("Comparison", "vs", &items.collect::<Vec<_>>(), html! {})
    }

    fn hub(&self) -> Markup {
        let chosen = self.asked.value("hub");
        let all = Item {
            label: "All hubs".to_owned(),
            address: self.asked.query_with(&["hub"], &[]),
            is_chosen: chosen.is_none(),
        };
        let each = self.hubs.iter().map(|hub| Item {
            label: hub.clone(),
            address: self.asked.query_with(&["hub"], &[("hub", hub)]),
            is_chosen: chosen == Some(hub.as_str()),
        });
        menu("Hub", "Hub", &std::iter::once(all).chain(each).collect::<Vec<_>>(), html! {})
    }
}

struct Item {
    label: String,
    address: String,
    is_chosen: bool,
}

/// A menu of links, and whatever stands below them. Menus of one name close each other.
fn menu(name: &str, short: &str, items: &[Item], below: Markup) -> Markup {
    let chosen = items.iter().find(|item| item.is_chosen).map(|item| item.label.as_str()).unwrap_or_default();
    html! {
        nav.menu aria-label=(name) {
            details name="menu" {
                summary { span.quiet { (short) " " } bdi { (chosen) } }
                div.sheet {
                    ul {
                        @for item in items {
                            li {
                                a href={ @if item.address.is_empty() { "?" } @else { (item.address) } }
                                    aria-current=[item.is_chosen.then_some("true")] { bdi { (item.label) } }
                            }
                        }
                    }
                    (below)
                }
            }
        }
    }
}
