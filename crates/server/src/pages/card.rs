//! One question as a card: its number, change, chart and table, and a state of its own when it has none.

use maud::{Markup, PreEscaped, html};

/// A card, ready to be shown.
#[derive(Debug)]
pub(crate) struct Card {
    pub(crate) id: String,
    pub(crate) question: String,
    /// Where its own page is.
    pub(crate) address: String,
    /// The field that it asks the reader to fill in, if it has one.
    pub(crate) ask: Option<Ask>,
    pub(crate) content: Content,
}

/// What a card shows below its question.
#[derive(Debug)]
pub(crate) enum Content {
    /// An answer.
    Drawn(Box<Drawn>),
    /// Nothing happened in the range; the text says what would fill it, the address leads to a range that may hold
    /// some.
    Empty { text: String, address: Option<String> },
    /// What the question is made of was never sent.
    NotConnected(Emitter),
    /// It failed, alone.
    Failed { detail: String },
}

/// What would send what a question is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Emitter {
    /// A JupyterHub.
    Hub,
    /// A BinderHub.
    Binder,
    /// A JupyterHub that is asked.
    Polls,
}

/// An answer, drawn.
#[derive(Debug)]
pub(crate) struct Drawn {
    pub(crate) figure: Figure,
    /// The chart in each width.
    pub(crate) charts: Charts,
    /// How to read it, one sentence.
    pub(crate) read: String,
    /// What else a reader must know: what was left out, what is unfinished.
    pub(crate) remarks: Vec<String>,
    pub(crate) table: Table,
    pub(crate) exports: Exports,
    /// What else is to be said of how it was counted, each with its name.
    pub(crate) facts: Vec<(&'static str, String)>,
    /// The values with which it was asked.
    pub(crate) parameters: Vec<(String, String)>,
}

/// Where the same answer is in other forms.
#[derive(Debug)]
pub(crate) struct Exports {
    pub(crate) csv: String,
    pub(crate) json: String,
    pub(crate) parquet: String,
    pub(crate) svg: String,
    pub(crate) vega: String,
}

/// The number of a card.
#[derive(Debug)]
pub(crate) struct Figure {
    /// As shown.
    pub(crate) text: String,
    /// In full.
    pub(crate) exact: String,
    /// What is counted, `launches`.
    pub(crate) of: String,
    /// The days that it is about.
    pub(crate) span: String,
    pub(crate) change: Option<Change>,
}

/// A change against the period before.
#[derive(Debug)]
pub(crate) struct Change {
    /// `▲ 9 %`.
    pub(crate) text: String,
    /// `than in the 28 days before (1,105)`.
    pub(crate) against: String,
}

/// One chart in the widths of phones, cards and pages.
#[derive(Debug, Default)]
pub(crate) struct Charts {
    pub(crate) narrow: String,
    pub(crate) wide: String,
    pub(crate) broad: String,
}

/// A table of texts.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) columns: Vec<TableColumn>,
    pub(crate) rows: Vec<Vec<String>>,
    /// Rows that there are beyond those shown.
    pub(crate) left_out: usize,
}

/// A column of a table.
#[derive(Debug)]
pub(crate) struct TableColumn {
    pub(crate) name: String,
    pub(crate) is_number: bool,
}

/// A form with one field.
#[derive(Debug)]
pub(crate) struct Ask {
    pub(crate) name: String,
    pub(crate) label: String,
    pub(crate) value: String,
    /// Parameters that stay as they are.
    pub(crate) others: Vec<(String, String)>,
}

impl Card {
    pub(crate) fn markup(&self) -> Markup {
        let title = format!("q-{}", self.id);
        html! {
            section.card aria-labelledby=(title) {
                h2 id=(title) { a href=(self.address) { (self.question) } }
                @match &self.content {
                    Content::Drawn(drawn) => (drawn.markup(self.ask.as_ref())),
                    Content::Empty { text, address } => {
                        @if let Some(ask) = &self.ask { (ask.markup()) }
                        div.state {
                            p { (text) }
                            @if let Some(address) = address { p.links { a href=(address) { "Show all time" } } }
                        }
                    }
                    Content::NotConnected(_) => div.state { p { "Nothing that this is made of has come yet." } },
                    Content::Failed { detail } => {
                        @if let Some(ask) = &self.ask { (ask.markup()) }
                        div.state role="alert" {
                            p { strong.bad { "This question could not be answered." } }
                            p { bdi { (super::sentence(detail)) } }
                            p.quiet { "No event is lost by this; the other cards are not touched." }
                        }
                    }
                }
            }
        }
    }
}

impl Drawn {
    fn markup(&self, ask: Option<&Ask>) -> Markup {
        html! {
            (self.figure.markup())
            @if let Some(ask) = ask { (ask.markup()) }
            (self.charts.markup())
            div.beside {
                (self.reading())
                div.more {
                    (self.table.folded(&self.read))
                    a href=(self.exports.csv) { "CSV" }
                }
            }
        }
    }

    /// How to read it, and what else must be known.
    pub(crate) fn reading(&self) -> Markup {
        html! {
            p.read { (self.read) }
            @if !self.remarks.is_empty() {
                ul.remarks { @for remark in &self.remarks { li { bdi { (remark) } } } }
            }
        }
    }
}

impl Figure {
    pub(crate) fn markup(&self) -> Markup {
        html! {
            p.figure {
                span { strong title=(self.exact) { (self.text) } " " (self.of) " " span.quiet { (self.span) } }
                @if let Some(change) = &self.change {
                    span.change { b { (change.text) } " " (change.against) }
                }
            }
        }
    }
}

impl Charts {
    /// The same, to be made interactive by `web/chart.js` from the specification at `address`.
    pub(crate) fn interactive(&self, address: &str) -> Markup {
        html! {
            div.interactive data-chart=(address) {
                div.stage { (self.markup()) }
                p.read-out aria-hidden="true" {}
            }
        }
    }

    /// The markup holds all of them; the style sheet shows the one that fits.
    pub(crate) fn markup(&self) -> Markup {
        html! {
            div.drawing {
                div.narrow { (PreEscaped(&self.narrow)) }
                div.wide { (PreEscaped(&self.wide)) }
                div.broad { (PreEscaped(&self.broad)) }
            }
        }
    }
}

impl Table {
    fn folded(&self, of: &str) -> Markup {
        html! {
            details.table {
                summary { "Table" }
                (self.markup(of))
            }
        }
    }

    /// `of` says what the table is about.
    pub(crate) fn markup(&self, of: &str) -> Markup {
        html! {
            div.scroll tabindex="0" role="region" aria-label={ "Table: " (of) } {
                table data-sortable {
                    thead {
                        tr { @for column in &self.columns { th.number[column.is_number] scope="col" { (column.name) } } }
                    }
                    tbody {
                        @for row in &self.rows {
                            tr {
                                @for (column, cell) in self.columns.iter().zip(row) {
                                    td.number[column.is_number] { bdi { (cell) } }
                                }
                            }
                        }
                    }
                }
            }
            @if self.left_out > 0 {
                p.quiet { (super::words::count(self.left_out as u64)) " more rows are in the CSV." }
            }
        }
    }
}

impl Ask {
    pub(crate) fn markup(&self) -> Markup {
        html! {
            form.ask method="get" {
                @for (name, value) in &self.others { input type="hidden" name=(name) value=(value); }
                label for={ "ask-" (self.name) } { (self.label) }
                input id={ "ask-" (self.name) } type="text" name=(self.name) value=(self.value) maxlength="500"
                    autocomplete="off" spellcheck="false" dir="auto";
                button type="submit" { "Show" }
            }
        }
    }
}
