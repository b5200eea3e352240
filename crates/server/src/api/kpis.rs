//! `GET /api/v1/kpis`: the catalogue. `GET /api/v1/kpis/{id}`: one answer, in the form of `?format=`.

use axum::extract::{Path, Query, State};
use axum::http::{HeaderValue, header};
use axum::response::Response;
use query::chart::{self, Size};
use query::{Kpi, KpiAnswer, Params};
use serde_json::{Value, json};

use crate::access::Caller;
use crate::error::Problem;
use crate::format::{Format, formatted, typed};
use crate::{api, router};

/// A chart that stands alone brings its own style, and still runs and loads nothing.
const CHART_POLICY: HeaderValue = HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'");

/// `{"kpis": [{"id", "question", …}]}`.
pub(crate) async fn list(State(state): State<router::State>) -> Result<Response, Problem> {
    let kpis: Vec<Value> = state.app.catalogue.iter().map(described).collect();
    api::json(&json!({"kpis": kpis}))
}

fn described(kpi: &Kpi) -> Value {
    let parameters: Vec<Value> = kpi
        .parameters
        .iter()
        .map(|parameter| {
            json!({
                "name": parameter.name, "type": parameter.kind, "default": parameter.default,
                "min": parameter.min, "max": parameter.max, "choices": parameter.choices, "required": parameter.is_required(), "help": parameter.help,
            })
        })
        .collect();
    json!({
        "id": kpi.id, "question": kpi.question, "audience": kpi.audience, "group": kpi.group, "unit": kpi.unit,
        "grain": kpi.grain, "chart": kpi.chart, "needs": kpi.needs, "privacy": kpi.privacy,
        "definition": kpi.definition, "reading": kpi.reading, "help": kpi.help, "sql": kpi.sql,
        "parameters": parameters,
    })
}

/// Answers the question `id`; every parameter but `format` is the question's own.
pub(crate) async fn answer(
    State(state): State<router::State>,
    caller: Caller,
    Path(id): Path<String>,
    Query(mut parameters): Query<Vec<(String, String)>>,
) -> Result<Response, Problem> {
    let kpi = state.app.catalogue.find(&id)?;
    let format = parameters.iter().find(|(name, _)| name == "format").map(|(_, value)| value.as_str());
    let format = Format::named(format)?;
    parameters.retain(|(name, _)| name != "format");
    let params: Params = parameters.into_iter().collect();
    let answer = state.app.engine.kpi(kpi, &params, &caller.scope()).await?;
    match format {
        Format::Json => api::json(&answer.json(kpi)),
        Format::Svg => Ok(alone(kpi, &answer)),
        Format::Vega => api::json(&chart::vega_lite(kpi, &answer)),
        format => formatted(answer.answer, format, &kpi.id).await,
    }
}

/// The chart as a document of its own.
fn alone(kpi: &Kpi, answer: &KpiAnswer) -> Response {
    let mut response = typed("image/svg+xml", chart::svg_document(kpi, answer, Size::Page));
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, CHART_POLICY);
    response
}
