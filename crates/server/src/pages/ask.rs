//! From an address to cards: what is asked for, asked, and made ready to be shown.

use futures::future::join_all;
use query::{Grain, Kpi, ParameterKind, Params, Scope};

use crate::address;
use crate::app::App;
use crate::error::Problem;
use crate::pages::answered;
use crate::pages::card::{Ask, Card, Content};
use crate::range::Range;
use crate::{router, rows};

/// Parameters taken from an address: more than any question has.
const PARAMETERS_MAX: usize = 16;

/// Rows of a ranking on a card; its page has as many as the question says.
const RANKED_ON_CARD: &str = "10";

/// A question by months over fewer days is asked for its own usual range: two bars tell nothing.
const MONTHLY_DAYS_MIN: i32 = 180;

/// What an address asks for.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) range: Range,
    /// Parameters of questions.
    pub(crate) others: Vec<(String, String)>,
    /// The way from the page to the first one.
    pub(crate) root: &'static str,
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
    ) -> Result<Self, Problem> {
        if parameters.len() > PARAMETERS_MAX {
            let detail = format!("the address has more than {PARAMETERS_MAX} parameters");
            return Err(Problem::bad_request("parameter", detail));
        }
        let value = |name: &str| parameters.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str());
        let range = Range::asked(value("range"), value("from"), value("to"), app.opening_range, app.clock.now())?;
        let is_of_range = |name: &str| ["range", "from", "to"].contains(&name);
        let others = parameters.into_iter().filter(|(name, value)| !is_of_range(name) && !value.is_empty()).collect();
        Ok(Self { range, others, root })
    }

    /// The query string that asks for the same.
    pub(crate) fn query(&self) -> String {
        let mut parts = self.range.parts();
        parts.extend(self.others.iter().map(|(name, value)| (name.as_str(), value.clone())));
        address::query(&parts.iter().map(|(name, value)| (*name, value.as_str())).collect::<Vec<_>>())
    }

    /// What `kpi` is asked: of the address's parameters those that it has.
    fn params(&self, kpi: &Kpi) -> Params {
        let own = self.others.iter().filter(|(name, _)| kpi.parameter(name).is_some());
        let mut params: Params = own.cloned().collect();
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

    fn value(&self, name: &str) -> Option<&str> {
        self.others.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }
}

/// A card for every question of the catalogue, each with its own fate.
pub(crate) async fn cards(state: &router::State, asked: &Asked) -> Vec<Card> {
    join_all(state.app.catalogue.iter().map(|kpi| {
        let is_ranked = kpi.parameter("limit").is_some() && asked.value("limit").is_none();
        let rows = is_ranked.then_some(RANKED_ON_CARD);
        card(state, kpi, asked, rows)
    }))
    .await
}

/// The answer to `kpi`, ready to be shown; with at most `rows` rows if that is said.
pub(crate) async fn card(state: &router::State, kpi: &Kpi, asked: &Asked, rows: Option<&str>) -> Card {
    let mut params = asked.params(kpi);
    if let Some(rows) = rows {
        params = params.with("limit", rows);
    }
    let (content, ask) = match repository(state, kpi, asked).await {
        Some((name, Some(repository))) => {
            params = params.with(&name, &repository);
            (content(state, kpi, &params, asked).await, Some(ask(name, repository, asked)))
        }
        Some((name, None)) => {
            let text = "No repository was launched yet; name one to see its history.".to_owned();
            (Content::Empty { text, address: None }, Some(ask(name, String::new(), asked)))
        }
        None => (content(state, kpi, &params, asked).await, None),
    };
    Card {
        id: kpi.id.clone(),
        question: kpi.question.clone(),
        address: format!("{}kpi/{}{}", asked.root, address::encoded(&kpi.id), asked.query()),
        ask,
        content,
    }
}

async fn content(state: &router::State, kpi: &Kpi, params: &Params, asked: &Asked) -> Content {
    match answer(state, kpi, params, asked).await {
        Ok(answer) => answered::content(kpi, answer, asked),
        Err(problem) => {
            problem.log();
            Content::Failed { detail: problem.detail }
        }
    }
}

/// Asks; for all time first what the data cover.
async fn answer(state: &router::State, kpi: &Kpi, params: &Params, asked: &Asked) -> Result<query::KpiAnswer, Problem> {
    let engine = &state.app.engine;
    let answer = engine.kpi(kpi, params, &Scope::All).await?;
    match answer.covered {
        Some(covered) if asked.range.from.is_none() => {
            let to = asked.range.to.unwrap_or(covered.to);
            let whole = params.clone().with("from", covered.from.to_string()).with("to", to.to_string());
            Ok(engine.kpi(kpi, &whole, &Scope::All).await?)
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
        let answer = state.app.engine.kpi(kpi, &params.with("limit", "1"), &Scope::All).await.ok()?;
        if let Some(first) = rows::of(&answer.answer).first() {
            return first.text("repo");
        }
    }
    None
}

fn ask(name: String, value: String, asked: &Asked) -> Ask {
    let mut others: Vec<_> = asked.range.parts().into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    others.extend(asked.others.iter().filter(|(found, _)| *found != name).cloned());
    Ask { name, label: "Repository".to_owned(), value, others }
}
