//! From an address to cards: what is asked for, asked, and made ready to be shown.

use futures::future::join_all;
use query::{Audience, Grain, Kpi, ParameterKind, Params, Scope};

use crate::address;
use crate::app::App;
use crate::error::Problem;
use crate::pages::answered;
use crate::pages::card::{Ask, Card, Content};
use crate::range::{Kind, Preset, Range};
use crate::{router, rows};

/// Parameters taken from an address: more than any question has.
const PARAMETERS_MAX: usize = 24;

/// Letters of one value: as many as the longest name that anyone asks for.
const VALUE_LETTERS_MAX: usize = 1_000;

/// Rows of a ranking on a card; its page has as many as the question says.
const RANKED_ON_CARD: &str = "8";

/// A question by months over fewer days is asked for its own usual range: two bars tell nothing.
const MONTHLY_DAYS_MIN: i32 = 180;

/// With what a range is compared, as it stands in an address.
pub(crate) const COMPARISONS: [(&str, &str); 3] =
    [("previous", "the period before"), ("year", "a year before"), ("none", "nothing")];

/// The audiences that have a first page.
pub(crate) const AUDIENCES: [(Audience, &str); 3] =
    [(Audience::Operator, "Operator"), (Audience::Funder, "Funder"), (Audience::Public, "Public")];

/// What an address asks for: the whole state of a page.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// For whom the first page is; operators unless the address says.
    pub(crate) audience: Audience,
    pub(crate) range: Range,
    /// Whether the address names a range; without one the page opens with its usual one.
    is_range_named: bool,
    /// With what the range is compared.
    pub(crate) compare: &'static str,
    /// Parameters of questions.
    pub(crate) others: Vec<(String, String)>,
    /// The way from the page to the first one.
    pub(crate) root: &'static str,
    /// Whose rows the caller may see.
    pub(crate) scope: Scope,
}

impl Asked {
    /// Reads the parameters of an address.
    ///
    /// # Errors
    /// A problem that names the parameter.
    pub(crate) fn understood(
        parameters: Vec<(String, String)>,
        root: &'static str,
        app: &App,
        scope: Scope,
    ) -> Result<Self, Problem> {
        if parameters.len() > PARAMETERS_MAX {
            let detail = format!("the address has more than {PARAMETERS_MAX} parameters");
            return Err(Problem::bad_request("parameter", detail));
        }
        if let Some((name, _)) = parameters.iter().find(|(_, value)| value.chars().nth(VALUE_LETTERS_MAX).is_some()) {
            let detail = format!("{name}: the value is longer than {VALUE_LETTERS_MAX} letters");
            return Err(Problem::bad_request("parameter", detail));
        }
        let value = |name: &str| {
            let found = parameters.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str());
            found.filter(|value| !value.is_empty())
        };
        let range = Range::asked(value("range"), value("from"), value("to"), app.opening_range, app.clock.now())?;
        let is_range_named = ["range", "from", "to"].iter().any(|name| value(name).is_some());
        let audience = audience(value("audience"))?;
        let compare = compare(value("compare"))?;
        let is_own = |name: &str| ["range", "from", "to", "audience", "compare"].contains(&name);
        let others = parameters.into_iter().filter(|(name, value)| !is_own(name) && !value.is_empty()).collect();
        Ok(Self { audience, range, is_range_named, compare, others, root, scope })
    }

    /// The parameters that ask for the same; what is usual is left out.
    pub(crate) fn parts(&self) -> Vec<(String, String)> {
        let mut parts = Vec::new();
        if self.audience != Audience::Operator {
            parts.push(("audience".to_owned(), self.audience.to_string()));
        }
        if self.is_range_named {
            parts.extend(self.range.parts().into_iter().map(|(name, value)| (name.to_owned(), value)));
        }
        if let Some((usual, _)) = COMPARISONS.first()
            && self.compare != *usual
        {
            parts.push(("compare".to_owned(), self.compare.to_owned()));
        }
        parts.extend(self.others.iter().cloned());
        parts
    }

    /// The query string that asks for the same.
    pub(crate) fn query(&self) -> String {
        self.query_with(&[], &[])
    }

    /// The query string that asks for the same, without the parameters `but` and with those of `and`.
    pub(crate) fn query_with(&self, but: &[&str], and: &[(&str, &str)]) -> String {
        let parts = self.parts();
        let kept = parts.iter().filter(|(name, _)| !but.contains(&name.as_str()));
        let mut all: Vec<(&str, &str)> = kept.map(|(name, value)| (name.as_str(), value.as_str())).collect();
        all.extend_from_slice(and);
        address::query(&all)
    }

    /// What `kpi` is asked: of the address's parameters those that it has.
    fn params(&self, kpi: &Kpi) -> Params {
        let own = self.others.iter().filter(|(name, _)| kpi.parameter(name).is_some());
        let mut params: Params = own.cloned().collect();
        if kpi.parameter("compare").is_some() {
            params = params.with("compare", self.compare);
        }
        let is_short = self.range.days().is_some_and(|days| days < MONTHLY_DAYS_MIN);
        let from = self.range.from.filter(|_| !(kpi.grain == Grain::Month && is_short));
        if let Some(from) = from {
            params = params.with("from", from.to_string());
        }
        if let Some(to) = self.range.to {
            params = params.with("to", to.to_string());
        }
        params
    }

    /// The same for the last days, when the range that a page opens with was nobody's wish.
    fn recent(&self, app: &App) -> Option<Self> {
        let is_opening = !self.is_range_named && self.range.kind == Kind::Dates;
        let range = Range::asked(Some(Preset::Days28.code()), None, None, None, app.clock.now()).ok()?;
        is_opening.then(|| Self { range, ..self.clone() })
    }

    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        self.others.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }
}

fn audience(named: Option<&str>) -> Result<Audience, Problem> {
    let Some(named) = named else { return Ok(Audience::Operator) };
    let found = AUDIENCES.iter().map(|(audience, _)| *audience).find(|audience| audience.to_string() == named);
    found.ok_or_else(|| {
        let known: Vec<String> = AUDIENCES.iter().map(|(audience, _)| audience.to_string()).collect();
        Problem::bad_request("parameter", format!("audience: '{named}' is none of {}", known.join(", ")))
    })
}

fn compare(named: Option<&str>) -> Result<&'static str, Problem> {
    let known: Vec<&'static str> = COMPARISONS.iter().map(|(code, _)| *code).collect();
    let found = known.iter().copied().find(|code| named.is_none_or(|named| named == *code));
    found.ok_or_else(|| {
        let named = named.unwrap_or_default();
        Problem::bad_request("parameter", format!("compare: '{named}' is none of {}", known.join(", ")))
    })
}

/// A card for each of `kpis`, each with its own fate.
pub(crate) async fn cards(state: &router::State, kpis: &[&Kpi], asked: &Asked) -> Vec<Card> {
    join_all(kpis.iter().map(|kpi| {
        let is_ranked = kpi.parameter("limit").is_some() && asked.value("limit").is_none();
        let rows = is_ranked.then_some(RANKED_ON_CARD);
        card(state, kpi, asked, rows)
    }))
    .await
}

/// The answer to `kpi`, ready to be shown; with at most `rows` rows if that is said.
pub(crate) async fn card(state: &router::State, kpi: &Kpi, asked: &Asked, rows: Option<&str>) -> Card {
    let (mut given, mut ask_for) = (Vec::new(), None);
    if let Some(rows) = rows {
        given.push(("limit".to_owned(), rows.to_owned()));
    }
    let content = match repository(state, kpi, asked).await {
        Some((name, Some(repository))) => {
            given.push((name.clone(), repository.clone()));
            ask_for = Some(ask(name, repository, asked));
            content(state, kpi, &given, asked).await
        }
        Some((name, None)) => {
            ask_for = Some(ask(name, String::new(), asked));
            let text = "No repository was launched yet; name one to see its history.".to_owned();
            Content::Empty { text, address: None }
        }
        None => content(state, kpi, &given, asked).await,
    };
    Card {
        id: kpi.id.clone(),
        question: kpi.question.clone(),
        address: format!("{}kpi/{}{}", asked.root, address::encoded(&kpi.id), asked.query()),
        ask: ask_for,
        content,
    }
}

async fn content(state: &router::State, kpi: &Kpi, given: &[(String, String)], asked: &Asked) -> Content {
    let answered = match answer(state, kpi, given, asked).await {
        Ok(answer) if !answered::has_figures(&answer) => match asked.recent(&state.app) {
            Some(recent) => self::answer(state, kpi, given, &recent).await,
            None => Ok(answer),
        },
        answered => answered,
    };
    match answered {
        Ok(answer) => answered::content(kpi, answer, asked),
        Err(problem) => {
            problem.log();
            Content::Failed { detail: problem.detail }
        }
    }
}

/// Asks; for all time first what the data cover.
async fn answer(
    state: &router::State,
    kpi: &Kpi,
    given: &[(String, String)],
    asked: &Asked,
) -> Result<query::KpiAnswer, Problem> {
    let engine = &state.app.engine;
    let params = given.iter().fold(asked.params(kpi), |params, (name, value)| params.with(name, value));
    let answer = engine.kpi(kpi, &params, &asked.scope).await?;
    match answer.covered {
        Some(covered) if asked.range.from.is_none() => {
            let to = asked.range.to.unwrap_or(covered.to);
            let whole = params.with("from", covered.from.to_string()).with("to", to.to_string());
            Ok(engine.kpi(kpi, &whole, &asked.scope).await?)
        }
        _ => Ok(answer),
    }
}

/// The parameter of `kpi` that is a repository, and its value: the address's, else the one launched most.
async fn repository(state: &router::State, kpi: &Kpi, asked: &Asked) -> Option<(String, Option<String>)> {
    let parameter = kpi.parameters.iter().find(|parameter| parameter.kind == ParameterKind::Repository)?;
    let given = asked.value(&parameter.name).map(str::to_owned);
    let repository = match given {
        Some(given) => Some(given),
        None => most_launched(state, asked).await,
    };
    Some((parameter.name.clone(), repository))
}

/// The repository that was launched most in the range, or lately when none was in the range. `None` also when that
/// cannot be asked: the card then asks for a name, and `top-repos` tells why it failed.
async fn most_launched(state: &router::State, asked: &Asked) -> Option<String> {
    let kpi = state.app.catalogue.get("top-repos")?;
    for params in [asked.params(kpi), Params::new()] {
        let answer = state.app.engine.kpi(kpi, &params.with("limit", "1"), &asked.scope).await.ok()?;
        if let Some(first) = rows::of(&answer.answer).first() {
            return first.text("repo");
        }
    }
    None
}

fn ask(name: String, value: String, asked: &Asked) -> Ask {
    let others = asked.parts().into_iter().filter(|(found, _)| *found != name).collect();
    Ask { name, label: "Repository".to_owned(), value, others }
}
